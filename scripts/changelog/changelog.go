package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// kinds in the order in which a release lists them.
func kinds() []string { return []string{"security", "added", "changed", "fixed", "removed"} }

var versionName = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9a-z.]+)?$`)

// read collects the unreleased entries by kind, and the files that they stand in.
func read(dir string) (entries map[string][]string, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(dir, "unreleased", "*.md"))
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(files)
	entries = map[string][]string{}
	var errs []error
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		kind, sentence, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
		sentence = strings.Join(strings.Fields(sentence), " ")
		if !slices.Contains(kinds(), kind) || sentence == "" {
			errs = append(errs, fmt.Errorf("%s: begin with one of %s, a colon, and a sentence", filepath.Base(name), strings.Join(kinds(), ", ")))
			continue
		}
		entries[kind] = append(entries[kind], sentence)
	}
	return entries, files, errors.Join(errs...)
}

func preview(dir string) (string, error) {
	entries, _, err := read(dir)
	return section(entries), err
}

func section(entries map[string][]string) string {
	var b strings.Builder
	for _, kind := range kinds() {
		if len(entries[kind]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", strings.ToUpper(kind[:1])+kind[1:])
		for _, s := range entries[kind] {
			b.WriteString("- " + s + "\n")
		}
	}
	return b.String()
}

// release puts the unreleased entries above the earlier releases and removes their files. A version
// that is listed already, or nothing to list, is refused.
func release(dir, version string, day time.Time) error {
	if !versionName.MatchString(version) {
		return fmt.Errorf("%q is not a version such as v0.2.0", version)
	}
	entries, files, err := read(dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("nothing is unreleased")
	}
	name := filepath.Join(dir, "CHANGELOG.md")
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	const title = "# Changelog\n"
	if strings.Contains(string(old), "\n## "+version+" ") {
		return fmt.Errorf("%s is in %s already", version, name)
	}
	text := fmt.Sprintf("%s\n## %s (%s)\n%s%s", title, version, day.UTC().Format(time.DateOnly), section(entries), strings.TrimPrefix(string(old), title))
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}
