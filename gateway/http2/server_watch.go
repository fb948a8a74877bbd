package http2

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errFlood ends the reading of a connection whose client floods it.
var errFlood = errors.New("the client floods the connection with frames")

// preface is what an HTTP/2 client sends first (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// The frame types that are looked at (RFC 9113, 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4

	frameHead = 9
)

// Bounds of what a client may cost beside its requests.
const (
	resetsPerStream = 10 // resets saved up, for each stream that may be open
	overheadBurst   = 2000
	overheadRate    = 500     // frames a second
	overheadEarned  = 1 << 10 // response bytes that earn a client one more frame
	continuations   = 64      // of one header block
)

// watch counts what frames do. net/http bounds how many handlers run and how many
// control frames wait to be written; it does not bound how often streams are reset,
// by the client (rapid reset, CVE-2023-44487) or by us because of the client
// ("MadeYouReset", CVE-2025-8671), nor how many frames come that mean no work but
// reading them (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA and
// CONTINUATION). Both are bounded here, the resets by a rate, the others by a rate
// and by what the client takes.
type watch struct {
	begun int         // bytes of the preface seen
	off   atomic.Bool // not HTTP/2
	r     frames      // only touched by the reader
	last  uint32      // the highest stream that the client opened
	why   string      // the frames of a flood

	out sync.Mutex // one writer at a time, and the goodbye
	w   frames

	start  time.Time
	resets bucket
	others bucket
	block  int          // frames of the header block that is coming in
	earned atomic.Int64 // response bytes not counted yet
	made   atomic.Int64 // resets that we were made to send, not counted yet
}

func newWatch(streams int) *watch {
	return &watch{
		start:  time.Now(),
		resets: bucket{size: float64(resetsPerStream * streams), rate: float64(streams)},
		others: bucket{size: overheadBurst, rate: overheadRate},
	}
}

// bucket allows size events at once and rate a second.
type bucket struct {
	size, rate, used float64
	at               time.Duration
}

// take counts n events and reports true when there are too many.
func (b *bucket) take(n float64, now time.Duration) bool {
	b.used = max(b.used-b.rate*(now-b.at).Seconds(), 0) + n
	b.at = now
	return b.used > b.size
}

// give takes n events back.
func (b *bucket) give(n float64) { b.used = max(b.used-n, 0) }

// frames finds the frame heads in a stream of bytes.
type frames struct {
	head [frameHead + 4]byte // of the frame that is coming, and how its payload begins
	have int                 // bytes in head
	skip int                 // bytes of payload still to come
}

// boundary tells whether a frame may begin here.
func (f *frames) boundary() bool { return f.have == 0 && f.skip == 0 }

// next takes bytes from p up to the end of a frame head, or of a RST_STREAM, and
// returns the rest; whole tells that there is one in head.
func (f *frames) next(p []byte) (rest []byte, whole bool) {
	if f.skip > 0 {
		n := min(f.skip, len(p))
		f.skip -= n
		return p[n:], false
	}
	want := frameHead
	if f.have >= frameHead {
		want += 4
	}
	n := copy(f.head[f.have:want], p)
	f.have += n
	p = p[n:]
	if f.have < want {
		return p, false
	}
	if want == frameHead && f.kind() == frameReset && f.size() == 4 {
		return p, false
	}
	f.skip = f.size() - (f.have - frameHead)
	f.have = 0
	return p, true
}

func (f *frames) size() int      { return int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2]) }
func (f *frames) kind() byte     { return f.head[3] }
func (f *frames) flags() byte    { return f.head[4] }
func (f *frames) stream() uint32 { return binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31) }

// code is the error code of a RST_STREAM.
func (f *frames) code() uint32 { return binary.BigEndian.Uint32(f.head[frameHead:]) }

// received looks at bytes from the client and reports true when they are too many
// of a kind.
func (w *watch) received(p []byte) bool {
	if w.off.Load() {
		return false
	}
	if w.begun < len(preface) {
		for len(p) > 0 && w.begun < len(preface) {
			if p[0] != preface[w.begun] {
				w.off.Store(true)
				return false
			}
			p = p[1:]
			w.begun++
		}
	}
	for len(p) > 0 {
		var whole bool
		if p, whole = w.r.next(p); whole && w.flood() {
			return true
		}
	}
	return false
}

// flood counts the frame that came.
func (w *watch) flood() bool {
	f := &w.r
	reset, other := float64(w.made.Swap(0)), 0.0
	switch f.kind() {
	case frameHeaders:
		w.last = max(w.last, f.stream())
		w.block = 0
	case frameContinuation:
		if w.block++; w.block > continuations {
			w.why = "continuation"
			return true
		}
		if f.size() < 1<<10 && f.flags()&flagEndHeaders == 0 {
			other = 1
		}
	case frameData:
		if f.size() == 0 && f.flags()&flagEndStream == 0 {
			other = 1
		}
	case frameReset:
		reset++
	default:
		other = 1
	}
	if reset == 0 && other == 0 {
		return false
	}
	now := time.Since(w.start)
	if w.resets.take(reset, now) {
		w.why = "resets"
		return true
	}
	if e := w.earned.Load(); e >= overheadEarned {
		w.others.give(float64(e / overheadEarned))
		w.earned.Add(-e / overheadEarned * overheadEarned)
	}
	if w.others.take(other, now) {
		w.why = "control"
		return true
	}
	return false
}

// sent looks at bytes to the client.
func (w *watch) sent(p []byte) {
	if w.off.Load() {
		return
	}
	for len(p) > 0 {
		var whole bool
		if p, whole = w.w.next(p); !whole {
			continue
		}
		switch w.w.kind() {
		case frameData:
			w.earned.Add(int64(w.w.size()) + 256)
		case frameReset:
			// NO_ERROR ends an upload that nobody needs, INTERNAL_ERROR is of our own making
			if c := w.w.code(); c != codeNo && c != codeInternal {
				w.made.Add(1)
			}
		}
	}
}

// Error codes (RFC 9113, 7).
const (
	codeNo         = 0x0
	codeInternal   = 0x2
	codeCalm       = 0xb // ENHANCE_YOUR_CALM
	codeInadequate = 0xc // INADEQUATE_SECURITY
)

// goAway is a GOAWAY frame (RFC 9113, 6.8).
func goAway(last, code uint32) []byte {
	b := []byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, last), code)
}
