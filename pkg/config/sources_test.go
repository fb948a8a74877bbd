package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSourcesAreToldAlsoWithAnError(t *testing.T) {
	type settings struct {
		// Name is a name.
		Name string `config:"name"`
		// Size is a number.
		Size int `config:"size"`
	}
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("name: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s Sources
	load := func(file string, env []string, args ...string) error {
		_, _, err := Load(settings{}, Options{Service: "x", Args: args, Environ: env, DefaultFile: file, Sources: &s, Stdout: &strings.Builder{}})
		return err
	}
	if err := load(file, []string{"SLUICE_X_SIZE=3", "SLUICE_X_NAME=", "PATH=/bin"}, "--name", "b", "doctor"); err != nil {
		t.Fatal(err)
	}
	if s.String() != "the file "+file+", the environment (SLUICE_X_SIZE) and flags (--name)" || strings.Join(s.Words, " ") != "doctor" {
		t.Errorf("%q, %+v", s, s)
	}
	if err := load(file, []string{"SLUICE_X_SIZE=many"}, "doctor"); err == nil || s.String() != "the file "+file+" and the environment (SLUICE_X_SIZE)" || len(s.Flags) > 0 {
		t.Errorf("%v: %q", err, s)
	}
	if err := load("/no/such/file", nil); err != nil || s.String() != "no file (/no/such/file is not there)" || len(s.Words) > 0 {
		t.Errorf("%v: %q", err, s)
	}
	if err := load(file, nil, "--nonsense"); err == nil || s.String() != "" {
		t.Errorf("%v: %q", err, s)
	}
}
