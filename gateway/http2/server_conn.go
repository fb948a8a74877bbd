package http2

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connKey finds the conn in the context of a request.
type connKey struct{}

// conn is a client connection as net/http sees it: a plain one, whose frames are
// watched.
type conn struct {
	net.Conn
	s      *Server
	peer   Peer
	ctx    context.Context // of all its requests
	cancel context.CancelFunc
	watch  *watch      // nil: HTTP/1.1
	dead   atomic.Bool // nothing more is read, and no request begun
	torn   atomic.Bool // its end is a reset
	served atomic.Int64

	mu    sync.Mutex
	work  int           // requests in work
	ended bool          // no more requests
	over  chan struct{} // closed when ended and work is 0
}

func newConn(ctx context.Context, s *Server, nc net.Conn, p Peer, frames bool) *conn {
	c := &conn{Conn: nc, s: s, peer: p, over: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.ctx = context.WithValue(c.ctx, connKey{}, c)
	if frames {
		c.watch = newWatch(s.c.Streams)
	}
	return c
}

// enter begins a request, unless the connection is over, or dead: net/http may still
// have bytes of it in its buffer.
func (c *conn) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.dead.Load() {
		return false
	}
	c.work++
	return true
}

func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.work--; c.work == 0 && c.ended {
		close(c.over)
	}
}

// end says that no more requests come.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if c.ended = true; c.work == 0 {
		close(c.over)
	}
}

// wait waits for the end of the connection and of its requests.
func (c *conn) wait() {
	<-c.over
	c.cancel()
}

// Close is called by net/http in the end, unless the connection was handed over.
func (c *conn) Close() error {
	c.cancel()
	if c.dead.Load() && !c.torn.Load() && (c.watch == nil || c.watch.off.Load()) {
		c.linger()
	}
	err := c.Conn.Close()
	c.end()
	return err
}

// What is read from a client behind the last answer, and for how long.
const (
	lingerBytes = 256 << 10
	lingerTime  = time.Second
)

// linger ends the sending side and takes what the client still sends, so that the
// answer is not lost to a reset (RFC 9112, 9.6).
func (c *conn) linger() {
	if c.CloseWrite() != nil || c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	b := make([]byte, 4<<10)
	for left := lingerBytes; left > 0; {
		n, err := c.Conn.Read(b)
		if left -= n; err != nil {
			return
		}
	}
}

// cut ends the connection whatever it does; net/http then closes it.
func (c *conn) cut() {
	c.torn.Store(true)
	c.cancel()
	_ = c.Conn.Close()
}

// reset makes the close that follows tell the client that something is missing.
func (c *conn) reset() {
	c.torn.Store(true)
	nc := c.Conn
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn() // crypto/tls
	}
	if t, ok := nc.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0)
	}
}

// Read reads, and looks at what came.
func (c *conn) Read(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, io.EOF
	}
	if c.watch == nil {
		return c.Conn.Read(p)
	}
	var n int
	var err error
	settings := c.watch.settings(len(p))
	if settings > 0 { // whole, so that it can be looked at; net/http waits for all of it anyway
		n, err = io.ReadFull(c.Conn, p[:settings])
	} else {
		n, err = c.Conn.Read(p)
	}
	if n > 0 && c.watch.received(p[:n]) {
		c.flooded()
		return 0, errFlood
	}
	if settings > 0 && n == settings {
		lastWins(p[:n])
	}
	return n, err
}

// Write writes, and looks at what goes out.
func (c *conn) Write(p []byte) (int, error) {
	if c.watch == nil {
		return c.Conn.Write(p)
	}
	c.watch.out.Lock()
	defer c.watch.out.Unlock()
	n, err := c.Conn.Write(p)
	c.watch.sent(p[:n])
	if err != nil && n == 0 && !c.watch.off.Load() {
		// net/http goes on behind a frame that could not be written: until the
		// connection is idle, which is too long for a client that takes nothing
		c.cut()
	}
	return n, err
}

// flooded says goodbye where a frame may be written, and ends the connection.
func (c *conn) flooded() {
	if c.dead.Swap(true) {
		return
	}
	c.s.floods.Add(1)
	c.s.c.Log.Debug("connection ended because of a flood of frames", "remote", c.peer.Remote, "frames", c.watch.why)
	if c.watch.out.TryLock() {
		if c.watch.w.boundary() && c.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
			_, _ = c.Conn.Write(goAway(c.watch.last, codeCalm))
		}
		c.watch.out.Unlock()
	}
}

// CloseWrite ends the sending side, where the connection can do that.
func (c *conn) CloseWrite() error {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

// feed is a listener of one connection.
type feed struct {
	c    *conn
	done bool
}

var _ net.Listener = (*feed)(nil)

// Accept returns the connection, once.
func (f *feed) Accept() (net.Conn, error) {
	if f.done {
		return nil, net.ErrClosed
	}
	f.done = true
	return f.c, nil
}

// Close does nothing: the connection has its own end.
func (f *feed) Close() error { return nil }

// Addr is the connection's local address.
func (f *feed) Addr() net.Addr { return f.c.LocalAddr() }
