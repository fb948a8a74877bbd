package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) {
	// the engine's clock ends by itself some seconds after its last connection
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/sluice-gateway/sluice/gateway/http1/wire.(*Clock).run"))
}

func manager(t *testing.T) *Manager {
	m := NewManager(http1.NewClock(), nil)
	t.Cleanup(m.Close)
	return m
}

func acquire(t *testing.T, m *Manager, u apidef.Upstream) *pool {
	t.Helper()
	f, err := m.Acquire("default", "a", u)
	if err != nil {
		t.Fatal(err)
	}
	return f.(*pool)
}

func nothingLeft(t *testing.T, m *Manager) {
	t.Helper()
	if len(m.lent) != 0 || len(m.links) != 0 {
		t.Errorf("%d forwarders and %d links are left", len(m.lent), len(m.links))
	}
}

// to is an upstream of these addresses.
func to(addrs ...string) apidef.Upstream {
	var u apidef.Upstream
	for _, a := range addrs {
		u.Targets = append(u.Targets, apidef.Target{URL: "http://" + a})
	}
	return u
}

func get(path string) *filter.Exchange {
	x := exchangeOf(path, path, path, true)
	x.Request.Method, x.Request.Host, x.Request.Body, x.Request.Context, x.Start = "GET", "client.example", message.NoBody, context.Background(), time.Now()
	return x
}

func post(body string) *filter.Exchange {
	x := get("/")
	x.Request.Method, x.Request.Body, x.Request.ContentLength = "POST", strings.NewReader(body), int64(len(body))
	return x
}

// forward sends an exchange and returns what came back.
func forward(f filter.Forwarder, x *filter.Exchange) (string, error) {
	if err := f.Forward(x); err != nil {
		return "", err
	}
	defer func() { _ = x.Response.Body.Close() }()
	b, err := io.ReadAll(x.Response.Body)
	return string(b), err
}

// dead is an address where nobody listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func wantRefusal(t *testing.T, err error, status int, code string) *filter.Reject {
	t.Helper()
	var r *filter.Reject
	if !errors.As(err, &r) || r.Status != status || string(r.Code) != code {
		t.Fatalf("%v; want %d %s", err, status, code)
	}
	return r
}

func TestForwardSetsWhatRecordsNeed(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	u := to(o.Addr())
	u.Path = "/v1"
	x := get("/x")
	if got, err := forward(acquire(t, manager(t), u), x); err != nil || got != "GET /v1/x" {
		t.Fatalf("%q, %v", got, err)
	}
	if x.Target != "http://"+o.Addr() || x.Attempts != 1 || x.UpstreamTime <= 0 {
		t.Errorf("target %s, %d attempts, %s", x.Target, x.Attempts, x.UpstreamTime)
	}
	if h := o.Requests()[0].Field("Host"); h != o.Addr() {
		t.Errorf("Host %s", h)
	}
	u.PreserveHost = true
	if _, err := forward(acquire(t, manager(t), u), get("/x")); err != nil {
		t.Fatal(err)
	}
	if h := o.Requests()[1].Field("Host"); h != "client.example" {
		t.Errorf("Host %s", h)
	}
}

func TestAnUnreachableTargetIsPassedBy(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	idle := http1test.NewOrigin(t, http1test.Echo)
	u := to(dead(t), dead(t), o.Addr(), idle.Addr())
	none := 0
	u.Targets[3].Weight = &none
	p := acquire(t, manager(t), u)
	attempts := 0
	for i := range 6 {
		x := get("/")
		if i%2 == 1 {
			x = post("hello")
		}
		if _, err := forward(p, x); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		attempts += x.Attempts
	}
	if attempts != 2*(3+2+1) {
		t.Errorf("%d attempts in two rounds", attempts)
	}
	if n := len(idle.Requests()); n != 0 {
		t.Errorf("a target of weight 0 got %d calls", n)
	}
	for _, q := range o.Requests() {
		if q.Method == "POST" && string(q.Body) != "hello" {
			t.Errorf("body %q", q.Body)
		}
	}

	u = to(dead(t), dead(t), idle.Addr())
	u.Targets[2].Weight = &none
	x := get("/")
	r := wantRefusal(t, acquire(t, manager(t), u).Forward(x), 502, "upstream.unreachable")
	if x.Attempts != 2 || strings.Contains(r.Message, "127.0.0.1") {
		t.Errorf("%d attempts, message %q", x.Attempts, r.Message)
	}
}

// What reached a target is not sent to another one.
func TestAReachedTargetIsNotPassedBy(t *testing.T) {
	broken := http1test.NewOrigin(t, func(*http1test.Request) string { return "" })
	o := http1test.NewOrigin(t, http1test.Echo)
	p := acquire(t, manager(t), to(broken.Addr(), o.Addr()))
	x := get("/")
	wantRefusal(t, p.Forward(x), 502, "upstream.closed")
	if x.Attempts != 1 || len(o.Requests()) != 0 || len(broken.Requests()) != 1 {
		t.Errorf("%d attempts, %d and %d requests", x.Attempts, len(broken.Requests()), len(o.Requests()))
	}
}

func TestNoTargetTakesCalls(t *testing.T) {
	u := to("127.0.0.1:1")
	none := 0
	u.Targets[0].Weight = &none
	wantRefusal(t, acquire(t, manager(t), u).Forward(get("/")), 503, "upstream.no_target")
}

func TestRefusals(t *testing.T) {
	for kind, want := range map[message.Kind]struct {
		status int
		code   string
	}{
		message.ErrQueueFull:        {503, "upstream.busy"},
		message.ErrQueueTimeout:     {503, "upstream.busy"},
		message.ErrConnect:          {502, "upstream.unreachable"},
		message.ErrConnectTimeout:   {504, "upstream.timeout"},
		message.ErrFirstByteTimeout: {504, "upstream.timeout"},
		message.ErrBodyTimeout:      {504, "upstream.timeout"},
		message.ErrDeadline:         {504, "upstream.timeout"},
		message.ErrClosed:           {502, "upstream.closed"},
		message.ErrMalformed:        {502, "upstream.malformed"},
		message.ErrTooLarge:         {502, "upstream.malformed"},
		message.ErrAborted:          {499, "client.closed"},
		message.ErrRequestBody:      {400, "request.body"},
		message.ErrRequest:          {500, "request.unwritable"},
		message.ErrTLS:              {502, "upstream.tls"},
		0:                           {502, "upstream.failed"},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			cause := errors.New("10.0.0.5 said no")
			r := wantRefusal(t, Refusal(&message.Failure{Kind: kind, Err: cause}), want.status, want.code)
			if strings.Contains(r.Message, "10.0.0.5") || !errors.Is(r, cause) {
				t.Errorf("the message %q or the cause %v is wrong", r.Message, errors.Unwrap(r))
			}
			later := false
			for _, f := range r.Header {
				later = later || f[0] == "Retry-After"
			}
			if later != (want.status == 503) {
				t.Errorf("Retry-After: %v with %d", later, want.status)
			}
		})
	}
	if k := message.ErrTLS + 1; k.String() != "unknown" {
		t.Errorf("the kind %s is not in this table", k)
	}
	wantRefusal(t, Refusal(&message.Failure{Kind: message.ErrRequestBody, Err: fmt.Errorf("read: %w", message.ErrSlow)}), 408, "request.slow")
}

func TestTotalEndsACall(t *testing.T) {
	o := http1test.NewOrigin(t, func(*http1test.Request) string {
		<-time.After(time.Second)
		return http1test.Echo(&http1test.Request{})
	})
	u := to(o.Addr())
	u.Timeouts.Total = apidef.Duration(50 * time.Millisecond)
	began := time.Now()
	wantRefusal(t, acquire(t, manager(t), u).Forward(get("/")), 504, "upstream.timeout")
	if d := time.Since(began); d > 900*time.Millisecond {
		t.Errorf("after %s", d)
	}
}

func TestPoolsOutliveReloads(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	m := manager(t)
	first := acquire(t, m, to(o.Addr()))
	if _, err := forward(first, get("/")); err != nil {
		t.Fatal(err)
	}
	again := acquire(t, m, to(o.Addr()))
	if again != first {
		t.Fatal("equal options of the same API got another forwarder")
	}
	m.Release(first)
	if _, err := forward(again, get("/")); err != nil || o.Accepted() != 1 {
		t.Errorf("%v; %d connections: the warm one must serve on", err, o.Accepted())
	}
	// options that no connection depends on: the new forwarder is made before the old
	// one is given back
	changed := to(o.Addr())
	changed.Path, changed.PreserveHost, changed.Timeouts.Total = "/v2", true, apidef.Duration(time.Minute)
	after := acquire(t, m, changed)
	m.Release(again)
	if got, err := forward(after, get("/x")); err != nil || got != "GET /v2/x" || o.Accepted() != 1 {
		t.Errorf("%q, %v; %d connections: the warm one must serve on", got, err, o.Accepted())
	}
	m.Release(after)
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 })
	nothingLeft(t, m)
	// a forwarder that is given back too often must not take a later one along
	fresh := acquire(t, m, to(o.Addr()))
	m.Release(first)
	m.Release(again)
	if acquire(t, m, to(o.Addr())) != fresh {
		t.Error("a stale release dropped a forwarder in use")
	}
	m.Release(nil)
}

// An exchange that was routed before a reload still holds the old forwarder.
func TestAReleasedForwarderStillEndsItsExchanges(t *testing.T) {
	gate := make(chan struct{})
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		if q.Target == "/slow" {
			<-gate
		}
		return http1test.Echo(q)
	})
	m := manager(t)
	p := acquire(t, m, to(o.Addr()))
	var busy sync.WaitGroup
	for range 3 {
		busy.Go(func() {
			if got, err := forward(p, get("/slow")); err != nil || got != "GET /slow" {
				t.Errorf("in flight at the release: %q, %v", got, err)
			}
		})
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return len(o.Requests()) == 3 })
	m.Release(p)
	for range 3 {
		if got, err := forward(p, get("/late")); err != nil || got != "GET /late" {
			t.Errorf("routed before, sent after the release: %q, %v", got, err)
		}
	}
	close(gate)
	busy.Wait()
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 })
}

func TestAcquireAndReleaseFromManySides(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	m := manager(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 30 {
				f, err := m.Acquire("default", fmt.Sprint((i+j)%3), to(o.Addr()))
				if err != nil {
					t.Error(err)
					return
				}
				x := get("/")
				if got, err := forward(f, x); err != nil || got != "GET /" || x.Response.Status != http.StatusOK {
					t.Errorf("%q, %v", got, err)
				}
				m.Release(f)
			}
		})
	}
	all.Wait()
	nothingLeft(t, m)
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 })
}
