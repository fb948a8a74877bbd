package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// long tells whether tests run at their full length; else they run at a tenth of it.
func long() bool { return os.Getenv("SLUICE_E2E_LONG") == "1" }

func length(full time.Duration) time.Duration {
	if long() {
		return full
	}
	return full / 10
}

// load is keep-alive connections that send one request after the other to several gateways.
type load struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	good   atomic.Int64
	mu     sync.Mutex
	failed []string
}

// startLoad opens n connections in turn to the addresses. Each waits a moment after each answer, so
// that the services under test have the machine to themselves. fits judges an answer.
func startLoad(ctx context.Context, n int, addrs []string, host, path string, pause time.Duration, fits func(status int, body string) bool) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
	for i := range n {
		l.done.Go(func() { l.connection(ctx, addrs[i%len(addrs)], request, pause, fits) })
	}
	return l
}

func (l *load) connection(ctx context.Context, addr, request string, pause time.Duration, fits func(int, string) bool) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		l.fail("connecting: %v", err)
		return
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, request); err != nil {
			l.fail("request %d of a connection to %s: %v", n, addr, err)
			return
		}
		resp, body, err := readAnswer(in, "GET")
		switch {
		case err != nil:
			l.fail("answer %d of a connection to %s: %v", n, addr, err)
			return
		case !fits(resp.StatusCode, string(body)):
			l.fail("answer %d of a connection to %s: %d %.200s", n, addr, resp.StatusCode, body)
		default:
			l.good.Add(1)
		}
	}
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, fmt.Sprintf(format, args...))
}

// end stops the load and fails the test where a request failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d requests were answered, %d failed", l.good.Load(), len(l.failed))
	if len(l.failed) > 0 {
		t.Errorf("%d requests failed, such as:\n%s", len(l.failed), l.failed[0])
	}
	if l.good.Load() == 0 {
		t.Error("no request was answered")
	}
}

func isOK(status int, _ string) bool { return status == 200 }

func three(t *testing.T, o platform.Options) (*platform.Platform, []string) {
	t.Helper()
	o.Gateways = []string{"default", "default", "default"}
	p := platform.For(t, o)
	var addrs []string
	for _, g := range p.Gateways {
		addrs = append(addrs, g.Addr())
	}
	return p, addrs
}

// TestReloadUnderLoad changes a definition while 64 connections call it on three gateways.
func TestReloadUnderLoad(t *testing.T) {
	p, addrs := three(t, platform.Options{})
	ctx, c := t.Context(), p.Client(0)
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	def := definition("Changing", "/changing/", up.URL, map[string]any{"open": true})
	saved := testenv.Must(c.Create(ctx, "apis", def))(t)
	testenv.Must(c.AwaitApplied(ctx, saved.Revision, 3, 5*time.Second))(t)

	l := startLoad(ctx, 64, addrs, "127.0.0.1", "/changing/status/200", 20*time.Millisecond, isOK)
	began := time.Now()
	saved = testenv.Must(c.Patch(ctx, "apis", "changing", map[string]any{"description": "saved under load"}, "*"))(t)
	status := testenv.Must(c.AwaitApplied(ctx, saved.Revision, 3, 2*time.Second))(t)
	t.Logf("acknowledged by %d gateways after %s: %+v", len(status.Nodes), time.Since(began), status.Nodes)

	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	changes := int(length(10*time.Second) / (100 * time.Millisecond))
	for i := range changes {
		<-tick.C
		patch := map[string]any{
			"description": fmt.Sprintf("change %d", i),
			"filters":     map[string]any{"responseHeaders": map[string]any{"set": map[string]string{"X-Change": fmt.Sprint(i)}}},
			"upstream":    map[string]any{"timeouts": map[string]string{"firstByte": fmt.Sprintf("%ds", 10+i%5)}},
		}
		saved = testenv.Must(c.Patch(ctx, "apis", "changing", patch, "*"))(t)
	}
	p.Live(t, saved.Revision, 5*time.Second)
	l.end(t)
	t.Logf("%d changes", changes)
	for _, g := range p.Gateways {
		resp, _, err := exchange(g.Addr(), "GET", "GET /changing/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		if err != nil || resp.Header.Get("X-Change") != fmt.Sprint(changes-1) {
			t.Errorf("%s does not serve the last change: %v", g.Name, err)
		}
	}
}

// TestPublishLatency measures saves from the request to the last acknowledgement (by hand:
// SLUICE_E2E_LONG=1 go test -run TestPublishLatency -v).
func TestPublishLatency(t *testing.T) {
	saves := 20
	if long() {
		saves = 200
	}
	p, addrs := three(t, platform.Options{})
	ctx, c := t.Context(), p.Client(0)
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	saved := testenv.Must(c.Create(ctx, "apis", definition("Changing", "/changing/", up.URL, map[string]any{"open": true})))(t)
	testenv.Must(c.AwaitApplied(ctx, saved.Revision, 3, 5*time.Second))(t)
	l := startLoad(ctx, 64, addrs, "127.0.0.1", "/changing/status/200", 20*time.Millisecond, isOK)
	var took []time.Duration
	for i := range saves {
		began := time.Now()
		saved := testenv.Must(c.Patch(ctx, "apis", "changing", map[string]any{"description": fmt.Sprint(i)}, "*"))(t)
		testenv.Must(c.AwaitApplied(ctx, saved.Revision, 3, 5*time.Second))(t)
		took = append(took, time.Since(began))
	}
	l.end(t)
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))].Round(time.Millisecond) }
	t.Logf("%d saves to the last of 3 acknowledgements, under load of 64 connections: p50 %s, p95 %s, max %s", saves, at(0.5), at(0.95), at(1))
	if at(0.95) > time.Second {
		t.Errorf("p95 is %s, more than 1 s", at(0.95))
	}
}
