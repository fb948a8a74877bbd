package disk

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

// The file of a start's open batches: slots, each a header of 64 bytes and a batch's
// body; then a page with the magic, the sizes, the start and per shard the next
// sequence and the records so far. It is mapped into memory and shared, so the kernel
// has all of it when the process is killed.
const (
	fileMagic   = "SLB\x01"
	filePage    = 4096
	slotSize    = 128 << 10
	slotHeader  = 64
	slotBody    = slotSize - slotHeader
	lengthBytes = 3 // of a record's length in a batch: a padded varint, up to 2 MiB
)

// Batches is room for the open batches of one start. Safe for concurrent use.
type Batches struct {
	path   string
	start  frame.StartID
	prefix []byte // of every batch: who wrote it
	mem    []byte

	mu   sync.Mutex
	free []*Batch // the one used last is taken first: few pages are ever touched
	all  []*Batch
}

// Batch is room for one batch, for one goroutine at a time. Its word fill is length
// and count in one word, written after the record itself, so that a killed process
// leaves only whole records.
type Batch struct {
	mem    []byte
	start  frame.StartID
	opened time.Time
	prefix int // bytes before the first record
	end    bool
}

func (b *Batch) word(at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&b.mem[at])) // slots and words are aligned
}
func (b *Batch) fill() *atomic.Uint64  { return b.word(0) }
func (b *Batch) seq() *atomic.Uint64   { return b.word(8) }
func (b *Batch) base() *atomic.Uint64  { return b.word(16) }
func (b *Batch) first() *atomic.Uint64 { return b.word(24) }
func (b *Batch) last() *atomic.Uint64  { return b.word(32) }
func (b *Batch) shard() *atomic.Uint64 { return b.word(40) }
func (b *Batch) body() []byte          { return b.mem[slotHeader : slotHeader+b.Size()] }

// Size is the bytes so far, before compression.
func (b *Batch) Size() int { return int(b.fill().Load() >> 32) }

// Count is the records so far.
func (b *Batch) Count() int { return int(b.fill().Load() & math.MaxUint32) }

// Opened is when the batch was taken.
func (b *Batch) Opened() time.Time { return b.opened }

// Most is the size of the largest record that an empty batch has room for.
func (b *Batch) Most() int { return slotBody - b.prefix - 1 - lengthBytes }

// End makes it the last batch that the start sends to its shard.
func (b *Batch) End() { b.end = true }

// Frame appends a numbered batch as a frame; scratch is returned for the next call.
func (b *Batch) Frame(dst, scratch []byte) (raw, kept []byte) {
	h := b.header()
	return frame.Append(dst, &h, b.body(), scratch)
}

func (b *Batch) header() frame.Header {
	h := frame.Header{Start: b.start, Shard: int(b.shard().Load()), Seq: b.seq().Load(), Base: b.base().Load(), Count: b.Count(), End: b.end}
	if first := b.first().Load(); first > 0 {
		h.First, h.Last = time.UnixMicro(int64(first)), time.UnixMicro(int64(b.last().Load()))
	}
	return h
}

func (b *Batch) open(shard int, prefix []byte) {
	b.opened, b.prefix, b.end = time.Now(), len(prefix), false
	for _, w := range []*atomic.Uint64{b.seq(), b.base(), b.first(), b.last()} {
		w.Store(0)
	}
	b.shard().Store(uint64(shard))
	copy(b.mem[slotHeader:], prefix)
	b.fill().Store(uint64(len(prefix)) << 32)
}

// Add encodes a record into the batch; false when it has no room for it.
func (b *Batch) Add(r *record.Record) bool {
	fill := b.fill().Load()
	from := slotHeader + int(fill>>32)
	at := from + 1 + lengthBytes
	if at >= len(b.mem) {
		return false
	}
	room := b.mem[at:at:len(b.mem)]
	out := r.Append(room)
	if len(out) > cap(room) || unsafe.SliceData(out) != unsafe.SliceData(room) {
		return false // append moved it: no room
	}
	n := len(out)
	b.mem[from] = 3<<3 | 2 // field 3 of a batch, with a length
	b.mem[from+1], b.mem[from+2], b.mem[from+3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
	us := frame.Micros(r.At)
	if first := b.first().Load(); first == 0 || us < first {
		b.first().Store(us)
	}
	if us > b.last().Load() {
		b.last().Store(us)
	}
	b.fill().Store(uint64(at+n-slotHeader)<<32 | uint64(uint32(fill)+1))
	return true
}

// newBatches makes the file and maps it. Its blocks are written, since a write to a
// mapped page for which the disk has no room would kill the process.
func newBatches(path string, start frame.StartID, slots int) (*Batches, error) {
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
	page := make([]byte, filePage)
	copy(page, fileMagic)
	binary.LittleEndian.PutUint32(page[4:], uint32(slots))
	copy(page[8:], start[:])
	if _, err := f.Write(page); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return mapBatches(f, start, slots)
}

// openBatches maps the file of an earlier start.
func openBatches(path string) (*Batches, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	slots := int(info.Size()-filePage) / slotSize
	page := make([]byte, filePage)
	if _, err := f.ReadAt(page, int64(slots)*slotSize); err != nil || string(page[:4]) != fileMagic ||
		int(binary.LittleEndian.Uint32(page[4:])) != slots {
		return nil, fmt.Errorf("%s is not a whole file of batches", path)
	}
	return mapBatches(f, frame.StartID(page[8:16]), slots)
}

// mapBatches maps a file, or memory alone where there is none.
func mapBatches(f *os.File, start frame.StartID, slots int) (*Batches, error) {
	fd, flags, path := -1, syscall.MAP_ANON|syscall.MAP_PRIVATE, ""
	if f != nil {
		fd, flags, path = int(f.Fd()), syscall.MAP_SHARED, f.Name()
	}
	mem, err := syscall.Mmap(fd, 0, slots*slotSize+filePage, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("map memory for %d batches: %w", slots, err)
	}
	bs := &Batches{path: path, start: start, mem: mem}
	for i := range slots {
		bs.all = append(bs.all, &Batch{mem: mem[i*slotSize : (i+1)*slotSize : (i+1)*slotSize], start: start})
	}
	for i := range bs.all {
		bs.free = append(bs.free, bs.all[len(bs.all)-1-i])
	}
	return bs, nil
}

// numbers are the words of a shard that outlive the process: the sequence of its next
// batch and the records so far, lost ones included.
func (bs *Batches) numbers(shard int) (next, total *atomic.Uint64) {
	at := len(bs.all)*slotSize + 64 + 16*shard
	return (*atomic.Uint64)(unsafe.Pointer(&bs.mem[at])), (*atomic.Uint64)(unsafe.Pointer(&bs.mem[at+8]))
}

// Take gives an empty batch for a shard, or nil when there is no room.
func (bs *Batches) Take(shard int) *Batch {
	bs.mu.Lock()
	if len(bs.free) == 0 {
		bs.mu.Unlock()
		return nil
	}
	b := bs.free[len(bs.free)-1]
	bs.free = bs.free[:len(bs.free)-1]
	bs.mu.Unlock()
	b.open(shard, bs.prefix)
	return b
}

// Number gives a batch its place among those of its shard, after which nothing may be
// added. The caller locks the shard.
func (bs *Batches) Number(b *Batch) {
	next, total := bs.numbers(int(b.shard().Load()))
	n := max(next.Load(), 1)
	// In this order, since the process may be killed between any two of them: the
	// next start takes the higher of the batch's and the shard's numbers.
	b.base().Store(total.Load())
	b.seq().Store(n)
	total.Add(uint64(b.Count()))
	next.Store(n + 1)
}

// Lose counts a record of a shard that is in no batch. The caller locks the shard.
func (bs *Batches) Lose(shard int) {
	_, total := bs.numbers(shard)
	total.Add(1)
}

// Used tells whether the start had anything for a shard.
func (bs *Batches) Used(shard int) bool {
	next, total := bs.numbers(shard)
	return next.Load() > 0 || total.Load() > 0
}

// Release takes a batch back, of which nothing is needed any more.
func (bs *Batches) Release(b *Batch) {
	b.fill().Store(0)
	bs.mu.Lock()
	bs.free = append(bs.free, b)
	bs.mu.Unlock()
}

// Free is how many batches can be taken.
func (bs *Batches) Free() int {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	return len(bs.free)
}

// Volatile tells whether a crash loses the batches: the disk had no room for them.
func (bs *Batches) Volatile() bool { return bs.path == "" }

// close unmaps the file, and removes it when nothing in it is needed any more.
func (bs *Batches) close(remove bool) error {
	err := syscall.Munmap(bs.mem)
	bs.mem, bs.all, bs.free = nil, nil, nil
	if remove && bs.path != "" {
		err = errors.Join(err, os.Remove(bs.path))
	}
	return err
}
