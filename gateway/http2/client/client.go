// Package client speaks HTTP/2 (RFC 9113) with a target: the standard library's
// transport behind the gateway's own messages.
package client

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Config describes the HTTP/2 connections to one target. A zero field takes
// the default named beside it.
type Config struct {
	Address string // "host:port"

	// H2C speaks HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3).
	H2C bool
	// Dial opens a connection. Without H2C it returns a *tls.Conn after a handshake in
	// which ALPN chose "h2"; an error that is a *message.Failure keeps its kind. Nil,
	// with H2C only: TCP by net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxConnections bounds the connections. Another one is opened only when the
	// target takes no more streams on those that are open. Default 512.
	MaxConnections int
	// IdleTimeout is how long a connection without streams is kept. Default 90 s.
	IdleTimeout time.Duration
	// Queue bounds the requests that wait for a stream while MaxConnections are full.
	// Default 256. Negative: none may wait.
	Queue int
	// QueueTimeout bounds that wait. Default 10 s.
	QueueTimeout time.Duration
	// ConnectTimeout bounds one dial. Default 2 s.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait from the sent request to the response's head,
	// and the time in which the target takes no more of a request body. Default 30 s.
	FirstByteTimeout time.Duration
	// BodyTimeout bounds the wait for the next bytes of a response body. Default
	// 60 s. Negative: none.
	BodyTimeout time.Duration
	// ContinueTimeout is how long a body is held back for a 100 (Continue). Default
	// 1 s.
	ContinueTimeout time.Duration
	// PingAfter is how long a connection with streams may be silent before it is
	// asked whether it is alive (RFC 9113, 6.7); without an answer in the same time it
	// is closed. Default 15 s.
	PingAfter time.Duration

	// Head is the largest response head in bytes, as HTTP/2 counts it. Default 64 KiB.
	Head int
	// Window is how many bytes of a response body a target may send ahead of its
	// client (RFC 9113, 5.2). Default 256 KiB, at most 4 MiB.
	Window int
}

// WithDefaults returns c with the defaults in the place of zero fields.
func (c Config) WithDefaults() Config {
	or(&c.MaxConnections, 512)
	or(&c.IdleTimeout, 90*time.Second)
	or(&c.Queue, 256)
	or(&c.QueueTimeout, 10*time.Second)
	or(&c.ConnectTimeout, 2*time.Second)
	or(&c.FirstByteTimeout, 30*time.Second)
	or(&c.BodyTimeout, time.Minute)
	or(&c.ContinueTimeout, time.Second)
	or(&c.PingAfter, 15*time.Second)
	or(&c.Head, 64<<10)
	or(&c.Window, 256<<10)
	if c.Dial == nil {
		d := &net.Dialer{}
		c.Dial = d.DialContext
	}
	return c
}

func or[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Stats are counts of a Client since its start, and gauges of now.
type Stats struct {
	Open    int64  // connections, those being dialled included
	Streams int64  // exchanges in work on them
	Waiting int64  // requests waiting for a stream
	Dials   uint64 // connections opened or tried
	Reused  uint64 // exchanges on a connection that had been used before
	Retried uint64 // requests sent again on another connection
	Errors  uint64 // exchanges that ended with a *message.Failure
}

// Client holds the HTTP/2 connections to one target. Make it with New. Safe
// for concurrent use.
type Client struct {
	c      Config
	scheme string
	t      *http.Transport // makes connections; its own pool is not used

	mu      sync.Mutex
	conns   []*clientConn
	dialing *dialing // the last one that is under way
	opening int      // dials under way
	closed  atomic.Bool

	waits   sync.Mutex // never held while mu is taken
	waiters []chan struct{}

	buffers buffers

	dials, reused, retried, errors atomic.Uint64
}

// New makes a client; it dials on demand.
func New(c Config) *Client {
	c = c.WithDefaults()
	p := &Client{c: c, scheme: "https"}
	p.t = &http.Transport{
		DialContext:            handed,
		DialTLSContext:         handed,
		DisableCompression:     true,
		ExpectContinueTimeout:  c.ContinueTimeout,
		IdleConnTimeout:        c.IdleTimeout,
		MaxResponseHeaderBytes: int64(c.Head),
		Protocols:              new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			// A slow client costs its own window only: the connection's is not what bounds
			// a stream.
			MaxReceiveBufferPerStream: c.Window,
			SendPingTimeout:           c.PingAfter,
			PingTimeout:               c.PingAfter,
			WriteByteTimeout:          c.FirstByteTimeout,
		},
	}
	if c.H2C {
		p.scheme = "http"
		p.t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		p.t.Protocols.SetHTTP2(true)
	}
	return p
}

// Do sends r and returns the head of the response, as http1.Pool.Do does: the
// response is valid until its Body is closed, and the caller closes it in any case;
// errors are *message.Failure. Both bodies stream at the same time, with trailers.
// An Upgrade, which HTTP/2 has not (RFC 9113, 8.6), is not passed on.
//
// The request is sent again once, on another connection, when its body is whole
// and the target surely did nothing with it (REFUSED_STREAM, GOAWAY; RFC 9113, 8.7),
// or when a connection that had been used before broke before a byte of the
// response and the method is idempotent.
func (p *Client) Do(ctx context.Context, r *message.Request, o message.Outbound) (*message.Response, error) {
	resp, err := p.do(ctx, r, &o)
	if err != nil {
		p.errors.Add(1)
		return nil, err
	}
	return resp, nil
}

func (p *Client) do(ctx context.Context, r *message.Request, o *message.Outbound) (*message.Response, *message.Failure) {
	if o.Method == "" {
		o.Method = r.Method
	}
	if o.Host == "" {
		o.Host = r.Host
	}
	e, f := p.begin(ctx, r, o)
	if f != nil {
		return nil, f
	}
	for retry := false; ; retry = true {
		conn, reused, f := p.borrow(e)
		if f != nil {
			return nil, e.abandon(f)
		}
		if reused {
			p.reused.Add(1)
		}
		resp, err := conn.cc.RoundTrip(e.attempt())
		if err == nil {
			if f := e.answer(resp); f != nil {
				return nil, e.abandon(f)
			}
			return &e.res, nil
		}
		f = e.failure(err)
		if retry || !e.repeatable(f, reused) {
			return nil, e.abandon(f)
		}
		p.retried.Add(1)
	}
}

// repeatable tells whether the request may be sent again by itself.
func (e *exchange) repeatable(f *message.Failure, reused bool) bool {
	switch {
	case f.Consumed || f.Kind != message.ErrClosed:
		return false
	case unprocessed(f.Err):
		return true
	case !reused || e.informed.Load() || reset(f.Err):
		return false
	}
	switch e.base.Method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// Stats returns counts and gauges.
func (p *Client) Stats() Stats {
	var st Stats
	p.mu.Lock()
	p.prune()
	st.Open = int64(len(p.conns) + p.opening)
	for _, c := range p.conns {
		st.Streams += int64(c.cc.InFlight())
	}
	p.mu.Unlock()
	p.waits.Lock()
	st.Waiting = int64(len(p.waiters))
	p.waits.Unlock()
	st.Dials, st.Reused, st.Retried, st.Errors = p.dials.Load(), p.reused.Load(), p.retried.Load(), p.errors.Load()
	return st
}
