package http2

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// How a response's body ends.
const (
	writeNone    = iota // HEAD, 204, 304: there is none
	writeLength         // its length is known
	writeUnknown        // by its end
)

const (
	held     = 4 << 10  // body bytes that wait behind a head that may be taken back
	atOnce   = 64 << 10 // what WriteTimeout is for
	pastTime = 1        // a deadline, as Unix time, that is long over
)

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

// writer is message.Writer for one exchange. It holds a head back until body bytes
// must go, so that it can be taken back until then.
type writer struct {
	x   *exchange
	rw  http.ResponseWriter
	ctl control
	g   guard // of writing

	head     bool // the method is HEAD
	close    bool // the connection ends with this response
	written  bool // WriteHead was called
	begun    bool // net/http has the head
	finished bool
	hijacked bool
	mode     uint8
	status   int
	left     int64
	sent     int64
	length   int64 // Content-Length, or -1
	trailer  *message.Header
	buf      *[held]byte
	n        int   // bytes in buf
	err      error // sticky

	tunnel net.Conn
	early  []byte
}

var _ message.Writer = (*writer)(nil)

func (w *writer) begin(x *exchange, rw http.ResponseWriter, ctl control) {
	w.x, w.rw, w.ctl = x, rw, ctl
	if w.g.fire == nil {
		w.g.fire = func() {
			w.x.s.timeouts.Add(1)
			_ = w.ctl.SetWriteDeadline(time.Unix(pastTime, 0))
		}
	}
}

// clear keeps the guard, whose timer is used again.
func (w *writer) clear() {
	if w.buf != nil {
		w.x.s.buffers.Put(w.buf)
	}
	g := &w.g
	g.mu.Lock()
	w.x, w.rw, w.ctl, w.trailer, w.buf, w.tunnel, w.early, w.err = nil, nil, nil, nil, nil, nil, nil, nil
	g.mu.Unlock()
	w.head, w.close, w.written, w.begun, w.finished, w.hijacked = false, false, false, false, false, false
	w.mode, w.status, w.left, w.sent, w.length, w.n = writeNone, 0, 0, 0, 0, 0
}

func (w *writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Informational sends a 1xx head other than 101, at once; to HTTP/1.0 none.
func (w *writer) Informational(status int, h *message.Header) error {
	if w.err != nil || w.written {
		return w.fail(errHeadTwice)
	}
	q := &w.x.q
	if q.Major == 1 && q.Minor == 0 || status < 100 || status > 199 || status == 101 {
		return nil
	}
	if status == 100 && (w.x.body == nil || w.x.body.Received() > 0) {
		return nil
	}
	to := w.rw.Header()
	if h != nil {
		if err := w.fields(to, h); err != nil {
			clear(to)
			return err
		}
	}
	w.g.arm(w.x.s.c.WriteTimeout)
	w.rw.WriteHeader(status)
	w.g.disarm()
	clear(to)
	if err := w.x.ctx.Err(); err != nil {
		return w.fail(err)
	}
	return nil
}

// WriteHead takes the head; see message.Writer.
func (w *writer) WriteHead(r *message.Response) error {
	switch {
	case w.err != nil:
		return w.err
	case w.written:
		return errHeadTwice
	case r.Status == http.StatusSwitchingProtocols:
		return w.switchProtocols(r)
	case r.Status < 200 || r.Status > 999:
		return errStatus
	}
	to := w.rw.Header()
	if err := w.fields(to, &r.Header); err != nil {
		clear(to)
		return err
	}
	if _, ok := to["Content-Type"]; !ok {
		to["Content-Type"] = nil // or else net/http guesses one
	}
	w.status, w.length, w.left = r.Status, r.ContentLength, r.ContentLength
	switch {
	case w.head, r.Status == http.StatusNoContent, r.Status == http.StatusNotModified:
		w.mode, w.left = writeNone, 0
		// with 304 it may be left out, and HTTP/2 clients take it for that of a body
		if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified && w.x.major == 2 {
			w.length = -1
		}
	case r.Status == http.StatusResetContent:
		w.mode, w.left, w.length = writeLength, 0, 0
	case r.ContentLength >= 0:
		w.mode = writeLength
	default:
		w.mode = writeUnknown
	}
	to["Content-Length"] = nil
	if w.length >= 0 {
		to["Content-Length"] = []string{strconv.FormatInt(w.length, 10)}
	}
	w.written = true
	return nil
}

// fields copies the end-to-end fields of h, strings and all: net/http may write
// them when the message is over already.
func (w *writer) fields(to http.Header, h *message.Header) error {
	var text strings.Builder
	lines := 0
	for f := range h.Fields() {
		if !f.Writable() && f.Known != message.ContentLength && !f.Known.HopByHop() {
			return errors.New("the header field " + strconv.Quote(f.Name) + " has a character that cannot be written")
		}
		lines++
		text.Grow(len(f.Name) + len(f.Value))
	}
	for f := range h.Fields() {
		text.WriteString(f.Name)
		text.WriteString(f.Value)
	}
	all, values := text.String(), make([]string, 0, lines)
	for f := range h.Fields() {
		name, value := all[:len(f.Name)], all[len(f.Name):len(f.Name)+len(f.Value)]
		all = all[len(f.Name)+len(f.Value):]
		if f.Known == message.ContentLength || f.Known.HopByHop() {
			continue
		}
		name = http.CanonicalHeaderKey(name)
		if old, ok := to[name]; ok {
			to[name] = append(old, value)
			continue
		}
		values = append(values, value)
		to[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return nil
}

// commit gives the head to net/http, and what was held back behind it.
func (w *writer) commit() {
	to := w.rw.Header()
	if w.trailer != nil && w.x.major == 1 {
		w.announce(to)
	}
	if w.close || w.x.body != nil && w.x.major == 1 && w.x.body.broken.Load() {
		to["Connection"] = []string{"close"}
	}
	w.begun = true
	w.rw.WriteHeader(w.status)
	clear(to)
	if w.n > 0 {
		w.give(w.buf[:w.n])
		w.n = 0
	}
}

// give hands body bytes to net/http, which waits for the client where it must.
func (w *writer) give(p []byte) {
	for len(p) > 0 && w.err == nil {
		n := min(len(p), atOnce)
		w.g.arm(w.x.s.c.WriteTimeout)
		_, err := w.rw.Write(p[:n])
		w.g.disarm()
		if err != nil {
			_ = w.fail(err)
		}
		p = p[n:]
	}
}

// Write sends body bytes; see message.Writer.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.written || w.finished:
		return 0, errNoHead
	case len(p) == 0 || w.mode == writeNone:
		return len(p), nil
	case w.mode == writeLength && int64(len(p)) > w.left:
		return 0, errTooMuch
	}
	if w.mode == writeLength {
		w.left -= int64(len(p))
	}
	switch whole := w.mode == writeLength && w.left == 0; {
	case w.begun:
		w.give(p)
	case w.n+len(p) <= held && (!whole || w.n > 0):
		if w.buf == nil {
			w.buf, _ = w.x.s.buffers.Get().(*[held]byte)
			if w.buf == nil {
				w.buf = new([held]byte)
			}
		}
		w.n += copy(w.buf[w.n:], p)
	default:
		w.commit()
		w.give(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.sent += int64(len(p))
	return len(p), nil
}

// Flush sends what is buffered.
func (w *writer) Flush() error {
	if w.err != nil || !w.written || w.hijacked {
		return w.err
	}
	if !w.begun {
		w.commit()
	}
	if w.err == nil {
		w.g.arm(w.x.s.c.WriteTimeout)
		err := w.ctl.FlushError()
		w.g.disarm()
		if err != nil {
			return w.fail(err)
		}
	}
	return w.err
}

// Finish ends the body; see message.Writer. The end itself, and a trailer section,
// go out when the handler returns.
func (w *writer) Finish(trailer *message.Header) error {
	switch {
	case w.err != nil:
		return w.err
	case !w.written:
		return errNoHead
	case w.finished:
		return nil
	case w.mode == writeLength && w.left > 0:
		w.Fail()
		return errTooLittle
	}
	if trailer != nil && (w.mode == writeUnknown || w.x.major == 2 && w.mode == writeLength) {
		w.trailer = trailer
	}
	if !w.begun {
		w.commit()
	}
	if w.sent > 0 && w.mode != writeNone {
		_ = w.Flush()
	}
	w.finished = true
	if w.trailer != nil && w.err == nil {
		w.announce(w.rw.Header())
		w.trailer = nil
	}
	return w.err
}

// announce gives net/http the trailer section.
func (w *writer) announce(to http.Header) {
	for f := range w.trailer.Fields() {
		if f.Writable() && !f.TrailerForbidden() {
			k := http.TrailerPrefix + http.CanonicalHeaderKey(f.Name)
			to[k] = append(to[k], strings.Clone(f.Value))
		}
	}
}

// Discard takes the head back; see message.Writer.
func (w *writer) Discard() bool {
	if w.err != nil || !w.written || w.begun || w.finished {
		return false
	}
	clear(w.rw.Header())
	w.n, w.left, w.sent, w.length, w.mode, w.written = 0, 0, 0, 0, writeNone, false
	return true
}

// Fail ends the exchange; the stream, or the connection, is reset when the handler
// returns.
func (w *writer) Fail() {
	_ = w.fail(errFailed)
	if w.x.major == 1 {
		w.x.c.reset()
	}
}

// switchProtocols takes the connection from net/http and writes the head of a 101
// (RFC 9110, 15.2.2).
func (w *writer) switchProtocols(r *message.Response) error {
	h, ok := w.rw.(http.Hijacker)
	if w.x.q.Upgrade == "" || !ok {
		return errUpgrade
	}
	p, ok := r.Header.Known(message.Upgrade)
	if !ok || !message.ValidValue(p) {
		p = w.x.q.Upgrade
	}
	b := append(append([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "), p...), "\r\n"...)
	for f := range r.Header.Fields() {
		if f.Known == message.ContentLength || f.Known.HopByHop() {
			continue
		}
		if !f.Writable() {
			return errors.New("the header field " + strconv.Quote(f.Name) + " has a character that cannot be written")
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	nc, rest, err := h.Hijack()
	if err != nil {
		return w.fail(err)
	}
	w.hijacked, w.written, w.begun, w.mode = true, true, true, writeNone
	w.tunnel = w.x.c.Conn
	if n := rest.Reader.Buffered(); n > 0 {
		w.early = make([]byte, n)
		_, _ = rest.Reader.Read(w.early)
	}
	_ = nc.SetWriteDeadline(time.Now().Add(w.x.s.c.WriteTimeout))
	if _, err := nc.Write(append(b, "\r\n"...)); err != nil {
		_ = nc.Close()
		return w.fail(err)
	}
	_ = nc.SetDeadline(time.Time{})
	return nil
}

// Hijack hands the connection over; see message.Writer.
func (w *writer) Hijack() (net.Conn, []byte, error) {
	switch {
	case w.err != nil:
		return nil, nil, w.err
	case w.tunnel == nil:
		return nil, nil, errUpgrade
	}
	nc := w.tunnel
	w.tunnel, w.finished = nil, true
	return nc, w.early, nil
}

// HeadWritten tells whether WriteHead was called, and not taken back.
func (w *writer) HeadWritten() bool { return w.written }

// Sent is the number of body bytes handed on so far.
func (w *writer) Sent() int64 { return w.sent }
