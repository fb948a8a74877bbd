package http2

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Server answers HTTP/2 clients, and HTTP/1.1 clients where the configuration says
// so. Make it with NewServer. Safe for concurrent use.
type Server struct {
	h         message.Handler
	c         ServerConfig
	h2, h1    *http.Server
	both      *http.Server // for plain connections that may speak either
	exchanges sync.Pool
	buffers   sync.Pool

	mu    sync.Mutex
	conns map[*conn]struct{}
	down  bool
	gone  chan struct{} // closed and made anew when a connection ends during a drain

	accepted, requests, errors, floods, timeouts, aborted, panics atomic.Uint64
	active                                                        atomic.Int64

	refused map[string]*atomic.Uint64 // by code, one for each of message.RefusalCodes
}

// NewServer makes a server that hands well-formed requests to h.
func NewServer(h message.Handler, c ServerConfig) *Server {
	c = c.WithDefaults()
	s := &Server{
		h: h, c: c,
		conns:   make(map[*conn]struct{}),
		gone:    make(chan struct{}),
		refused: make(map[string]*atomic.Uint64),
	}
	for _, code := range message.RefusalCodes() {
		s.refused[code] = new(atomic.Uint64)
	}
	s.h2 = s.engine(false, true)
	s.h1 = s.engine(true, false)
	s.both = s.engine(true, true)
	return s
}

// slack is what net/http's limit of a head is beyond ours, so that it is mostly
// ours that is met, with our answer.
const slack = 16 << 10

// engine is the standard library's server for one kind of connection. To it every
// connection is a plain one: TLS was done before.
func (s *Server) engine(h1, h2c bool) *http.Server {
	p := new(http.Protocols)
	p.SetHTTP1(h1)
	p.SetUnencryptedHTTP2(h2c)
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		Protocols:         p,
		ReadHeaderTimeout: s.c.HeaderTimeout,
		IdleTimeout:       s.c.IdleTimeout,
		MaxHeaderBytes:    s.c.Head + slack,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          s.c.Streams,
			MaxReadFrameSize:              16 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     256 << 10,
			SendPingTimeout:               s.c.IdleTimeout,
			PingTimeout:                   15 * time.Second,
			WriteByteTimeout:              s.c.WriteTimeout,
			CountError:                    func(string) { s.errors.Add(1) },
		},
		ConnState:   s.state,
		BaseContext: func(l net.Listener) context.Context { return l.(*feed).c.ctx },
		ErrorLog:    slog.NewLogLogger(s.c.Log.Handler(), slog.LevelDebug),
		// OPTIONS * is the handler's, as every other request.
		DisableGeneralOptionsHandler: true,
	}
}

// ServeConn serves one connection until its end, requests in work included, and
// closes it. nc is plain, or has its TLS handshake done, and p says whose it is: with
// p.TLS and the protocol "h2" agreed on it speaks HTTP/2, with any other HTTP/1.1;
// plain ones speak what the configuration allows. Requests get contexts derived
// from ctx, but do not end with it.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, p Peer) {
	s.accepted.Add(1)
	eng := s.choose(p.TLS)
	if eng == nil {
		_ = nc.Close()
		return
	}
	frames := eng != s.h1
	if frames && p.TLS != nil && weak(p.TLS) {
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write(append([]byte{0, 0, 0, frameSettings, 0, 0, 0, 0, 0}, goAway(0, codeInadequate)...))
		_ = nc.Close()
		return
	}
	c := newConn(ctx, s, nc, p, frames)
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		_ = c.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	f := &feed{c: c}
	_ = eng.Serve(f) // ends at once, the connection having a goroutine then
	if !f.done {
		_ = c.Close()
	}
	c.wait()
	s.mu.Lock()
	delete(s.conns, c)
	if s.down {
		close(s.gone)
		s.gone = make(chan struct{})
	}
	s.mu.Unlock()
}

// choose returns the server for a connection, nil where there is none.
func (s *Server) choose(t *tls.ConnectionState) *http.Server {
	switch {
	case t != nil && t.NegotiatedProtocol == "h2", t == nil && s.c.H2C && !s.c.HTTP1:
		return s.h2
	case !s.c.HTTP1:
		return nil
	case t == nil && s.c.H2C:
		return s.both
	}
	return s.h1
}

// weak tells whether HTTP/2 may not be spoken over the connection (RFC 9113, 9.2):
// below TLS 1.2, or without ephemeral keys and authenticated encryption.
func weak(t *tls.ConnectionState) bool {
	if t.Version >= tls.VersionTLS13 {
		return false
	}
	switch t.CipherSuite {
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return t.Version < tls.VersionTLS12
	}
	return true
}

// state learns from net/http that a handler took a connection over.
func (s *Server) state(nc net.Conn, st http.ConnState) {
	if c, ok := nc.(*conn); ok && st == http.StateHijacked {
		c.end()
	}
}

// Shutdown takes no more connections, sends GOAWAY (HTTP/2) or closes idle
// connections (HTTP/1.1), and waits for requests in work. When ctx ends first, what
// is left is cut, tunnels included, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	drain, stop := context.WithCancel(ctx)
	var drained sync.WaitGroup
	for _, e := range []*http.Server{s.h2, s.h1, s.both} {
		drained.Go(func() { _ = e.Shutdown(drain) })
	}
	defer drained.Wait()
	defer stop()
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
		Active: s.active.Load(), Accepted: s.accepted.Load(), Requests: s.requests.Load(), Refused: make(map[string]uint64, len(s.refused)),
		Errors: s.errors.Load(), Floods: s.floods.Load(), Timeouts: s.timeouts.Load(), Aborted: s.aborted.Load(), Panics: s.panics.Load(),
	}
	for code, n := range s.refused {
		st.Refused[code] = n.Load()
		st.Malformed += st.Refused[code]
	}
	s.mu.Lock()
	st.Connections = int64(len(s.conns))
	s.mu.Unlock()
	return st
}

// newID is an id for a request that no handler saw, or "".
func (s *Server) newID() string {
	if s.c.NewID == nil {
		return ""
	}
	return s.c.NewID()
}

// serveHTTP is net/http's handler.
func (s *Server) serveHTTP(rw http.ResponseWriter, r *http.Request) {
	c, _ := r.Context().Value(connKey{}).(*conn)
	if c == nil || !c.enter() {
		panic(http.ErrAbortHandler)
	}
	defer c.leave()
	s.active.Add(1)
	defer s.active.Add(-1)
	x, _ := s.exchanges.Get().(*exchange)
	if x == nil {
		x = new(exchange)
	}
	x.begin(s, c, rw, r)
	panicked := false
	if bad := x.prepare(r); bad != nil {
		x.refuse(bad)
	} else {
		s.requests.Add(1)
		panicked = s.run(x)
	}
	ok := x.conclude(panicked)
	x.clear()
	s.exchanges.Put(x)
	if !ok {
		panic(http.ErrAbortHandler)
	}
}

// run calls the handler. A panic is this request's alone.
func (s *Server) run(x *exchange) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			s.panics.Add(1)
			x.id = s.newID()
			s.c.Log.Error("the handler panicked", "panic", v, "request", x.id, "stack", string(debug.Stack()))
		}
	}()
	s.h.Serve(&x.w, &x.q)
	return false
}
