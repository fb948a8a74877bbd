package http1

import (
	"errors"
	"net"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// How a response's body ends.
const (
	writeNone = iota // HEAD, 204, 304: there is none
	writeLength
	writeChunked
	writeUntilClose
)

// gather is the size from which body bytes are written from where they are,
// instead of being copied behind the head.
const gather = 2 << 10

// Errors of a writer's misuse.
var (
	errStatus    = errors.New("the status of a response is from 200 to 999")
	errHeadTwice = errors.New("the response head was written already")
	errNoHead    = errors.New("the response head was not written")
	errTooMuch   = errors.New("the response body is longer than its Content-Length")
	errTooLittle = errors.New("the response body is shorter than its Content-Length")
	errUpgrade   = errors.New("the client did not ask for an upgrade")
	errFailed    = errors.New("the response was given up")
)

// writer is message.Writer for one exchange.
type writer struct {
	x        *exchange
	out      *wire.Buffer // kept while the connection is busy
	n        int          // bytes in out
	mode     uint8
	head     bool
	finished bool
	begun    bool // a byte of the head may have left
	close    bool // the connection ends with this response
	linger   bool // the client may still be sending
	hijacked bool
	later    func() // what follows a hijack
	left     int64
	sent     int64
	err      error  // sticky
	id       string // of an answer of the engine's own, where it was logged
	vec      [3][]byte
	bufs     net.Buffers
}

var _ message.Writer = (*writer)(nil)

func (w *writer) release(p *wire.Buffers) {
	p.Put(w.out)
	*w = writer{hijacked: w.hijacked, later: w.later}
}

func (w *writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// begin lends the output buffer.
func (w *writer) begin() []byte {
	if w.out == nil {
		w.out = w.x.c.s.bufs.Get(wire.SmallBuffer)
	}
	return w.out.B[:w.n]
}

func (w *writer) keep(b []byte) {
	w.n = len(b)
	w.out.B = b[:cap(b)]
}

// Informational sends a 1xx head other than 101, at once; to HTTP/1.0 none.
func (w *writer) Informational(status int, h *message.Header) error {
	if w.err != nil || w.head {
		return w.fail(errHeadTwice)
	}
	if w.x.q.Minor == 0 || status < 100 || status > 199 || status == 101 {
		return nil
	}
	if status == 100 {
		if w.x.body == nil {
			return nil
		}
		return w.x.body.proceed()
	}
	b := wire.AppendStatus(w.begin(), status, "")
	var err error
	if h != nil {
		b, err = wire.AppendFields(b, h)
	}
	w.keep(append(b, "\r\n"...))
	if err != nil {
		w.n = 0
		return err
	}
	return w.Flush()
}

// WriteHead takes the head; see message.Writer.
func (w *writer) WriteHead(r *message.Response) error {
	if w.err != nil {
		return w.err
	}
	if w.head {
		return errHeadTwice
	}
	if r.Status == 101 {
		return w.switchProtocols(r)
	}
	if r.Status < 200 || r.Status > 999 {
		return errStatus
	}
	w.frame(r)
	b := wire.AppendStatus(w.begin(), r.Status, r.Reason)
	mark := w.n
	b, err := wire.AppendFields(b, &r.Header)
	if err != nil {
		w.n = mark
		return err
	}
	if _, ok := r.Header.Known(message.Date); !ok {
		b = append(append(append(b, "Date: "...), *w.x.c.s.c.Clock.Date.Load()...), "\r\n"...)
	}
	switch {
	case w.mode == writeChunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case w.mode == writeLength || w.mode == writeNone && w.left >= 0 && r.Status >= 200 && r.Status != 204:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.left, 10), "\r\n"...)
	}
	if r.Status == 426 { // the one final answer with an Upgrade (RFC 9110, 15.5.22)
		if p, ok := r.Header.Known(message.Upgrade); ok && message.ValidValue(p) {
			b = wire.AppendField(append(b, "Connection: upgrade\r\n"...), "Upgrade", p)
		}
	}
	switch {
	case w.close:
		b = append(b, "Connection: close\r\n"...)
	case w.x.q.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	w.keep(append(b, "\r\n"...))
	w.head = true
	return nil
}

// frame decides how the body ends and whether the connection stays (RFC 9112,
// 6.3 and 9.3).
func (w *writer) frame(r *message.Response) {
	x := w.x
	c := x.c
	w.left = r.ContentLength
	switch {
	case x.head || r.Status < 200 || r.Status == 204 || r.Status == 304:
		w.mode = writeNone
	case r.Status == 205:
		w.mode, w.left = writeLength, 0
	case r.ContentLength >= 0:
		w.mode = writeLength
	case x.q.Minor == 1:
		w.mode = writeChunked
	default:
		w.mode = writeUntilClose
	}
	w.close = !x.keep || w.mode == writeUntilClose || c.s.draining.Load() ||
		c.s.c.MaxRequestsPerConnection > 0 && c.served >= c.s.c.MaxRequestsPerConnection
	if x.body != nil {
		if !x.body.answer(c.s.c.DrainBody) {
			w.close, w.linger = true, true
		}
	}
}

// switchProtocols writes the head of a 101 (RFC 9110, 15.2.2).
func (w *writer) switchProtocols(r *message.Response) error {
	if w.x.q.Upgrade == "" {
		return errUpgrade
	}
	p, ok := r.Header.Known(message.Upgrade)
	if !ok || !message.ValidValue(p) {
		p = w.x.q.Upgrade
	}
	b, err := wire.AppendFields(wire.AppendStatus(w.begin(), 101, r.Reason), &r.Header)
	if err != nil {
		return err
	}
	b = append(append(append(b, "Connection: Upgrade\r\nUpgrade: "...), p...), "\r\n\r\n"...)
	w.keep(b)
	w.mode, w.left, w.head, w.close = writeNone, 0, true, true
	return w.Flush()
}

// Write sends body bytes; see message.Writer.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.head || w.finished:
		return 0, errNoHead
	case len(p) == 0 || w.mode == writeNone:
		return len(p), nil
	}
	switch w.mode {
	case writeLength:
		if int64(len(p)) > w.left {
			return 0, errTooMuch
		}
		w.left -= int64(len(p))
		w.put(p, nil)
	case writeUntilClose:
		w.put(p, nil)
	case writeChunked:
		if cap(w.out.B)-w.n < 24 {
			_ = w.Flush()
		}
		w.keep(append(strconv.AppendUint(w.out.B[:w.n], uint64(len(p)), 16), "\r\n"...))
		w.put(p, []byte("\r\n"))
	}
	if w.err != nil {
		return 0, w.err
	}
	w.sent += int64(len(p))
	return len(p), nil
}

// put writes p and end behind what is in the buffer: by copying them there, or
// all at once from where they are.
func (w *writer) put(p, end []byte) {
	if room := len(w.out.B) - w.n; len(p)+len(end) <= room && (len(p) < gather || w.n > 0 && len(p) < room/2) {
		w.n += copy(w.out.B[w.n:], p)
		w.n += copy(w.out.B[w.n:], end)
		return
	}
	c := w.x.c
	w.begun = true
	for first := true; len(p) > 0 && w.err == nil; first = false {
		n := min(len(p), 64<<10)
		w.bufs = w.vec[:0]
		if first && w.n > 0 {
			w.bufs = append(w.bufs, w.out.B[:w.n])
		}
		w.bufs = append(w.bufs, p[:n])
		if p = p[n:]; len(p) == 0 && len(end) > 0 {
			w.bufs = append(w.bufs, end)
		}
		if !c.write.Set(c.s.c.Clock.After(c.s.c.WriteTimeout)) {
			_ = w.fail(ErrSlow)
			return
		}
		_, err := w.bufs.WriteTo(c.nc)
		c.write.Set(0)
		if err != nil {
			_ = w.fail(err)
		}
	}
	w.n, w.vec = 0, [3][]byte{}
}

// Flush sends what is buffered.
func (w *writer) Flush() error {
	if w.err == nil && w.n > 0 {
		n := w.n
		w.n, w.begun = 0, w.head
		if err := w.x.c.send(w.out.B[:n]); err != nil {
			return w.fail(err)
		}
	}
	return w.err
}

// Finish ends the body; see message.Writer.
func (w *writer) Finish(trailer *message.Header) error {
	switch {
	case w.err != nil:
		return w.err
	case !w.head:
		return errNoHead
	case w.finished:
		return nil
	case w.mode == writeLength && w.left > 0:
		w.Fail()
		return errTooLittle
	case w.mode == writeChunked:
		b := append(w.out.B[:w.n], "0\r\n"...)
		if trailer != nil {
			b = wire.AppendTrailer(b, trailer)
		}
		w.keep(append(b, "\r\n"...))
	}
	w.finished = true
	return w.Flush()
}

// finish sends a whole answer of the engine's own.
func (w *writer) finish(answer []byte) {
	w.head, w.finished, w.close, w.linger = true, true, true, true
	if err := w.x.c.send(answer); err != nil {
		_ = w.fail(err)
	}
}

// Discard takes the head back; see message.Writer. A request body that was not
// asked for before the head came stays unread.
func (w *writer) Discard() bool {
	if w.err != nil || !w.head || w.begun || w.finished {
		return false
	}
	w.n, w.left, w.sent = 0, 0, 0
	w.mode, w.head, w.close, w.linger = writeNone, false, false, false
	return true
}

// Fail resets the connection.
func (w *writer) Fail() {
	_ = w.fail(errFailed)
	if t, ok := w.x.c.nc.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0)
	}
	_ = w.x.c.nc.Close()
}

// Hijack hands the connection over; see message.Writer.
func (w *writer) Hijack() (net.Conn, []byte, error) {
	if w.err != nil {
		return nil, nil, w.err
	}
	if !w.head || w.x.q.Upgrade == "" || w.n > 0 || w.hijacked {
		return nil, nil, errUpgrade
	}
	c := w.x.c
	c.waiting.Store(0)
	if !c.read.Set(0) || !c.write.Set(0) {
		return nil, nil, ErrSlow
	}
	w.hijacked, w.finished = true, true
	return c.nc, append([]byte(nil), w.x.d.Buffered()...), nil
}

// Later makes f run on the connection's goroutine after a Hijack, once the exchange
// and its buffers were given back; the connection counts as open until f returns.
func (w *writer) Later(f func()) { w.later = f }

// HeadWritten tells whether WriteHead was called, and not taken back.
func (w *writer) HeadWritten() bool { return w.head }

// Sent is the number of body bytes handed to the connection.
func (w *writer) Sent() int64 { return w.sent }
