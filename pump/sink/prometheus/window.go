package prometheus

import (
	"strconv"
	"strings"
)

// A batch that was counted comes again when its acknowledgement was lost. The names
// of records say which frame of the stream they came in and where (start, shard,
// sequence, index), so a bit per record of the last frames tells.
const (
	framesKept = 16384
	// maxIndex bounds the bits of one frame.
	maxIndex = 1 << 16
)

// window remembers the records of the last frames. The zero value is ready.
type window struct {
	frames map[string]*frame // by the record's name without its index
	ring   []*frame          // the same, the oldest at next once it is full
	next   int
	last   *frame // the one used last, which most records share
}

// frame holds a bit for each index that came.
type frame struct {
	name string
	bits []uint64
}

// first tells whether a record was not counted yet, and remembers it. Names that do
// not end with an index are always new.
func (w *window) first(id string) bool {
	cut := strings.LastIndexByte(id, '-')
	if cut < 0 {
		return true
	}
	i, err := strconv.ParseUint(id[cut+1:], 10, 32)
	if err != nil || i >= maxIndex {
		return true
	}
	if w.last == nil || w.last.name != id[:cut] {
		w.last = w.frame(id[:cut])
	}
	f := w.last
	word, bit := int(i/64), uint64(1)<<(i%64)
	for word >= len(f.bits) {
		f.bits = append(f.bits, 0)
	}
	if f.bits[word]&bit != 0 {
		return false
	}
	f.bits[word] |= bit
	return true
}

// frame is the one of a name, perhaps the memory of the oldest, emptied.
func (w *window) frame(name string) *frame {
	if f, ok := w.frames[name]; ok {
		return f
	}
	if w.frames == nil {
		w.frames = map[string]*frame{}
	}
	var f *frame
	if len(w.ring) < framesKept {
		f = new(frame)
		w.ring = append(w.ring, f)
	} else {
		f = w.ring[w.next]
		w.next = (w.next + 1) % framesKept
		delete(w.frames, f.name)
		f.bits = f.bits[:0]
	}
	f.name = strings.Clone(name) // the record's name may be a part of a large text
	w.frames[f.name] = f
	return f
}
