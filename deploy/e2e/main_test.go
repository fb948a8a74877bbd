// Package e2e tests the real binaries as a black box: what a caller, an admin and an operator see.
package e2e

import (
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

func TestMain(m *testing.M) { os.Exit(platform.Main(m)) }
