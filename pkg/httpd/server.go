package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// ServerOptions are what a listener needs to know. Only Handler is required.
type ServerOptions struct {
	Name    string // what it serves, such as "admin", for errors and the log
	Address string // host:port; port 0 takes a free one
	Handler http.Handler
	TLS     *tls.Config // nil: plain HTTP
	Log     *slog.Logger
	// ReadTimeout bounds reading a request with its body; 0: 30 s. WriteTimeout
	// bounds the answer; 0: none, for streams (events) have no end.
	ReadTimeout, WriteTimeout time.Duration
}

// The limits that every server has.
const (
	headTimeout    = 10 * time.Second
	defaultRead    = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Server is an HTTP listener.
type Server struct {
	name     string
	listener net.Listener
	http     *http.Server
	secure   bool // not read from http: serving gives a plain server a TLS config too
}

// Listen takes the address, so that a port that is in use is told at start and
// not from inside an actor. Connections wait until Run.
func Listen(ctx context.Context, o ServerOptions) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, listenError(o, err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = defaultRead
	}
	s := &Server{name: o.Name, listener: l, secure: o.TLS != nil}
	fresh := new(unused)
	s.http = &http.Server{
		Handler:           o.Handler,
		ConnState:         fresh.watch,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Log.With("listener", o.Name).Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	s.http.RegisterOnShutdown(fresh.close)
	if o.TLS != nil {
		t := o.TLS.Clone()
		t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
		if len(t.NextProtos) == 0 {
			t.NextProtos = []string{"h2", "http/1.1"}
		}
		s.http.TLSConfig = t
	}
	return s, nil
}

func listenError(o ServerOptions, err error) error {
	_, port, _ := net.SplitHostPort(o.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: port %s is in use: another program listens on %s; end it (ss -ltnp 'sport = :%s' shows which) or configure another address",
			o.Name, port, o.Address, port)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: listening on %s is not allowed: ports below 1024 need CAP_NET_BIND_SERVICE; grant it or configure a higher port", o.Name, o.Address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no address %s: configure one of its own, or :%s for all", o.Name, o.Address, port)
	}
	return fmt.Errorf("%s: listen on %s: %w", o.Name, o.Address, err)
}

// Addr is the address in use, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is http(s)://host:port of Addr; an unspecified host becomes 127.0.0.1.
func (s *Server) URL() string {
	scheme := "http://"
	if s.secure {
		scheme = "https://"
	}
	a, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		return scheme + s.Addr().String()
	}
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// Serve accepts connections until Shutdown or Close; then it returns nil. It
// does not wait for the requests that Shutdown waits for.
func (s *Server) Serve() error {
	var err error
	if s.secure {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: serve %s: %w", s.name, s.listener.Addr(), err)
}

// Run is an actor: it serves until ctx ends, then gives running requests the
// grace to finish and cuts those that do not.
func (s *Server) Run(ctx context.Context, grace time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.Shutdown(end)
	return errors.Join(err, <-served)
}

// OnShutdown registers f to be called when Shutdown begins, in a goroutine of
// its own; streams that would never end by themselves listen to it.
func (s *Server) OnShutdown(f func()) { s.http.RegisterOnShutdown(f) }

// Shutdown stops accepting, closes idle connections and waits until running
// requests are done or ctx ends; those left are then cut, which is the error.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("%s: requests were cut when the time to finish was over: %w", s.name, err)
	}
	// Shutdown knows the listener only after Serve has begun.
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%s: close the listener: %w", s.name, err)
	}
	return nil
}

// Close cuts everything at once.
func (s *Server) Close() error {
	_ = s.listener.Close()
	return s.http.Close()
}
