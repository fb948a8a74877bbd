package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// proxy is the least handler that forwards: what serve and upstream do, without
// routes and filters.
type proxy struct {
	pool  *http1.Pool
	takes func(target string) bool // what a router would let pass; nil: everything
	mu    sync.Mutex
	errs  []error
}

func (p *proxy) Serve(w message.Writer, r *message.Request) {
	target := r.Path
	if r.HasQuery {
		target += "?" + r.Query
	}
	if p.takes != nil && !p.takes(r.Target) {
		_ = w.WriteHead(&message.Response{Status: 400})
		_ = w.Finish(nil)
		return
	}
	resp, err := p.pool.Do(r.Context, r, message.Outbound{Target: target, Informational: w.Informational})
	if err != nil {
		p.failed(err)
		status := 502
		switch k := message.KindOf(err); {
		case k == message.ErrRequestBody && errors.Is(err, message.ErrSlow):
			status = 408
		case k == message.ErrRequestBody:
			status = 400
		case k == message.ErrQueueFull, k == message.ErrQueueTimeout:
			status = 503
		case k.Timeout():
			status = 504
		}
		_ = w.WriteHead(&message.Response{Status: status})
		_ = w.Finish(nil)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if err := w.WriteHead(resp); err != nil {
		w.Fail()
		return
	}
	if resp.Tunnel != nil {
		tunnel(w, resp)
		return
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		p.failed(err)
		w.Fail()
		return
	}
	_ = w.Finish(resp.Trailer)
}

func tunnel(w message.Writer, resp *message.Response) {
	c, early, err := w.Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = resp.Tunnel.Write(early)
	_, _ = c.Write(resp.Buffered)
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(resp.Tunnel, c)
		_ = resp.Tunnel.Close()
		close(done)
	}()
	_, _ = io.Copy(c, resp.Tunnel)
	_ = c.Close()
	<-done
}

func (p *proxy) failed(err error) {
	p.mu.Lock()
	p.errs = append(p.errs, err)
	p.mu.Unlock()
}

func (p *proxy) errors() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.errs...)
}

// rig is a server before a pool before an origin.
type rig struct {
	*proxy
	srv  *http1.Server
	addr string
}

// newRig starts a server that proxies to addr. After the test it is shut down and
// must leave no goroutine and no connection behind.
func newRig(t testing.TB, addr string, sc http1.ServerConfig, pc http1.PoolConfig) *rig {
	t.Helper()
	clock := http1.NewClock()
	sc.Clock, pc.Clock, pc.Address = clock, clock, addr
	p := &proxy{pool: http1.NewPool(pc)}
	r := &rig{proxy: p}
	r.srv, r.addr = serve(t, p, sc)
	t.Cleanup(func() {
		p.pool.Close()
		eventually(t, "the pool has no connection left", func() bool { return p.pool.Stats().Open == 0 })
	})
	return r
}

func serve(t testing.TB, h message.Handler, sc http1.ServerConfig) (*http1.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := http1.NewServer(h, sc)
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := s.Stats().Connections; n != 0 {
			t.Errorf("%d client connections are left", n)
		}
	})
	return s, l.Addr().String()
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			buf := make([]byte, 1<<16)
			t.Fatalf("not so after 10 s: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func echoRig(t testing.TB) (*rig, *http1test.Origin) {
	o := http1test.NewOrigin(t, http1test.Echo)
	return newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{}), o
}
