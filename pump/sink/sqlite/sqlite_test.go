package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

func TestContract(t *testing.T) {
	dirs := map[sink.Sink]string{}
	sinktest.Run(t, func(t *testing.T) sink.Sink {
		data := t.TempDir()
		s, err := Open(t.Context(), Config{}, sink.Env{Name: "records", Data: data})
		if err != nil {
			t.Fatal(err)
		}
		dirs[s] = filepath.Join(data, "records")
		return s
	}, sinktest.Options{Once: true, Stored: func(t *testing.T, s sink.Sink) []string { return stored(t, dirs[s]) }})
}

// stored reads what another process would.
func stored(t *testing.T, dir string) (ids []string) {
	t.Helper()
	a, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	for after := (archive.Cursor{}); ; {
		page, err := a.Find(t.Context(), archive.Filter{}, after, archive.MaxPage)
		if err != nil || len(page.Skipped) > 0 {
			t.Fatal(page.Skipped, err)
		}
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if after = page.Next; after == (archive.Cursor{}) {
			return ids
		}
	}
}

func TestLateRecordsAreRejectedAndTheOthersStored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "elsewhere")
	s, err := Open(t.Context(), Config{Dir: dir, Retention: 24 * time.Hour}, sink.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	entries := sinktest.Entries(0, 0, 3)
	entries[1].At = entries[1].At.Add(-72 * time.Hour)
	var reject *sink.Reject
	if err := s.Write(t.Context(), sinktest.BatchOf(0, entries)); !errors.As(err, &reject) || len(reject.Records) != 1 || reject.Records[0].Index != 1 || reject.Records[0].Reason == "" {
		t.Errorf("got %v", err)
	}
	if ids := stored(t, dir); len(ids) != 2 {
		t.Errorf("stored %v", ids)
	}
}

// broken is an archive with one answer.
type broken struct{ err error }

func (b broken) Insert(context.Context, []record.Entry) ([]archive.Rejected, error) {
	return nil, b.err
}
func (b broken) Retain(context.Context, time.Time) ([]string, error) { return nil, b.err }
func (b broken) Close() error                                        { return nil }

func TestFullDiskIsWaitedFor(t *testing.T) {
	var wait *sink.Wait
	full := fmt.Errorf("insert: %w", &os.PathError{Op: "write", Err: syscall.ENOSPC})
	if err := (&Sink{archive: broken{full}}).Write(t.Context(), sink.Batch{}); !errors.As(err, &wait) || wait.For != 10*time.Second || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if err := (&Sink{archive: broken{errors.New("else")}}).Write(t.Context(), sink.Batch{}); err == nil || errors.As(err, new(*sink.Wait)) {
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	if _, err := Open(t.Context(), Config{Retention: -1}, sink.Env{Data: t.TempDir()}); err == nil {
		t.Error("a negative retention was taken")
	}
	if _, err := Open(t.Context(), Config{Dir: "/dev/null/x"}, sink.Env{}); err == nil {
		t.Error("a folder that cannot be was taken")
	}
}
