package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// errOver is why the context of an exchange ends that is over.
var errOver = errors.New("the exchange is over")

// errGone is why it ends when the client went away.
var errGone = errors.New("the client is gone")

// exchange is one request with its response, whose Body it is.
type exchange struct {
	p        *Client
	ctx      context.Context
	cancel   context.CancelCauseFunc
	abort    *message.Abort
	deadline time.Time // of the whole; zero: none
	informed atomic.Bool

	base   http.Request
	body   *sender // nil: none, or all of it is at hand
	atHand []byte
	back   io.Reader // where that came from

	// The timer runs while the target is waited for; kind is what it means.
	mu    sync.Mutex
	timer *time.Timer
	kind  message.Kind
	head  bool // the head came, or will not come
	over  bool

	res  message.Response
	resp *http.Response
}

// watch sets what ends the exchange from outside.
func (e *exchange) watch(ctx context.Context, r *message.Request) bool {
	parent := ctx
	if r.Abort != nil && ctx == r.Context {
		// the abort says it; a context of many requests is a lock that they share
		parent = context.WithoutCancel(ctx)
	}
	e.ctx, e.cancel = context.WithCancelCause(parent)
	if ctx.Err() != nil || r.Abort != nil && !r.Abort.Watch(e) {
		return false
	}
	e.abort = r.Abort
	return true
}

// SetDeadline is called by message.Abort when the client goes away.
func (e *exchange) SetDeadline(time.Time) error {
	e.cancel(errGone)
	return nil
}

// wait starts the timer: d, or the exchange's end if that is sooner. d below 0 is
// for ever. The caller holds mu.
func (e *exchange) wait(d time.Duration, kind message.Kind) {
	if !e.deadline.IsZero() {
		if left := max(time.Until(e.deadline), 0); d < 0 || left < d {
			d, kind = left, message.ErrDeadline
		}
	}
	e.kind = kind
	switch {
	case d < 0:
		e.rest()
	case e.timer == nil:
		e.timer = time.AfterFunc(d, e.late)
	default:
		e.timer.Reset(d)
	}
}

// rest stops the timer. The caller holds mu.
func (e *exchange) rest() {
	if e.timer != nil {
		e.timer.Stop()
	}
}

func (e *exchange) late() {
	e.mu.Lock()
	kind, over := e.kind, e.over
	e.mu.Unlock()
	if !over && kind != 0 {
		e.cancel(&message.Failure{Kind: kind, Err: context.DeadlineExceeded})
	}
}

// untilHead starts the timer for a step before the head: for the target's, or,
// while the client is waited for, for the end of the whole only.
func (e *exchange) untilHead(target bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.head || e.over:
	case target:
		e.wait(e.p.c.FirstByteTimeout, message.ErrFirstByteTimeout)
	default:
		e.wait(-1, message.ErrDeadline)
	}
}

// attempt is the request for one more try.
func (e *exchange) attempt() *http.Request {
	e.untilHead(true)
	r := e.base.WithContext(e.ctx)
	switch {
	case e.body != nil:
		e.body = newSender(e, e.body.r, r.Trailer)
		r.Body = e.body
	case len(e.atHand) > 0:
		r.Body = &handy{rest: e.atHand}
	}
	return r
}

// handy is a body that is at hand.
type handy struct{ rest []byte }

func (h *handy) Read(p []byte) (int, error) {
	n := copy(p, h.rest)
	if h.rest = h.rest[n:]; len(h.rest) == 0 {
		return n, io.EOF // with the last bytes, so that they end the stream
	}
	return n, nil
}

func (h *handy) Close() error { return nil }

// finish ends the exchange, once; it reports false after that.
func (e *exchange) finish() bool {
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		return false
	}
	e.over, e.head = true, true
	e.rest()
	e.mu.Unlock()
	e.abort.Unwatch()
	e.cancel(errOver)
	return true
}

// abandon ends an exchange that has no response.
func (e *exchange) abandon(f *message.Failure) *message.Failure {
	f.Consumed = f.Consumed || e.body != nil && e.body.begun.Load() || !e.rewind()
	e.finish()
	return f
}

// Read reads body bytes; its errors are *message.Failure or io.EOF.
func (e *exchange) Read(p []byte) (int, error) {
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		return 0, errOver
	}
	e.wait(e.p.c.BodyTimeout, message.ErrBodyTimeout)
	e.mu.Unlock()
	n, err := e.resp.Body.Read(p)
	e.mu.Lock()
	e.rest()
	e.kind = 0
	e.mu.Unlock()
	switch {
	case err == io.EOF:
		e.res.Trailer = trailer(e.resp.Trailer)
	case err != nil:
		e.p.errors.Add(1)
		err = e.failure(err)
	}
	return n, err
}

// Close ends the exchange; a response that was not read to its end is cancelled.
func (e *exchange) Close() error {
	if e.finish() {
		_ = e.resp.Body.Close()
	}
	return nil
}
