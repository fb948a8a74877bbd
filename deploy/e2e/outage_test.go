package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

var byKey = map[string]any{"any": []any{map[string]any{"key": map[string]any{}}}}

// call sends one request with a key to a gateway and returns the status and Retry-After; 0 where
// nothing answers.
func call(g *platform.Service, path, key string) (status int, retry string) {
	auth := ""
	if key != "" {
		auth = "Authorization: " + key + "\r\n"
	}
	resp, _, err := exchange(g.Addr(), "GET", "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"+auth+"\r\n")
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

// within waits until a gateway answers with a status.
func within(t *testing.T, d time.Duration, g *platform.Service, path, key string, want int, what string) {
	t.Helper()
	testenv.EventuallyNoError(t, d, func() error {
		if got, _ := call(g, path, key); got != want {
			return fmt.Errorf("%s at %s: %d, want %d", what, g.Name, got, want)
		}
		return nil
	})
}

// fixture is a platform with an open and a keyed API and two keys that were used.
type fixture struct {
	*platform.Platform
	c         *client.Client
	up        *platform.Upstream
	good, bad client.Key
}

func outageFixture(t *testing.T, o platform.Options) *fixture {
	t.Helper()
	f := &fixture{Platform: platform.For(t, o), up: platform.NewUpstream("one")}
	platform.NeedRedisServer(t, f.Platform)
	t.Cleanup(f.up.Close)
	ctx := t.Context()
	f.c = f.Client(0)
	testenv.Must(f.c.Create(ctx, "apis", definition("Open", "/open/", f.up.URL, map[string]any{"open": true})))(t)
	saved := testenv.Must(f.c.Create(ctx, "apis", definition("Keyed", "/keyed/", f.up.URL, byKey)))(t)
	f.good, f.bad = f.key(t, "good"), f.key(t, "bad")
	f.Live(t, saved.Revision, 5*time.Second)
	for _, g := range f.Gateways {
		within(t, 5*time.Second, g, "/open/x", "", 200, "the open API")
		within(t, 5*time.Second, g, "/keyed/x", f.good.Secret, 200, "a good key")
		within(t, 5*time.Second, g, "/keyed/x", f.bad.Secret, 200, "a key before its revocation")
	}
	return f
}

func (f *fixture) key(t *testing.T, alias string) client.Key {
	t.Helper()
	return testenv.Must(f.c.CreateKey(t.Context(), map[string]any{"alias": alias, "rights": []any{map[string]string{"api": "*"}}}))(t)
}

// watch calls with a revoked key all the time, until the function that it returns is called: no
// gateway may ever let it through.
func (f *fixture) watch(t *testing.T, key string) (end func()) {
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	counts := make([]map[int]int, len(f.Gateways))
	for i, g := range f.Gateways {
		counts[i] = map[int]int{}
		work.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
				status, _ := call(g, "/keyed/x", key)
				counts[i][status]++
			}
		})
	}
	return func() {
		stop()
		work.Wait()
		for i, c := range counts {
			if c[200] > 0 {
				t.Errorf("%s let a revoked key through %d times: %v", f.Gateways[i].Name, c[200], c)
			}
			if c[401] == 0 {
				t.Errorf("%s never refused the revoked key: %v", f.Gateways[i].Name, c)
			}
		}
		t.Logf("answers to a revoked key by status: %v", counts)
	}
}

// rootIs waits until the root in Redis is that of the newest revision.
func (f *fixture) rootIs(t *testing.T, generation int64, d time.Duration) {
	t.Helper()
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{f.Redis.Addr}}))(t)
	defer func() { _ = rdb.Close() }()
	testenv.EventuallyNoError(t, d, func() error {
		root, _, err := publish.NewReader(rdb, f.Keys, "default").Root(t.Context())
		if err == nil && root.Generation != generation {
			err = fmt.Errorf("the root in Redis is of generation %d, want %d", root.Generation, generation)
		}
		return err
	})
}

// TestFaultRedisLosesItsData: emptied, and put back to an older copy.
func TestFaultRedisLosesItsData(t *testing.T) {
	f := outageFixture(t, platform.Options{Gateways: []string{"default", "default"}})
	ctx := t.Context()
	older := testenv.Must(f.Redis.Dump(ctx))(t)

	// all this is not in the copy
	if err := f.c.RevokeKey(ctx, f.bad.ID); err != nil {
		t.Fatal(err)
	}
	for _, g := range f.Gateways {
		within(t, time.Second, g, "/keyed/x", f.bad.Secret, 401, "a revoked key")
	}
	later := f.key(t, "later")
	saved := testenv.Must(f.c.Create(ctx, "apis", definition("Later", "/later/", f.up.URL, byKey)))(t)
	f.Live(t, saved.Revision, 5*time.Second)
	newest := saved.Revision

	for _, loss := range []struct {
		name string
		lose func() error
	}{
		{"emptied", func() error { return f.Redis.Empty(ctx) }},
		{"restored to an older copy", func() error { return f.Redis.Restore(ctx, older) }},
	} {
		t.Run(loss.name, func(t *testing.T) {
			// one that knows nothing of what it saw, but what it kept on its disk
			restarted := f.Gateways[1]
			if err := restarted.Stop(8 * time.Second); err != nil {
				t.Fatal(err)
			}
			end := f.watch(t, f.bad.Secret)
			began := time.Now()
			if err := loss.lose(); err != nil {
				t.Fatal(err)
			}
			if err := restarted.Launch(ctx); err != nil {
				t.Fatal(err)
			}
			f.rootIs(t, newest, 10*time.Second)
			// a gateway that knows nothing has only Redis to ask
			fresh := testenv.Must(f.AddGateway(ctx, "default"))(t)
			for _, g := range f.Gateways {
				left := max(10*time.Second-time.Since(began), time.Millisecond)
				within(t, left, g, "/later/x", later.Secret, 200, "a key made after the copy")
				within(t, left, g, "/open/x", "", 200, "the open API")
				within(t, left, g, "/keyed/x", f.good.Secret, 200, "a good key")
			}
			t.Logf("everything was back after %s", time.Since(began).Round(time.Millisecond))
			if status, _ := call(fresh, "/keyed/x", f.bad.Secret); status != 401 {
				t.Errorf("a fresh gateway answers %d to the revoked key, want 401", status)
			}
			end()
			newest = f.saveAgain(t)
			if err := fresh.Stop(8 * time.Second); err != nil {
				t.Error(err)
			}
			f.Gateways = f.Gateways[:len(f.Gateways)-1]
		})
	}
}

// saveAgain checks that a change is published as before.
func (f *fixture) saveAgain(t *testing.T) int64 {
	t.Helper()
	saved := testenv.Must(f.c.Patch(t.Context(), "apis", "open", map[string]any{"description": time.Now().String()}, "*"))(t)
	f.Live(t, saved.Revision, 5*time.Second)
	return saved.Revision
}

// TestFaultEverythingElseGone: a gateway is restarted with dashboard, store and Redis gone.
func TestFaultEverythingElseGone(t *testing.T) {
	f := outageFixture(t, platform.Options{})
	ctx, g := t.Context(), f.Gateways[0]
	if err := f.c.RevokeKey(ctx, f.bad.ID); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, g, "/keyed/x", f.bad.Secret, 401, "a revoked key")
	unseen := f.key(t, "unseen")

	f.Dashboards[0].Kill()
	if err := os.Rename(f.StorePath(), f.StorePath()+".away"); err != nil {
		t.Fatal(err)
	}
	f.Redis.Kill()
	if err := g.Stop(8 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, g, "/open/x", "", 200, "the open API from disk")
	within(t, 5*time.Second, g, "/keyed/x", f.good.Secret, 200, "a known caller from disk")
	if st := testenv.Must(g.State(ctx))(t); st.Origin != "disk" {
		t.Errorf("the configuration comes from %q, want disk", st.Origin)
	}
	for what, key := range map[string]string{"a key that was never seen": unseen.Secret, "no key at all of ours": "slc_nobody"} {
		if status, retry := call(g, "/keyed/x", key); status != 503 || retry == "" {
			t.Errorf("%s: %d with Retry-After %q, want 503 with one", what, status, retry)
		}
	}
	if status, _ := call(g, "/keyed/x", ""); status != 401 {
		t.Errorf("no key: %d, want 401", status)
	}
	if status, _ := call(g, "/keyed/x", f.bad.Secret); status != 401 {
		t.Errorf("the revoked key: %d, want 401", status)
	}

	// everything comes back by itself
	if err := os.Rename(f.StorePath()+".away", f.StorePath()); err != nil {
		t.Fatal(err)
	}
	if err := f.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Dashboards[0].Start(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, g, "/keyed/x", unseen.Secret, 200, "a key that was never seen, with Redis back")
	within(t, time.Second, g, "/keyed/x", f.bad.Secret, 401, "the revoked key, with Redis back")
	testenv.Eventually(t, 10*time.Second, func() bool {
		st, err := g.State(ctx)
		return err == nil && st.Origin == "live"
	})
	f.saveAgain(t)
}

// TestFaultRedisAway: with Redis gone for a moment known callers go on, and nobody valid gets 401 or 403.
func TestFaultRedisAway(t *testing.T) {
	f := outageFixture(t, platform.Options{})
	ctx, g := t.Context(), f.Gateways[0]
	unseen := f.key(t, "unseen")
	testenv.Must(f.Redis.Dump(ctx))(t)
	l := startLoad(ctx, 8, []string{g.Addr()}, "127.0.0.1", "/open/status/200", 20*time.Millisecond, isOK)
	f.Redis.Kill()
	if status, _ := call(g, "/keyed/x", f.good.Secret); status != 200 {
		t.Errorf("a known caller: %d, want 200", status)
	}
	if status, retry := call(g, "/keyed/x", unseen.Secret); status != 503 || retry == "" {
		t.Errorf("a valid key that this gateway does not know: %d with Retry-After %q, want 503 with one", status, retry)
	}
	_, err := f.c.Patch(ctx, "apis", "open", map[string]any{"description": "without Redis"}, "*")
	t.Logf("saving without Redis: %v", err)
	if code := client.Status(err); err != nil && code != 503 {
		t.Errorf("saving without Redis: %v, want it done with a warning, or 503", err)
	}
	if err := f.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, g, "/keyed/x", unseen.Secret, 200, "the key, with Redis back")
	f.saveAgain(t)
	l.end(t)
	if n := strings.Count(g.Tail(10000), "panic"); n > 0 {
		t.Errorf("%d panics in the gateway's log", n)
	}
}

// TestFaultGatewayJoinsAnOlderRedis: a gateway that comes up between the loss and its repair has asked
// for a key that ended since the copy. It must learn of it with the repair, not when its cache ends.
func TestFaultGatewayJoinsAnOlderRedis(t *testing.T) {
	f := outageFixture(t, platform.Options{})
	ctx := t.Context()
	older := testenv.Must(f.Redis.Dump(ctx))(t)
	if err := f.c.RevokeKey(ctx, f.bad.ID); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, f.Gateways[0], "/keyed/x", f.bad.Secret, 401, "a revoked key")
	if err := f.Redis.Restore(ctx, older); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	fresh := testenv.Must(f.AddGateway(ctx, "default"))(t)
	first, _ := call(fresh, "/keyed/x", f.bad.Secret)
	within(t, 10*time.Second, fresh, "/keyed/x", f.bad.Secret, 401, "a revoked key")
	t.Logf("answered %d at first, refused after %s", first, time.Since(began).Round(time.Millisecond))
}
