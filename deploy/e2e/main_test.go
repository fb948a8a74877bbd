// Package e2e tests the real binaries as a black box: what a caller, an admin and an operator see.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// TestMain builds the binaries once; SLUICE_E2E_BIN names a folder of ready ones.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
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
