package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errAbsent says that the source of a step does not exist, which is not a failure.
var errAbsent = errors.New("its source does not exist")

// output is one generated file; its path is below the root.
type output struct {
	Path string
	Text []byte
}

// generate runs the steps in order and writes the files that changed, unless checkOnly; later steps see
// the files of earlier ones. It returns the paths that changed or would.
func generate(root string, all []step, checkOnly bool, say func(string)) (changed []string, err error) {
	src, err := openSource(root)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, st := range all {
		files, err := st.make(src)
		if errors.Is(err, errAbsent) {
			say(fmt.Sprintf("skipped  %s: %v", st.name, err))
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", st.name, err))
			continue
		}
		for _, f := range files {
			path := filepath.Join(src.root, f.Path)
			old, _ := os.ReadFile(path)
			if bytes.Equal(old, f.Text) {
				continue
			}
			changed = append(changed, f.Path)
			say("changed  " + f.Path)
			if checkOnly {
				continue
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return changed, err
			}
			if err := os.WriteFile(path, f.Text, 0o644); err != nil {
				return changed, err
			}
		}
	}
	return changed, errors.Join(errs...)
}
