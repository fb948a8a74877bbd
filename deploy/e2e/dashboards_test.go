package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/mongodouble"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// eachStore runs f with the options for each store. MongoDB is the server of SLUICE_TEST_MONGODB_URL,
// else the double, which needs Java and Maven.
func eachStore(t *testing.T, f func(t *testing.T, o platform.Options)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, platform.Options{})
	})
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		f(t, platform.Options{MongoDB: mongoURL(t)})
	})
}

// eachStoreAlone is eachStore for tests that want the machine for themselves.
func eachStoreAlone(t *testing.T, f func(t *testing.T, o platform.Options)) {
	t.Run("sqlite", func(t *testing.T) { f(t, platform.Options{}) })
	t.Run("mongodb", func(t *testing.T) { f(t, platform.Options{MongoDB: mongoURL(t)}) })
}

func mongoURL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("SLUICE_TEST_MONGODB_URL"); url != "" {
		return url
	}
	return mongodouble.For(t, mongodouble.Options{}).URL
}

// TestTwoDashboards writes through two dashboards at once.
func TestTwoDashboards(t *testing.T) { eachStore(t, twoDashboards) }

func twoDashboards(t *testing.T, o platform.Options) {
	const objects, changes = 20, 200
	o.Dashboards = 2
	p := platform.For(t, o)
	ctx := t.Context()
	clients := []*client.Client{p.Client(0), p.Client(1)}
	for i := range objects {
		testenv.Must(clients[i%2].Create(ctx, "apis", definition(fmt.Sprintf("Object %d", i), fmt.Sprintf("/object-%d/", i), "http://127.0.0.1:1", map[string]any{"open": true})))(t)
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	stale := 0
	for n := range changes {
		work.Go(func() {
			again, err := addTag(ctx, clients[(n/objects+n)%2], fmt.Sprintf("object-%d", n%objects), fmt.Sprintf("change-%d", n))
			mu.Lock()
			defer mu.Unlock()
			stale += again
			if err != nil {
				failed = append(failed, err)
			}
		})
	}
	work.Wait()
	if len(failed) > 0 {
		t.Fatalf("%d of %d changes failed, such as: %v", len(failed), changes, failed[0])
	}
	t.Logf("%d changes by 2 dashboards at once; %d were stale and made again", changes, stale)
	p.Live(t, objects+changes, 10*time.Second)
	for n := range changes {
		for _, c := range clients {
			var d struct{ Tags []string }
			o := testenv.Must(c.Object(ctx, "apis", fmt.Sprintf("object-%d", n%objects)))(t)
			if err := json.Unmarshal(o.Object, &d); err != nil || !slices.Contains(d.Tags, fmt.Sprintf("change-%d", n)) {
				t.Errorf("change %d is lost: %v", n, d.Tags)
			}
		}
	}
	if newest := consistent(t, p, 10*time.Second); newest != objects+changes {
		t.Errorf("the log has %d revisions, want %d", newest, objects+changes)
	}
}

// addTag reads an object, adds a tag and writes it back with If-Match, until nobody was faster.
func addTag(ctx context.Context, c *client.Client, id, tag string) (stale int, err error) {
	for ; ; stale++ {
		o, err := c.Object(ctx, "apis", id)
		if err != nil {
			return stale, err
		}
		var d map[string]any
		if err := json.Unmarshal(o.Object, &d); err != nil {
			return stale, err
		}
		tags, _ := d["tags"].([]any)
		d["tags"] = append(tags, tag)
		_, err = c.Replace(ctx, "apis", id, d, o.Meta.ETag)
		if client.Status(err) == 412 {
			continue
		}
		return stale, err
	}
}

// consistent checks that the log is gapless and the same for every dashboard, that the views are its
// replay, and that the signed root in Redis and what it names are the newest. Views and roots may take
// a while. It returns the newest revision.
func consistent(t *testing.T, p *platform.Platform, within time.Duration) (newest int64) {
	t.Helper()
	ctx := t.Context()
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{p.Redis.Addr}}))(t)
	defer func() { _ = rdb.Close() }()
	for i, d := range p.Dashboards {
		if !d.Running() {
			continue
		}
		c := p.Client(i)
		testenv.EventuallyNoError(t, within, func() error {
			log, err := c.Revisions(ctx)
			if err != nil {
				return err
			}
			newest = int64(len(log))
			want, err := replay(log)
			if err != nil {
				return err
			}
			if err := viewsAre(ctx, c, want); err != nil {
				return fmt.Errorf("%s: %w", d.Name, err)
			}
			return rootsAre(ctx, publish.NewReader(rdb, p.Keys, "default"), newest, want)
		})
	}
	return newest
}

// last is what the log says of an object.
type last struct {
	sha      string
	revision int64
}

// replay folds the log, which comes newest first, into the objects that are there.
func replay(log []client.Revision) (map[string]last, error) {
	now := map[string]last{}
	for i, r := range slices.Backward(log) {
		if want := int64(len(log) - i); r.Revision != want {
			return nil, fmt.Errorf("the log has revision %d where %d belongs", r.Revision, want)
		}
		for _, ch := range r.Changes {
			id := ch.Kind + "/" + ch.ID
			if now[id].sha != ch.Before {
				return nil, fmt.Errorf("revision %d changes %s from %.8s, but it was %.8s", r.Revision, id, ch.Before, now[id].sha)
			}
			now[id] = last{ch.After, r.Revision}
			if ch.After == "" {
				delete(now, id)
			}
		}
	}
	return now, nil
}

func viewsAre(ctx context.Context, c *client.Client, want map[string]last) error {
	kinds := map[string]string{"api": "apis", "policy": "policies"}
	for id, w := range want {
		kind, name := filepath.Split(id)
		o, err := c.Object(ctx, kinds[kind[:len(kind)-1]], name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(o.Object)
		if got := hex.EncodeToString(sum[:]); got != w.sha || o.Meta.SHA256 != w.sha || o.Meta.Revision != w.revision {
			return fmt.Errorf("%s is %.8s of revision %d, the log says %.8s of revision %d", id, got, o.Meta.Revision, w.sha, w.revision)
		}
	}
	return nil
}

func rootsAre(ctx context.Context, r *publish.Reader, newest int64, want map[string]last) error {
	root, _, err := r.Root(ctx)
	if err != nil {
		return err
	}
	if root.Generation != newest {
		return fmt.Errorf("the root in Redis has generation %d, the log %d", root.Generation, newest)
	}
	items, _, _, err := r.Fetch(ctx, root, func(string) ([]byte, bool) { return nil, false })
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, i := range items {
		got[i.Kind+"/"+i.ID] = i.SHA
	}
	named := map[string]string{}
	for id, w := range want {
		named[id] = w.sha
	}
	if !maps.Equal(got, named) {
		return fmt.Errorf("the root names %v, the log %v", got, named)
	}
	return nil
}

// TestFaultDashboardKilled kills a dashboard at each step of a publication, as kill -9 does. Another
// one, or the same one started again, must bring everything to the newest revision by itself.
func TestFaultDashboardKilled(t *testing.T) {
	binary := testenv.Must(platform.BuildFailpoint(t.Context(), t.TempDir()))(t)
	eachStore(t, func(t *testing.T, o platform.Options) {
		o.Dashboard, o.Dashboards = binary, 2
		dashboardKilled(t, o)
	})
}

func dashboardKilled(t *testing.T, o platform.Options) {
	p := platform.For(t, o)
	ctx := t.Context()
	victim, other := p.Dashboards[0], p.Dashboards[1]
	file := filepath.Join(t.TempDir(), "failpoint")
	if err := victim.Stop(8 * time.Second); err != nil {
		t.Fatal(err)
	}
	victim.Env = append(victim.Env, "SLUICE_FAILPOINT="+file)
	if err := victim.Start(ctx); err != nil {
		t.Fatal(err)
	}
	testenv.Must(p.Client(0).Create(ctx, "apis", definition("Victim", "/victim/", "http://127.0.0.1:1", map[string]any{"open": true})))(t)
	newest := consistent(t, p, 10*time.Second)

	steps := []string{"contents", "append", "view", "views", "mark", "roots", "notices"}
	for round, heal := range []string{"healed by the other", "healed by its own start"} {
		if round == 1 {
			if err := other.Stop(8 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range steps {
			t.Run(step+" "+heal, func(t *testing.T) {
				newest = killedAt(t, p, file, step, round == 1, newest)
			})
			if t.Failed() {
				t.Fatalf("the dashboards after the failure:\n%s", p.Logs(20))
			}
		}
	}
}

// killedAt lets the first dashboard die at a step of a change and checks how it heals; alone tells that
// there is no other dashboard. It returns the newest revision.
func killedAt(t *testing.T, p *platform.Platform, file, step string, alone bool, newest int64) int64 {
	ctx, victim := t.Context(), p.Dashboards[0]
	if err := os.WriteFile(file, []byte(step), 0o600); err != nil {
		t.Fatal(err)
	}
	note := fmt.Sprintf("%s of %d", step, newest)
	_, err := p.Client(0).Patch(ctx, "apis", "victim", map[string]any{"description": note}, "*")
	if err == nil || client.Status(err) != 0 {
		t.Fatalf("the dashboard did not die at %s: %v", step, err)
	}
	select {
	case <-victim.Exited():
	case <-time.After(5 * time.Second):
		t.Fatalf("the dashboard goes on after %s", step)
	}
	began := time.Now()
	if alone {
		if err := victim.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	got := consistent(t, p, 10*time.Second)
	want := newest + 1
	if step == "contents" {
		want = newest // it died before the revision was in the log: the change never was
	}
	if got != want {
		t.Errorf("the log has %d revisions, want %d", got, want)
	}
	p.Live(t, want, 10*time.Second-time.Since(began))
	t.Logf("healed after %s", time.Since(began).Round(time.Millisecond))
	if !alone {
		if err := victim.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// and the next change is as any other
	if saved := testenv.Must(p.Client(0).Patch(ctx, "apis", "victim", map[string]any{"description": "after " + note}, "*"))(t); saved.Revision != want+1 {
		t.Errorf("the next revision is %d, want %d", saved.Revision, want+1)
	}
	p.Live(t, want+1, 5*time.Second)
	return want + 1
}
