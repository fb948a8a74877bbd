package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binEnv names a folder of ready binaries; without it they are built.
const binEnv = "SLUICE_E2E_BIN"

// Build builds the services' binaries into dir and lets later starts of this process use them. Where
// SLUICE_E2E_BIN names ready ones nothing is built.
func Build(ctx context.Context, dir string) error {
	if os.Getenv(binEnv) != "" {
		return nil
	}
	for name, pkg := range map[string]string{
		"sluice-gateway": "./gateway/cmd/gateway", "sluice-dashboard": "./dashboard/cmd/dashboard",
		"sluice-pump": "./pump/cmd/pump", "sluice-quickstart": "./deploy/quickstart",
	} {
		if err := goBuild(ctx, filepath.Join(dir, name), pkg); err != nil {
			return err
		}
	}
	return os.Setenv(binEnv, dir)
}

// BuildFailpoint builds a dashboard that can be told to die at a step of a publication, and returns
// its path.
func BuildFailpoint(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "sluice-dashboard-failpoint")
	return out, goBuild(ctx, out, "./dashboard/cmd/dashboard", "-tags", "failpoint")
}

// Binary is the path of a built program.
func Binary(name string) string {
	dir, err := filepath.Abs(os.Getenv(binEnv))
	if err != nil {
		return name
	}
	return filepath.Join(dir, name)
}

func goBuild(ctx context.Context, out, pkg string, flags ...string) error {
	root, err := root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-trimpath"}, flags...), "-o", out, pkg)...)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, said)
	}
	return nil
}

// root is the folder of the checkout: the nearest one upward that holds go.work.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory lies in no checkout (no go.work upward)")
		}
		dir = parent
	}
}
