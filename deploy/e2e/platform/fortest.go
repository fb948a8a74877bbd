package platform

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// For starts a platform for one test and stops it at the test's end; when the test has failed the ends
// of all logs are shown.
func For(t testing.TB, o Options) *Platform {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Logs(30))
		}
		if err := p.Stop(); err != nil && !t.Failed() {
			t.Errorf("at the end: %v\n%s", err, p.Logs(5))
		}
	})
	return p
}

// NeedRedisServer skips a test that the embedded Redis cannot serve; see testenv.Missing.
func NeedRedisServer(t testing.TB, p *Platform) {
	t.Helper()
	if !p.Redis.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one cannot be stopped or restored")
	}
}

// Live waits until every running gateway serves a generation or a newer one.
func (p *Platform) Live(t testing.TB, generation int64, within time.Duration) {
	t.Helper()
	for _, g := range p.Gateways {
		if !g.Running() {
			continue
		}
		var last State
		err := until(t.Context(), within, func() error {
			var err error
			if last, err = g.State(t.Context()); err != nil {
				return err
			}
			if last.Generation < generation {
				return errNotYet
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s has generation %d (%s, %q), not %d: %v", g.Name, last.Generation, last.Origin, last.Error, generation, err)
		}
	}
}
