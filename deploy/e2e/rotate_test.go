package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// traffic calls all gateways, and changes an API by all dashboards in turn, until it is stopped. A
// failed call or change fails the test.
func traffic(t *testing.T, p *platform.Platform, path string, dashboards []*client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var calls, changes atomic.Int64
	for _, g := range p.Gateways {
		for range 2 {
			all.Go(func() {
				for ctx.Err() == nil {
					if err := visit(ctx, g.URL+path); err != nil && ctx.Err() == nil {
						t.Errorf("%s: %v", g.Name, err)
						return
					}
					calls.Add(1)
				}
			})
		}
	}
	all.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			patch := map[string]any{"description": fmt.Sprint("change ", i)}
			if _, err := dashboards[i%len(dashboards)].Patch(ctx, "apis", "rotated", patch, "*"); err != nil && ctx.Err() == nil {
				t.Errorf("change %d: %v", i, err)
				return
			}
			changes.Add(1)
		}
	})
	return func() {
		cancel()
		all.Wait()
		t.Logf("%d calls and %d changes without a failure", calls.Load(), changes.Load())
	}
}

func visit(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}

// TestSigningKeyIsRotatedUnderLoad rotates while two dashboards with key folders of their own publish
// and two gateways serve; a third gateway is away all the time.
func TestSigningKeyIsRotatedUnderLoad(t *testing.T) {
	p := platform.For(t, platform.Options{Gateways: []string{"default", "default", "default"}})
	ctx := t.Context()
	second := joining(t, p, "dashboard", "second")
	if said, err := second.Run(ctx, testenv.Must(p.NodeToken(ctx, "dashboard"))(t)); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if _, err := second.Start(ctx); err != nil {
		t.Fatal(err)
	}
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	clients := []*client.Client{p.Client(0), p.Client(1)}
	saved := testenv.Must(clients[0].Create(ctx, "apis", definition("Rotated", "/rotated/", up.URL, map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	away := p.Gateways[2]
	if err := away.Stop(8 * time.Second); err != nil {
		t.Fatal(err)
	}
	old := p.Keys.Sign("root", []byte("x"))
	keysOf := func(g *platform.Service) *trust.Keys {
		return testenv.Must(trust.LoadNode(filepath.Join(filepath.Dir(p.StorePath()), g.Name, "keys")))(t)
	}

	serving := p.Gateways[:2]
	all := p.Gateways
	p.Gateways = serving
	stop := traffic(t, p, "/rotated/x", clients)
	said, err := p.Rotate(ctx)
	if err != nil || !strings.Contains(said, "all 2 gateways") || !strings.Contains(said, "--finish") {
		t.Errorf("%v: %s", err, said)
	}
	for _, g := range serving {
		testenv.Eventually(t, 5*time.Second, func() bool { return keysOf(g).Rotating() })
		if k := keysOf(g); !k.Knows(old) {
			t.Errorf("%s does not know the old key any more", g.Name)
		}
	}
	// The second dashboard hears of it from Redis, and nobody hands it anything.
	testenv.Eventually(t, 15*time.Second, func() bool {
		k, err := trust.LoadDashboard(second.Keys())
		return err == nil && k.Rotating()
	})
	said, err = p.Rotate(ctx, "--finish")
	if err != nil || !strings.Contains(said, "counts no more") {
		t.Errorf("%v: %s", err, said)
	}
	for _, g := range serving {
		testenv.Eventually(t, 5*time.Second, func() bool { return !keysOf(g).Knows(old) })
	}
	testenv.Eventually(t, 15*time.Second, func() bool {
		k, err := trust.LoadDashboard(second.Keys())
		return err == nil && !k.Rotating() && !k.Knows(old)
	})
	stop()
	p.Gateways = all

	if err := away.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		saved := testenv.Must(c.Patch(ctx, "apis", "rotated", map[string]any{"description": "at the end"}, "*"))(t)
		p.Live(t, saved.Revision, 10*time.Second)
	}
	if keysOf(away).Knows(old) {
		t.Error("the gateway that was away believes the old key still")
	}
	// All start again with what they saved.
	for _, s := range append(p.Dashboards[:2:2], p.Gateways...) {
		if err := s.Stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	saved = testenv.Must(p.Client(1).Patch(ctx, "apis", "rotated", map[string]any{"description": "after the restart"}, "*"))(t)
	p.Live(t, saved.Revision, 10*time.Second)
}
