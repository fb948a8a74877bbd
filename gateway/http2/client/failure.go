package client

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Codes of RFC 9113, 7.
const (
	codeProtocol     = 0x1
	codeFlowControl  = 0x3
	codeFrameSize    = 0x6
	codeRefused      = 0x7
	codeCompression  = 0x9
	fromPeer         = "received from peer"
	connectionPrefix = "connection error: "
)

// streamError has the fields of the standard library's error of that name, which
// errors.As copies into it.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error describes it.
func (e streamError) Error() string { return "the stream was reset" }

// ownReset tells whether the stream ended because the target broke the protocol,
// instead of by the target.
func (e streamError) ownReset() bool {
	return e.Cause == nil || !strings.Contains(e.Cause.Error(), fromPeer)
}

// reset tells whether the target ended the one stream, and not the connection.
func reset(err error) bool {
	var s streamError
	return errors.As(err, &s)
}

// unprocessed tells whether the target surely did nothing with the request: the
// stream was refused, or is beyond the last one that a GOAWAY names (RFC 9113, 8.7),
// or the connection was not usable any more. The standard library has no names for
// the latter two; a test holds the words.
func unprocessed(err error) bool {
	var s streamError
	if errors.As(err, &s) {
		return s.Code == codeRefused
	}
	if err == nil {
		return false
	}
	switch err.Error() {
	case "http2: Transport received Server's graceful shutdown GOAWAY", "http2: client conn not usable", notEstablished:
		return true
	}
	return false
}

// notEstablished is the error of a connection that was lost before its first
// stream. The standard library keeps the cause to itself.
const notEstablished = "http2: client conn could not be established"

// errRefused is the cause where that happens behind a handshake.
var errRefused = errors.New("refused by the target: it closed the connection behind the handshake, as with TLS 1.3 those do that do not take a client's certificate")

// failure turns an error of the exchange into a *message.Failure.
func (e *exchange) failure(err error) *message.Failure {
	f := &message.Failure{Kind: message.ErrClosed, Sent: true, Consumed: e.body != nil && e.body.begun.Load(), Err: err}
	var own *message.Failure
	cause := context.Cause(e.ctx)
	switch {
	case errors.As(cause, &own):
		f.Kind, f.Err = own.Kind, own.Err
	case cause != nil:
		f.Kind, f.Err = message.ErrAborted, cause
	case e.body.failed() != nil:
		f.Kind, f.Err = message.ErrRequestBody, e.body.failed()
	case err.Error() == notEstablished && !e.p.c.H2C:
		f.Kind, f.Err, f.Sent = message.ErrTLS, errRefused, false
	default:
		f.Kind = kindOf(err)
	}
	return f
}

// kindOf is the kind of an error of the transport.
func kindOf(err error) message.Kind {
	var s streamError
	var op *net.OpError
	text := err.Error()
	switch {
	case strings.Contains(text, "header list"):
		if strings.Contains(text, "request header list") {
			return message.ErrRequest
		}
		return message.ErrTooLarge
	case errors.As(err, &s):
		if s.ownReset() && (s.Code == codeProtocol || s.Code == codeFlowControl || s.Code == codeFrameSize || s.Code == codeCompression) {
			return message.ErrMalformed
		}
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return message.ErrTLS // an alert, which crypto/tls reports so (RFC 8446, 6)
	case strings.HasPrefix(text, connectionPrefix), strings.HasPrefix(text, "malformed response"), strings.Contains(text, "1xx informational"),
		strings.Contains(text, "more than declared Content-Length"):
		return message.ErrMalformed
	case strings.Contains(text, "invalid HTTP header"), strings.Contains(text, "http: invalid"), strings.Contains(text, "invalid request :path"), strings.Contains(text, "invalid Host header"):
		return message.ErrRequest
	}
	return message.ErrClosed
}
