package upstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http2/client"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// conns are the connections to one target; http1.Pool and client.Client are such.
type conns interface {
	// Do sends a request and returns the response's head; see http1.Pool.Do.
	Do(ctx context.Context, r *message.Request, o message.Outbound) (*message.Response, error)
	// Close keeps no connection any more; requests that come later are still sent.
	Close()
}

// remember is how long a target that did not choose HTTP/2 is not asked again.
const remember = 10 * time.Minute

// spareAge is how old a connection may be that waits for the pool that speaks
// its protocol.
const spareAge = time.Second

// auto speaks to a target what it chose in its first handshake. HTTP/2 stays until
// a handshake says otherwise.
type auto struct {
	s  *secure
	h1 *http1.Pool
	h2 *client.Client

	plain atomic.Int64 // HTTP/1.1 until then, Unix nanoseconds

	mu    sync.Mutex
	spare net.Conn // opened for HTTP/2, but the target chose HTTP/1.1
	born  time.Time
}

var (
	_ conns = (*auto)(nil)
	_ conns = (*http1.Pool)(nil)
	_ conns = (*client.Client)(nil)
)

func newAuto(s *secure, h1 http1.PoolConfig, h2 client.Config) *auto {
	a := &auto{s: s}
	h1.Dial, h2.Dial = a.dial1, a.dial2
	a.h1, a.h2 = http1.NewPool(h1), client.New(h2)
	return a
}

// Do sends r by HTTP/2 where the target offers it. An Upgrade goes over HTTP/1.1,
// which alone has it.
func (a *auto) Do(ctx context.Context, r *message.Request, o message.Outbound) (*message.Response, error) {
	if r.Upgrade != "" || time.Now().UnixNano() < a.plain.Load() {
		return a.h1.Do(ctx, r, o)
	}
	resp, err := a.h2.Do(ctx, r, o)
	if errors.Is(err, errNotHTTP2) {
		a.plain.Store(time.Now().Add(remember).UnixNano())
		return a.h1.Do(ctx, r, o)
	}
	return resp, err
}

// dial2 opens a connection for HTTP/2. One whose target chose something else is
// left for dial1.
func (a *auto) dial2(ctx context.Context, network, address string) (net.Conn, error) {
	tc, err := a.s.open(ctx, network, address, "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	if tc.ConnectionState().NegotiatedProtocol == "h2" {
		return tc, nil
	}
	a.keep(tc)
	return nil, &message.Failure{Kind: message.ErrTLS, Err: errNotHTTP2}
}

func (a *auto) dial1(ctx context.Context, network, address string) (net.Conn, error) {
	a.mu.Lock()
	nc, born := a.spare, a.born
	a.spare = nil
	a.mu.Unlock()
	if nc != nil && time.Since(born) < spareAge {
		return nc, nil
	}
	if nc != nil {
		_ = nc.Close()
	}
	return a.s.http1Only(ctx, network, address)
}

// keep leaves a connection for dial1, in the place of the one before.
func (a *auto) keep(nc net.Conn) {
	a.mu.Lock()
	old := a.spare
	a.spare, a.born = nc, time.Now()
	a.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// Close keeps no connection any more.
func (a *auto) Close() {
	a.keep(nil)
	a.h1.Close()
	a.h2.Close()
}
