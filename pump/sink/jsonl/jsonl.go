// Package jsonl is a sink that writes records into files, one JSON object per line:
// closed and renamed when large or old enough, and deleted after a while.
package jsonl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pump/line"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// Config are the options.
type Config struct {
	// Dir is the folder of the files; it is made if absent. Default: jsonl/ and the
	// sink's name, in the pump's data.
	Dir string `config:"dir"`
	// RotateSize closes a file when it is so large. Default: 64MiB.
	RotateSize config.Size `config:"rotate_size"`
	// RotateEvery closes a file when it was begun so long ago. Default: 1h.
	RotateEvery time.Duration `config:"rotate_every"`
	// KeepFiles is how many closed files stay; the oldest are deleted. Default: 160.
	KeepFiles int `config:"keep_files"`
	// KeepFor is how long closed files stay. Default: 7d.
	KeepFor time.Duration `config:"keep_for"`
}

// Names of files: <sink>-<UTC time of its beginning>-<number>.jsonl, and with
// openSuffix as long as it is written to.
const (
	suffix     = ".jsonl"
	openSuffix = suffix + ".open"
	stamp      = "20060102T150405"
)

// tidyEvery is how often the age of files is looked at.
const tidyEvery = time.Second

// Sink is the files of one sink.
type Sink struct {
	c    Config
	name string
	log  *slog.Logger
	mine *regexp.Regexp // names of closed files

	mu    sync.Mutex
	file  *os.File // nil: none is begun
	size  int64
	begun time.Time
	last  string // stamp of the last file
	n     int    // its number
	blind bool   // the folder cannot be read, which was logged
}

// Open makes the sink and completes files that a killed process left open.
func Open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	c.Dir = cmp.Or(c.Dir, filepath.Join(env.Data, "jsonl", env.Name))
	c.RotateSize = cmp.Or(c.RotateSize, 64<<20)
	c.RotateEvery = cmp.Or(c.RotateEvery, time.Hour)
	c.KeepFiles = cmp.Or(c.KeepFiles, 160)
	c.KeepFor = cmp.Or(c.KeepFor, 7*24*time.Hour)
	switch {
	case c.KeepFiles < 0:
		return nil, fmt.Errorf("keep_files is %d: say how many closed files stay, 1 or more", c.KeepFiles)
	case c.RotateSize < 4096:
		return nil, fmt.Errorf("rotate_size is %s: 4KiB is the least", c.RotateSize)
	}
	s := &Sink{c: c, name: env.Name, log: env.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.mine = regexp.MustCompile(`^` + regexp.QuoteMeta(s.name) + `-\d{8}T\d{6}-\d+\.jsonl$`)
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the files: %w", err)
	}
	return s, s.recover()
}

// Write appends a batch and returns when the disk has it. A batch that fails leaves
// nothing; one that comes again is written again, with the same ids.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var text []byte
	for i := range b.Records {
		text = line.Append(text, &b.Records[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(text); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

func (s *Sink) append(text []byte) error {
	if s.file == nil {
		if err := s.begin(time.Now()); err != nil {
			return err
		}
	}
	_, err := s.file.Write(text)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		// What is torn must not stay: the next line would be a part of it.
		if undo := s.file.Truncate(s.size); undo != nil {
			err = errors.Join(err, undo, s.finish())
		}
		return err
	}
	if s.size += int64(len(text)); s.size >= int64(s.c.RotateSize) {
		// The records are safe: what fails now must not bring them again.
		if err := s.finish(); err != nil {
			s.log.Warn("a file could not be closed", "error", err)
		}
		s.tidy(time.Now())
	}
	return nil
}

// begin makes a new file. Its lock says that a process writes to it.
func (s *Sink) begin(now time.Time) error {
	if at := now.UTC().Format(stamp); at != s.last {
		s.last, s.n = at, 0
	}
	for {
		s.n++
		name := filepath.Join(s.c.Dir, fmt.Sprintf("%s-%s-%d", s.name, s.last, s.n))
		if _, err := os.Stat(name + suffix); err == nil {
			continue // of a process before
		}
		f, err := os.OpenFile(name+openSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(lock(f), syncFolder(s.c.Dir)); err != nil {
			return errors.Join(err, f.Close())
		}
		s.file, s.size, s.begun = f, 0, now
		return nil
	}
}

func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// finish closes the file and gives it its name: from then on it does not change.
func (s *Sink) finish() error {
	f, size := s.file, s.size
	s.file, s.size = nil, 0
	err := errors.Join(f.Sync(), complete(f, size))
	return errors.Join(err, f.Close(), syncFolder(s.c.Dir))
}

// complete renames an open file of the given size; one without records goes.
func complete(f *os.File, size int64) error {
	if size == 0 {
		return os.Remove(f.Name())
	}
	return os.Rename(f.Name(), f.Name()[:len(f.Name())-len(".open")])
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Work closes files that are old enough, also when no records come, and deletes what
// is not to be kept.
func (s *Sink) Work(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			s.mu.Lock()
			if s.file != nil && now.Sub(s.begun) >= s.c.RotateEvery {
				if err := s.finish(); err != nil {
					s.log.Warn("a file could not be closed", "error", err)
				}
			}
			s.tidy(now)
			s.mu.Unlock()
		}
	}
}

// Close closes the open file.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.finish()
}
