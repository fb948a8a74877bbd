package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// dashboardCommand runs a command of the first dashboard with its settings and returns what it printed.
func (f *fixture) dashboardCommand(t *testing.T, args ...string) (said []byte, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), platform.Binary("sluice-dashboard"), args...)
	cmd.Env = append([]string{"SLUICE_BACKUP_PASSPHRASE=a passphrase for tests"}, f.Dashboards[0].Env...)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	said, err = cmd.Output()
	if wrong.Len() > 0 {
		t.Logf("%s: %s", strings.Join(args, " "), wrong.String())
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, wrong.String())
	}
	return said, err
}

// lose ends the dashboards and takes their store and keys away, as if their machine were gone.
func (f *fixture) lose(t *testing.T, to string) {
	t.Helper()
	for _, d := range f.Dashboards {
		if err := d.Stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(f.StorePath() + "*")
	if err != nil || len(left) == 0 {
		t.Fatalf("no store: %v", err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(left, filepath.Join(filepath.Dir(f.StorePath()), "keys")) {
		if err := os.Rename(path, filepath.Join(to, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestore: the dashboard's machine is lost, and comes back from a backup that is older than what
// gateways run. They follow to the lower generation; what was revoked since stays refused.
func TestRestore(t *testing.T) {
	f := outageFixture(t, platform.Options{Gateways: []string{"default", "default"}})
	ctx := t.Context()
	before := testenv.Must(f.Gateways[0].State(ctx))(t)
	file := filepath.Join(t.TempDir(), "all.bak")
	testenv.Must(f.dashboardCommand(t, "backup", file))(t)

	// all this is not in the backup
	if err := f.c.RevokeKey(ctx, f.bad.ID); err != nil {
		t.Fatal(err)
	}
	later := f.key(t, "later")
	testenv.Must(f.c.Create(ctx, "apis", definition("Later", "/later/", f.up.URL, map[string]any{"open": true})))(t)
	saved := testenv.Must(f.c.Patch(ctx, "apis", "open", map[string]any{"listen": map[string]any{"path": "/moved/"}}, "*"))(t)
	f.Live(t, saved.Revision, 5*time.Second)
	for _, g := range f.Gateways {
		within(t, time.Second, g, "/keyed/x", f.bad.Secret, 401, "a revoked key")
		within(t, time.Second, g, "/later/x", "", 200, "an API made after the backup")
	}

	for i, c := range []struct {
		name  string
		redis bool // answers while the backup is restored
	}{{"with Redis", true}, {"while Redis is away", false}} {
		t.Run(c.name, func(t *testing.T) {
			end := f.watch(t, f.bad.Secret)
			f.lose(t, filepath.Join(t.TempDir(), fmt.Sprint("lost-", i)))
			if !c.redis {
				testenv.Must(f.Redis.Dump(ctx))(t)
				f.Redis.Kill()
			}
			var restored struct{ Epoch, Revisions, Revoked, Adopted int64 }
			said := testenv.Must(f.dashboardCommand(t, "restore", file, "--json"))(t)
			if err := json.Unmarshal(said, &restored); err != nil {
				t.Fatalf("restore said %q: %v", said, err)
			}
			if restored.Revisions != before.Generation || (restored.Revoked == 1) != c.redis || (restored.Adopted == 1) != c.redis {
				t.Errorf("restored %+v, want %d revisions", restored, before.Generation)
			}
			if !c.redis {
				if err := f.Redis.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := f.Dashboards[0].Start(ctx); err != nil {
				t.Fatal(err)
			}
			fresh := testenv.Must(f.AddGateway(ctx, "default"))(t)
			for _, g := range f.Gateways {
				testenv.EventuallyNoError(t, 10*time.Second, func() error {
					st, err := g.State(ctx)
					if err == nil && (st.Epoch != restored.Epoch || st.Generation != before.Generation) {
						err = fmt.Errorf("%s runs generation %d of epoch %d, want %d of %d", g.Name, st.Generation, st.Epoch, before.Generation, restored.Epoch)
					}
					return err
				})
				within(t, time.Second, g, "/open/x", "", 200, "the open API where it was")
				within(t, time.Second, g, "/moved/x", "", 404, "where the open API was moved to")
				within(t, time.Second, g, "/later/x", "", 404, "an API made after the backup")
				within(t, 10*time.Second, g, "/keyed/x", f.good.Secret, 200, "a good key")
			}
			t.Logf("all gateways followed %s after the dashboard's start", time.Since(began).Round(time.Millisecond))
			within(t, time.Second, fresh, "/keyed/x", f.bad.Secret, 401, "the revoked key at a fresh gateway")
			end()
			var key struct{ State string }
			if err := f.c.Get(ctx, "/keys/"+f.bad.ID, &key); err != nil || (key.State == "revoked") != c.redis {
				t.Errorf("the revoked key is %q in the console, %v", key.State, err)
			}
			if c.redis {
				within(t, time.Second, fresh, "/keyed/x", later.Secret, 200, "a key made after the backup")
				if err := f.c.RevokeKey(ctx, later.ID); err != nil {
					t.Fatal(err)
				}
				within(t, time.Second, fresh, "/keyed/x", later.Secret, 401, "that key, once it is revoked")
			}
			f.saveAgain(t)
			if err := fresh.Stop(8 * time.Second); err != nil {
				t.Error(err)
			}
			f.Gateways = f.Gateways[:len(f.Gateways)-1]
			before.Generation = restored.Revisions
		})
	}
}
