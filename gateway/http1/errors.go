package http1

import "errors"

// ErrSlow is the error of reading a request body that came below the least rate;
// 408 fits it.
var ErrSlow = errors.New("the client is too slow")

// errTLS ends a plain connection on which a client speaks TLS.
var errTLS = errors.New("TLS on a plain connection")

// Kind says what became of an exchange with a target.
type Kind uint8

// The kinds of Error, with the status that fits each.
const (
	ErrQueueFull        Kind = iota + 1 // 503: all connections busy and the queue full
	ErrQueueTimeout                     // 503: no connection became free in time
	ErrConnect                          // 502: no connection could be opened
	ErrConnectTimeout                   // 504: the dial took too long
	ErrFirstByteTimeout                 // 504: no response head in time
	ErrBodyTimeout                      // 504: the response body stalled
	ErrDeadline                         // 504: the total time was over
	ErrClosed                           // 502: the connection ended or broke before the response's end
	ErrMalformed                        // 502: what came is not a well-formed response
	ErrTooLarge                         // 502: the response head is over a limit
	ErrAborted                          // 499: the client is gone, or the context ended
	ErrRequestBody                      // 400, or 408 with ErrSlow: the request's body could not be read
	ErrRequest                          // 500: the request cannot be written as HTTP/1.1
)

// String is a word for logs and metrics.
func (k Kind) String() string {
	switch k {
	case ErrQueueFull:
		return "queue_full"
	case ErrQueueTimeout:
		return "queue_timeout"
	case ErrConnect:
		return "connect"
	case ErrConnectTimeout:
		return "connect_timeout"
	case ErrFirstByteTimeout:
		return "first_byte_timeout"
	case ErrBodyTimeout:
		return "body_timeout"
	case ErrDeadline:
		return "deadline"
	case ErrClosed:
		return "closed"
	case ErrMalformed:
		return "malformed"
	case ErrTooLarge:
		return "too_large"
	case ErrAborted:
		return "aborted"
	case ErrRequestBody:
		return "request_body"
	case ErrRequest:
		return "request"
	}
	return "unknown"
}

// Timeout tells whether the kind is one of the timeouts.
func (k Kind) Timeout() bool {
	switch k {
	case ErrQueueTimeout, ErrConnectTimeout, ErrFirstByteTimeout, ErrBodyTimeout, ErrDeadline:
		return true
	}
	return false
}

// Error is the error of an exchange with a target, from Do and from the reads of
// a response body.
type Error struct {
	Kind Kind
	// Sent tells whether a byte of the request may have reached the target. Without
	// it every request may be tried again elsewhere, if its body is still whole
	// (Consumed).
	Sent bool
	// Consumed tells whether a byte of the request's body was read.
	Consumed bool
	Err      error // the cause, or nil
}

// Error describes the failure without addresses.
func (e *Error) Error() string {
	if e.Err == nil {
		return "upstream exchange: " + e.Kind.String()
	}
	return "upstream exchange: " + e.Kind.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an *Error in err's chain, or 0.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
