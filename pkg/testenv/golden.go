package testenv

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The flag exists in every test binary that imports this package; flags have to
// be registered before the tests run.
var _ = flag.Bool("update", false, "rewrite the golden files with what the tests got")

// Golden compares got with testdata/name in the test's package. With
// `go test -update` it writes the file instead. The first difference is shown.
func Golden(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if updating() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	if line, a, b, differ := firstDifference(want, got); differ {
		t.Errorf("%s differs at line %d:\n want %q\n  got %q\nrun the test with -update if the change is meant",
			path, line, a, b)
	}
}

func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// firstDifference returns the number and both texts of the first line that is
// not the same.
func firstDifference(want, got []byte) (line int, a, b string, differ bool) {
	if bytes.Equal(want, got) {
		return 0, "", "", false
	}
	ws, gs := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for line < len(ws) && line < len(gs) && ws[line] == gs[line] {
		line++
	}
	const end = "(the end of the file)"
	a, b = end, end
	if line < len(ws) {
		a = ws[line]
	}
	if line < len(gs) {
		b = gs[line]
	}
	return line + 1, a, b, true
}
