package serve_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/serve"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) {
	// the engine's clock ends by itself some seconds after its last connection
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/sluice-gateway/sluice/gateway/http1/wire.(*Clock).run"))
}

// rig is the whole path of a request between two sockets.
type rig struct {
	t       testing.TB
	addr    string
	world   *route.World
	handler *serve.Handler
	server  *http1.Server
	seen    *observer
	log     *lockedLog
}

// observer keeps what came of each exchange, and counts.
type observer struct {
	*serve.Counters
	quiet bool // count only

	mu   sync.Mutex
	list []seen
}

// seen is one exchange as an Observer may look at it.
type seen struct {
	serve.Outcome
	api, endpoint, id, code, origin string
}

func (o *observer) Observe(x *filter.Exchange, out serve.Outcome) {
	if o.Counters.Observe(x, out); o.quiet {
		return
	}
	o.note(look(x, out))
}

// Keep looks at a tunnel's exchange at once and notes it at the end.
func (o *observer) Keep(x *filter.Exchange, out serve.Outcome) func(serve.Outcome) {
	s := look(x, out)
	return func(end serve.Outcome) {
		o.Counters.Observe(nil, end)
		end.Chain, end.Generation = s.Chain, s.Generation
		s.Outcome = end
		if !o.quiet {
			o.note(s)
		}
	}
}

func look(x *filter.Exchange, out serve.Outcome) seen {
	s := seen{Outcome: out, id: strings.Clone(x.ID)}
	if x.API != nil {
		s.api = x.API.ID
	}
	if x.Endpoint != nil {
		s.endpoint = x.Endpoint.ID
	}
	if x.Refusal != nil {
		s.code = string(x.Refusal.Code)
	}
	if x.Response != nil {
		s.origin = x.Response.Header.Get("X-Origin")
		s.origin = strings.Clone(s.origin)
	}
	return s
}

func (o *observer) note(s seen) {
	o.mu.Lock()
	o.list = append(o.list, s)
	o.mu.Unlock()
}

// wait returns the n-th exchange once it is over.
func (o *observer) wait(t testing.TB, n int) seen {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() bool { o.mu.Lock(); defer o.mu.Unlock(); return len(o.list) > n })
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list[n]
}

type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// fixed is a source of definitions that never change.
type fixed struct{ u *route.Update }

func (f fixed) Fetch(_ context.Context, have route.State) (*route.Update, error) {
	if have == f.u.State {
		return nil, nil
	}
	return f.u, nil
}

func (fixed) Hints() <-chan struct{} { return nil }

// newRig serves definitions (JSON by id). More filters may be put into the order.
func newRig(t testing.TB, defs map[string]string, more ...filter.Spec) *rig {
	return newRigWith(t, serve.Options{}, defs, more...)
}

// newRigWith is newRig with further options of the handler.
func newRigWith(t testing.TB, o serve.Options, defs map[string]string, more ...filter.Spec) *rig {
	t.Helper()
	r := &rig{t: t, world: route.NewWorld(), log: &lockedLog{}, seen: &observer{Counters: serve.NewCounters([]time.Duration{time.Millisecond, time.Minute})}}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	clock := http1.NewClock()
	ups := upstream.NewManager(clock)
	order := append(chain.Order(chain.Deps{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.9/32")}}), more...)
	unmatched, problems := chain.Unmatched(chain.Order(chain.Deps{}))
	if unmatched == nil {
		t.Fatal(problems)
	}
	o.World, o.Unmatched, o.Node, o.Observer, o.Log = r.world, unmatched, &filter.Node{ID: "n", Name: "gw"}, r.seen, log
	r.handler = serve.New(o)
	r.server = http1.NewServer(r.handler, http1.ServerConfig{Clock: clock, Log: log})

	u := &route.Update{State: route.State{Epoch: 1, Generation: 1, Root: "r", Origin: "dir"}, Full: true}
	for id, text := range defs {
		sum := sha256.Sum256([]byte(text))
		u.Set = append(u.Set, route.Item{Org: "default", Kind: "api", ID: id, SHA: hex.EncodeToString(sum[:]), Text: []byte(text)})
	}
	reloads, stop := context.WithCancel(context.Background())
	applied := make(chan route.Report, 1)
	reloader := route.NewReloader(r.world, route.NewCompiler(order, ups), fixed{u}, route.Options{Applied: func(rep route.Report) { applied <- rep }})
	done := make(chan error, 2)
	go func() { done <- reloader.Run(reloads) }()
	if rep := <-applied; rep.Err != nil || len(rep.Rejected) > 0 {
		t.Fatalf("%v, %+v", rep.Err, rep.Rejected)
	}
	stop()
	<-done
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	go func() { done <- r.server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		r.handler.Shutdown(ctx)
		_ = r.server.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		ups.Close()
	})
	return r
}

// open is an API without authentication; more are members of the definition.
func open(id, path, origin, more string) string {
	if more != "" {
		more = "," + more
	}
	filters := `"auth":{"open":true}`
	if rest, ok := strings.CutPrefix(more, `,"filters":{`); ok {
		filters, more = filters+","+strings.TrimSuffix(rest, "}"), ""
	}
	if !strings.Contains(more, `"upstream":`) {
		more += `,"upstream":{"targets":[{"url":"http://` + origin + `"}]}`
	}
	return fmt.Sprintf(`{"id":%q,"name":"API %s","listen":{"path":%q},"filters":{%s}%s}`, id, id, path, filters, more)
}
