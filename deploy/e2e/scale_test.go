package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// scale is how much there is: SLUICE_SCALE, such as 5000,100000 for a large installation.
type scale struct{ apis, keys int }

func scaleOf(t *testing.T) scale {
	t.Helper()
	s := scale{200, 1_000}
	if text := os.Getenv("SLUICE_SCALE"); text != "" {
		if n, err := fmt.Sscanf(text, "%d,%d", &s.apis, &s.keys); n != 2 || err != nil || s.apis < 50 || s.keys < 50 {
			t.Fatalf("SLUICE_SCALE is %q; write the numbers of APIs and keys, at least 50 each, such as 5000,100000", text)
		}
	}
	return s
}

// figures are how long one thing took, many times.
type figures []time.Duration

func (f figures) at(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(f))
	return sorted[int(q*float64(len(sorted)-1))].Round(100 * time.Microsecond)
}

// TestSoakScale fills a platform by its REST API and measures what people wait for: lists open in less
// than a second, searches answer in less than 200 ms. What is over is said and fails nothing: speed is
// judged by hand, on a quiet machine. MongoDB is measured where SLUICE_TEST_MONGODB_URL
// names a server: how fast a double is says nothing.
func TestSoakScale(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { measureScale(t, platform.Options{}) })
	if server := os.Getenv("SLUICE_TEST_MONGODB_URL"); server != "" {
		t.Run("mongodb", func(t *testing.T) { measureScale(t, platform.Options{MongoDB: server}) })
	}
}

func measureScale(t *testing.T, o platform.Options) {
	size := scaleOf(t)
	o.Gateways = []string{} // they come when all is there
	p := platform.For(t, o)
	ctx, c := t.Context(), p.Client(0)
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	fill(t, c, size, up.URL)

	for range 3 {
		began := time.Now()
		g := testenv.Must(p.AddGateway(ctx, "default"))(t)
		t.Logf("%s is ready after %s", g.Name, time.Since(began).Round(time.Millisecond))
	}
	measureReads(t, c, size)
	measureSaves(t, p)
	for _, s := range slices.Concat(p.Dashboards, p.Gateways) {
		t.Logf("%s has %s resident, %.1f MiB of heap in use", s.Name, resident(t, s.PID()), footprintOf(t, s.Admin).bytes/(1<<20))
	}
	t.Run("browser", func(t *testing.T) { measureConsole(t, p) })
}

// fill makes APIs and keys, some with Korean names, tags, their own domain, or disabled.
func fill(t *testing.T, c *client.Client, size scale, upstream string) {
	t.Helper()
	words := []string{"Orders", "Payments", "주문", "결제 승인", "Inventory", "Shipping", "고객", "Reports", "Search", "Accounts"}
	began := time.Now()
	each(t, 4, size.apis, func(ctx context.Context, i int) error {
		path := fmt.Sprintf("/team-%d/service-%d/", i%97, i)
		d := definition(fmt.Sprintf("%s %d", words[i%len(words)], i), path, upstream, map[string]any{"any": []any{map[string]any{"key": map[string]any{}}}})
		d["id"] = fmt.Sprintf("api-%05d", i)
		d["tags"] = []string{fmt.Sprintf("team-%d", i%97)}
		if i%20 == 19 {
			d["state"] = "disabled"
		}
		_, err := c.Create(ctx, "apis", d)
		return err
	})
	t.Logf("%d APIs in %s", size.apis, time.Since(began).Round(100*time.Millisecond))
	began = time.Now()
	each(t, 8, size.keys, func(ctx context.Context, i int) error {
		_, err := c.CreateKey(ctx, map[string]any{
			"alias": fmt.Sprintf("%s client %d", words[i%len(words)], i), "owner": fmt.Sprintf("owner-%d@example.org", i%1013),
			"rights": []any{map[string]any{"api": fmt.Sprintf("api-%05d", i%size.apis)}},
		})
		return err
	})
	t.Logf("%d keys in %s", size.keys, time.Since(began).Round(100*time.Millisecond))
}

// each runs f for 0 to n-1, some at a time.
func each(t *testing.T, workers, n int, f func(ctx context.Context, i int) error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
}

// measureReads asks every question of the lists, and holds them to their budgets.
func measureReads(t *testing.T, c *client.Client, size scale) {
	t.Helper()
	const list, search = time.Second, 200 * time.Millisecond
	q := func(path, text string) string { return path + "?q=" + url.QueryEscape(text) }
	middle := fmt.Sprintf("service-%d/", size.apis/2)
	for _, at := range []struct {
		path   string
		within time.Duration
	}{
		{"/apis?sort=name", list},
		{"/apis?sort=-updated", list},
		{"/apis?state=disabled", search},
		{"/apis?tag=team-7", search},
		{q("/apis", "o"), search},
		{q("/apis", "orders"), search},
		{q("/apis", "결제"), search},
		{q("/apis", "ㄱ"), search},
		{q("/apis", middle), search},
		{q("/apis", "nowhere at all"), search},
		{fmt.Sprintf("/apis/availability?domain=127.0.0.1&path=/team-1/service-%d/", size.apis+1), search},
		{"/apis/availability?domain=127.0.0.1&path=/team-0/service-0/", search},
		{"/keys", list},
		{"/keys?state=active", list},
		{"/keys?api=api-00007", search},
		{q("/keys", "o"), search},
		{q("/keys", "orders"), search},
		{q("/keys", "결제"), search},
		{q("/keys", fmt.Sprintf("client %d", size.keys/2)), search},
		{q("/keys", "owner-77@"), search},
		{q("/keys", "nowhere at all"), search},
		{"/revisions", list},
	} {
		var took figures
		for range 21 {
			began := time.Now()
			if err := c.Get(t.Context(), at.path, nil); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		text, _ := url.QueryUnescape(at.path)
		t.Logf("GET %-60s p50 %8s  p95 %8s", text, took.at(0.5), took.at(0.95))
		if took.at(0.95) > at.within {
			t.Logf("OVER BUDGET: GET %s: p95 is %s, more than %s", text, took.at(0.95), at.within)
		}
	}
}

// measureSaves replaces an API, from the request to the last acknowledgement.
func measureSaves(t *testing.T, p *platform.Platform) {
	t.Helper()
	ctx, c := t.Context(), p.Client(0)
	var answered, live figures
	for i := range 21 {
		o := testenv.Must(c.Object(ctx, "apis", "api-00042"))(t)
		text := strings.Replace(string(o.Object), `"name":"`, fmt.Sprintf(`"name":"%d `, i), 1)
		began := time.Now()
		saved := testenv.Must(c.Replace(ctx, "apis", "api-00042", text, "*"))(t)
		answered = append(answered, time.Since(began))
		testenv.Must(c.AwaitApplied(ctx, saved.Revision, len(p.Gateways), 20*time.Second))(t)
		live = append(live, time.Since(began))
	}
	t.Logf("PUT /apis/{id}: answered p50 %s  p95 %s; by %d gateways p50 %s  p95 %s", answered.at(0.5), answered.at(0.95), len(p.Gateways), live.at(0.5), live.at(0.95))
	if live.at(0.95) > time.Second {
		t.Logf("OVER BUDGET: a save is live after %s, more than 1 s", live.at(0.95))
	}
}

// resident is the memory of a process, as Linux tells it.
func resident(t *testing.T, pid int) string {
	t.Helper()
	text := testenv.Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t)
	for line := range strings.Lines(string(text)) {
		if rss, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rss)
		}
	}
	return "unknown memory"
}

// measureConsole opens the lists in a real browser; see web/browser/scale.mjs.
func measureConsole(t *testing.T, p *platform.Platform) {
	web := testenv.Must(filepath.Abs("../../web"))(t)
	node, err := exec.LookPath("node")
	if err != nil {
		testenv.Missing(t, "node", "install Node")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(t, "chromium", "install Chromium")
	}
	if _, err := os.Stat(filepath.Join(web, "node_modules", "playwright-core")); err != nil {
		testenv.Missing(t, "console", "run `make console`, which installs what drives the browser")
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(web, "browser", "scale.mjs"))
	cmd.Env = append(os.Environ(), "SLUICE_CHROMIUM="+chromium, "SLUICE_CONSOLE_URL="+p.Dashboards[0].URL, "SLUICE_LOGIN="+p.Login, "SLUICE_PASSWORD="+p.Password)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
