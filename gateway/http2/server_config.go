package http2

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"
)

// Peer is what PROXY protocol, the socket and the handshake say about a connection.
type Peer struct {
	Remote, Local netip.AddrPort
	TLS           *tls.ConnectionState // nil on a plain connection
}

// ServerConfig holds the limits and deadlines of a Server. A zero field takes the
// default named beside it.
type ServerConfig struct {
	// HTTP1 lets connections that do not speak HTTP/2 be served by net/http's
	// HTTP/1.1 ("engine: stdlib"). Default false: they are closed.
	HTTP1 bool
	// H2C lets plain connections speak HTTP/2 by prior knowledge (RFC 9113, 3.3).
	// Default false: only HTTP/1.1 is spoken on them.
	H2C bool

	// Streams is how many streams a client may have open at once on a connection
	// (SETTINGS_MAX_CONCURRENT_STREAMS). Default 100.
	Streams int
	// RequestLine is the longest method, target and version together in bytes. A
	// longer one is answered with 414. Default 8 KiB.
	RequestLine int
	// Head is the largest header list in bytes, counted as RFC 9113, 6.5.2 does: 32
	// more for each field. A larger one is answered with 431. Default 64 KiB.
	Head int
	// Fields is the largest number of field lines in a head, or in a trailer section.
	// More are answered with 431. Default 100.
	Fields int
	// MaxRequestsPerConnection lets a connection end (GOAWAY, or Connection: close)
	// after so many requests. 0 means no bound.
	MaxRequestsPerConnection int

	// HeaderTimeout bounds the time for the connection preface, and with HTTP/1.1
	// for each head. Default 10 s.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the time without a request in work. After as long without a
	// frame from a client with requests in work it is asked by PING whether it is
	// alive. Default 75 s.
	IdleTimeout time.Duration
	// WriteTimeout bounds the time in which the client must take what is written at
	// once, at most 64 KiB, flow control included. Default 30 s.
	WriteTimeout time.Duration
	// BodyRate is the least rate in bytes per second at which a client must send a
	// body, counted only while somebody waits for it. Default 256. Negative: none.
	BodyRate int
	// BodyGrace is how far a client may fall behind BodyRate. Default 15 s.
	BodyGrace time.Duration

	// Protected are field names, whatever their case, that an HTTP/1.1 client cannot
	// drop by naming them in Connection, besides the well-known ones.
	Protected []string

	// NewID makes the request id of an answer that no handler wrote. It must be made
	// of ASCII letters and digits. Safe for concurrent use. Nil: none.
	NewID func() string
	// Refused is told of each request that the adapter answers by itself, after the
	// answer: status, code, request id and the connection's peer. It must not block.
	// Nil: nobody is.
	Refused func(status int, code, id string, peer netip.Addr)

	// Log gets panics of the handler and, at the debug level, refused requests and
	// what net/http says. Nil: nothing is logged.
	Log *slog.Logger
}

// WithDefaults returns c with the defaults in the place of zero fields.
func (c ServerConfig) WithDefaults() ServerConfig {
	orDefault(&c.Streams, 100)
	orDefault(&c.RequestLine, 8<<10)
	orDefault(&c.Head, 64<<10)
	orDefault(&c.Fields, 100)
	orDefault(&c.HeaderTimeout, 10*time.Second)
	orDefault(&c.IdleTimeout, 75*time.Second)
	orDefault(&c.WriteTimeout, 30*time.Second)
	orDefault(&c.BodyRate, 256)
	orDefault(&c.BodyGrace, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// ServerStats are counts of a Server since its start, and gauges of now.
type ServerStats struct {
	Connections int64             // open now, tunnels included
	Active      int64             // requests in work now
	Accepted    uint64            // connections
	Requests    uint64            // handed to the handler
	Malformed   uint64            // requests refused by the adapter itself, nothing handed on
	Refused     map[string]uint64 // the same by code, such as "request.malformed"; every code is there
	Errors      uint64            // stream and connection errors (RFC 9113, 5.4) that clients made
	Floods      uint64            // connections ended because of a flood of frames
	Timeouts    uint64            // streams and connections ended by a deadline for a body's bytes
	Aborted     uint64            // clients that left while their request was in work
	Panics      uint64            // of the handler
}
