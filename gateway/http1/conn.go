package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// The states of a client connection.
const (
	connBusy int32 = iota
	connIdle
	connClosing
)

// peekAfter is how long a request may be in work before its client is looked at.
const peekAfter = 250 * time.Millisecond

// handshakeRecord begins a TLS connection (RFC 8446, 5.1). Such a client understands
// no answer, so it gets none.
const handshakeRecord = 22

// errTLS ends a plain connection on which a client speaks TLS.
var errTLS = errors.New("TLS on a plain connection")

// lingerBytes is how much is read from a client behind the last answer.
const lingerBytes = 256 << 10

// conn is one client connection. While it is idle it has no exchange, and with
// that no buffer.
type conn struct {
	s      *Server
	nc     net.Conn
	raw    syscall.RawConn // to look at the socket; nil where there is none
	peer   Peer
	scheme string
	ctx    context.Context
	cancel context.CancelFunc
	abort  message.Abort

	slot    int // of the clock
	state   atomic.Int32
	read    wire.Deadline
	write   wire.Deadline
	waiting atomic.Int64 // since when the handler works and nothing is to be read; 0 otherwise
	gone    error        // of the last peek

	x        *exchange
	served   int
	first    [1]byte               // read where there is no socket, to wait without a buffer
	err      error                 // of the last readable
	readable func(fd uintptr) bool // nil: not a plain socket
	writable func(fd uintptr) bool // the same
	out      []byte                // what writable writes
	outErr   error                 // of the last writable
	peek     func(fd uintptr)
	room     int           // for the next request, judged by the last one
	credit   time.Duration // of the body's rate
	readFrom int64         // when the last wait for body bytes began
}

func newConn(s *Server, nc net.Conn, p Peer) *conn {
	c := &conn{s: s, nc: nc, peer: p, scheme: "http", raw: wire.RawConn(nc)}
	if p.TLS != nil {
		c.scheme = "https"
	}
	if c.raw != nil {
		c.peek = func(fd uintptr) { c.gone = wire.PeekFD(fd) }
		if _, ok := nc.(*net.TCPConn); ok {
			c.readable, c.writable = c.tryRead, c.tryWrite
		}
	}
	return c
}

func (c *conn) Place() *int { return &c.slot }

// Check runs on the clock.
func (c *conn) Check(now int64) {
	if c.read.Fire(now) {
		c.s.timeouts.Add(1)
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	if c.write.Fire(now) {
		c.s.timeouts.Add(1)
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0))
	}
	since := c.waiting.Load()
	if since == 0 || now-since < int64(peekAfter) || c.raw == nil {
		return
	}
	c.gone = nil
	if err := c.raw.Control(c.peek); err == nil && (c.gone == nil || wire.Again(c.gone)) {
		return
	}
	if c.waiting.CompareAndSwap(since, 0) {
		c.s.aborted.Add(1)
		c.abort.Fire()
		c.cancel()
	}
}

// endIdle closes the connection if it waits for a request.
func (c *conn) endIdle() {
	if c.state.CompareAndSwap(connIdle, connClosing) {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// cut ends the connection whatever it does.
func (c *conn) cut() {
	c.abort.Fire()
	c.cancel()
	_ = c.nc.Close()
}

func (c *conn) serve() {
	defer func() {
		c.cancel()
		c.s.ended(c)
	}()
	for c.await() {
		if !c.exchange() {
			break
		}
	}
	x := c.x
	if x != nil && x.w.hijacked {
		later := x.w.later
		c.x = nil
		c.release(x)
		if later != nil {
			later()
		}
		return
	}
	_ = c.nc.Close()
	if x != nil {
		c.x = nil
		c.release(x)
	}
}

// await waits for the first byte of a request.
func (c *conn) await() bool {
	if c.x != nil && len(c.x.d.Buffered()) > 0 {
		return true
	}
	wait := c.s.c.IdleTimeout
	if c.served == 0 {
		wait = c.s.c.HeaderTimeout
	}
	if !c.read.Set(c.s.c.Clock.After(wait)) {
		return false
	}
	c.state.Store(connIdle)
	if c.s.draining.Load() {
		return c.arrived()
	}
	var err error
	if c.readable != nil {
		err = c.raw.Read(c.readable)
	} else {
		c.waitByte()
	}
	if !c.state.CompareAndSwap(connIdle, connBusy) {
		return c.arrived()
	}
	return err == nil && c.err == nil
}

// arrived tells whether a request was there already when the drain ended the wait
// for it. Such a one is served, and the last of its connection.
func (c *conn) arrived() bool {
	c.s.mu.Lock() // under which endIdle sets its deadline
	c.state.Store(connBusy)
	c.s.mu.Unlock()
	if c.nc.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	if c.readable != nil && (c.x == nil || len(c.x.d.Buffered()) == 0) {
		_ = c.raw.Control(func(fd uintptr) { c.tryRead(fd) })
	}
	return c.x != nil && len(c.x.d.Buffered()) > 0 && c.err == nil
}

// tryRead is one non-blocking read; where nothing came it gives the buffer back.
func (c *conn) tryRead(fd uintptr) bool {
	x := c.take()
	n, err := wire.ReadFD(fd, x.d.Buf.B)
	if wire.Again(err) {
		c.x = nil
		c.release(x)
		return false
	}
	if n <= 0 && err == nil {
		err = io.EOF
	}
	x.d.W, c.err = max(n, 0), err
	return true
}

// waitByte waits for a byte by a read of one.
func (c *conn) waitByte() {
	if c.x != nil {
		x := c.x
		c.x = nil
		c.release(x)
	}
	var n int
	n, c.err = c.nc.Read(c.first[:])
	if n == 1 {
		x := c.take()
		x.d.Buf.B[0], x.d.W, c.err = c.first[0], 1, nil
	}
}

// take returns the exchange, with a buffer.
func (c *conn) take() *exchange {
	x := c.x
	if x == nil {
		x, _ = c.s.exchanges.Get().(*exchange)
		if x == nil {
			x = new(exchange)
		}
		x.c = c
		x.d = wire.Reader{Conn: c.nc, Pool: &c.s.bufs}
		c.x = x
	}
	if x.d.Buf == nil {
		x.d.Room(max(c.room, wire.SmallBuffer))
	}
	return x
}

func (c *conn) release(x *exchange) {
	x.clear()
	c.s.bufs.Put(x.d.Buf)
	x.d, x.w, x.c = wire.Reader{}, writer{}, nil
	c.s.exchanges.Put(x)
}

// exchange serves one request and tells whether another may follow.
func (c *conn) exchange() bool {
	x := c.x
	if bad, err := c.readHead(x); bad != nil || err != nil {
		c.read.Set(0)
		if bad == nil && c.read.Fired() && len(bytes.Trim(x.d.Buffered(), "\r\n")) > 0 {
			bad = &wire.Refusal{Status: 408, Code: wire.CodeTimeout, Message: "the request head did not come in time"}
		}
		if bad != nil {
			c.refuse(bad)
		}
		return false
	}
	if !c.read.Set(0) {
		return false
	}
	c.served++
	x.prepare()
	c.s.requests.Add(1)
	panicked := c.run(x)
	if x.w.hijacked {
		return false
	}
	keep := x.conclude(panicked)
	c.waiting.Store(0)
	x.clear()
	return keep
}

// readHead reads and parses a head. Mostly it is there already.
func (c *conn) readHead(x *exchange) (*wire.Refusal, error) {
	n, bad := wire.ParseRequest(x.d.Buffered(), &x.q, &x.f, &c.s.lim)
	if (bad != nil || n == 0) && c.served == 0 && x.d.Buffered()[0] == handshakeRecord {
		c.s.count(wire.CodeMalformed)
		return nil, errTLS
	}
	if bad == nil && n == 0 {
		if c.served > 0 && !c.read.Set(c.s.c.Clock.After(c.s.c.HeaderTimeout)) {
			return nil, message.ErrSlow
		}
		if bad, err := x.d.Rest(&c.s.lim); bad != nil || err != nil {
			return bad, err
		}
		x.q.Header.Reset()
		n, bad = wire.ParseRequest(x.d.Buffered(), &x.q, &x.f, &c.s.lim)
	}
	if bad != nil {
		return bad, nil
	}
	x.d.Pin(n)
	return nil, nil
}

// run calls the handler. A panic is this request's alone.
func (c *conn) run(x *exchange) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			c.s.panics.Add(1)
			x.w.id = c.s.newID()
			c.s.c.Log.Error("the handler panicked", "panic", v, "request", x.w.id, "stack", string(debug.Stack()))
		}
	}()
	c.s.h.Serve(&x.w, &x.q)
	return false
}

// send writes p, which the client must take in WriteTimeout for each 64 KiB.
func (c *conn) send(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), 64<<10)
		if !c.write.Set(c.s.c.Clock.After(c.s.c.WriteTimeout)) {
			return message.ErrSlow
		}
		err := c.put(p[:n])
		c.write.Set(0)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// put writes p, as one call where the socket has room.
func (c *conn) put(p []byte) error {
	if c.writable == nil {
		_, err := c.nc.Write(p)
		return err
	}
	c.out = p
	err := c.raw.Write(c.writable)
	c.out = nil
	if err != nil {
		return err
	}
	return c.outErr
}

// tryWrite writes what the socket takes.
func (c *conn) tryWrite(fd uintptr) bool {
	for len(c.out) > 0 {
		n, err := wire.WriteFD(fd, c.out)
		if err == syscall.EINTR {
			continue
		}
		if c.outErr = err; err != nil {
			return !wire.Again(err)
		}
		c.out = c.out[n:]
	}
	c.outErr = nil
	return true
}

// refuse answers a request that the handler never sees, and ends the connection.
func (c *conn) refuse(r *wire.Refusal) {
	c.s.count(r.Code)
	id := c.s.newID()
	c.s.c.Log.Debug("request refused", "code", r.Code, "message", r.Message, "request", id, "remote", c.peer.Remote)
	err := c.send(c.s.answer(r, id))
	if c.s.c.Refused != nil {
		c.s.c.Refused(r.Status, r.Code, id, c.peer.Remote.Addr())
	}
	if err == nil {
		c.linger()
	}
}

// linger ends the sending side and takes what the client still sends, so that
// the answer is not lost to a reset (RFC 9112, 9.6). Bounded in bytes and time.
func (c *conn) linger() {
	t, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || t.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	b := c.s.bufs.Get(wire.MediumBuffer)
	defer c.s.bufs.Put(b)
	for left := lingerBytes; left > 0; {
		n, err := c.nc.Read(b.B)
		if left -= n; err != nil {
			return
		}
	}
}

// Before and after are the pacer of request bodies: a credit that waiting uses
// up and bytes earn.
func (c *conn) Before() error {
	wait := c.credit
	if c.s.c.BodyRate < 0 {
		wait = c.s.c.IdleTimeout
	}
	c.readFrom = c.s.c.Clock.Now.Load()
	if !c.read.Set(c.s.c.Clock.After(wait)) {
		return message.ErrSlow
	}
	return nil
}

func (c *conn) After(n int) {
	c.read.Set(0)
	if c.s.c.BodyRate > 0 {
		c.credit -= time.Duration(c.s.c.Clock.Now.Load() - c.readFrom)
		c.credit += time.Duration(n) * time.Second / time.Duration(c.s.c.BodyRate)
		c.credit = min(max(c.credit, 0), c.s.c.BodyGrace)
	}
}
