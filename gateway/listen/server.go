package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
)

// Protocol serves one connection until its end, and closes it. nc is a
// *net.TCPConn where the connection is plain, a *tls.Conn after its handshake
// where it is not; p says who is at its other end.
type Protocol interface {
	ServeConn(ctx context.Context, nc net.Conn, p http1.Peer)
}

// Config says what a listener does with its connections.
type Config struct {
	// Name is what logs call the listener.
	Name string
	// TLS makes clients shake hands first. It names h2 in NextProtos where HTTP2 is set.
	// Nil: connections are plain.
	TLS *tls.Config
	// H2C looks whether a plain connection begins with the preface of HTTP/2.
	H2C bool
	// Proxy wants a PROXY header before everything else, from an address within Trusted.
	Proxy   bool
	Trusted []netip.Prefix
	// Timeout bounds the PROXY header, the handshake, and the wait for the first byte
	// where H2C looks at it, each. Default 10 s.
	Timeout time.Duration
	// MaxConnections bounds the open connections, MaxConnectionsPerClient those of one
	// client address, which is the one that the PROXY header names. 0: no bound.
	MaxConnections, MaxConnectionsPerClient int
	// HTTP1 serves what is not for HTTP2, or everything of a listener that does not speak
	// HTTP. It is needed.
	HTTP1 Protocol
	// HTTP2 serves connections that agreed on h2 (RFC 9113), and those that H2C found.
	HTTP2 Protocol
	// Opaque says that the protocol is not HTTP, so that nobody is told anything in HTTP.
	Opaque bool
	// NewID makes the request id of an answer that no handler wrote. Nil: it has none.
	NewID func() string
	// Log gets accept errors and, at the debug level, connections that are turned away.
	// Nil: nothing is logged.
	Log *slog.Logger
}

// Server accepts the connections of one listener. Make it with New.
type Server struct {
	l    net.Listener
	c    Config
	wait sync.WaitGroup

	mu        sync.Mutex
	closed    bool // nothing more is accepted
	stopped   bool
	open      int
	perClient map[netip.Addr]int
	early     map[net.Conn]struct{} // not with a protocol yet

	accepted, rejected, untrusted, malformed, handshakes, resumed, plain atomic.Uint64
}

// Stats are counts of a Server since its start, and gauges of now.
type Stats struct {
	Open       int64  // connections now
	Accepted   uint64 // connections
	Rejected   uint64 // beyond a limit
	Untrusted  uint64 // whose PROXY header would not have been believed
	Malformed  uint64 // without a well-formed PROXY header
	Handshakes uint64 // of TLS that failed, Plain among them
	Resumed    uint64 // of TLS that continued an earlier session
	Plain      uint64 // HTTP without TLS where TLS is wanted
}

// New makes a server for l, which it closes in the end.
func New(l net.Listener, c Config) *Server {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("listener", c.Name)
	return &Server{l: l, c: c, perClient: map[netip.Addr]int{}, early: map[net.Conn]struct{}{}}
}

// Addr is the address that the listener has.
func (s *Server) Addr() net.Addr { return s.l.Addr() }

// Name is the listener's name.
func (s *Server) Name() string { return s.c.Name }

// Serve accepts connections until Stop, and then returns nil; a listener that
// fails is an error. Connections go on until their protocols end them. They get
// contexts derived from ctx, whose end means nothing to Serve.
func (s *Server) Serve(ctx context.Context) error {
	for wait := time.Duration(0); ; {
		nc, err := s.l.Accept()
		if err == nil {
			wait = 0
			s.accept(ctx, nc)
			continue
		}
		if s.isClosed() {
			return nil
		}
		var t interface{ Temporary() bool } // EMFILE and the like: deprecated, and the only sign
		if errors.Is(err, net.ErrClosed) || !errors.As(err, &t) || !t.Temporary() {
			return err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.c.Log.Warn("accept a connection", "error", err, "retry", wait)
		<-time.After(wait)
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close closes the listener. Connections that are there go on, those without a
// protocol too, until Stop.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.l.Close()
}

// Stop closes the listener, and the connections that no protocol has yet. Those
// that have one are the protocol's to end.
func (s *Server) Stop() {
	s.mu.Lock()
	s.closed, s.stopped = true, true
	for nc := range s.early {
		_ = nc.Close()
	}
	s.mu.Unlock()
	_ = s.l.Close()
}

// Wait returns when the last connection has ended. It is called after Stop.
func (s *Server) Wait() { s.wait.Wait() }

// Stats returns counts and gauges.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	return Stats{
		Open: int64(open), Accepted: s.accepted.Load(), Rejected: s.rejected.Load(), Untrusted: s.untrusted.Load(),
		Malformed: s.malformed.Load(), Handshakes: s.handshakes.Load(), Resumed: s.resumed.Load(), Plain: s.plain.Load(),
	}
}

// accept starts a connection's goroutine, unless a limit is reached.
func (s *Server) accept(ctx context.Context, nc net.Conn) {
	s.accepted.Add(1)
	c := &conn{s: s, nc: nc, peer: http1.PeerOf(nc)}
	s.mu.Lock()
	switch {
	case s.stopped:
		s.mu.Unlock()
		_ = nc.Close()
		return
	case s.c.MaxConnections > 0 && s.open >= s.c.MaxConnections, !s.c.Proxy && !s.admit(c):
		s.mu.Unlock()
		s.rejected.Add(1)
		c.busy()
		return
	}
	s.open++
	if s.c.Proxy || s.c.TLS != nil || s.c.H2C {
		s.early[nc] = struct{}{}
		c.early = true
	}
	s.wait.Add(1)
	s.mu.Unlock()
	go c.serve(ctx)
}

// admit counts c for its client, and tells whether it may have it. It is called
// with mu held.
func (s *Server) admit(c *conn) bool {
	if s.c.MaxConnectionsPerClient <= 0 {
		return true
	}
	client := c.peer.Remote.Addr()
	if s.perClient[client] >= s.c.MaxConnectionsPerClient {
		return false
	}
	s.perClient[client]++
	c.counted = true
	return true
}

// ended forgets a connection.
func (s *Server) ended(c *conn) {
	s.mu.Lock()
	s.open--
	if c.early {
		delete(s.early, c.nc)
	}
	if c.counted {
		client := c.peer.Remote.Addr()
		if s.perClient[client]--; s.perClient[client] <= 0 {
			delete(s.perClient, client)
		}
	}
	s.mu.Unlock()
	s.wait.Done()
}

// settle ends the time in which Stop closes c, and reports false when it did.
func (s *Server) settle(c *conn) bool {
	if !c.early {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.early, c.nc)
	c.early = false
	return !s.stopped
}
