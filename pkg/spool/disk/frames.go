package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// Frames keeps frames on disk in the order in which they came, per shard: segments,
// files of frames that each follow their length. Shipped segments are removed; when
// the budget is used, the oldest segment is, whosever it is. Safe for concurrent use.
type Frames struct {
	dir     string
	budget  int64
	segSize int64
	dropped func(records int64) // called with the lock held; negative: they arrived after all

	mu       sync.Mutex
	segments []*segment // oldest first
	next     int
	used     int64
	refusal  error // of the last write, nil when the disk took it
}

type segment struct {
	n       int
	shard   int
	path    string
	f       *os.File
	size    int64
	read    int64          // bytes that were shipped
	records uint64         // not shipped yet
	counts  []int          // of it each frame's part; 0 of a copy
	ends    []frame.Header // of each start the last frame
	closed  bool           // takes no more
	gone    bool
}

// Chunk is what Peek read: frames that Advance takes away. The zero Chunk has none.
type Chunk struct {
	seg  *segment
	List [][]byte
}

const spillPrefix = "spill-"

// openFrames reads what earlier starts left. A segment is cut before what is torn or
// damaged in it: that a record is missing, readers see by the numbers of later ones.
func openFrames(dir string, budget int64, dropped func(int64), log *slog.Logger) (*Frames, error) {
	s := &Frames{dir: dir, budget: budget, segSize: min(max(budget/16, 64<<10), 4<<20), dropped: dropped, next: 1}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		seg := &segment{path: filepath.Join(dir, e.Name()), closed: true}
		if !strings.HasPrefix(e.Name(), spillPrefix) {
			continue
		}
		if _, err := fmt.Sscanf(e.Name(), spillPrefix+"%d-%d", &seg.n, &seg.shard); err != nil || seg.shard < 0 || seg.shard >= frame.MaxShards {
			continue
		}
		s.next = max(s.next, seg.n+1)
		cut, err := seg.scan()
		if err != nil {
			return nil, err
		}
		if cut > 0 {
			log.Warn("a file of waiting records is damaged: what follows the damage is lost", "file", seg.path, "at", seg.size, "bytes", cut)
		}
		if seg.size == 0 {
			seg.remove()
			continue
		}
		s.segments = append(s.segments, seg)
		s.used += seg.size
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return a.n - b.n })
	for s.used > s.budget && len(s.segments) > 0 {
		s.dropOldest()
	}
	return s, nil
}

// scan reads the whole file and tells how many bytes it had to cut off.
func (g *segment) scan() (cut int64, err error) {
	if g.f, err = os.OpenFile(g.path, os.O_RDWR, 0); err != nil {
		return 0, err
	}
	info, err := g.f.Stat()
	if err != nil {
		return 0, err
	}
	for end := info.Size(); ; {
		raw, err := g.frameAt(g.size, end)
		if err != nil {
			return end - g.size, g.f.Truncate(g.size)
		}
		h, err := frame.Parse(raw)
		if err != nil {
			return end - g.size, g.f.Truncate(g.size)
		}
		g.size += 4 + int64(len(raw))
		g.records += uint64(h.Count)
		g.counts = append(g.counts, h.Count)
		g.note(h.Header)
	}
}

func (g *segment) note(h frame.Header) {
	for i := range g.ends {
		if g.ends[i].Start == h.Start {
			g.ends[i] = h
			return
		}
	}
	g.ends = append(g.ends, h)
}

func (g *segment) frameAt(at, end int64) ([]byte, error) {
	var length [4]byte
	if at+4 > end {
		return nil, io.EOF
	}
	if _, err := g.f.ReadAt(length[:], at); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(length[:]))
	if n > frame.MaxSize || at+4+n > end {
		return nil, io.ErrUnexpectedEOF
	}
	raw := make([]byte, n)
	_, err := g.f.ReadAt(raw, at+4)
	return raw, err
}

func (g *segment) remove() {
	g.gone = true
	_ = g.f.Close()
	_ = os.Remove(g.path)
}

// Append writes a frame with so many records. When the disk refuses, it makes room
// by dropping the oldest segment and tries once more. After an error the frame is
// not on disk.
func (s *Frames) Append(shard int, raw []byte, records int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	need := int64(len(raw)) + 4
	if need > s.budget {
		return fmt.Errorf("a frame of %d bytes in a disk budget of %d", len(raw), s.budget)
	}
	for s.used+need > s.budget {
		s.dropOldest()
	}
	err := s.write(shard, raw, records)
	if err != nil && len(s.segments) > 0 {
		s.dropOldest()
		err = s.write(shard, raw, records)
	}
	return err
}

func (s *Frames) write(shard int, raw []byte, records int) error {
	seg := s.current(shard)
	if seg == nil {
		seg = &segment{n: s.next, shard: shard, path: filepath.Join(s.dir, fmt.Sprintf(spillPrefix+"%012d-%02d", s.next, shard))}
		f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			s.refusal = err
			return err
		}
		seg.f = f
		s.next++
		s.segments = append(s.segments, seg)
	}
	b := append(binary.LittleEndian.AppendUint32(make([]byte, 0, len(raw)+4), uint32(len(raw))), raw...)
	_, s.refusal = seg.f.WriteAt(b, seg.size)
	if err := s.refusal; err != nil {
		seg.closed = true
		err = errors.Join(err, seg.f.Truncate(seg.size))
		if seg.read == seg.size {
			s.forget(seg)
		}
		return err
	}
	seg.size += int64(len(b))
	seg.records += uint64(records)
	seg.counts = append(seg.counts, records)
	if h, err := frame.Parse(raw); err == nil {
		seg.note(h.Header)
	}
	s.used += int64(len(b))
	return nil
}

// current is the segment of a shard that takes more, if any.
func (s *Frames) current(shard int) *segment {
	for _, seg := range slices.Backward(s.segments) {
		if seg.shard == shard {
			if seg.closed || seg.size >= s.segSize {
				return nil
			}
			return seg
		}
	}
	return nil
}

// dropOldest removes a segment and leaves marks that tell how many records there
// were, so that a reader sees the loss although nothing may come after it.
func (s *Frames) dropOldest() {
	seg := s.segments[0]
	s.lose(seg)
}

func (s *Frames) lose(seg *segment) {
	s.dropped(int64(seg.records))
	s.forget(seg)
	if seg.records == 0 {
		return // marks alone; or else a budget too small for marks would go in circles
	}
	for _, h := range seg.ends {
		mark := frame.Header{Start: h.Start, Shard: h.Shard, Seq: h.Seq, Base: h.Base + uint64(h.Count), End: h.End}
		raw, _ := frame.Append(nil, &mark, nil, nil)
		_ = s.write(seg.shard, raw, 0) // a disk that does not take 60 bytes loses them with the rest
	}
}

func (s *Frames) forget(seg *segment) {
	s.used -= seg.size
	s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == seg })
	seg.remove()
}

// Peek reads the oldest frames of a shard, up to so many frames and about so many
// bytes, and leaves them. A Chunk without frames: there are none.
func (s *Frames) Peek(shard, frames, size int) Chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		at := slices.IndexFunc(s.segments, func(g *segment) bool { return g.shard == shard })
		if at < 0 {
			return Chunk{}
		}
		c := Chunk{seg: s.segments[at]}
		for from, got := c.seg.read, 0; len(c.List) < frames && got < size && from < c.seg.size; {
			raw, err := c.seg.frameAt(from, c.seg.size)
			if err != nil {
				break
			}
			c.List = append(c.List, raw)
			from, got = from+4+int64(len(raw)), got+len(raw)
		}
		if len(c.List) > 0 {
			return c
		}
		// The disk does not give back what was written: the rest of it is lost.
		s.lose(c.seg)
	}
}

// Advance takes away the first n frames of a chunk.
func (s *Frames) Advance(c Chunk, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, raw := range c.List[:n] {
		c.seg.read += 4 + int64(len(raw))
		records := c.seg.counts[0]
		c.seg.counts = c.seg.counts[1:]
		c.seg.records -= uint64(records)
		if c.seg.gone { // dropped while it was on the way
			s.dropped(-int64(records))
		}
	}
	if c.seg.gone {
		return
	}
	if c.seg.read >= c.seg.size {
		s.forget(c.seg)
	}
}

// Refusal is why the disk did not take the last write; nil when it did.
func (s *Frames) Refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// Has tells whether frames of the shard are on disk.
func (s *Frames) Has(shard int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.segments, func(g *segment) bool { return g.shard == shard })
}

// Shards lists the shards that have frames on disk; bytes is how much there is.
func (s *Frames) Shards() (list []int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if !slices.Contains(list, g.shard) {
			list = append(list, g.shard)
		}
	}
	return list, s.used
}

// close closes the files; what is in them is shipped by the next start.
func (s *Frames) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		_ = g.f.Close()
	}
	s.segments = nil
}
