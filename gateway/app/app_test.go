package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func TestMain(m *testing.M) {
	// the engine's clock ends by itself some seconds after its last connection
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/sluice-gateway/sluice/gateway/http1/wire.(*Clock).run"))
}

// bench is the rest of the platform around one gateway.
type bench struct {
	t      *testing.T
	redis  *testenv.Server
	keys   *trust.Keys
	config Config
	tree   *publish.Tree
	texts  map[string][]byte
	gen    int64
	origin *httptest.Server
	slow   chan struct{} // closed when the origin has /slow or /held in work
}

func newBench(t *testing.T) *bench {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, redis: testenv.RedisServer(t), keys: keys, config: Default(), tree: publish.NewTree("default"), texts: map[string][]byte{}, slow: make(chan struct{})}
	b.config.Data = t.TempDir()
	b.config.Name = "gw-test"
	b.config.Listen.Address, b.config.Admin.Address = "127.0.0.1:0", "127.0.0.1:0"
	b.config.Redis.Addresses = []string{b.redis.Addr()}
	b.config.Shutdown.Timeout = 3 * time.Second
	if err := keys.SaveNode(filepath.Join(b.config.Data, "keys")); err != nil {
		t.Fatal(err)
	}
	b.origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			close(b.slow)
			<-time.After(300 * time.Millisecond)
		case "/held": // until the gateway gives the call up
			close(b.slow)
			<-r.Context().Done()
		}
		w.Header().Set("X-Seen", r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-User-Id"))
		_, _ = io.WriteString(w, "origin")
	}))
	t.Cleanup(b.origin.Close)
	return b
}

// put publishes an API; publish makes the generation.
func (b *bench) put(id, path, auth string) {
	text := fmt.Sprintf(`{"id":%q,"name":"API %s","listen":{"path":%q},"upstream":{"targets":[{"url":%q}]},"filters":{"auth":%s,"identity":{"headers":{"X-User-Id":"{key.owner}"}}}}`,
		id, id, path, b.origin.URL, auth)
	sum := sha256.Sum256([]byte(text))
	sha := hex.EncodeToString(sum[:])
	b.texts[sha] = []byte(text)
	if err := b.tree.Set(publish.Item{Org: "default", Kind: "api", ID: id, SHA: sha}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) publish(keys *trust.Keys) {
	b.t.Helper()
	b.gen++
	b.tree.MarkAll()
	u, err := publish.Compose(1, b.gen, time.Now().UTC().Truncate(time.Millisecond), func(sha string) ([]byte, bool) { x, ok := b.texts[sha]; return x, ok }, b.tree)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx := testenv.Context(b.t, 5*time.Second)
	if _, err := publish.NewWriter(b.redis.Client(), keys).Publish(ctx, u); err != nil {
		b.t.Fatal(err)
	}
	n := bus.New(b.redis.Client(), b.keys, bus.Options{})
	if err := n.Publish(ctx, notice.ConfigChangedKind, notice.ConfigChanged{Epoch: 1, Generation: b.gen}); err != nil {
		b.t.Fatal(err)
	}
}

// key makes a key with a right to every API.
func (b *bench) key(version int64, secret string, revoked bool) {
	b.t.Helper()
	ctx := testenv.Context(b.t, 5*time.Second)
	w := keyring.NewWriter(b.redis.Client(), b.keys)
	e := keyring.Entry{Hash: b.keys.HashKey(secret), Version: version, Revoked: revoked}
	if !revoked {
		e.Key = access.Key{ID: "k_1", Org: "default", Alias: "a", Owner: "kim", State: access.KeyActive, Version: version, Rights: []access.Right{{API: "*"}}}
	}
	if err := w.Put(ctx, e); err != nil {
		b.t.Fatal(err)
	}
	if err := w.SetWatermark(ctx, time.Now()); err != nil {
		b.t.Fatal(err)
	}
	n := bus.New(b.redis.Client(), b.keys, bus.Options{})
	if err := n.Publish(ctx, notice.KeyChangedKind, notice.KeyChanged{Hash: e.Hash, Version: version}); err != nil {
		b.t.Fatal(err)
	}
}

// running is a gateway under test.
type running struct {
	*App
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func (b *bench) start() *running {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	a, err := New(ctx, b.config, logs.New(testWriter{b.t}, logs.Config{Level: "warn", Format: "text"}))
	if err != nil {
		b.t.Fatal(err)
	}
	r := &running{a, b.t, stop, make(chan error, 1)}
	go func() { r.done <- a.Run(ctx) }()
	b.t.Cleanup(r.end)
	return r
}

func (r *running) end() {
	r.stop()
	select {
	case err := <-r.done:
		r.done <- nil
		if err != nil {
			r.t.Errorf("the gateway ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		r.t.Error("the gateway does not end")
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// get calls the gateway on a connection of its own.
func (r *running) get(target, key string) (int, string, http.Header) {
	req, err := http.NewRequest(http.MethodGet, "http://"+r.Addr()+target, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", key)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func (r *running) until(within time.Duration, target, key string, want int) {
	r.t.Helper()
	var status int
	var body string
	testenv.Eventually(r.t, within, func() bool {
		status, body, _ = r.get(target, key)
		return status == want
	})
	if status != want {
		r.t.Fatalf("%s: %d %s; want %d", target, status, body, want)
	}
}

func (r *running) state() (s struct {
	Generation int64
	Origin     string
	Error      string
	Rejected   []notice.Rejected
	APIs       []struct{ ID string }
},
) {
	resp, err := http.Get("http://" + r.AdminAddr() + "/state")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestAGatewayServesWhatIsPublished(t *testing.T) {
	b := newBench(t)
	b.put("orders", "/orders/", `{"open":true}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/orders/7?x=1", "", 200)
	status, body, h := gw.get("/orders/7?x=1", "")
	if status != 200 || body != "origin" || !strings.HasPrefix(h.Get("X-Seen"), "GET /7?x=1") || h.Get("X-Request-Id") == "" {
		t.Errorf("%d %q %v", status, body, h)
	}
	status, body, h = gw.get("/nothing", "")
	var e struct{ Code, RequestID string }
	if err := json.Unmarshal([]byte(body), &e); err != nil || status != 404 || e.Code != "route.no_api" || e.RequestID != h.Get("X-Request-Id") || e.RequestID == "" {
		t.Errorf("%d %q %v %v", status, body, h, err)
	}

	c, err := net.Dial("tcp", gw.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n")
	refused, err := io.ReadAll(c)
	made := e.RequestID[:12] // of this start of the process: the filter's ids are the engine's too
	if err != nil || !strings.Contains(string(refused), "\r\nX-Request-Id: "+made) || !strings.Contains(string(refused), `"code":"request.method"`) || !strings.Contains(string(refused), `"requestId":"`+made) {
		t.Errorf("refused with %q, %v", refused, err)
	}

	b.put("orders", "/bestellungen/", `{"open":true}`)
	b.publish(b.keys)
	gw.until(2*time.Second, "/bestellungen/7", "", 200)
	if status, _, _ := gw.get("/orders/7", ""); status != 404 {
		t.Errorf("the old listen path answers %d", status)
	}

	ctx := testenv.Context(t, 5*time.Second)
	testenv.Eventually(t, 5*time.Second, func() bool {
		beats, err := fleet.NewReader(b.redis.Client(), b.keys).List(ctx)
		return err == nil && len(beats) == 1 && beats[0].Generation == 2 && beats[0].Address != "" && beats[0].State == fleet.Current && beats[0].Source == "live"
	})
	resp, err := http.Get("http://" + gw.AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	for _, want := range []string{
		`sluice_gateway_requests_total{status="404"} `, "sluice_gateway_generation 2", "sluice_gateway_apis 1", "sluice_gateway_request_duration_seconds_count",
		`sluice_gateway_requests_malformed_total{code="request.method"} 1`, `sluice_gateway_requests_malformed_total{code="request.malformed"} 0`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestKeys(t *testing.T) {
	b := newBench(t)
	b.put("k", "/k/", `{"any":[{"key":{"in":[{"header":"Authorization"}]}}]}`)
	b.publish(b.keys)
	b.key(1, "custom-secret-1", false)
	gw := b.start()
	gw.until(5*time.Second, "/k/x", "", 401)
	if status, body, h := gw.get("/k/x", "custom-secret-1"); status != 200 || !strings.HasSuffix(h.Get("X-Seen"), "kim") {
		t.Errorf("%d %s %v", status, body, h)
	}
	if status, body, _ := gw.get("/k/x", "another-secret"); status != 401 {
		t.Errorf("unknown key: %d %s", status, body)
	}
	b.key(2, "custom-secret-1", true)
	gw.until(time.Second, "/k/x", "custom-secret-1", 401)
}

// TestANoticeForAllKeysMakesEveryKeyBeAskedForAgain, long before it is forgotten.
func TestANoticeForAllKeysMakesEveryKeyBeAskedForAgain(t *testing.T) {
	b := newBench(t)
	b.put("k", "/k/", `{"any":[{"key":{"in":[{"header":"Authorization"}]}}]}`)
	b.publish(b.keys)
	b.key(1, "custom-secret-1", false)
	gw := b.start()
	gw.until(5*time.Second, "/k/x", "custom-secret-1", 200)
	// a second generation by notice: the subscription, which asks for everything again, lies behind us
	b.put("k", "/k2/", `{"any":[{"key":{"in":[{"header":"Authorization"}]}}]}`)
	b.publish(b.keys)
	gw.until(5*time.Second, "/k2/x", "custom-secret-1", 200)
	ctx := testenv.Context(t, 5*time.Second)
	tombstone := keyring.Entry{Hash: b.keys.HashKey("custom-secret-1"), Version: 2, Revoked: true}
	if err := keyring.NewWriter(b.redis.Client(), b.keys).Put(ctx, tombstone); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := gw.get("/k2/x", "custom-secret-1"); status != 200 {
		t.Fatalf("without a notice: %d %s", status, body)
	}
	if err := bus.New(b.redis.Client(), b.keys, bus.Options{}).Publish(ctx, notice.KeysChangedKind, notice.KeysChanged{}); err != nil {
		t.Fatal(err)
	}
	gw.until(time.Second, "/k2/x", "custom-secret-1", 401)
}

// TestAKeyIsNotCalledUnknownByAnOlderCopyOfRedis: it may have been made after the
// copy. Not after a restart either.
func TestAKeyIsNotCalledUnknownByAnOlderCopyOfRedis(t *testing.T) {
	b := newBench(t)
	b.put("k", "/k/", `{"any":[{"key":{"in":[{"header":"Authorization"}]}}]}`)
	b.publish(b.keys)
	b.key(1, "custom-secret-1", false)
	gw := b.start()
	gw.until(5*time.Second, "/k/x", "unknown-1", 401)

	w, ctx := keyring.NewWriter(b.redis.Client(), b.keys), testenv.Context(t, 30*time.Second)
	if err := w.SetWatermark(ctx, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	gw.until(5*time.Second, "/k/x", "unknown-2", 503)
	gw.end()
	gw = b.start()
	gw.until(5*time.Second, "/k/x", "unknown-3", 503)
	gw.until(5*time.Second, "/k/x", "custom-secret-1", 200)
	if err := w.SetWatermark(ctx, time.Now()); err != nil { // repaired
		t.Fatal(err)
	}
	gw.until(5*time.Second, "/k/x", "unknown-4", 401)
}

func TestServesFromDiskWithEverythingElseGone(t *testing.T) {
	b := newBench(t)
	b.put("open", "/open/", `{"open":true}`)
	b.put("k", "/k/", `{"any":[{"key":{"in":[{"header":"Authorization"}]}}]}`)
	b.publish(b.keys)
	b.key(1, "custom-secret-1", false)
	gw := b.start()
	gw.until(5*time.Second, "/open/x", "", 200)
	gw.until(time.Second, "/k/x", "custom-secret-1", 200)
	gw.end()

	b.redis.Stop()
	gw = b.start()
	gw.until(5*time.Second, "/open/x", "", 200)
	gw.until(time.Second, "/k/x", "custom-secret-1", 200)
	if status, body, h := gw.get("/k/x", "unknown-secret"); status != 503 || h.Get("Retry-After") == "" {
		t.Errorf("an unknown key cannot be judged: %d %s %v", status, body, h)
	}
	if status, body, _ := gw.get("/k/x", ""); status != 401 {
		t.Errorf("no key: %d %s", status, body)
	}
	if s := gw.state(); s.Origin != "disk" || s.Error == "" || s.Generation != 1 {
		t.Errorf("%+v", s)
	}
	b.redis.Start(true)
	b.put("open", "/new/", `{"open":true}`)
	b.publish(b.keys)
	gw.until(10*time.Second, "/new/x", "", 200)
	testenv.Eventually(t, 10*time.Second, func() bool { s := gw.state(); return s.Origin == "live" && s.Error == "" })
}

func TestWrongRootsAreRefusedAndReported(t *testing.T) {
	b := newBench(t)
	b.put("a", "/a/", `{"open":true}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)

	other, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b.put("a", "/evil/", `{"open":true}`)
	b.publish(other)
	testenv.Eventually(t, 5*time.Second, func() bool { return strings.Contains(gw.state().Error, "root.key") })
	if status, _, _ := gw.get("/a/x", ""); status != 200 {
		t.Errorf("the old generation must serve: %d", status)
	}
	if status, _, _ := gw.get("/evil/x", ""); status != 404 {
		t.Errorf("a root signed by another key took effect: %d", status)
	}
	ctx := testenv.Context(t, 10*time.Second)
	testenv.Eventually(t, 5*time.Second, func() bool {
		beats, err := fleet.NewReader(b.redis.Client(), b.keys).List(ctx)
		return err == nil && len(beats) == 1 && beats[0].State == fleet.Degraded && strings.Contains(beats[0].LastError, "root.key")
	})
}

func TestDrainAnswersWhatIsInFlight(t *testing.T) {
	b := newBench(t)
	b.put("a", "/a/", `{"open":true}`)
	b.publish(b.keys)
	gw := b.start()
	gw.until(5*time.Second, "/a/x", "", 200)
	answer := make(chan int, 1)
	go func() { s, _, _ := gw.get("/a/slow", ""); answer <- s }()
	<-b.slow
	gw.end()
	if s := <-answer; s != 200 {
		t.Errorf("a request in flight at the stop: %d", s)
	}
	if _, err := net.DialTimeout("tcp", gw.Addr(), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	b := newBench(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"port in use": {func(c *Config) { c.Listen.Address = taken.Addr().String() }, "in use by another process"},
		"admin port":  {func(c *Config) { c.Admin.Address = taken.Addr().String() }, "in use"},
		"no keys":     {func(c *Config) { c.Trust.Dir = t.TempDir() }, "signing.pub"},
		"bad folder": {func(c *Config) {
			c.Data = filepath.Join(os.DevNull, "x")
			c.Trust.Dir = filepath.Join(b.config.Data, "keys")
		}, "may write to"},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.config
			tc.change(&c)
			if _, err := New(t.Context(), c, logs.New(testWriter{t}, logs.Default())); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
}
