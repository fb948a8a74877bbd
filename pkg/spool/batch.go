package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// The file of a start's open batches: a page with the magic, the sizes, the start
// and per shard the next sequence and the records so far; then slots, each a
// header of 64 bytes and a batch's body. It is mapped into memory and shared, so
// the kernel has all of it when the process is killed.
const (
	slabMagic   = "SLB\x01"
	slabPage    = 4096
	slotSize    = 128 << 10
	slotHeader  = 64
	slotBody    = slotSize - slotHeader
	lengthBytes = 3 // of a record's length in a batch: a padded varint, up to 2 MiB
)

// slab holds a start's slots.
type slab struct {
	path  string
	start frame.StartID
	mem   []byte

	mu   sync.Mutex
	free []*slot // the one used last is taken first: few pages are ever touched
	all  []*slot
}

// slot is room for one batch. Its word fill is length and count in one word, written after
// the record itself, so that a killed process leaves only whole records.
type slot struct {
	mem    []byte
	opened time.Time
	prefix int // bytes before the first record
	end    bool
}

func (s *slot) word(at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&s.mem[at])) // slots and words are aligned
}
func (s *slot) fill() *atomic.Uint64  { return s.word(0) }
func (s *slot) seq() *atomic.Uint64   { return s.word(8) }
func (s *slot) base() *atomic.Uint64  { return s.word(16) }
func (s *slot) first() *atomic.Uint64 { return s.word(24) }
func (s *slot) last() *atomic.Uint64  { return s.word(32) }
func (s *slot) shard() *atomic.Uint64 { return s.word(40) }
func (s *slot) length() int           { return int(s.fill().Load() >> 32) }
func (s *slot) count() int            { return int(s.fill().Load() & math.MaxUint32) }
func (s *slot) body() []byte          { return s.mem[slotHeader : slotHeader+s.length()] }

func (s *slot) header(start frame.StartID) frame.Header {
	h := frame.Header{Start: start, Shard: int(s.shard().Load()), Seq: s.seq().Load(), Base: s.base().Load(), Count: s.count(), End: s.end}
	if first := s.first().Load(); first > 0 {
		h.First, h.Last = time.UnixMicro(int64(first)), time.UnixMicro(int64(s.last().Load()))
	}
	return h
}

// open makes a taken slot an empty batch of a shard that begins with prefix.
func (s *slot) open(shard int, prefix []byte) {
	s.opened, s.prefix, s.end = time.Now(), len(prefix), false
	for _, w := range []*atomic.Uint64{s.seq(), s.base(), s.first(), s.last()} {
		w.Store(0)
	}
	s.shard().Store(uint64(shard))
	copy(s.mem[slotHeader:], prefix)
	s.fill().Store(uint64(len(prefix)) << 32)
}

// add encodes a record into the slot; false when it has no room for it.
func (s *slot) add(r *record.Record) bool {
	fill := s.fill().Load()
	from := slotHeader + int(fill>>32)
	at := from + 1 + lengthBytes
	if at >= len(s.mem) {
		return false
	}
	room := s.mem[at:at:len(s.mem)]
	out := r.Append(room)
	if len(out) > cap(room) || unsafe.SliceData(out) != unsafe.SliceData(room) {
		return false // append moved it: no room
	}
	n := len(out)
	s.mem[from] = 3<<3 | 2 // field 3 of a batch, with a length
	s.mem[from+1], s.mem[from+2], s.mem[from+3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
	us := frame.Micros(r.At)
	if first := s.first().Load(); first == 0 || us < first {
		s.first().Store(us)
	}
	if us > s.last().Load() {
		s.last().Store(us)
	}
	s.fill().Store(uint64(at+n-slotHeader)<<32 | uint64(uint32(fill)+1))
	return true
}

// newSlab makes the file and maps it. Its blocks are written, since a write to a
// mapped page for which the disk has no room would kill the process.
func newSlab(path string, start frame.StartID, slots int) (*slab, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	zeros := make([]byte, slotSize)
	for range slots {
		if _, err := f.Write(zeros); err != nil {
			return nil, errors.Join(err, os.Remove(path))
		}
	}
	page := make([]byte, slabPage)
	copy(page, slabMagic)
	binary.LittleEndian.PutUint32(page[4:], uint32(slots))
	copy(page[8:], start[:])
	if _, err := f.Write(page); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return mapSlab(f, start, slots)
}

// openSlab maps the file of an earlier start.
func openSlab(path string) (*slab, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	slots := int(info.Size()-slabPage) / slotSize
	page := make([]byte, slabPage)
	if _, err := f.ReadAt(page, int64(slots)*slotSize); err != nil || string(page[:4]) != slabMagic ||
		int(binary.LittleEndian.Uint32(page[4:])) != slots {
		return nil, fmt.Errorf("%s is not a whole file of batches", path)
	}
	return mapSlab(f, frame.StartID(page[8:16]), slots)
}

// mapSlab maps a file, or memory alone where there is none.
func mapSlab(f *os.File, start frame.StartID, slots int) (*slab, error) {
	fd, flags, path := -1, syscall.MAP_ANON|syscall.MAP_PRIVATE, ""
	if f != nil {
		fd, flags, path = int(f.Fd()), syscall.MAP_SHARED, f.Name()
	}
	mem, err := syscall.Mmap(fd, 0, slots*slotSize+slabPage, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("map memory for %d batches: %w", slots, err)
	}
	b := &slab{path: path, start: start, mem: mem}
	for i := range slots {
		b.all = append(b.all, &slot{mem: mem[i*slotSize : (i+1)*slotSize : (i+1)*slotSize]})
	}
	for i := range b.all {
		b.free = append(b.free, b.all[len(b.all)-1-i])
	}
	return b, nil
}

// shardState are the words of a shard that outlive the process: the sequence of its
// next batch and the records so far, lost ones included.
func (b *slab) shardState(shard int) (next, total *atomic.Uint64) {
	at := len(b.all)*slotSize + 64 + 16*shard
	return (*atomic.Uint64)(unsafe.Pointer(&b.mem[at])), (*atomic.Uint64)(unsafe.Pointer(&b.mem[at+8]))
}

// take gives a free slot, or nil.
func (b *slab) take() *slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) == 0 {
		return nil
	}
	s := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	return s
}

func (b *slab) release(s *slot) {
	s.fill().Store(0)
	b.mu.Lock()
	b.free = append(b.free, s)
	b.mu.Unlock()
}

// scarce tells whether less than half of the slots are free.
func (b *slab) scarce() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return 2*len(b.free) < len(b.all)
}

// close unmaps the file, and removes it when nothing in it is needed any more.
func (b *slab) close(remove bool) error {
	err := syscall.Munmap(b.mem)
	b.mem, b.all, b.free = nil, nil, nil
	if remove && b.path != "" {
		err = errors.Join(err, os.Remove(b.path))
	}
	return err
}
