package disk

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

func openFolder(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(Options{
		Dir: dir, Node: "n", Group: "g", Slots: 4, Budget: 1 << 20,
		Dropped: func(n int64) { t.Errorf("%d records were dropped", n) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func fill(t *testing.T, b *Batch, records int) {
	t.Helper()
	for i := range records {
		if !b.Add(&record.Record{At: time.UnixMicro(int64(1000 + i)), API: "a", Path: fmt.Sprintf("/%d", b.Count())}) {
			t.Fatal("no room")
		}
	}
}

// killed is a folder as a process leaves it that is killed now.
func killed(t *testing.T, f *Folder, change func(file []byte)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	file, err := os.ReadFile(f.Batches.path)
	if err != nil {
		t.Fatal(err)
	}
	change(file)
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Batches.path)), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// headers are those of a shard's frames, as "sequence base+count", and a * at the end.
func headers(t *testing.T, f *Folder, shard int) (list []string) {
	t.Helper()
	for _, raw := range f.Frames.Peek(shard, 100, 1<<20).List {
		h, err := frame.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%d %d+%d", h.Seq, h.Base, h.Count)
		if h.End {
			text += "*"
		}
		list = append(list, text)
	}
	return list
}

func TestWhatAKilledProcessLeftBecomesFrames(t *testing.T) {
	f := openFolder(t, t.TempDir())
	defer func() { _ = f.Close() }()
	open, numbered, gone := f.Batches.Take(0), f.Batches.Take(0), f.Batches.Take(0)
	fill(t, open, 3)
	fill(t, gone, 2)
	f.Batches.Number(gone)
	f.Batches.Release(gone)
	fill(t, numbered, 5)
	f.Batches.Number(numbered)
	f.Batches.Lose(0)
	fill(t, f.Batches.Take(1), 1)

	tests := map[string]struct {
		change func(file []byte)
		want   string
	}{
		"whole": {func([]byte) {}, "[2 2+5 3 8+3 4 11+0*]"},
		"a page of the open batch was not written": {func(file []byte) {
			clear(file[slotHeader+open.Size()-10 : slotHeader+open.Size()])
		}, "[2 2+5 3 8+2 4 10+0*]"},
		"nothing of the open batch was written": {func(file []byte) { clear(file[slotHeader:slotSize]) }, "[2 2+5 3 8+0*]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := killed(t, f, test.change)
			next := openFolder(t, dir)
			defer func() { _ = next.Close() }()
			if got := fmt.Sprint(headers(t, next, 0)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if got := fmt.Sprint(headers(t, next, 1)); got != "[1 0+1 2 1+0*]" {
				t.Error(got)
			}
			if left, err := filepath.Glob(filepath.Join(dir, batchesPrefix+"*")); err != nil || len(left) != 1 || left[0] != next.Batches.path {
				t.Error(left, err)
			}
		})
	}
}

func TestAnUnreadableFileOfBatchesIsRemoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, batchesPrefix+"x")
	for _, content := range [][]byte{nil, []byte("SLB"), make([]byte, filePage), make([]byte, slotSize+filePage)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f := openFolder(t, dir)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%d bytes: %v", len(content), err)
		}
		if list, _ := f.Frames.Shards(); len(list) != 0 {
			t.Errorf("frames of shards %v", list)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestABatchTakesWhatFits(t *testing.T) {
	f := openFolder(t, t.TempDir())
	defer func() { _ = f.Close() }()
	b := f.Batches.Take(0)
	large := func(size int) *record.Record {
		return &record.Record{Response: &record.Capture{Body: make([]byte, size)}}
	}
	size := b.Most()
	for len(large(size).Append(nil)) > b.Most() {
		size--
	}
	if b.Add(large(size+1)) || b.Count() != 0 {
		t.Error("a record of more than the most was taken")
	}
	if !b.Add(large(size)) || b.Count() != 1 {
		t.Fatal("a record of the most bytes was not taken")
	}
	if b.Add(&record.Record{Path: "/"}) {
		t.Error("a full batch took one more")
	}
	taken := []*Batch{b}
	for next := f.Batches.Take(0); next != nil; next = f.Batches.Take(0) {
		taken = append(taken, next)
	}
	if len(taken) != 4 || f.Batches.Free() != 0 {
		t.Errorf("%d batches, %d free", len(taken), f.Batches.Free())
	}
	for _, b := range taken {
		f.Batches.Release(b)
	}
	if b := f.Batches.Take(1); b.Count() != 0 || f.Batches.Free() != 3 || f.Batches.Used(1) {
		t.Errorf("%d records, %d free", b.Count(), f.Batches.Free())
	}
}
