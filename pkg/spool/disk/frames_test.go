package disk

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

func numbered(shard int, seq, base uint64, count, size int) []byte {
	b, _ := frame.Append(nil, &frame.Header{Start: frame.StartID{9}, Shard: shard, Seq: seq, Base: base, Count: count}, make([]byte, min(size, 60)), nil)
	return b
}

func sequences(t *testing.T, s *Frames, shard int) (list []uint64) {
	t.Helper()
	for {
		c := s.Peek(shard, 3, 1<<20)
		if len(c.List) == 0 {
			return list
		}
		for _, raw := range c.List {
			f, err := frame.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, f.Seq)
		}
		s.Advance(c, len(c.List))
	}
}

func newFrames(t *testing.T, dir string, budget int64) (*Frames, *int64) {
	t.Helper()
	lost := new(int64)
	s, err := openFrames(dir, budget, func(n int64) { *lost += n }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, lost
}

func TestFramesKeepTheOrderOfAShardOverRestarts(t *testing.T) {
	dir := t.TempDir()
	seq := uint64(0)
	for range 3 {
		s, _ := newFrames(t, dir, 1<<20)
		for range 10 {
			seq++
			for shard := range 2 {
				if err := s.Append(shard, numbered(shard, seq, 0, 1, 60), 1); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.close()
	}
	s, lost := newFrames(t, dir, 1<<20)
	if shards, used := s.Shards(); len(shards) != 2 || used == 0 {
		t.Error(shards, used)
	}
	for shard := range 2 {
		got := sequences(t, s, shard)
		for i, seq := range got {
			if seq != uint64(i+1) {
				t.Fatalf("shard %d: %v", shard, got)
			}
		}
		if len(got) != 30 {
			t.Errorf("shard %d: %v", shard, got)
		}
	}
	if _, used := s.Shards(); used != 0 || *lost != 0 {
		t.Errorf("%d bytes, %d lost", used, *lost)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

// TestATornEndIsCutOff cuts a segment at every byte.
func TestATornEndIsCutOff(t *testing.T) {
	dir := t.TempDir()
	s, _ := newFrames(t, dir, 1<<20)
	ends := []int64{0}
	for seq := range uint64(3) {
		if err := s.Append(0, numbered(0, seq+1, 0, 1, int(20*seq)), 1); err != nil {
			t.Fatal(err)
		}
		_, used := s.Shards()
		ends = append(ends, used)
	}
	path := s.segments[0].path
	s.close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for want+1 < len(ends) && ends[want+1] <= int64(cut) {
			want++
		}
		s, _ := newFrames(t, dir, 1<<20)
		if got := sequences(t, s, 0); len(got) != want {
			t.Errorf("cut at %d: %v, want %d frames", cut, got, want)
		}
		s.close()
	}
}

func TestTheOldestIsDroppedAndTold(t *testing.T) {
	s, lost := newFrames(t, t.TempDir(), 256<<10)
	const n = 6000
	for i := range uint64(n) {
		if err := s.Append(0, numbered(0, i+1, 10*i, 10, 60), 10); err != nil {
			t.Fatal(err)
		}
		if _, used := s.Shards(); used > 256<<10+200 { // a mark may go beyond
			t.Fatalf("%d bytes", used)
		}
	}
	got := sequences(t, s, 0)
	records, last := uint64(0), uint64(0)
	for _, seq := range got {
		if seq > last {
			records, last = records+10, seq
		}
	}
	if *lost == 0 || int64(records)+*lost != 10*n || last != n {
		t.Errorf("%d arrived, %d lost, last %d", records, *lost, last)
	}
}

func TestADiskThatFailsIsAnErrorAndNoLossOfOthers(t *testing.T) {
	dir := t.TempDir()
	s, lost := newFrames(t, dir, 1<<20)
	s.dir = filepath.Join(dir, "gone")
	if err := s.Append(0, numbered(0, 1, 0, 1, 9), 1); err == nil {
		t.Fatal("it was written nowhere")
	}
	s.dir = dir
	if err := s.Append(0, numbered(0, 2, 1, 1, 9), 1); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(sequences(t, s, 0)); got != "[2]" || *lost != 0 {
		t.Error(got, *lost)
	}
	if err := s.Append(0, make([]byte, 2<<20), 1); err == nil {
		t.Error("a frame larger than the budget was taken")
	}
}

func TestDamageIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	s, _ := newFrames(t, dir, 1<<20)
	for seq := range uint64(6) {
		if err := s.Append(0, numbered(0, seq+1, seq*10, 10, 500), 10); err != nil {
			t.Fatal(err)
		}
	}
	path, size := s.segments[0].path, s.segments[0].size
	s.close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[size/2] ^= 0x41
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for range 2 { // the second finds a whole file
		s, err := openFrames(dir, 1<<20, func(int64) {}, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(sequences(t, s, 1)); n != 0 {
			t.Errorf("%d frames of another shard", n)
		}
		s.close()
	}
	if n := strings.Count(said.String(), "damaged"); n != 1 || !strings.Contains(said.String(), path) {
		t.Errorf("said %d times: %s", n, said.String())
	}
}
