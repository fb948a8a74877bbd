package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
)

const (
	// bufferSize is what one read takes at most; a buffer is lent only while there is
	// something to pass.
	bufferSize = 32 << 10
	// smallSize is what a side that cannot be waited on without a buffer (TLS) holds.
	smallSize = 1 << 10
)

// way is one direction of a tunnel. One goroutine reads and writes it.
type way struct {
	t        *tunnel
	src, dst net.Conn
	first    []byte // read from src before the tunnel began
	toServer bool   // dst takes a client's frames, which are masked

	raw   syscall.RawConn // nil: src is no plain socket
	ready func(fd uintptr) bool
	err   error // of ready
	n     int
	small []byte
	large *[bufferSize]byte // lent

	frames frames
	said   bool // dst was told goodbye: nothing follows
	bytes  atomic.Int64
}

func (w *way) prepare(t *tunnel, src, dst net.Conn, first []byte, toServer bool) {
	w.t, w.src, w.dst, w.first, w.toServer = t, src, dst, first, toServer
	if _, ok := src.(*net.TCPConn); ok {
		if w.raw = wire.RawConn(src); w.raw != nil {
			w.ready = w.try
			return
		}
	}
	w.small = make([]byte, smallSize)
}

// run passes bytes until src ends, a side breaks or the tunnel's end is over. The
// end of src is passed on to dst.
func (w *way) run() {
	first := w.first
	w.first = nil
	if len(first) > 0 && !w.take(first) {
		return
	}
	for {
		p, err := w.read()
		on := len(p) == 0 || w.take(p)
		w.giveBack()
		switch {
		case !on:
			return
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !w.woken() {
				return
			}
		case errors.Is(err, io.EOF):
			w.over()
			return
		default:
			w.fail()
			return
		}
	}
}

// read waits for bytes; on a plain socket without a buffer.
func (w *way) read() ([]byte, error) {
	if w.raw != nil {
		w.n, w.err = 0, nil
		if err := w.raw.Read(w.ready); err != nil {
			return nil, err
		}
		if w.large == nil {
			return nil, w.err
		}
		return w.large[:w.n], w.err
	}
	// A read that fills the small buffer is followed by large ones, until one of them
	// is small again. Between reads everything is written, so waiting with a large one
	// delays nothing.
	if w.n >= smallSize {
		w.large = w.t.s.lend()
		n, err := w.src.Read(w.large[:])
		w.n = n
		return w.large[:n], err
	}
	n, err := w.src.Read(w.small)
	w.n = n
	return w.small[:n], err
}

// try is one read that does not wait; where nothing came the buffer goes back.
func (w *way) try(fd uintptr) bool {
	b := w.t.s.lend()
	n, err := wire.ReadFD(fd, b[:])
	if n > 0 {
		w.large, w.n = b, n
		return true
	}
	w.t.s.giveBack(b)
	if wire.Again(err) {
		return false
	}
	if w.err = err; err == nil {
		w.err = io.EOF
	}
	return true
}

func (w *way) giveBack() {
	if w.large != nil {
		w.t.s.giveBack(w.large)
		w.large = nil
	}
}

// take passes p on, or what of it belongs to the frame in work where the tunnel is
// to end. It reports false when this direction is over.
func (w *way) take(p []byte) bool {
	w.t.touch()
	if !w.t.ws {
		return w.write(p)
	}
	e := w.t.ending.Load()
	if w.said {
		w.frames.pass(p, false)
		return !w.frames.closed
	}
	n := w.frames.pass(p, e != nil)
	if n > 0 && !w.write(p[:n]) {
		return false
	}
	if e == nil || !w.frames.boundary() {
		return true
	}
	if !w.goodbye(e) {
		return false
	}
	w.frames.pass(p[n:], false)
	return !w.frames.closed
}

func (w *way) write(p []byte) bool {
	n, err := w.dst.Write(p)
	w.bytes.Add(int64(n))
	if err != nil {
		w.fail()
		return false
	}
	return true
}

// woken says goodbye where no frame is in work, and tells whether to go on reading:
// the rest of the frame, or the answer of src. When the time for that is over the
// tunnel is cut, whatever is in work.
func (w *way) woken() bool {
	e := w.t.ending.Load()
	if e == nil || time.Now().After(e.by) {
		return false
	}
	_ = w.src.SetReadDeadline(e.by)
	if !w.said && w.frames.boundary() {
		return w.goodbye(e)
	}
	return true
}

// goodbye tells dst that the tunnel ends, unless src has closed it by itself. Then
// src's own close frame is waited for.
func (w *way) goodbye(e *ending) bool {
	w.said = true
	if w.frames.closed {
		return false
	}
	_ = w.dst.SetWriteDeadline(e.by)
	_, err := w.dst.Write(closeFrame(goingAway, e.why.text(), w.toServer))
	if err != nil {
		w.fail()
	}
	return err == nil
}

// text is what peers are told.
func (r Reason) text() string {
	switch r {
	case Idle:
		return "idle for too long"
	case Aged:
		return "the connection reached its maximum age"
	}
	return "the gateway is stopping"
}

// over passes the end of src on.
func (w *way) over() {
	if half, ok := w.dst.(interface{ CloseWrite() error }); ok && !w.said {
		_ = half.CloseWrite()
		return
	}
	if !w.said {
		w.t.cut()
	}
}

// fail ends both directions.
func (w *way) fail() {
	w.t.broken.Store(true)
	w.t.cut()
}
