package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
)

// File is the path of the file that Load reads with these defaults and options,
// whether it exists or not.
func File[T any](defaults T, o Options) (string, error) {
	l, err := newLoader(reflect.ValueOf(&defaults).Elem(), o)
	if err != nil {
		return "", err
	}
	if err := l.parseFlags(); err != nil {
		return "", err
	}
	path, _, _ := l.filePath(l.environment())
	return path, nil
}

// Append adds settings, in YAML, to the end of a file that has none: one that does
// not exist (it is made with mode 0644), is empty, or has comments only, as the
// packaged sample. A file in which somebody has set a thing is left as it is, and
// added is false.
func Append(path string, settings []byte) (added bool, err error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return false, fmt.Errorf("make the folder of the settings: %w", err)
		}
	case err != nil:
		return false, fmt.Errorf("read the settings: %w", err)
	}
	if root, err := parse(text); err != nil || root != nil && !null(root) {
		return false, nil
	}
	if len(bytes.TrimSpace(text)) > 0 {
		settings = append([]byte("\n"), settings...)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		settings = append([]byte("\n"), settings...)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return false, fmt.Errorf("write the settings: %w", err)
	}
	_, err = f.Write(settings)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, fmt.Errorf("write the settings: %w", err)
	}
	return true, nil
}
