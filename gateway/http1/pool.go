package http1

import (
	"context"
	"errors"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Pool holds the connections to one target.
type Pool struct{ c PoolConfig }

// NewPool makes a pool; it dials on demand.
func NewPool(c PoolConfig) *Pool { return &Pool{c: c.WithDefaults()} }

// Close closes idle connections at once and busy ones when they are given back.
func (p *Pool) Close() {}

// Stats returns counts and gauges.
func (p *Pool) Stats() PoolStats { return PoolStats{} }

// Do sends r and returns the head of the response. The response lives in the
// connection: it is valid until its Body is closed, and the caller closes it.
func (p *Pool) Do(ctx context.Context, r *message.Request, o Outbound) (*message.Response, error) {
	return nil, &Error{Kind: ErrConnect, Err: errors.ErrUnsupported}
}
