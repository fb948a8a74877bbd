package http1

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// exchange is what one request and its response need. It is pooled: a
// connection has one from the first byte of a request on.
type exchange struct {
	c    *conn
	d    reader
	q    message.Request
	f    framing
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
	x.d.reset()
	x.body = nil
}

// prepare completes the parsed request.
func (x *exchange) prepare() {
	c, q, f := x.c, &x.q, &x.f
	q.Scheme, q.Remote, q.Local, q.Context, q.Abort = c.scheme, c.remote, c.local, c.ctx, &c.abort
	x.head = q.Method == "HEAD"
	x.keep = !f.close && (q.Minor == 1 || f.keepAlive)
	if f.nominated {
		dropNominated(&q.Header, c.s.protected)
	}
	x.w = writer{x: x, out: x.w.out}
	now := max(c.s.c.Clock.now.Load(), 1)
	if !f.chunked && f.length <= 0 {
		q.Body, q.ContentLength = message.NoBody, 0
		if f.upgrade && f.protocol != "" && f.protocol != "-" && q.Minor == 1 && q.Method == "GET" &&
			!message.EqualFold(f.protocol, "h2c") {
			q.Upgrade = strings.ToLower(f.protocol)
		}
		c.waiting.Store(now)
		return
	}
	q.ContentLength = -1
	kind := uint8(bodyChunked)
	if !f.chunked {
		q.ContentLength, kind = f.length, bodyLength
	}
	b := &requestBody{x: x}
	c.credit = c.s.c.BodyGrace
	b.f.start(&x.d, kind, f.length, c, &c.s.lim)
	x.body, q.Body = b, b
	q.ExpectContinue = f.hasExpect && q.Minor == 1
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
		w.finish(problem(&refusal{500, "gateway.internal", "the request was not answered"}))
	case panicked || w.mode == writeChunked || w.mode == writeUntilClose || w.left > 0:
		w.Fail()
	default:
		_ = w.Finish(nil)
	}
	unread := x.body != nil && !x.body.end()
	switch {
	case w.err != nil:
		return false
	case unread && (w.close || x.c.interrupted || !x.body.drain(x.c.s.c.DrainBody)), w.close && w.linger:
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
	f       framed
	reading atomic.Bool
	over    atomic.Bool

	emu      sync.Mutex // orders 100 (Continue) before the final head
	expect   bool       // the client waits for 100
	answered bool       // the final head came first
	broken   atomic.Bool
}

// Read reads body bytes; the first one sends 100 (Continue) where the client
// waits for it.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading.Store(true)
	defer b.reading.Store(false)
	if b.over.Load() || b.x == nil {
		return 0, errUnread
	}
	if err := b.proceed(); err != nil {
		return 0, err
	}
	n, err := b.f.read(p)
	if b.f.done {
		b.finished()
	}
	if err != nil && err != io.EOF {
		b.broken.Store(true)
		if b.x.c.read.fired() {
			err = ErrSlow
		}
	}
	return n, err
}

// Len is the number of bytes that can be read without waiting; a wrapper that
// passes it on lets a small body go out together with the head.
func (b *requestBody) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.x == nil || b.f.kind != bodyLength || b.expect {
		return 0
	}
	return int(min(int64(b.f.d.w-b.f.d.r), b.f.left))
}

// rewind takes back the reading of n bytes that Len had told of.
func (b *requestBody) rewind(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.f.d.r -= n
	b.f.left += int64(n)
	b.f.done = false
}

func (b *requestBody) finished() {
	c := b.x.c
	b.x.q.Trailer = b.f.trailer
	c.waiting.CompareAndSwap(0, max(c.s.c.Clock.now.Load(), 1))
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
		return errUnread
	}
	b.expect = false
	_, err := b.x.c.nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")) // not send: that is the handler's
	return err
}

// answer notes the final head, and tells whether what is left of the body lets
// the connection stay: not where the client still waits for 100, nor where more
// is left than will be thrown away.
func (b *requestBody) answer(limit int) bool {
	b.emu.Lock()
	b.answered = true
	stay := !b.expect && !b.broken.Load()
	b.emu.Unlock()
	if stay && b.mu.TryLock() { // else somebody reads it, maybe to its end
		stay = b.f.kind != bodyLength || b.f.left <= int64(limit)
		b.mu.Unlock()
	}
	return stay
}

// end takes the body from whoever still reads it, and tells whether it was read
// to its end.
func (b *requestBody) end() bool {
	b.over.Store(true)
	if b.reading.Load() {
		b.x.c.interrupted = true
		_ = b.x.c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x = nil
	return b.f.done
}

// drain reads the rest, up to limit bytes, and tells whether that was all.
func (b *requestBody) drain(limit int) bool {
	if b.expect || b.f.kind == bodyLength && b.f.left > int64(limit) {
		return false
	}
	for {
		p, err := b.f.next()
		if err != nil {
			return b.f.done
		}
		if limit -= len(p); limit < 0 {
			return false
		}
	}
}
