package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// runIn runs a program that sees the packages of a module as if it lay in the folder cmd/docgen of it,
// and decodes the JSON that it prints. It is how values that only running code knows (the list of
// filters, defaults) reach this program without an import of a service.
func runIn(s *source, module, program string, into any) error {
	scratch, err := os.MkdirTemp("", "docgen-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	real := filepath.Join(scratch, "main.go")
	if err := os.WriteFile(real, []byte(program), 0o600); err != nil {
		return err
	}
	home := filepath.Join(s.root, module)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(home, "cmd", "docgen", "main.go"): real}})
	if err != nil {
		return err
	}
	list := filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("go", "run", "-overlay", list, "./cmd/docgen")
	cmd.Dir = home
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running code of %s: %w\n%s", module, err, stderr.String())
	}
	return json.Unmarshal(out, into)
}
