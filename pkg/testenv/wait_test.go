package testenv_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// recorder is a test that may fail or be skipped without this one doing so.
type recorder struct {
	testing.TB
	failed, skipped string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Errorf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }
func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs f as a test of its own and returns how it ended.
func record(t *testing.T, f func(t testing.TB)) *recorder {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); f(r) }()
	<-done
	return r
}

func TestEventually(t *testing.T) {
	calls := 0
	r := record(t, func(t testing.TB) {
		testenv.Eventually(t, time.Minute, func() bool { calls++; return calls == 3 })
		testenv.EventuallyNoError(t, time.Minute, func() error { return nil })
	})
	if r.failed != "" || calls != 3 {
		t.Errorf("%q after %d calls", r.failed, calls)
	}
	r = record(t, func(t testing.TB) { testenv.Eventually(t, 10*time.Millisecond, func() bool { return false }) })
	if !strings.Contains(r.failed, "did not hold within 10ms") {
		t.Errorf("got %q", r.failed)
	}
	r = record(t, func(t testing.TB) {
		testenv.EventuallyNoError(t, 10*time.Millisecond, func() error { return errors.New("still") })
	})
	if !strings.HasSuffix(r.failed, ": still") {
		t.Errorf("got %q", r.failed)
	}
}

func TestMissingSkipsUnlessRequired(t *testing.T) {
	missing := func(t testing.TB) { testenv.Missing(t, "mongodb", "start one") }
	t.Setenv("SLUICE_TEST_REQUIRE", "redis")
	if r := record(t, missing); r.skipped != "mongodb is missing: start one" || r.failed != "" {
		t.Errorf("got %+v", r)
	}
	t.Setenv("SLUICE_TEST_REQUIRE", "redis,mongodb")
	if r := record(t, missing); r.failed == "" || r.skipped != "" {
		t.Errorf("got %+v", r)
	}
}

func TestGolden(t *testing.T) {
	if update := flag.Lookup("update").Value; update.String() == "true" {
		defer func() { _ = update.Set("true") }()
		_ = update.Set("false")
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("testdata/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "sub", "a.txt"), []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"sub/a.txt", "one\ntwo\n", ""},
		{"sub/a.txt", "one\nthree\n", `differs at line 2:` + "\n" + ` want "two"` + "\n" + `  got "three"`},
		{"sub/a.txt", "one\ntwo", "differs at line 3"},
		{"sub/a.txt", "one\ntwo\n\n", "differs at line 4"},
		{"absent.txt", "", "run the test with -update to write it"},
	} {
		r := record(t, func(t testing.TB) { testenv.Golden(t, c.name, []byte(c.got)) })
		if (c.want == "") != (r.failed == "") || !strings.Contains(r.failed, c.want) {
			t.Errorf("%q: %q, want %q", c.got, r.failed, c.want)
		}
	}
}
