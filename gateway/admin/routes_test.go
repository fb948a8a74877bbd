package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/admin"
	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// once is a source that has one generation and then fails.
type once struct{ u *route.Update }

func (o *once) Fetch(context.Context, route.State) (*route.Update, error) {
	u := o.u
	if o.u = nil; u == nil {
		return nil, errors.New("redis is away")
	}
	return u, nil
}

func (*once) Hints() <-chan struct{} { return nil }

func item(id, path, domains string) route.Item {
	return route.Item{Org: "default", Kind: "api", ID: id, SHA: "sha of " + id, Text: fmt.Appendf(nil,
		`{"id":%q,"name":"API %s","listen":{"path":%q%s},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`, id, id, path, domains)}
}

func ask(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestProbesMayAskByHead(t *testing.T) {
	metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := admin.Routes(httpd.NewHealth("gateway", "1.2.3", "gw-1"), metrics, route.NewWorld())
	for _, path := range []string{"/hello", "/ready", "/live", "/metrics"} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil)); w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestRoutes(t *testing.T) {
	w := route.NewWorld()
	health := httpd.NewHealth("gateway", "1.2.3", "gw-1")
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("some_metric 1\n")) })
	h := admin.Routes(health, metrics, w)
	for path, want := range map[string]string{
		"/hello": `"service":"gateway"`, "/ready": "ready", "/live": "", "/metrics": "some_metric 1",
		"/state": `"apis":[],"rejected":[]`, "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/debug/pprof/symbol": "num_symbols",
	} {
		if status, body := ask(h, path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200q", path, status, body)
		}
	}
	// the command line may hold what nobody should read
	if status, body := ask(h, "/debug/pprof/cmdline"); strings.Contains(body, "-test") {
		t.Errorf("cmdline: %d %q", status, body)
	}
	if status, _ := ask(h, "/else"); status != 404 {
		t.Errorf("/else: %d", status)
	}
	health.SetDraining()
	if status, _ := ask(h, "/ready"); status != 503 {
		t.Errorf("/ready while draining: %d", status)
	}
}

func TestStateListsWhatIsRoutedInOrder(t *testing.T) {
	w := route.NewWorld()
	c := route.NewCompiler(chain.Order(chain.Deps{}), upstream.NewManager(http1.NewClock()))
	src := &once{&route.Update{State: route.State{Epoch: 1, Generation: 7, Root: "abc", Origin: "live"}, Full: true, Set: []route.Item{
		item("c", "/c/", `,"domains":["c.example","*.c.example"]`), item("a", "/a/", ""), item("b", "/b/", ""), item("z", "no path", ""), item("y", "no path", ""),
	}}}
	reports := make(chan route.Report, 4)
	r := route.NewReloader(w, c, src, route.Options{Poll: 5 * time.Millisecond, Applied: func(rep route.Report) {
		select {
		case reports <- rep:
		default: // it fails again and again
		}
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	testenv.Eventually(t, 10*time.Second, func() bool {
		select {
		case rep := <-reports:
			return rep.Err != nil
		default:
			return false
		}
	})
	defer func() { stop(); <-done }()
	_, body := ask(admin.Routes(httpd.NewHealth("gateway", "", ""), http.NotFoundHandler(), w), "/state")
	var s admin.State
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range s.APIs {
		ids = append(ids, a.ID)
	}
	for _, x := range s.Rejected {
		ids = append(ids, x.ID)
	}
	if fmt.Sprint(ids) != "[a b c y z]" || s.Generation != 7 || s.Epoch != 1 || s.Root != "abc" || s.Origin != "live" || !strings.Contains(s.Error, "redis is away") {
		t.Errorf("%v: %s", ids, body)
	}
	if a := s.APIs[2]; a.Path != "/c/" || len(a.Domains) != 2 || a.SHA != "sha of c" || len(a.Filters) == 0 || a.Org != "default" || a.Name != "API c" {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(body, `"domains":[]`) {
		t.Errorf("an API for any host has no list: %s", body)
	}
}

func TestTheStateListsTunnels(t *testing.T) {
	set := tunnel.NewSet(tunnel.Limits{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var ends [4]net.Conn
	for i := 0; i < 4; i += 2 {
		if ends[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if ends[i+1], err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		set.Run(tunnel.Ends{Client: ends[0], Upstream: ends[2], Name: "orders", Address: "192.0.2.7", Protocol: "websocket", FromClient: []byte("12345")})
		close(done)
	}()
	h := admin.Routes(httpd.NewHealth("gateway", "1.2.3", "gw-1"), http.NotFoundHandler(), route.NewWorld(), tunnel.NewSet(tunnel.Limits{}), set)
	testenv.EventuallyNoError(t, 5*time.Second, func() error {
		var s admin.State
		_, text := ask(h, "/state")
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return err
		}
		open := s.Tunnels.Open
		if s.Tunnels.Total != 1 || s.Tunnels.Counts["orders"] != 1 || len(open) != 1 || open[0].Client != "192.0.2.7" || open[0].Protocol != "websocket" || open[0].BytesIn != 5 || open[0].Since.IsZero() {
			return errors.New(text)
		}
		return nil
	})
	for _, c := range ends {
		_ = c.Close()
	}
	<-done
	if _, text := ask(h, "/state"); !strings.Contains(text, `"tunnels":{"total":0,"counts":{},"open":[]}`) {
		t.Error(text)
	}
}
