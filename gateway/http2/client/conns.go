package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// perDial is how many requests wait for one dial before another one begins: what
// a connection is known to take before its target has said how much it takes (RFC
// 9113, 6.5.2).
const perDial = 100

// clientConn is one connection to a target.
type clientConn struct {
	cc   *http.ClientConn
	used atomic.Bool // it has, or had, an exchange
}

// dialing is a dial that requests wait for.
type dialing struct {
	done    chan struct{}
	waiting int // guarded by the client's mu
	err     *message.Failure
}

// connKey is the key of the connection that a new http.ClientConn is made of.
type connKey struct{}

// handed is the Dial of the transport: the connection is there already.
func handed(ctx context.Context, _, _ string) (net.Conn, error) {
	if nc, ok := ctx.Value(connKey{}).(net.Conn); ok {
		return nc, nil
	}
	return nil, errors.New("http2: no connection was handed over")
}

// borrow returns a connection with a stream reserved on it, and whether it had
// been used before.
func (p *Client) borrow(e *exchange) (*clientConn, bool, *message.Failure) {
	limit, kind := p.c.QueueTimeout, message.ErrQueueTimeout
	if !e.deadline.IsZero() {
		if left := time.Until(e.deadline); left < limit {
			limit, kind = left, message.ErrDeadline
		}
	}
	var timer *time.Timer
	for {
		p.mu.Lock()
		c := p.reserve()
		var d *dialing
		var wait chan struct{}
		full := false
		if c == nil {
			d, wait, full = p.queue(e.ctx)
		}
		if wait != nil { // a stream may have ended before anybody was in the queue
			c = p.reserve()
		}
		p.mu.Unlock()
		if c != nil {
			if wait != nil {
				p.leave(nil, wait)
			}
			if timer != nil {
				p.wake(1) // there may be more room than for one
			}
			return c, c.used.Swap(true), nil
		}
		if full {
			return nil, false, &message.Failure{Kind: message.ErrQueueFull}
		}
		if timer == nil {
			timer = time.NewTimer(limit)
			defer timer.Stop()
		}
		if f := p.await(e, d, wait, timer.C, kind); f != nil {
			return nil, false, f
		}
	}
}

// queue says what a request without a connection waits for: a dial, or its turn.
// The caller holds mu.
func (p *Client) queue(ctx context.Context) (d *dialing, wait chan struct{}, full bool) {
	if d = p.dialing; d != nil && d.waiting < perDial {
		d.waiting++
		return d, nil, false
	}
	if len(p.conns)+p.opening < p.c.MaxConnections {
		return p.dial(ctx), nil, false
	}
	p.waits.Lock()
	defer p.waits.Unlock()
	if len(p.waiters) >= p.c.Queue {
		return nil, nil, true
	}
	wait = make(chan struct{})
	p.waiters = append(p.waiters, wait)
	return nil, wait, false
}

func (p *Client) await(e *exchange, d *dialing, wait chan struct{}, over <-chan time.Time, kind message.Kind) *message.Failure {
	var done chan struct{}
	if d != nil {
		done = d.done
	}
	select {
	case <-done:
		return d.err
	case <-wait:
		return nil
	case <-over:
		if d != nil && kind == message.ErrQueueTimeout {
			kind = message.ErrConnectTimeout
		}
		p.leave(d, wait)
		return &message.Failure{Kind: kind}
	case <-e.ctx.Done():
		p.leave(d, wait)
		return e.failure(e.ctx.Err())
	}
}

// leave takes a request out of the queue.
func (p *Client) leave(d *dialing, wait chan struct{}) {
	if d != nil {
		p.mu.Lock()
		d.waiting--
		p.mu.Unlock()
		return
	}
	p.waits.Lock()
	i := slices.Index(p.waiters, wait)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.waits.Unlock()
	if i < 0 { // its turn came meanwhile: pass it on
		p.wake(1)
	}
}

// wake lets the first n requests of the queue look again.
func (p *Client) wake(n int) {
	p.waits.Lock()
	n = min(n, len(p.waiters))
	for _, w := range p.waiters[:n] {
		close(w)
	}
	p.waiters = slices.Delete(p.waiters, 0, n)
	p.waits.Unlock()
}

// reserve takes a stream on a connection that has room. The caller holds mu.
func (p *Client) reserve() *clientConn {
	p.prune()
	for _, c := range p.conns {
		if c.cc.Available() > 0 && c.cc.Reserve() == nil {
			return c
		}
	}
	return nil
}

// prune forgets connections that are closed, and those that their target closes
// once their streams are over. The caller holds mu.
func (p *Client) prune() {
	p.conns = slices.DeleteFunc(p.conns, func(c *clientConn) bool { return c.cc.Err() != nil })
}

// dial opens a connection for whoever waits. It outlives the request that caused
// it, which others wait behind. The caller holds mu.
func (p *Client) dial(ctx context.Context) *dialing {
	d := &dialing{done: make(chan struct{}), waiting: 1}
	p.dialing = d
	p.opening++
	p.dials.Add(1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.c.ConnectTimeout)
	go func() {
		defer cancel()
		c, err := p.open(ctx)
		p.mu.Lock()
		p.opening--
		if p.dialing == d {
			p.dialing = nil
		}
		switch {
		case err != nil:
			d.err = err
		case p.closed.Load() && d.waiting == 0:
			_ = c.cc.Close()
		default:
			p.conns = append(p.conns, c)
		}
		p.mu.Unlock()
		close(d.done)
		p.wake(perDial)
	}()
	return d
}

func (p *Client) open(ctx context.Context) (*clientConn, *message.Failure) {
	nc, err := p.c.Dial(ctx, "tcp", p.c.Address)
	if err != nil {
		return nil, dialFailure(ctx, err)
	}
	cc, err := p.t.NewClientConn(context.WithValue(ctx, connKey{}, nc), p.scheme, p.c.Address)
	if err != nil {
		_ = nc.Close()
		return nil, dialFailure(ctx, err)
	}
	c := &clientConn{cc: cc}
	cc.SetStateHook(func(cc *http.ClientConn) {
		if p.closed.Load() && c.used.Load() && cc.InFlight() == 0 {
			_ = cc.Close()
		}
		p.wake(1)
	})
	return c, nil
}

// dialFailure says why there is no connection.
func dialFailure(ctx context.Context, err error) *message.Failure {
	var own *message.Failure
	var t interface{ Timeout() bool }
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil, errors.As(err, &t) && t.Timeout():
		return &message.Failure{Kind: message.ErrConnectTimeout, Err: err}
	}
	return &message.Failure{Kind: message.ErrConnect, Err: err}
}

// Close makes the client keep no connection any more: those without streams are
// closed at once, the others after their last stream. Requests that wait, and
// later ones, are still sent.
func (p *Client) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed.Store(true)
	for _, c := range p.conns {
		if c.cc.InFlight() == 0 {
			_ = c.cc.Close()
		}
	}
}
