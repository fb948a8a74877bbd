package testenv

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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

func firstDifference(want, got []byte) (line int, a, b []byte, differ bool) {
	if bytes.Equal(want, got) {
		return 0, nil, nil, false
	}
	ws, gs := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := 0; i < len(ws) || i < len(gs); i++ {
		a, b = nil, nil
		if i < len(ws) {
			a = ws[i]
		}
		if i < len(gs) {
			b = gs[i]
		}
		if !bytes.Equal(a, b) {
			return i + 1, a, b, true
		}
	}
	return len(ws), nil, nil, true
}
