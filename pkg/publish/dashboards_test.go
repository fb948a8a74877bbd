package publish

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestConcurrentDashboardsAgree lets several dashboards publish the same log at
// their own pace, skipping revisions at random.
func TestConcurrentDashboardsAgree(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		const revisions, dashboards = 120, 3
		rnd := rand.New(rand.NewPCG(1, 2))
		type change struct{ id, text string } // no text: deleted
		log := make([]change, revisions+1)
		want := map[string]string{}
		for n := 1; n <= revisions; n++ {
			// Few ids and few texts, so that texts are dropped and named again.
			c := change{fmt.Sprint("api-", rnd.IntN(12)), fmt.Sprint("text ", rnd.IntN(10))}
			if rnd.IntN(5) == 0 {
				c.text = ""
				delete(want, c.id)
			} else {
				want[c.id] = c.text
			}
			log[n] = c
		}
		k := newKeys(t)
		var wg sync.WaitGroup
		for d := range dashboards {
			wg.Add(1)
			go func() {
				defer wg.Done()
				rnd := rand.New(rand.NewPCG(3, uint64(d)))
				w := newWorld(t, s.Client(), k, "a", "b")
				for n := 1; n <= revisions; n++ {
					if c := log[n]; c.text != "" {
						w.set(c.id, c.text)
					} else {
						for _, tree := range w.trees {
							tree.Delete("default", "api", c.id)
						}
					}
					if n < revisions && rnd.IntN(3) == 0 {
						continue
					}
					_, err := w.w.Publish(t.Context(), w.compose(1, int64(n)))
					if fault.Is(err, "publish.incomplete") {
						for _, tree := range w.trees {
							tree.MarkAll()
						}
						_, err = w.w.Publish(t.Context(), w.compose(1, int64(n)))
					}
					if err != nil {
						t.Errorf("dashboard %d, revision %d: %v", d, n, err)
						return
					}
					for _, tree := range w.trees {
						tree.Commit()
					}
				}
			}()
		}
		wg.Wait()
		rdb := s.Client()
		for _, g := range []string{"a", "b"} {
			if h, got := fetch(t, rdb, k, g); h.Generation != revisions || !maps.Equal(got, want) {
				t.Errorf("group %s at %+v: %v, want %v", g, h, got, want)
			}
		}
		for _, text := range want {
			if d := ttl(t, rdb, text); d != forGood {
				t.Errorf("the named %q lives %v", text, d)
			}
		}
		for n := range 10 {
			text := fmt.Sprint("text ", n)
			if d := ttl(t, rdb, text); d == forGood && !slices.Contains(slices.Collect(maps.Values(want)), text) {
				t.Errorf("%q is named by no root, yet stays for good", text)
			}
		}
	})
}

func TestInconsistentUpdatesAreRefused(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	w.set("x", "one")
	for name, c := range map[string]struct {
		change func(*Update)
		code   fault.Code
	}{
		"no roots":           {func(u *Update) { u.Roots = nil }, "publish.invalid"},
		"another generation": {func(u *Update) { u.Generation = 9 }, "publish.invalid"},
		"a group twice":      {func(u *Update) { u.Roots = append(u.Roots, u.Roots[0]) }, "publish.invalid"},
		"a wrong hash":       {func(u *Update) { u.Contents[hexSum(nil)] = []byte("x") }, "publish.invalid"},
		"a dropped word":     {func(u *Update) { u.Dropped = []string{"x"} }, "publish.invalid"},
		"beyond exactness":   {func(u *Update) { u.Generation = 1 << 60; u.Roots[0].Generation = 1 << 60 }, "publish.invalid"},
		"a huge content": {func(u *Update) {
			b := make([]byte, MaxContent+1)
			u.Contents[hexSum(b)] = b
		}, "publish.too_large"},
	} {
		u := w.compose(1, 1)
		c.change(&u)
		if ok, err := w.w.Publish(t.Context(), u); ok || !fault.Is(err, c.code) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if n, err := rdb.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys were written, %v", n, err)
	}
}

func TestRedisAwayIsUnavailable(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb, k := s.Client(), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	w.set("x", "one")
	u := w.compose(1, 1)
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := w.w.Publish(ctx, u)
	wantCode(t, err, "publish.unavailable")
	r := NewReader(rdb, k, "g")
	_, err = r.Head(ctx)
	wantCode(t, err, "publish.unavailable")
	_, _, err = r.Root(ctx)
	wantCode(t, err, "publish.unavailable")
	_, _, _, err = r.Fetch(ctx, u.Roots[0], nil)
	wantCode(t, err, "publish.unavailable")
	_, err = w.w.Missing(ctx, []string{hexSum(nil)})
	wantCode(t, err, "publish.unavailable")
	_, err = w.w.Strays(ctx, func(string) bool { return true })
	wantCode(t, err, "publish.unavailable")
}

func TestRotatedSigningKeyReplacesTheSignature(t *testing.T) {
	rdb, old, next := testenv.Redis(t), newKeys(t), newKeys(t)
	next.Trusted = append(next.Trusted, old.Trusted...)
	w := newWorld(t, rdb, old, "g")
	w.set("x", "one")
	u := w.publish(1, 1)
	if ok, err := NewWriter(rdb, next).Publish(t.Context(), u); !ok || err != nil {
		t.Fatal(ok, err)
	}
	only := next.Node()
	only.Trusted = next.Trusted[:1]
	_, e, err := NewReader(rdb, only, "g").Root(t.Context())
	if err != nil || !bytes.Equal(e.Root, u.Roots[0].Encode()) {
		t.Errorf("signed by the new key: %v", err)
	}
}

func TestLargePublicationsAreClaimedFirst(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	for i := range large + 10 {
		w.set(fmt.Sprint("api-", i), fmt.Sprint("text ", i))
	}
	u := w.compose(1, 5)
	u.Dropped = []string{hexSum([]byte("text 7"))} // named too: it stays
	_, texts, err := w.w.prepare(u)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := w.w.bring(t.Context(), &u, texts); err != nil || len(names) != 0 {
		t.Fatalf("%d names are left to the script, %v", len(names), err)
	}
	// Before the roots are set another dashboard publishes an older generation
	// that lets go of some of the same contents.
	other := newWorld(t, rdb, k, "g")
	other.set("x", "old")
	late := other.compose(1, 4)
	late.Dropped = []string{hexSum([]byte("text 3"))}
	if ok, err := other.w.Publish(t.Context(), late); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if d := ttl(t, rdb, "text 3"); d != forGood {
		t.Errorf("a claimed content lives %v", d)
	}
	if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if h, got := fetch(t, rdb, k, "g"); h.Generation != 5 || len(got) != large+10 {
		t.Errorf("%d items at %+v", len(got), h)
	}
	for _, text := range []string{"text 3", "text 7", "text 4000"} {
		if d := ttl(t, rdb, text); d != forGood {
			t.Errorf("the named %q lives %v", text, d)
		}
	}
}
