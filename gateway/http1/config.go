package http1

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Clock is a coarse clock that ends what has outlived its deadline. A process
// needs one, which its servers and pools share.
type Clock = wire.Clock

// NewClock makes a clock. It costs nothing while nobody that uses it has
// connections.
func NewClock() *Clock { return wire.NewClock() }

// ServerConfig holds the limits and deadlines of a Server. A zero field takes
// the default named beside it; see WithDefaults.
type ServerConfig struct {
	// RequestLine is the longest request line in bytes, without CRLF. A longer one
	// is answered with 414. Default 8 KiB.
	RequestLine int
	// Head is the largest request head in bytes, request line included. A larger one
	// is answered with 431. Default 64 KiB.
	Head int
	// Fields is the largest number of field lines in a head, or in a trailer
	// section. More are answered with 431. Default 100.
	Fields int
	// Trailer is the largest trailer section in bytes. Default 8 KiB.
	Trailer int

	// MaxRequestsPerConnection closes a connection after so many requests. 0 means
	// no bound.
	MaxRequestsPerConnection int

	// HeaderTimeout bounds the time from the first byte of a head (for the first
	// request: from the accept) to its end. Default 10 s.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next request. Default 75 s.
	IdleTimeout time.Duration
	// WriteTimeout bounds the time in which the client must take what is written at
	// once, at most 64 KiB. Default 30 s.
	WriteTimeout time.Duration
	// BodyRate is the least rate in bytes per second at which a client must send a
	// body, counted only while somebody waits for it. Default 256. Negative: none.
	BodyRate int
	// BodyGrace is how far a client may fall behind BodyRate. Default 15 s.
	BodyGrace time.Duration
	// DrainBody is how many bytes of a request body that nobody read are read and
	// thrown away to keep the connection. With more it is closed. Default 64 KiB.
	DrainBody int

	// Protected are field names, whatever their case, that a client cannot drop by
	// naming them in Connection, besides the built-in ones: those that the gateway
	// relies on or adds itself.
	Protected []string

	// NewID makes the request id of an answer that no handler wrote: refused requests,
	// a handler that panicked. It stands in X-Request-Id
	// and the body, so it must be made of ASCII letters and digits. Safe for concurrent
	// use. Nil: these answers have none.
	NewID func() string

	// Refused is told of each request that the engine answers by itself, after the
	// answer: status, code, request id and the connection's peer. It must not block.
	// Nil: nobody is.
	Refused func(status int, code, id string, peer netip.Addr)

	// Clock is shared by servers and pools to save wake-ups. Nil: an own one.
	Clock *Clock
	// Log gets panics of the handler, accept errors and, at the debug level, refused
	// requests. Nil: nothing is logged.
	Log *slog.Logger
}

// WithDefaults returns c with the defaults in the place of zero fields.
func (c ServerConfig) WithDefaults() ServerConfig {
	or(&c.RequestLine, 8<<10)
	or(&c.Head, 64<<10)
	or(&c.Fields, 100)
	or(&c.Trailer, 8<<10)
	or(&c.HeaderTimeout, 10*time.Second)
	or(&c.IdleTimeout, 75*time.Second)
	or(&c.WriteTimeout, 30*time.Second)
	or(&c.BodyRate, 256)
	or(&c.BodyGrace, 15*time.Second)
	or(&c.DrainBody, 64<<10)
	if c.Clock == nil {
		c.Clock = NewClock()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// ServerStats are counts of a Server since its start, and gauges of now.
type ServerStats struct {
	Connections int64             // open now, tunnels included
	Idle        int64             // of those, waiting for a request
	Accepted    uint64            // connections
	Requests    uint64            // handed to the handler
	Malformed   uint64            // requests refused by the engine itself, nothing handed on
	Refused     map[string]uint64 // the same by code, such as "request.malformed"; every code is there
	Timeouts    uint64            // connections ended by a deadline
	Aborted     uint64            // clients that left while their request was in work
	Panics      uint64            // of the handler
}

// PoolConfig describes the connections to one target. A zero field takes the
// default named beside it.
type PoolConfig struct {
	Address string // "host:port"

	// MaxConnections bounds the open connections, busy and idle. Default 512.
	MaxConnections int
	// MaxIdle bounds the idle connections that are kept. Default 128.
	MaxIdle int
	// IdleTimeout is how long an idle connection is kept. Default 90 s.
	IdleTimeout time.Duration
	// Queue bounds the requests that wait for a connection while MaxConnections are
	// busy. Default 256. Negative: none may wait.
	Queue int
	// QueueTimeout bounds that wait. Default 10 s.
	QueueTimeout time.Duration
	// ConnectTimeout bounds one dial. Default 2 s.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait from the sent request to the response's head,
	// and each write. Default 30 s.
	FirstByteTimeout time.Duration
	// BodyTimeout bounds the wait for the next bytes of a response body. Default
	// 60 s. Negative: none, for streams.
	BodyTimeout time.Duration
	// ContinueTimeout is how long a body is held back for a 100 (Continue). Default
	// 1 s.
	ContinueTimeout time.Duration

	// Head is the largest response head in bytes. Default 64 KiB.
	Head int
	// Fields is the largest number of field lines in a response head. Default 100.
	Fields int
	// Trailer is the largest trailer section in bytes. Default 8 KiB.
	Trailer int

	// Dial opens a connection. Nil: TCP by net.Dialer. A Dial for TLS returns after
	// the handshake.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Clock is shared by servers and pools to save wake-ups. Nil: an own one.
	Clock *Clock
}

// WithDefaults returns c with the defaults in the place of zero fields.
func (c PoolConfig) WithDefaults() PoolConfig {
	or(&c.MaxConnections, 512)
	or(&c.MaxIdle, 128)
	or(&c.IdleTimeout, 90*time.Second)
	or(&c.Queue, 256)
	or(&c.QueueTimeout, 10*time.Second)
	or(&c.ConnectTimeout, 2*time.Second)
	or(&c.FirstByteTimeout, 30*time.Second)
	or(&c.BodyTimeout, 60*time.Second)
	or(&c.ContinueTimeout, time.Second)
	or(&c.Head, 64<<10)
	or(&c.Fields, 100)
	or(&c.Trailer, 8<<10)
	if c.Dial == nil {
		d := &net.Dialer{}
		c.Dial = d.DialContext
	}
	if c.Clock == nil {
		c.Clock = NewClock()
	}
	return c
}

// PoolStats are counts of a Pool since its start, and gauges of now.
type PoolStats struct {
	Open    int64  // connections, those being dialled included
	Idle    int64  // of those, idle
	Waiting int64  // requests waiting for a connection
	Dials   uint64 // connections opened or tried
	Reused  uint64 // exchanges on a connection that had been used before
	Stale   uint64 // idle connections found dead, or with bytes nobody asked for
	Retried uint64 // requests sent again on another connection
	Errors  uint64 // exchanges that ended with an *Error
}

// Outbound says how a request goes out.
type Outbound struct {
	Method string // empty: the request's
	Target string // request-target, never empty: origin-form, or "*" for OPTIONS
	Host   string // of the Host field; empty: the request's
	// Deadline ends the whole exchange, body included. Zero: none.
	Deadline time.Time
	// Informational is called for 102 and 103 before Do returns; h is valid during
	// the call. Nil: they are dropped.
	Informational func(status int, h *message.Header) error
}

func or[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
