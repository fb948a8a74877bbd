package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Server answers HTTP/1.x clients. Make it with NewServer. Safe for concurrent
// use; several listeners may be served at once.
type Server struct {
	h         message.Handler
	c         ServerConfig
	lim       wire.Limits
	protected map[string]struct{}
	bufs      wire.Buffers
	exchanges sync.Pool
	draining  atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	gone      chan struct{} // closed and made anew when a connection ends during a drain

	accepted, requests, timeouts, aborted, panics atomic.Uint64

	refused map[string]*atomic.Uint64 // by code, one for each of wire.Codes
}

// NewServer makes a server that hands well-formed requests to h.
func NewServer(h message.Handler, c ServerConfig) *Server {
	c = c.WithDefaults()
	s := &Server{
		h: h, c: c,
		lim:       wire.Limits{Line: c.RequestLine, Head: c.Head, Fields: c.Fields, Trailer: c.Trailer},
		protected: make(map[string]struct{}, len(c.Protected)),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		gone:      make(chan struct{}),
		refused:   make(map[string]*atomic.Uint64, len(wire.Codes())),
	}
	for _, code := range wire.Codes() {
		s.refused[code] = new(atomic.Uint64)
	}
	for _, n := range c.Protected {
		s.protected[n] = struct{}{}
	}
	return s
}

// Serve accepts connections from l, which it closes in the end, until ctx ends,
// l fails or Shutdown is called. It returns nil after ctx's end and Shutdown, at
// once: connections go on until Shutdown ends them. Requests get contexts derived
// from ctx, but do not end with it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.mu.Lock()
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer func() {
		stop()
		_ = l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	base := context.WithoutCancel(ctx)
	for wait := time.Duration(0); ; {
		if s.draining.Load() {
			return nil
		}
		nc, err := l.Accept()
		if err == nil {
			wait = 0
			go s.serveAccepted(base, nc)
			continue
		}
		if ctx.Err() != nil || s.draining.Load() {
			return nil
		}
		var t interface{ Temporary() bool } // EMFILE and the like: deprecated, and the only sign
		if errors.Is(err, net.ErrClosed) || !errors.As(err, &t) || !t.Temporary() {
			return err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.c.Log.Warn("accept a connection", "error", err, "retry", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Peer is who is at the other end of a connection, as the socket says it or the
// PROXY header of a load balancer.
type Peer struct {
	Remote, Local netip.AddrPort
	TLS           *tls.ConnectionState // after the handshake; nil: the connection is plain
}

// PeerOf is what the socket of nc says; a TLS connection has done its handshake.
func PeerOf(nc net.Conn) Peer {
	p := Peer{Remote: addrPort(nc.RemoteAddr()), Local: addrPort(nc.LocalAddr())}
	if t, ok := nc.(*tls.Conn); ok {
		st := t.ConnectionState()
		p.TLS = &st
	}
	return p
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// serveAccepted is ServeConn for a connection fresh from a listener.
func (s *Server) serveAccepted(ctx context.Context, nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		shake, cancel := context.WithTimeout(ctx, s.c.HeaderTimeout)
		err := t.HandshakeContext(shake)
		cancel()
		if err != nil {
			_ = nc.Close()
			return
		}
	}
	s.ServeConn(ctx, nc, PeerOf(nc))
}

// ServeConn serves one connection until its end, and closes it unless a handler
// took it over. A *net.TCPConn is served by its socket directly; anything else, a
// *tls.Conn after its handshake too, by its methods. No deadline may be set on nc.
// Requests get contexts derived from ctx, and p's addresses. After Shutdown the
// connection is closed at once.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, p Peer) {
	s.accepted.Add(1)
	c := newConn(s, nc, p)
	c.ctx, c.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		c.cancel()
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.c.Clock.Add(c)
	c.serve()
}

// newID is an id for a request that no handler saw, or "".
func (s *Server) newID() string {
	if s.c.NewID == nil {
		return ""
	}
	return s.c.NewID()
}

// count counts a refused request.
func (s *Server) count(code string) {
	n, ok := s.refused[code]
	if !ok { // a label more than the metric is meant to have would be worse
		n = s.refused[wire.CodeMalformed]
	}
	n.Add(1)
}

// answer is the engine's own answer.
func (s *Server) answer(r *wire.Refusal, id string) []byte {
	return r.Answer(*s.c.Clock.Date.Load(), id)
}

// ended forgets a connection whose goroutine is over.
func (s *Server) ended(c *conn) {
	s.c.Clock.Remove(c)
	s.mu.Lock()
	delete(s.conns, c)
	if s.draining.Load() {
		close(s.gone)
		s.gone = make(chan struct{})
	}
	s.mu.Unlock()
}

// Shutdown stops accepting and closes idle connections; exchanges in work are
// finished, with Connection: close. When ctx ends first, what is left is cut,
// tunnels included, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		c.endIdle()
	}
	s.mu.Unlock()
	for cut := false; ; {
		s.mu.Lock()
		left, gone := len(s.conns), s.gone
		s.mu.Unlock()
		if left == 0 {
			return ctx.Err()
		}
		if cut {
			<-gone
			continue
		}
		select {
		case <-gone:
		case <-ctx.Done():
			cut = true
			s.mu.Lock()
			for c := range s.conns {
				c.cut()
			}
			s.mu.Unlock()
		}
	}
}

// Stats returns counts and gauges.
func (s *Server) Stats() ServerStats {
	st := ServerStats{
		Accepted: s.accepted.Load(), Requests: s.requests.Load(),
		Refused: make(map[string]uint64, len(s.refused)), Timeouts: s.timeouts.Load(), Aborted: s.aborted.Load(), Panics: s.panics.Load(),
	}
	for code, n := range s.refused {
		st.Refused[code] = n.Load()
		st.Malformed += st.Refused[code]
	}
	s.mu.Lock()
	st.Connections = int64(len(s.conns))
	for c := range s.conns {
		if c.state.Load() == connIdle {
			st.Idle++
		}
	}
	s.mu.Unlock()
	return st
}
