package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// maxInformational bounds the 1xx heads before a final one.
const maxInformational = 16

// errStale is the error of an idle connection that the target has closed or sent
// something on.
var errStale = errors.New("the idle connection was dead")

// upConn is one connection to a target, with the response in work.
type upConn struct {
	p       *Pool
	nc      net.Conn
	raw     syscall.RawConn // to look at the socket; nil where there is none
	plain   bool            // raw may be read and written
	used    bool            // it had an exchange before
	slot    int             // of the clock
	read    wire.Deadline
	write   wire.Deadline
	idle    wire.Deadline
	total   int64 // coarse; the end of the exchange, or 0
	abort   *message.Abort
	ctx     context.Context
	unwatch func() bool // of ctx, where it is watched

	d     wire.Reader
	f     wire.Framing
	body  wire.Framed
	res   *response      // of the exchange in work
	store message.Header // keeps the storage for fields between exchanges
	room  int            // for the next response, judged by the last one
	reuse bool
	got   bool // a byte of the response came

	// One exchange's first round trip on a plain socket; see roundTrip.
	out     []byte
	wrote   int
	waiting bool
	err     error
	trip    func(fd uintptr) bool
	alive   func(fd uintptr)

	// A body that the kernel moves; see splice.go.
	ready  func(fd uintptr) bool
	have   int
	moving io.LimitedReader

	send sender
}

func newUpConn(p *Pool, nc net.Conn) *upConn {
	c := &upConn{p: p, nc: nc, raw: wire.RawConn(nc)}
	c.d = wire.Reader{Conn: nc, Pool: &p.bufs}
	if c.raw != nil {
		_, c.plain = nc.(*net.TCPConn)
		c.trip, c.ready = c.roundTrip, c.tryWaiting
		c.alive = func(fd uintptr) { c.err = wire.PeekFD(fd) }
	}
	return c
}

func (c *upConn) Place() *int { return &c.slot }

// Check runs on the clock.
func (c *upConn) Check(now int64) {
	if c.read.Fire(now) {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	if c.write.Fire(now) {
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0))
	}
	if c.idle.Fire(now) {
		go c.p.expire(c) // it takes the clock's lock
	}
}

// by is the coarse time d from now, or the exchange's end if that is sooner; d
// below 0 is for ever.
func (c *upConn) by(d time.Duration) int64 {
	if d < 0 {
		return c.total
	}
	at := c.p.c.Clock.After(d)
	if c.total != 0 && c.total < at {
		return c.total
	}
	return at
}

// Before and after are the pacer of response bodies.
func (c *upConn) Before() error {
	if !c.read.Set(c.by(c.p.c.BodyTimeout)) {
		return message.ErrSlow
	}
	return nil
}

func (c *upConn) After(int) { c.read.Set(0) }

// watch makes an abort of the client cut the connection.
func (c *upConn) watch(ctx context.Context, r *message.Request) bool {
	c.ctx, c.abort = ctx, r.Abort
	if r.Abort != nil && !r.Abort.Watch(c.nc) {
		c.abort = nil
		return false
	}
	if ctx.Done() != nil && (r.Abort == nil || ctx != r.Context) {
		c.unwatch = context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	}
	return ctx.Err() == nil
}

// unwatched ends watch and tells whether the connection was left alone.
func (c *upConn) unwatched() bool {
	ok := true
	if c.abort != nil {
		c.abort.Unwatch()
		ok = !c.abort.Fired()
	}
	if c.unwatch != nil {
		ok = c.unwatch() && ok
	}
	c.abort, c.unwatch, c.ctx = nil, nil, nil
	return ok
}

// roundTrip is what raw.Read calls: first it looks whether the connection is
// alive, and writes the request; then, when something came, it reads. In one call
// there is no read that is known to find nothing: what comes after the look wakes
// the poller.
func (c *upConn) roundTrip(fd uintptr) bool {
	if !c.waiting {
		if err := wire.PeekFD(fd); !wire.Again(err) {
			c.err = errStale
			return true
		}
		c.wrote, c.err = wire.WriteFD(fd, c.out)
		c.wrote = max(c.wrote, 0)
		if c.wrote < len(c.out) {
			if c.err == nil || wire.Again(c.err) {
				c.err = errPartial
			}
			return true
		}
		c.waiting = true
		return false
	}
	n, err := wire.ReadFD(fd, c.d.Buf.B[c.d.W:])
	if wire.Again(err) {
		return false
	}
	if n <= 0 && err == nil {
		err = io.EOF
	}
	c.d.W += max(n, 0)
	c.err = err
	return true
}

// errPartial says that the socket did not take the request at once.
var errPartial = errors.New("partial write")

// start writes the request and, where no body follows, waits for the first bytes
// of the response.
func (c *upConn) start(out []byte, follows bool) error {
	c.out, c.wrote, c.waiting, c.err = out, 0, false, nil
	c.got = false
	c.d.Room(max(c.room, wire.SmallBuffer))
	if !c.write.Set(c.by(c.p.c.FirstByteTimeout)) || !c.read.Set(c.by(c.p.c.FirstByteTimeout)) {
		return message.ErrSlow
	}
	if c.plain && !follows {
		err := c.raw.Read(c.trip)
		if err == nil {
			err = c.err
		}
		c.write.Set(0)
		if err != errPartial {
			return err
		}
	} else if !c.calm() {
		return errStale
	}
	n, err := c.nc.Write(out[c.wrote:])
	c.wrote += n
	c.write.Set(0)
	return err
}

// calm tells whether a connection that was used before is open, with nothing on
// it that nobody asked for. On a new one with TLS there may be something: session
// tickets (RFC 8446, 4.6.1), which the first read takes.
func (c *upConn) calm() bool {
	if c.raw == nil || !c.plain && !c.used {
		return true
	}
	if err := c.raw.Control(c.alive); err != nil || !wire.Again(c.err) {
		return false
	}
	if c.plain {
		return true
	}
	// what was decrypted already is not on the socket any more
	if c.nc.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var b [1]byte
	n, err := c.nc.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.nc.SetReadDeadline(time.Time{}) == nil
}

// head reads the response's head, past informational ones.
func (c *upConn) head(o *message.Outbound, r *message.Request) error {
	p := &c.res.Response
	for interim := 0; ; {
		p.Header.Reset()
		n, minor, bad := 0, 0, (*wire.Refusal)(nil)
		if len(c.d.Buffered()) > 0 {
			n, minor, bad = wire.ParseResponse(c.d.Buffered(), p, &c.f, &c.p.lim)
		}
		if bad == nil && n == 0 {
			var err error
			if bad, err = c.d.Rest(&c.p.lim); err != nil {
				return err
			}
			if bad == nil {
				p.Header.Reset()
				n, minor, bad = wire.ParseResponse(c.d.Buffered(), p, &c.f, &c.p.lim)
			}
		}
		if bad != nil {
			return bad
		}
		c.got = true
		if p.Status >= 200 {
			c.d.Pin(n)
			c.frame(o.Method, minor)
			return nil
		}
		if p.Status == 101 {
			c.d.Pin(n)
			return c.tunnel(r)
		}
		if interim++; interim > maxInformational {
			return wire.Malformed("too many informational responses")
		}
		if p.Status == 100 {
			c.send.proceed()
		} else if o.Informational != nil && (p.Status == 102 || p.Status == 103) {
			if err := o.Informational(p.Status, &p.Header); err != nil {
				return &message.Failure{Kind: message.ErrAborted, Sent: true, Err: err}
			}
		}
		c.d.R += n
	}
}

// frame decides how the body ends and whether the connection may be used again
// (RFC 9112, 6.3 and 9.3).
func (c *upConn) frame(method string, minor int) {
	p, f := c.res, &c.f
	c.reuse = !f.Close && (minor == 1 || f.KeepAlive)
	if f.Nominated {
		wire.DropNominated(&p.Header, nil)
	}
	p.ContentLength = f.Length
	kind := uint8(wire.BodyNone)
	c.room = 0
	switch {
	case p.Status == 204:
		c.reuse = c.reuse && !f.Chunked && f.Length <= 0
		p.ContentLength = 0
	case method == "HEAD" || p.Status == 304:
	case f.Chunked:
		kind = wire.BodyChunked
	case f.Length >= 0:
		kind = wire.BodyLength
		if f.Length <= wire.LargeBuffer-wire.SmallBuffer {
			c.room = int(f.Length) + wire.SmallBuffer
		}
	default:
		kind = wire.BodyUntilClose
		c.reuse = false
	}
	p.Stream = kind == wire.BodyChunked || kind == wire.BodyUntilClose
	c.body.Start(&c.d, kind, f.Length, c, &c.p.lim)
}

// tunnel takes a 101, which must be the answer to our Upgrade.
func (c *upConn) tunnel(r *message.Request) error {
	if r.Upgrade == "" || !c.f.Upgrade || !message.EqualFold(c.f.Protocol, r.Upgrade) {
		return wire.Malformed("101 without the upgrade that was asked for")
	}
	c.read.Set(0)
	c.res.ContentLength = 0
	c.body.Start(&c.d, wire.BodyNone, 0, c, &c.p.lim)
	c.reuse = false
	c.res.Tunnel = c.nc
	c.res.Buffered = append([]byte(nil), c.d.Buffered()...)
	return nil
}

// failure turns an error of the exchange into an *message.Failure.
func (c *upConn) failure(err error, phase message.Kind) *message.Failure {
	e := &message.Failure{Kind: message.ErrClosed, Sent: c.wrote > 0, Err: err}
	var bad *wire.Refusal
	var own *message.Failure
	var op *net.OpError
	now := c.p.c.Clock.Now.Load()
	switch {
	case errors.As(err, &own):
		return own
	case c.send.failed() != nil:
		e.Kind, e.Err = message.ErrRequestBody, c.send.failed()
	case errors.As(err, &bad):
		if e.Kind = message.ErrMalformed; bad.Status == 431 || bad.Status == 414 {
			e.Kind = message.ErrTooLarge
		}
	case c.abort.Fired() || c.ctx != nil && c.ctx.Err() != nil:
		e.Kind = message.ErrAborted
	case c.read.Fired() || c.write.Fired():
		if e.Kind = phase; c.total != 0 && now >= c.total {
			e.Kind = message.ErrDeadline
		}
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		e.Kind = message.ErrTLS // an alert, which crypto/tls reports so (RFC 8446, 6)
	}
	return e
}

// end finishes the exchange: the connection goes back to the pool if nothing of
// it is left over, and is closed otherwise.
func (c *upConn) end() {
	sent := c.send.end()
	calm := c.unwatched()
	fit := c.read.Set(0) && c.write.Set(0)
	fit = fit && sent && calm && c.reuse && c.body.Done && c.body.Err == nil && c.d.R == c.d.W
	if !fit {
		_ = c.nc.Close()
	}
	if c.res != nil {
		c.store = c.res.Header
		c.store.Reset()
		c.res.Header, c.res.Trailer, c.res.Tunnel, c.res.Buffered = message.Header{}, nil, nil, nil
		c.res = nil
	}
	c.d.R = c.d.W // what is left over is nobody's
	c.d.Reset()
	if fit {
		c.p.giveBack(c)
		return
	}
	c.p.drop(c)
}

// response is one response and its Body. It is an object of its own so that what
// is done with it after Close cannot touch an exchange that came later.
type response struct {
	message.Response
	mu sync.Mutex
	c  *upConn // nil after Close
}

// Read reads body bytes; its errors are *message.Failure or io.EOF.
func (b *response) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		return 0, wire.ErrUnread
	}
	n, err := b.c.body.Read(p)
	if err != nil {
		err = b.c.bodyError(err)
	}
	return n, err
}

func (c *upConn) bodyError(err error) error {
	if err == io.EOF {
		c.res.Trailer = c.body.Trailer
		return err
	}
	e := c.failure(err, message.ErrBodyTimeout)
	c.p.errors.Add(1)
	return e
}

// WriteTo writes the body from the connection's own buffer, and flushes w before
// it waits where the response is a stream.
func (b *response) WriteTo(w io.Writer) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		return 0, wire.ErrUnread
	}
	c := b.c
	fl, _ := w.(interface{ Flush() error })
	for sent := int64(0); ; {
		if n, err := c.body.Ready(); c.res.Stream && fl != nil && err == nil && (n == 0 || c.d.R == c.d.W) {
			if err := fl.Flush(); err != nil {
				return sent, err
			}
		}
		if to, ok := w.(*writer); ok && c.spliceable() {
			n, err := to.splice(c)
			sent += n
			if err != nil {
				return sent, err
			}
		}
		p, err := c.body.Next()
		if err != nil {
			if err = c.bodyError(err); err == io.EOF {
				err = nil
			}
			return sent, err
		}
		n, err := w.Write(p)
		sent += int64(n)
		if err != nil {
			return sent, err
		}
	}
}

// Close gives the connection back, or ends it when the body was not read to its
// end. The response is not valid after it.
func (b *response) Close() error {
	b.mu.Lock()
	c := b.c
	b.c = nil
	b.mu.Unlock()
	if c != nil {
		c.end()
	}
	return nil
}
