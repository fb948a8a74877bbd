package jsonl

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// recover completes open files that no process has locked: the last line, which may
// be torn, is cut off, since its batch was not confirmed.
func (s *Sink) recover() error {
	names, err := filepath.Glob(filepath.Join(s.c.Dir, globName(s.name)+"-*"+openSuffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		if !s.mine.MatchString(strings.TrimSuffix(filepath.Base(name), ".open")) {
			continue
		}
		if err := recoverFile(name); err != nil {
			return fmt.Errorf("complete %s, which a killed process left: %w", name, err)
		}
	}
	return nil
}

func globName(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

func recoverFile(name string) (err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if lock(f) != nil {
		return nil // a running process writes to it
	}
	size, err := wholeLines(f)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), complete(f, size), syncFolder(filepath.Dir(name)))
}

// wholeLines is the size of a file up to its last line feed.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var chunk [64 << 10]byte
	for end := info.Size(); end > 0; {
		from := max(end-int64(len(chunk)), 0)
		part := chunk[:end-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

// tidy deletes closed files that are too many or too old.
func (s *Sink) tidy(now time.Time) {
	entries, err := os.ReadDir(s.c.Dir)
	if blind := err != nil; blind != s.blind {
		if s.blind = blind; blind {
			s.log.Warn("old files cannot be looked for", "error", err)
		}
	}
	type closed struct {
		name string
		at   time.Time
	}
	var files []closed
	for _, e := range entries {
		if info, err := e.Info(); err == nil && s.mine.MatchString(e.Name()) {
			files = append(files, closed{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b closed) int { // the newest first; clocks of files are coarse, and 10 comes after 9
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(len(b.name), len(a.name)), cmp.Compare(b.name, a.name))
	})
	for i, f := range files {
		if i < s.c.KeepFiles && now.Sub(f.at) < s.c.KeepFor {
			continue
		}
		if err := os.Remove(filepath.Join(s.c.Dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("an old file cannot be deleted", "error", err)
		}
	}
}
