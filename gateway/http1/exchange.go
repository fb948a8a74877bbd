package http1

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// exchange is what one request and its response need. It is pooled: a
// connection has one from the first byte of a request on.
type exchange struct {
	c    *conn
	d    wire.Reader
	q    message.Request
	f    wire.Framing
	w    writer
	body *requestBody // nil: the request has none
	head bool         // the method was HEAD when the request came
	keep bool         // the client wants to keep the connection
}

// clear ends the exchange: nothing of it is used any more.
func (x *exchange) clear() {
	h := x.q.Header
	h.Reset()
	x.q = message.Request{Header: h}
	x.w.release(&x.c.s.bufs)
	x.d.Reset()
	x.body = nil
}

// prepare completes the parsed request.
func (x *exchange) prepare() {
	c, q, f := x.c, &x.q, &x.f
	q.Scheme, q.Remote, q.Local, q.TLS = c.scheme, c.peer.Remote, c.peer.Local, c.peer.TLS
	q.Context, q.Abort = c.ctx, &c.abort
	x.head = q.Method == "HEAD"
	x.keep = !f.Close && (q.Minor == 1 || f.KeepAlive)
	if f.Nominated {
		wire.DropNominated(&q.Header, c.s.protected)
	}
	x.w = writer{x: x, out: x.w.out}
	now := max(c.s.c.Clock.Now.Load(), 1)
	c.room = 0
	if !f.Chunked && f.Length <= 0 {
		q.Body, q.ContentLength = message.NoBody, 0
		if f.Upgrade && f.Protocol != "" && f.Protocol != "-" && q.Minor == 1 && q.Method == "GET" &&
			!message.EqualFold(f.Protocol, "h2c") {
			q.Upgrade = strings.ToLower(f.Protocol)
		}
		c.waiting.Store(now)
		return
	}
	q.ContentLength = -1
	kind := uint8(wire.BodyChunked)
	if !f.Chunked {
		q.ContentLength, kind = f.Length, wire.BodyLength
		if f.Length <= wire.MediumBuffer-wire.SmallBuffer {
			c.room = int(f.Length) + wire.SmallBuffer
		}
	}
	b := &requestBody{x: x, length: q.ContentLength}
	c.credit = c.s.c.BodyGrace
	b.f.Start(&x.d, kind, f.Length, c, &c.s.lim)
	x.body, q.Body = b, b
	q.ExpectContinue = f.HasExpect && q.Minor == 1
	b.expect = q.ExpectContinue
}

// conclude ends the response and the request's body after the handler returned,
// and tells whether the connection can take another request.
func (x *exchange) conclude(panicked bool) bool {
	w := &x.w
	switch {
	case w.err != nil || w.finished:
	case !w.head:
		x.keep = false
		if w.id == "" {
			w.id = x.c.s.newID()
		}
		w.finish(x.c.s.answer(&wire.Refusal{Status: 500, Code: "gateway.internal", Message: "the request was not answered"}, w.id))
	case panicked || w.mode == writeChunked || w.mode == writeUntilClose || w.left > 0:
		w.Fail()
	default:
		_ = w.Finish(nil)
	}
	unread := x.body != nil && !x.body.end()
	switch {
	case w.err != nil:
		return false
	case unread && (w.close || !x.body.drain(x.c.s.c.DrainBody)),
		w.close && (w.linger || x.keep || len(x.d.Buffered()) > 0):
		// who wanted to keep the connection may have sent the next request: closed with
		// it unread, the socket would drop what the client has not yet taken of this answer
		x.c.linger()
		return false
	}
	return !w.close && x.keep
}

// requestBody is the body of one request. It may be read by another goroutine
// than the handler's; after the exchange it only returns errors.
type requestBody struct {
	mu      sync.Mutex
	x       *exchange // nil after the exchange
	f       wire.Framed
	length  int64 // Content-Length, or -1
	touched atomic.Bool
	reading atomic.Bool
	over    atomic.Bool

	received atomic.Int64 // bytes that were read

	emu      sync.Mutex // orders 100 (Continue) before the final head
	expect   bool       // the client waits for 100
	answered bool       // the final head came first
	broken   atomic.Bool
}

// Read reads body bytes; the first one sends 100 (Continue) where the client
// waits for it. A read of none says that somebody is about to read.
func (b *requestBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	if len(p) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading.Store(true)
	defer b.reading.Store(false)
	if b.over.Load() || b.x == nil {
		return 0, wire.ErrUnread
	}
	if err := b.proceed(); err != nil {
		return 0, err
	}
	n, err := b.f.Read(p)
	b.received.Add(int64(n))
	if b.f.Done {
		b.finished()
	}
	if err != nil && err != io.EOF {
		b.broken.Store(true)
		if b.x.c.read.Fired() {
			err = message.ErrSlow
		}
	}
	return n, err
}

// Received is the number of bytes that were read so far.
func (b *requestBody) Received() int64 { return b.received.Load() }

// Len is the number of bytes that can be read without waiting; a wrapper that
// passes it on lets a small body go out together with the head.
func (b *requestBody) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.x == nil || b.f.Kind != wire.BodyLength || b.expect {
		return 0
	}
	return int(min(int64(b.f.D.W-b.f.D.R), b.f.Left))
}

// Rewind takes back the reading of n bytes that Len had told of; a wrapper that
// passes Len on passes this on too, so that the request may be tried elsewhere.
func (b *requestBody) Rewind(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received.Add(-int64(n))
	b.f.D.R -= n
	b.f.Left += int64(n)
	b.f.Done = false
}

func (b *requestBody) finished() {
	c := b.x.c
	b.x.q.Trailer = b.f.Trailer
	c.waiting.CompareAndSwap(0, max(c.s.c.Clock.Now.Load(), 1))
}

// proceed sends 100 (Continue) once. After the final head it is too late, and
// the client need not send the body at all.
func (b *requestBody) proceed() error {
	b.emu.Lock()
	defer b.emu.Unlock()
	if !b.expect {
		return nil
	}
	if b.answered {
		return wire.ErrUnread
	}
	b.expect = false
	_, err := b.x.c.nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")) // not send: that is the handler's
	return err
}

// answer notes the final head, and tells whether what is left of the body lets
// the connection stay: not where the client still waits for 100, nor where more
// is left than will be thrown away. A client that is not told takes the connection
// for good, and its next request would be lost.
func (b *requestBody) answer(limit int) bool {
	b.emu.Lock()
	b.answered = true
	stay := !b.expect && !b.broken.Load()
	b.emu.Unlock()
	switch {
	case !stay:
		return false
	case b.length >= 0:
		return b.length-b.received.Load() <= int64(limit)
	case b.touched.Load() || !b.mu.TryLock(): // somebody reads it, maybe to its end
		return true
	}
	defer b.mu.Unlock()
	return b.f.Ends()
}

// end takes the body from whoever still reads it, and tells whether it was read
// to its end. A read that is cut short has taken no byte: the rest may be drained.
func (b *requestBody) end() bool {
	c := b.x.c
	b.over.Store(true)
	cut := b.reading.Load()
	if cut {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x = nil
	if cut { // a deadline of the clock that fired meanwhile is known to c.read
		_ = c.nc.SetReadDeadline(time.Time{})
		if errors.Is(b.f.Err, os.ErrDeadlineExceeded) {
			b.f.Err = nil
		}
	}
	return b.f.Done
}

// drain reads the rest, up to limit bytes, and tells whether that was all. Of a
// body of unknown length, whose client was told that the connection stays, it
// reads as much as linger would.
func (b *requestBody) drain(limit int) bool {
	if b.f.Kind == wire.BodyChunked {
		limit = max(limit, lingerBytes)
	}
	if b.expect || b.f.Kind == wire.BodyLength && b.f.Left > int64(limit) {
		return false
	}
	for {
		p, err := b.f.Next()
		if err != nil {
			return b.f.Done
		}
		if limit -= len(p); limit < 0 {
			return false
		}
	}
}
