// Package message holds the two halves of an HTTP exchange as values: the head
// and body of a request and of a response. It is what the wire packages
// (http1, http2), the filters and the forwarder share, and it knows none of
// them. It imports the standard library only.
//
// Lifetime: strings in a head may be slices of a connection's read buffer.
// They are valid until the exchange ends; whoever keeps one longer (a cache, a
// record, a goroutine) clones it (strings.Clone).
package message

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
)

// Request is one request as a server received it. Filters edit it in place;
// what is left at the end of the chain is what is sent to the target.
type Request struct {
	Method string // case preserved, a token (RFC 9110, 9.1)
	Target string // request-target as received; what is sent is built from Path and Query
	Path   string // normalised path, set by the router; "/" at least
	Query  string // without "?", as received; HasQuery tells "/a?" from "/a"
	Host   string // authority without a trailing dot, lower case, port kept
	Scheme string // "http" or "https", of the client's connection

	HasQuery bool
	Major    int // 1 or 2
	Minor    int // 0 or 1 with Major 1

	Header  Header
	Trailer *Header // nil until Body returned io.EOF and a trailer section came

	// ContentLength is the body's length in bytes: 0 none, -1 unknown (chunked
	// or HTTP/2 without a length).
	ContentLength int64
	Body          io.Reader // never nil; NoBody where there is none

	Remote netip.AddrPort // the peer of the connection, or whom a PROXY header names
	Local  netip.AddrPort
	TLS    *tls.ConnectionState // of the client's connection; nil on a plain one; not to be changed

	// Context ends when the client has gone away or the server gives up.
	Context context.Context
	// Abort lets a blocked upstream exchange be cut when the client goes away.
	// Nil where the wire gives no such signal (then Context is watched).
	Abort *Abort

	// ExpectContinue is set when the client waits for 100 (Continue) before it
	// sends the body. The first Read of Body sends it.
	ExpectContinue bool
	// Upgrade is the protocol named by a well-formed Upgrade request
	// ("websocket"), else empty.
	Upgrade string
}

// Response is one response head with its body.
type Response struct {
	Status  int
	Reason  string // empty: the standard text
	Header  Header
	Trailer *Header // as in Request

	// ContentLength is the body's length in bytes, -1 unknown. For HEAD and 304
	// it is what the head says, while Body is empty; then -1 means not said.
	ContentLength int64
	// Body is never nil. Close gives the connection back or ends it; it may be
	// called at any time and more than once.
	Body io.ReadCloser

	// Stream asks for a flush after each read of Body (server-sent events, gRPC).
	Stream bool
	// Tunnel is the connection behind a 101, else nil. Buffered are bytes that
	// were read from it behind the head.
	Tunnel   net.Conn
	Buffered []byte
}

// Handler answers one request. When it returns, the exchange is over: what it
// has not written will not be written.
type Handler interface {
	Serve(w Writer, r *Request)
}

// Writer writes one response to a client. Not safe for concurrent use.
type Writer interface {
	// Informational sends a 1xx head other than 101 at once.
	Informational(status int, h *Header) error
	// WriteHead takes the response's status, fields, ContentLength and Reason. It
	// owns framing and connection fields (Content-Length, Transfer-Encoding,
	// Connection, Keep-Alive, Date); hop-by-hop fields in h are not written. The bytes
	// may stay buffered until Flush, Finish or a full buffer.
	WriteHead(r *Response) error
	// Write sends body bytes within the framing of the head. More than
	// ContentLength is an error; for HEAD, 204 and 304 the bytes are dropped.
	Write(p []byte) (int, error)
	// Flush sends what is buffered.
	Flush() error
	// Finish ends the body, with a trailer section where the framing has one and
	// trailer is not nil, and flushes. A body shorter than ContentLength makes the
	// connection end without a clean close.
	Finish(trailer *Header) error
	// Discard takes back a head, and the body bytes behind it, of which nothing was
	// sent to the client yet, and reports whether it did: then another WriteHead may
	// follow. It reports false where there is no head, or nothing to take back any more.
	Discard() bool
	// Fail ends the exchange so that the client can tell: the connection is reset
	// (HTTP/1.1) or the stream (HTTP/2).
	Fail()
	// Hijack hands the client's connection over after a 101 head was written and
	// flushed, with the bytes read behind the request. HTTP/2 returns an error.
	Hijack() (net.Conn, []byte, error)
	// HeadWritten tells whether WriteHead was called, and not taken back.
	HeadWritten() bool
	// Sent is the number of body bytes handed to the connection so far.
	Sent() int64
}

// NoBody is the body of a message that has none.
var NoBody noBody

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

var _ io.ReadCloser = NoBody
