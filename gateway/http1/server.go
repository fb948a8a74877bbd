package http1

import (
	"context"
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
	perClient map[netip.Addr]int
	gone      chan struct{} // closed and made anew when a connection ends during a drain

	accepted, rejected, requests, timeouts, aborted, panics atomic.Uint64

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
		perClient: make(map[netip.Addr]int),
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
			s.accept(base, nc)
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

// accept starts a connection's goroutine, unless a limit is reached.
func (s *Server) accept(ctx context.Context, nc net.Conn) {
	s.accepted.Add(1)
	c := newConn(s, nc)
	client := c.remote.Addr()
	s.mu.Lock()
	full := s.c.MaxConnections > 0 && len(s.conns) >= s.c.MaxConnections ||
		s.c.MaxConnectionsPerClient > 0 && s.perClient[client] >= s.c.MaxConnectionsPerClient
	if full || s.draining.Load() {
		s.mu.Unlock()
		s.rejected.Add(1)
		// The answer fits an empty socket buffer; a client that finds no room gets none.
		_ = nc.SetWriteDeadline(time.Now().Add(wire.Tick))
		_, _ = nc.Write(s.answer(&wire.Refusal{Status: 503, Code: "listener.busy", Message: "too many connections"}, s.newID()))
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.perClient[client]++
	s.mu.Unlock()
	c.ctx, c.cancel = context.WithCancel(ctx)
	s.c.Clock.Add(c)
	go c.serve()
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
	client := c.remote.Addr()
	s.mu.Lock()
	delete(s.conns, c)
	if s.perClient[client]--; s.perClient[client] <= 0 {
		delete(s.perClient, client)
	}
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
		Accepted: s.accepted.Load(), Rejected: s.rejected.Load(), Requests: s.requests.Load(),
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
