package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// TestMain builds the binaries once; SLUICE_E2E_BIN names a folder of ready ones.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	redisdb.LogTo(slog.New(slog.DiscardHandler))
	dir, err := os.MkdirTemp("", "sluice-conformance-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = platform.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// must is for calls that only prepare: must(f())(t).
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
