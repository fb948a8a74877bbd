package http1

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Pool holds the connections to one target. Safe for concurrent use.
type Pool struct {
	c    PoolConfig
	lim  wire.Limits
	bufs wire.Buffers

	mu      sync.Mutex
	idle    []*upConn // the last one given back is the first one taken
	open    int       // connections and dials
	waiters []*waiter // in order of arrival
	closed  bool

	dials, reused, stale, retried, errors atomic.Uint64
}

// waiter gets a connection, or nil: the right to open one.
type waiter struct{ ch chan *upConn }

// NewPool makes a pool; it dials on demand.
func NewPool(c PoolConfig) *Pool {
	c = c.WithDefaults()
	return &Pool{c: c, lim: wire.Limits{Line: c.Head, Head: c.Head, Fields: c.Fields, Trailer: c.Trailer}}
}

// Close makes the pool keep no connection any more: idle ones are closed at once,
// busy ones when they are given back. Requests that wait, and later ones, are
// still sent, each on a connection of its own, within the same limits: whoever
// holds a pool that was retired meanwhile ends well.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.drop(c)
	}
}

// Stats returns counts and gauges.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	st := PoolStats{Open: int64(p.open), Idle: int64(len(p.idle)), Waiting: int64(len(p.waiters))}
	p.mu.Unlock()
	st.Dials, st.Reused, st.Stale = p.dials.Load(), p.reused.Load(), p.stale.Load()
	st.Retried, st.Errors = p.retried.Load(), p.errors.Load()
	return st
}

// borrow returns an idle connection or a new one; a new one surely when fresh.
func (p *Pool) borrow(ctx context.Context, fresh bool, until time.Time) (*upConn, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 && !fresh {
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	if p.open < p.c.MaxConnections {
		p.open++
		p.mu.Unlock()
		return p.dial(ctx, until)
	}
	if len(p.idle) > 0 { // fresh: the one idle the longest makes room
		c := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		p.open++
		p.mu.Unlock()
		p.drop(c)
		return p.dial(ctx, until)
	}
	if len(p.waiters) >= p.c.Queue {
		p.mu.Unlock()
		return nil, &message.Failure{Kind: message.ErrQueueFull}
	}
	w := &waiter{ch: make(chan *upConn, 1)}
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
	return p.wait(ctx, w, until)
}

func (p *Pool) wait(ctx context.Context, w *waiter, until time.Time) (*upConn, error) {
	limit, kind := p.c.QueueTimeout, message.ErrQueueTimeout
	if !until.IsZero() {
		if left := time.Until(until); left < limit {
			limit, kind = left, message.ErrDeadline
		}
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	var err *message.Failure
	select {
	case c := <-w.ch:
		if c == nil {
			return p.dial(ctx, until)
		}
		return c, nil
	case <-t.C:
		err = &message.Failure{Kind: kind}
	case <-ctx.Done():
		err = &message.Failure{Kind: message.ErrAborted, Err: context.Cause(ctx)}
	}
	p.mu.Lock()
	i := slices.Index(p.waiters, w)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // it was served meanwhile: pass it on
		if c := <-w.ch; c != nil {
			p.giveBack(c)
		} else {
			p.vacate()
		}
	}
	return nil, err
}

// dial opens a connection in a place that is counted already.
func (p *Pool) dial(ctx context.Context, until time.Time) (*upConn, error) {
	p.dials.Add(1)
	limit := time.Now().Add(p.c.ConnectTimeout)
	kind := message.ErrConnectTimeout
	if !until.IsZero() && until.Before(limit) {
		limit, kind = until, message.ErrDeadline
	}
	if at, ok := ctx.Deadline(); ok && at.Before(limit) {
		kind = message.ErrAborted // a dialer that keeps to it may end before ctx itself has
	}
	dctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	nc, err := p.c.Dial(dctx, "tcp", p.c.Address)
	if err == nil {
		c := newUpConn(p, nc)
		p.c.Clock.Add(c)
		return c, nil
	}
	p.vacate()
	var t interface{ Timeout() bool }
	var own *message.Failure
	switch {
	case errors.As(err, &own):
		return nil, own
	case ctx.Err() != nil:
		kind, err = message.ErrAborted, context.Cause(ctx)
	case dctx.Err() != nil || errors.As(err, &t) && t.Timeout():
	default:
		kind = message.ErrConnect
	}
	return nil, &message.Failure{Kind: kind, Err: err}
}

// giveBack takes a connection that is fit for another exchange.
func (p *Pool) giveBack(c *upConn) {
	c.used = true
	p.mu.Lock()
	if !p.closed && len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = slices.Delete(p.waiters, 0, 1)
		p.mu.Unlock()
		w.ch <- c
		return
	}
	if p.closed || len(p.idle) >= p.c.MaxIdle || !c.idle.Set(p.c.Clock.After(p.c.IdleTimeout)) {
		p.mu.Unlock()
		p.drop(c)
		return
	}
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// drop closes a connection that is in nobody's hands.
func (p *Pool) drop(c *upConn) {
	_ = c.nc.Close()
	p.c.Clock.Remove(c)
	p.vacate()
}

// vacate frees a place, or lets the next in the queue open a connection in it.
func (p *Pool) vacate() {
	p.mu.Lock()
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = slices.Delete(p.waiters, 0, 1)
		p.mu.Unlock()
		w.ch <- nil
		return
	}
	p.open--
	p.mu.Unlock()
}

// expire closes a connection that was idle too long, unless it was just taken:
// then the taker sees it.
func (p *Pool) expire(c *upConn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.drop(c)
	}
}
