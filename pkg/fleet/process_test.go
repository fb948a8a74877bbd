package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentifyKeepsTheID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	id, name, err := Identify(dir, "")
	host, _ := os.Hostname()
	if err != nil || len(id) != 36 || name != host {
		t.Fatalf("%q %q %v", id, name, err)
	}
	again, name, err := Identify(dir, "gw-1")
	if err != nil || again != id || name != "gw-1" {
		t.Errorf("second start: %q %q %v; want %q", again, name, err, id)
	}
	if err := os.WriteFile(filepath.Join(dir, "node-id"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Identify(dir, ""); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a broken file: %v", err)
	}
	if _, _, err := Identify(filepath.Join(dir, "node-id", "x"), ""); err == nil || !strings.Contains(err.Error(), "may write to") {
		t.Errorf("no folder: %v", err)
	}
}

func TestProcessLoad(t *testing.T) {
	if l := ProcessLoad(); l.Goroutines < 1 || l.RSS < 1<<20 {
		t.Errorf("%+v", l)
	}
}
