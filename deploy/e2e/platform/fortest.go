package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// Main builds the binaries, runs a package's tests and returns the process's exit status. SLUICE_E2E_BIN
// names a folder of ready binaries.
func Main(m *testing.M) int {
	redisdb.LogTo(slog.New(slog.DiscardHandler)) // a Redis that is not there yet, or taken away, is no news here
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

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
		if err := p.dropDatabase(context.WithoutCancel(t.Context())); err != nil {
			t.Logf("the database of the test is left behind: %v", err)
		}
	})
	return p
}

// dropDatabase frees what the test took of a MongoDB that others use too.
func (p *Platform) dropDatabase(ctx context.Context) error {
	if p.o.MongoDB == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	db, end, err := mongodb.Open(ctx, mongodb.Config{URL: config.Secret(p.o.MongoDB), Database: p.Database})
	if err != nil {
		return err
	}
	return errors.Join(db.Drop(ctx), end(ctx))
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
