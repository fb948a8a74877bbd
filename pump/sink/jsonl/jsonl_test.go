package jsonl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

func opened(t *testing.T, c Config, name string) *Sink {
	t.Helper()
	s, err := Open(t.Context(), c, sink.Env{Name: name, Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Sink)
}

func files(t *testing.T, s *Sink) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// stored reads every line of every file, the earliest first.
func stored(t *testing.T, s *Sink) (ids []string) {
	t.Helper()
	for _, name := range files(t, s) {
		f, err := os.Open(filepath.Join(s.c.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(f)
		scan.Buffer(nil, 8<<20)
		for scan.Scan() {
			var one struct {
				ID     string
				Status int
			}
			if err := json.Unmarshal(scan.Bytes(), &one); err != nil {
				t.Fatalf("%s: %v: %q", name, err, scan.Bytes())
			}
			ids = append(ids, one.ID)
		}
		if err := errors.Join(scan.Err(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func write(t *testing.T, s *Sink, from, n int) {
	t.Helper()
	if err := s.Write(t.Context(), sinktest.BatchOf(0, sinktest.Entries(0, from, n))); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sink.Sink { return opened(t, Config{RotateSize: 64 << 10}, "calls") },
		sinktest.Options{Stored: func(t *testing.T, s sink.Sink) []string { return stored(t, s.(*Sink)) }})
	t.Run("one file", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sink.Sink { return opened(t, Config{}, "calls") },
			sinktest.Options{Ordered: true, Stored: func(t *testing.T, s sink.Sink) []string { return stored(t, s.(*Sink)) }})
	})
}

func TestFilesAreClosedAtTheirSizeAndTheOldestGo(t *testing.T) {
	s := opened(t, Config{RotateSize: 4096, KeepFiles: 3}, "calls")
	for i := range 6 {
		write(t, s, 20*i, 20) // more than 4 KiB
	}
	names := files(t, s)
	if len(names) != 3 {
		t.Fatalf("%v", names)
	}
	for _, name := range names {
		if !s.mine.MatchString(name) {
			t.Errorf("%s is not closed", name)
		}
	}
	if ids := stored(t, s); len(ids) != 60 || ids[0] != sinktest.Entries(0, 60, 1)[0].ID {
		t.Errorf("%d records, first %s", len(ids), ids[0])
	}
}

func TestFilesAreClosedAtTheirAgeAndGoAtTheirs(t *testing.T) {
	s := opened(t, Config{RotateEvery: time.Millisecond, KeepFor: 24 * time.Hour}, "calls")
	other := filepath.Join(s.c.Dir, "calls-2020.jsonl") // not of this sink: it stays
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, s, 0, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Work(ctx) }()
	var closed string
	testenv.Eventually(t, 10*time.Second, func() bool {
		for _, name := range files(t, s) {
			if s.mine.MatchString(name) {
				closed = name
			}
		}
		return closed != ""
	})
	old := time.Now().Add(-25 * time.Hour)
	if err := errors.Join(os.Chtimes(filepath.Join(s.c.Dir, closed), old, old), os.Chtimes(other, old, old)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, func() bool { return len(files(t, s)) == 1 })
	cancel()
	if err := <-done; err != nil || files(t, s)[0] != "calls-2020.jsonl" {
		t.Errorf("%v %v", err, files(t, s))
	}
}

// TestAKilledProcessLeavesWholeLines opens over a file with a torn last line, as
// kill -9 within a write leaves it.
func TestAKilledProcessLeavesWholeLines(t *testing.T) {
	for name, text := range map[string]string{"torn": "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c", "whole": "{\"id\":\"a\"}\n{\"id\":\"b\"}\n", "long": "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"x\":\"" + strings.Repeat("y", 200_000)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "calls-20261122T010203-1.jsonl.open"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := opened(t, Config{Dir: dir}, "calls")
			if got := files(t, s); len(got) != 1 || got[0] != "calls-20261122T010203-1.jsonl" {
				t.Errorf("%v", got)
			}
			if ids := stored(t, s); strings.Join(ids, "") != "ab" {
				t.Errorf("%v", ids)
			}
		})
	}
	t.Run("nothing whole", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "calls-20261122T010203-1.jsonl.open"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := files(t, opened(t, Config{Dir: dir}, "calls")); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestAFileOfARunningProcessIsLeftAlone(t *testing.T) {
	first := opened(t, Config{Dir: t.TempDir()}, "calls")
	write(t, first, 0, 10)
	second := opened(t, Config{Dir: first.c.Dir}, "calls")
	write(t, second, 10, 10)
	write(t, first, 20, 10)
	if got := files(t, first); len(got) != 2 || len(stored(t, first)) != 30 {
		t.Errorf("%v", got)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, first) {
		if !first.mine.MatchString(name) {
			t.Errorf("%s", name)
		}
	}
}

// TestAFailedWriteLeavesNothing lets the disk fail by closing the file behind the
// sink's back; what follows goes to a new one.
func TestAFailedWriteLeavesNothing(t *testing.T) {
	s := opened(t, Config{}, "calls")
	write(t, s, 0, 10)
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), sinktest.BatchOf(0, sinktest.Entries(0, 10, 10))); err == nil {
		t.Fatal("the file was closed")
	}
	write(t, s, 10, 10)
	if ids := stored(t, s); len(ids) != 20 {
		t.Errorf("%v in %v", ids, files(t, s))
	}
}

func TestWrongOptionsAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{"keep_files": {KeepFiles: -1}, "rotate_size": {RotateSize: 1}, "folder": {Dir: filepath.Join(file, "x")}} {
		if c.Dir == "" {
			c.Dir = t.TempDir()
		}
		if _, err := Open(t.Context(), c, sink.Env{Name: "calls"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
