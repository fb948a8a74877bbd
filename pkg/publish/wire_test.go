package publish

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// world is a store of texts and one dashboard's trees over it.
type world struct {
	t     testing.TB
	w     *Writer
	texts map[string][]byte
	trees []*Tree
}

func newWorld(t testing.TB, rdb redis.UniversalClient, k *trust.Keys, groups ...string) *world {
	w := &world{t: t, w: NewWriter(rdb, k), texts: map[string][]byte{}}
	for _, g := range groups {
		w.trees = append(w.trees, NewTree(g))
	}
	return w
}

func (w *world) set(id, text string) {
	w.t.Helper()
	i := item(id, text)
	w.texts[i.SHA] = []byte(text)
	for _, tree := range w.trees {
		set(w.t, tree, i)
	}
}

func (w *world) compose(epoch, generation int64) Update {
	w.t.Helper()
	u, err := Compose(epoch, generation, at, func(sha string) ([]byte, bool) { b, ok := w.texts[sha]; return b, ok }, w.trees...)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) publish(epoch, generation int64) Update {
	w.t.Helper()
	u := w.compose(epoch, generation)
	if ok, err := w.w.Publish(w.t.Context(), u); err != nil || !ok {
		w.t.Fatalf("publish %d/%d: %v, %v", epoch, generation, ok, err)
	}
	for _, tree := range w.trees {
		tree.Commit()
	}
	return u
}

// fetch reads a group as a new gateway does: id -> text.
func fetch(t testing.TB, rdb redis.UniversalClient, k *trust.Keys, group string) (Head, map[string]string) {
	t.Helper()
	r := NewReader(rdb, k.Node(), group)
	root, _, err := r.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	items, texts, _, err := r.Fetch(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range items {
		got[i.ID] = string(texts[i.SHA])
	}
	head, err := r.Head(t.Context())
	if err != nil || head != root.Head() {
		t.Errorf("head %+v, root %+v, %v", head, root.Head(), err)
	}
	return head, got
}

func ttl(t testing.TB, rdb redis.UniversalClient, text string) time.Duration {
	t.Helper()
	d, err := rdb.PTTL(t.Context(), contentPrefix+hexSum([]byte(text))).Result()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const forGood = time.Duration(-1)

func TestPublishedItemsArrive(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := newWorld(t, rdb, k, "a", "b")
		if _, _, err := NewReader(rdb, k, "a").Root(t.Context()); !errors.Is(err, ErrNone) || !fault.Is(err, "root.absent") {
			t.Errorf("before anything is published: %v", err)
		}
		if h, err := w.w.Head(t.Context(), "a"); err != nil || h != (Head{}) {
			t.Errorf("head of nothing: %v, %v", h, err)
		}
		want := map[string]string{"empty": ""}
		w.set("empty", "")
		for i := range 700 { // more than one chunk
			id, text := fmt.Sprintf("api-%d", i), strings.Repeat(strconv.Itoa(i), 50)
			w.set(id, text)
			want[id] = text
		}
		w.publish(1, 1)
		for _, g := range []string{"a", "b"} {
			if h, got := fetch(t, rdb, k, g); !maps.Equal(got, want) || h.Generation != 1 {
				t.Errorf("group %s: %d items at %+v", g, len(got), h)
			}
		}
		if d := ttl(t, rdb, want["api-3"]); d != forGood {
			t.Errorf("a named content lives %v", d)
		}
	})
}

func TestFetchAsksOnlyForWhatIsNew(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	for i := range 50 {
		w.set(fmt.Sprint("api-", i), fmt.Sprint("text ", i))
	}
	w.publish(1, 1)
	r := NewReader(rdb, k, "g")
	have := map[string][]byte{}
	var lacked int
	read := func() {
		t.Helper()
		root, _, err := r.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lacked = 0
		_, texts, parts, err := r.Fetch(t.Context(), root, func(sha string) ([]byte, bool) {
			b, ok := have[sha]
			if !ok {
				lacked++
			}
			return b, ok
		})
		if err != nil {
			t.Fatal(err)
		}
		have = texts
		maps.Copy(have, parts)
	}
	read()
	w.set("api-7", "changed")
	w.publish(1, 2)
	read()
	if lacked != 2 {
		t.Errorf("%d texts were fetched for one changed item, want its part and itself", lacked)
	}
	root, _, err := r.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	items, texts, _, err := Assemble(root, func(sha string) ([]byte, bool) { b, ok := have[sha]; return b, ok })
	if err != nil || len(items) != 50 || string(texts[hexSum([]byte("changed"))]) != "changed" {
		t.Errorf("from disk: %d items, %v", len(items), err)
	}
	have[hexSum([]byte("changed"))] = []byte("bit rot")
	_, _, _, err = Assemble(root, func(sha string) ([]byte, bool) { b, ok := have[sha]; return b, ok })
	wantCode(t, err, "root.incomplete")
}

func TestOlderGenerationsNeverWin(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := newWorld(t, rdb, k, "a", "b")
		w.set("x", "one")
		w.publish(1, 5)
		late := newWorld(t, rdb, k, "a", "b")
		late.set("x", "late")
		for name, c := range map[string]struct {
			epoch, generation int64
			want              bool
		}{
			"older generation":         {1, 4, false},
			"older epoch, far ahead":   {0, 99, false},
			"older of one group alone": {1, 4, false},
		} {
			u := late.compose(c.epoch, c.generation)
			if strings.Contains(name, "alone") {
				u.Roots = u.Roots[:1]
			}
			if ok, err := late.w.Publish(t.Context(), u); ok != c.want || err != nil {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		}
		if h, got := fetch(t, rdb, k, "a"); h.Generation != 5 || got["x"] != "one" {
			t.Errorf("a late writer won: %+v %v", h, got)
		}
		if d := ttl(t, rdb, "late"); d <= 0 || d > Grace {
			t.Errorf("the content of a refused publication lives %v", d)
		}
		_, err := late.w.Publish(t.Context(), late.compose(1, 5))
		wantCode(t, err, "root.diverged")
		// One group behind, the other ahead: all or nothing.
		w.trees, late.trees = w.trees[:1], late.trees[:2]
		w.set("x", "two")
		w.publish(1, 7)
		if ok, err := late.w.Publish(t.Context(), late.compose(1, 6)); ok || err != nil {
			t.Errorf("a publication that is older for one group: %v, %v", ok, err)
		}
		if h, _ := fetch(t, rdb, k, "b"); h.Generation != 5 {
			t.Errorf("half of a refused publication was written: %+v", h)
		}
		// A new epoch turns back.
		if ok, err := late.w.Publish(t.Context(), late.compose(2, 1)); !ok || err != nil {
			t.Errorf("a new epoch: %v, %v", ok, err)
		}
		if h, got := fetch(t, rdb, k, "a"); h.Epoch != 2 || h.Generation != 1 || got["x"] != "late" {
			t.Errorf("after the new epoch: %+v %v", h, got)
		}
	})
}

func TestEmptiedRedisIsRepairedByTheSameUpdate(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := newWorld(t, rdb, k, "g")
		w.set("x", "one")
		w.set("y", "two")
		u := w.publish(1, 5)
		before, _ := fetch(t, rdb, k, "g")
		s.Flush()
		if missing, err := w.w.Missing(t.Context(), slices.Collect(maps.Keys(u.Contents))); err != nil || len(missing) != 2 {
			t.Errorf("missing %v, %v", missing, err)
		}
		if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
			t.Fatalf("repair: %v, %v", ok, err)
		}
		if after, got := fetch(t, rdb, k, "g"); after != before || len(got) != 2 {
			t.Errorf("after the repair: %+v %v, before: %+v", after, got, before)
		}
		// A single lost content, and one that is about to go, come back too.
		if err := rdb.Del(t.Context(), contentPrefix+hexSum([]byte("one"))).Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.PExpire(t.Context(), contentPrefix+hexSum([]byte("two")), time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if missing, err := w.w.Missing(t.Context(), slices.Collect(maps.Keys(u.Contents))); err != nil || len(missing) != 2 {
			t.Errorf("missing %v, %v", missing, err)
		}
		if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
			t.Fatalf("second repair: %v, %v", ok, err)
		}
		if _, got := fetch(t, rdb, k, "g"); len(got) != 2 || ttl(t, rdb, "two") != forGood {
			t.Errorf("%v, and a content that lives %v", got, ttl(t, rdb, "two"))
		}
		// An update that does not carry what Redis lacks says so, and changes nothing.
		s.Flush()
		w.set("x", "three")
		_, err := w.w.Publish(t.Context(), w.compose(1, 6))
		wantCode(t, err, "publish.incomplete")
		if _, _, err := NewReader(rdb, k, "g").Root(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("an incomplete root was written: %v", err)
		}
		w.trees[0].MarkAll()
		w.publish(1, 6)
		if _, got := fetch(t, rdb, k, "g"); len(got) != 2 || got["x"] != "three" {
			t.Errorf("after publishing everything: %v", got)
		}
	})
}

func TestDroppedContentsGoUnlessTheyAreNamedAgain(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := newWorld(t, rdb, k, "g")
		w.set("x", "one")
		w.publish(1, 1)
		firstPart := string(w.trees[0].PartText(PartOf("default", "api", "x")))
		w.set("x", "two")
		w.publish(1, 2)
		for _, text := range []string{"one", firstPart} {
			if d := ttl(t, rdb, text); d <= Grace-time.Minute || d > Grace {
				t.Errorf("%q, which no root names, lives %v", text, d)
			}
		}
		if d := ttl(t, rdb, "two"); d != forGood {
			t.Errorf("the named content lives %v", d)
		}
		w.set("x", "one")
		w.publish(1, 3)
		for _, text := range []string{"one", firstPart} {
			if d := ttl(t, rdb, text); d != forGood {
				t.Errorf("%q, named again, lives %v", text, d)
			}
		}
		// Dropped by a publication that comes too late: it stays.
		u := w.compose(1, 2)
		u.Dropped = []string{hexSum([]byte("one"))}
		if ok, err := w.w.Publish(t.Context(), u); ok || err != nil {
			t.Errorf("late: %v, %v", ok, err)
		}
		if d := ttl(t, rdb, "one"); d != forGood {
			t.Errorf("a refused publication let go of a named content: %v", d)
		}
		// Dropped and named at once: it stays.
		w.trees[0].MarkAll()
		u = w.compose(1, 4)
		u.Dropped = []string{hexSum([]byte("one"))}
		if ok, err := w.w.Publish(t.Context(), u); !ok || err != nil {
			t.Errorf("both: %v, %v", ok, err)
		}
		if d := ttl(t, rdb, "one"); d != forGood {
			t.Errorf("a content that is dropped and named lives %v", d)
		}
	})
}

func TestStraysOfADashboardThatSawLessAreFound(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	w.set("x", "one")
	w.publish(1, 1)
	fresh := newWorld(t, rdb, k, "g") // knows the state of revision 2 only
	fresh.set("x", "two")
	fresh.publish(1, 2)
	strays, err := fresh.w.Strays(t.Context(), func(sha string) bool {
		root := fresh.trees[0].Root(1, 2, at)
		return fresh.trees[0].Names(sha) || slices.ContainsFunc(root.Parts[:], func(p [32]byte) bool { return hexPart(p) == sha })
	})
	if err != nil || !slices.Equal(strays, []string{hexSum([]byte("one"))}) {
		t.Fatalf("strays %v, %v", strays, err)
	}
	u := fresh.compose(1, 3)
	u.Dropped = strays
	if ok, err := fresh.w.Publish(t.Context(), u); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if d := ttl(t, rdb, "one"); d <= 0 {
		t.Errorf("the stray lives %v", d)
	}
	if strays, err = fresh.w.Strays(t.Context(), func(string) bool { return true }); err != nil || len(strays) != 0 {
		t.Errorf("strays %v, %v", strays, err)
	}
}
