package publish

import (
	"testing"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestADashboardSignsWithTheAnnouncedKey(t *testing.T) {
	rdb, first := testenv.Redis(t), newKeys(t)
	second := testenv.Must(first.Rotate())(t)
	node := first.Node()
	w := newWorld(t, rdb, first, "g")
	w.set("x", "one")
	w.publish(1, 1)
	if err := NewWriter(rdb, second).Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.set("x", "two")
	w.publish(1, 2) // by the dashboard that had the old key
	only := second.Node()
	only.Trusted = only.Trusted[:1]
	if _, _, err := NewReader(rdb, only, "g").Root(t.Context()); err != nil {
		t.Error("not signed by the new key:", err)
	}
	if _, _, err := NewReader(rdb, node, "g").Root(t.Context()); err != nil || !node.Rotating() {
		t.Errorf("a node does not follow: %v", err)
	}
	third := newKeys(t)
	if err := NewWriter(rdb, third).Follow(t.Context()); err != nil || third.Rotating() {
		t.Errorf("another platform's keys follow: %v", err)
	}
}

func TestAForgedSuccessionKeepsNobodyFromPublishing(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	foreign := testenv.Must(newKeys(t).Rotate())(t)
	w := newWorld(t, rdb, k, "g")
	for i, forged := range []string{"x", "[]", `[{"key":""}]`, string(foreign.Succession())} {
		rdb.Set(t.Context(), successionKey, forged, 0)
		w.set("x", forged)
		w.publish(1, int64(i+1))
		if n, err := rdb.Exists(t.Context(), successionKey).Result(); err != nil || n != 0 {
			t.Errorf("%q is still there: %v", forged, err)
		}
	}
	rdb.SAdd(t.Context(), successionKey, "a set")
	w.set("x", "last")
	w.publish(1, 10)
	// One that is lost comes back with the next root.
	second := testenv.Must(k.Rotate())(t)
	later := newWorld(t, rdb, second, "g")
	later.set("x", "by the new key")
	later.publish(1, 11)
	if text := rdb.Get(t.Context(), successionKey).Val(); text != string(second.Succession()) {
		t.Errorf("the succession is %q", text)
	}
}
