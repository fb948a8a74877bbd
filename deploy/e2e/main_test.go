// Package e2e tests the real binaries as a black box: what a caller, an admin and an operator see.
package e2e

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
	redisdb.LogTo(slog.New(slog.DiscardHandler)) // a Redis that is not there yet, or taken away, is no news here
	dir, err := os.MkdirTemp("", "sluice-e2e-")
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
