package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// joining makes a host with a settings file that nobody has edited.
func joining(t *testing.T, p *platform.Platform, kind, name string) *platform.Join {
	t.Helper()
	j := p.NewJoin(kind, name)
	if err := os.MkdirAll(filepath.Dir(j.File()), 0o700); err != nil {
		t.Fatal(err)
	}
	sample := testenv.Must(os.ReadFile(filepath.Join("..", "config", kind+".yaml")))(t)
	if err := os.WriteFile(j.File(), sample, 0o644); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestJoinedByThePrintedCommand brings a gateway, a pump and a second dashboard up on hosts that have
// nothing but their programs, the packaged samples, and what node-token printed.
func TestJoinedByThePrintedCommand(t *testing.T) {
	p := platform.For(t, platform.Options{Gateways: []string{}})
	ctx := t.Context()
	for _, kind := range []string{"gateway", "pump", "dashboard"} {
		j := joining(t, p, kind, "joined-"+kind)
		line := testenv.Must(p.NodeToken(ctx, kind, "--name", "edge-"+kind, "--ttl", "10m"))(t)
		if !strings.HasPrefix(line, "sluice-"+kind+" join slj_") {
			t.Fatalf("printed %q", line)
		}
		if said, err := j.Run(ctx, line); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if said, err := j.Run(ctx, line); err != nil || !strings.Contains(said, "was not used") || !strings.Contains(said, "settings are complete") {
			t.Errorf("the same line again: %v: %s", err, said)
		}
		if _, err := os.Stat(filepath.Join(j.Keys(), "signing.key")); (err == nil) != (kind == "dashboard") {
			t.Errorf("%s and the signing key: %v", kind, err)
		}
		if k := testenv.Must(trust.LoadNode(j.Keys()))(t); k.Fingerprint() != p.Keys.Fingerprint() {
			t.Errorf("%s has other keys", kind)
		}
		if _, err := j.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}

	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	second := client.New(p.Dashboards[1].URL).WithToken(p.Token) // the one that joined publishes
	saved := testenv.Must(second.Create(ctx, "apis", definition("Joined", "/joined/", up.URL, map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	resp := testenv.Must(http.Get(p.Gateways[0].URL + "/joined/x"))(t)
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d, %v", resp.StatusCode, err)
	}
	testenv.Eventually(t, 10*time.Second, func() bool {
		nodes, err := p.Client(0).Gateways(ctx)
		return err == nil && slices.ContainsFunc(nodes, func(n client.Node) bool { return n.Name == "edge-gateway" })
	})
}

// TestOneTokenForManyHosts runs one printed line on several hosts at once.
func TestOneTokenForManyHosts(t *testing.T) {
	p := platform.For(t, platform.Options{Gateways: []string{}})
	ctx := t.Context()
	line := testenv.Must(p.NodeToken(ctx, "gateway"))(t)
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		won  int
		said []string
	)
	hosts := make([]*platform.Join, 5)
	for i := range hosts {
		hosts[i] = joining(t, p, "gateway", "host-"+string(rune('a'+i)))
		all.Go(func() {
			text, err := hosts[i].Run(ctx, line)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !strings.Contains(text, "join.used"):
				t.Errorf("%v: %s", err, text)
			}
			said = append(said, text)
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d hosts have the keys: %q", won, said)
	}
	for _, broken := range []string{line[:len(line)-9], strings.Replace(line, "slj_A", "slj_B", 1), line + "AA"} {
		if text, err := joining(t, p, "gateway", "late").Run(ctx, broken); err == nil || !strings.Contains(text, "join.malformed") {
			t.Errorf("%s: %v: %s", broken, err, text)
		}
	}
	if text, err := joining(t, p, "pump", "wrong").Run(ctx, strings.Replace(line, "sluice-gateway", "sluice-pump", 1)); err == nil || !strings.Contains(text, "sluice-gateway join") {
		t.Errorf("%v: %s", err, text)
	}
}
