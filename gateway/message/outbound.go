package message

import "time"

// Outbound says how a request goes out.
type Outbound struct {
	Method string // empty: the request's
	Target string // request-target, never empty: origin-form, or "*" for OPTIONS
	Host   string // of the Host field; empty: the request's
	// Deadline ends the whole exchange, body included. Zero: none.
	Deadline time.Time
	// Informational is called for 102 and 103 before Do returns; h is valid during
	// the call. Nil: they are dropped.
	Informational func(status int, h *Header) error
}
