package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func newKeys(t testing.TB) *trust.Keys {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func beat(t testing.TB, w *Writer, node string) {
	t.Helper()
	if err := w.Beat(t.Context(), Beat{Node: node, Name: "host-" + node, Service: "gateway", State: Current}); err != nil {
		t.Fatal(err)
	}
}

func list(t testing.TB, r *Reader) map[string]State {
	t.Helper()
	beats, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]State{}
	for _, b := range beats {
		states[b.Node] = b.State
	}
	return states
}

func wantNodes(t testing.TB, r *Reader, want map[string]State) {
	t.Helper()
	if got := list(t, r); !reflect.DeepEqual(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
}

// backdate makes a node's last beat as old as that, as if it had been written then.
func backdate(t testing.TB, rdb redis.UniversalClient, k *trust.Keys, node string, by time.Duration) {
	t.Helper()
	now, err := rdb.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	at := now.Add(-by)
	text, err := json.Marshal(Beat{Node: node, State: Current, At: at})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		rdb.HSet(t.Context(), nodePrefix+node, "b", text, "m", k.MAC(beatDomain, []byte(node), text), "t", at.UnixMilli()).Err(),
		rdb.ZAdd(t.Context(), nodesKey, redis.Z{Score: float64(at.UnixMilli()), Member: node}).Err(),
	); err != nil {
		t.Fatal(err)
	}
}

func TestABeatArrivesWhole(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		now := time.Now().UTC().Truncate(time.Millisecond)
		want := Beat{
			Node: "n-1", Name: "host", Service: "gateway", Version: "1.2.3", Group: "eu", Address: "10.0.0.1:8080",
			Start: "s1", StartedAt: now.Add(-time.Hour), At: now, State: Rejected, Reason: "one object", Epoch: 1, Generation: 129,
			Root: strings.Repeat("a", 64), Rejected: []notice.Rejected{{Kind: "api", ID: "orders", Org: "default", Code: "api.regex", Message: "bad", Kept: true}},
			Source: "live", RedisOK: true, Load: Load{RPS: 12.5, Connections: 3, InFlight: 2, RSS: 1 << 30, Goroutines: 99},
			ClockOffset: 25 * time.Millisecond, LastError: "none to speak of",
		}
		if err := NewWriter(rdb, k).Beat(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		r := NewReader(rdb, k)
		got, err := r.Get(t.Context(), "n-1")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		beats, err := r.List(t.Context())
		if err != nil || len(beats) != 1 || !reflect.DeepEqual(beats[0], want) {
			t.Errorf("listed %+v, %v", beats, err)
		}
		for _, unknown := range []string{"n-2", "", "a b", "*"} {
			if _, err := r.Get(t.Context(), unknown); !fault.Is(err, "fleet.unknown_node") {
				t.Errorf("Get(%q): %v", unknown, err)
			}
		}
	})
}

func TestSilentNodesAreOfflineThenForgotten(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w, r := NewWriter(rdb, k), NewReader(rdb, k)
		wantNodes(t, r, map[string]State{})
		backdate(t, rdb, k, "late", 8*time.Second)
		backdate(t, rdb, k, "silent", 11*time.Second)
		backdate(t, rdb, k, "day", 24*time.Hour-time.Minute)
		backdate(t, rdb, k, "gone", 24*time.Hour+time.Minute)
		wantNodes(t, r, map[string]State{"late": Current, "silent": Offline, "day": Offline})
		if b, err := r.Get(t.Context(), "silent"); err != nil || b.State != Offline {
			t.Errorf("Get: %v, %v", b.State, err)
		}
		beat(t, w, "silent")
		wantNodes(t, r, map[string]State{"late": Current, "silent": Current, "day": Offline})
		if n, err := rdb.ZCard(t.Context(), nodesKey).Result(); err != nil || n != 3 {
			t.Errorf("%d nodes are kept, %v", n, err)
		}
		if err := w.Leave(t.Context(), "late"); err != nil {
			t.Fatal(err)
		}
		wantNodes(t, r, map[string]State{"silent": Current, "day": Offline})
		if d, err := rdb.PTTL(t.Context(), nodePrefix+"silent").Result(); err != nil || d <= 0 || d > ForgetAfter {
			t.Errorf("a node's hash lives %v, %v", d, err)
		}
	})
}

func TestForgedBeatsAreDroppedAndCounted(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		for name, forge := range map[string]func() error{
			"changed bytes": func() error {
				return rdb.HSet(t.Context(), nodePrefix+"bad", "b", `{"node":"bad","state":"current"}`).Err()
			},
			"another's MAC":       func() error { beat(t, NewWriter(rdb, newKeys(t)), "bad"); return nil },
			"no MAC":              func() error { return rdb.HDel(t.Context(), nodePrefix+"bad", "m").Err() },
			"no beat":             func() error { return rdb.HDel(t.Context(), nodePrefix+"bad", "b").Err() },
			"another node's beat": func() error { return rdb.Copy(t.Context(), nodePrefix+"good", nodePrefix+"bad", 0, true).Err() },
			"another type": func() error {
				return errors.Join(rdb.Del(t.Context(), nodePrefix+"bad").Err(), rdb.Set(t.Context(), nodePrefix+"bad", "x", 0).Err())
			},
			"an old beat written again": func() error {
				backdate(t, rdb, k, "bad", time.Hour)
				return rdb.HSet(t.Context(), nodePrefix+"bad", "t", time.Now().UnixMilli()).Err()
			},
		} {
			t.Run(name, func(t *testing.T) {
				w, r := NewWriter(rdb, k), NewReader(rdb, k)
				beat(t, w, "good")
				beat(t, w, "bad")
				if err := forge(); err != nil {
					t.Fatal(err)
				}
				wantNodes(t, r, map[string]State{"good": Current})
				if r.Stats().Forged != 1 {
					t.Errorf("counted %+v", r.Stats())
				}
				beat(t, w, "bad")
				wantNodes(t, r, map[string]State{"good": Current, "bad": Current})
			})
		}
	})
}

func TestAClockThatIsOffIsMeasured(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w, r := NewWriter(rdb, k), NewReader(rdb, k)
	// A node whose clock is ten minutes behind and that knows it.
	b := Beat{Node: "n", At: time.Now().Add(-10 * time.Minute), ClockOffset: 10 * time.Minute, State: Current}
	if err := w.Beat(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	wantNodes(t, r, map[string]State{"n": Current})
	if off := w.ClockOffset(); off.Abs() > 2*time.Second {
		t.Errorf("this host's clock is off by %v", off)
	}
	beat(t, w, "n")
	if got, err := r.Get(t.Context(), "n"); err != nil || got.ClockOffset != w.ClockOffset() && got.ClockOffset.Abs() > 2*time.Second || got.At.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestManyNodesAreListedInOrder(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := NewWriter(rdb, k)
	const nodes = 300 // more than one chunk
	for i := range nodes {
		beat(t, w, fmt.Sprintf("%03d", nodes-i))
	}
	beats, err := NewReader(rdb, k).List(t.Context())
	if err != nil || len(beats) != nodes {
		t.Fatalf("%d nodes, %v", len(beats), err)
	}
	for i, b := range beats {
		if n, err := strconv.Atoi(b.Node); err != nil || n != i+1 {
			t.Fatalf("node %s at place %d", b.Node, i)
		}
	}
}

func TestBadBeatsAreRefusedAndRedisAwayIsSaid(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb, k := s.Client(), newKeys(t)
	w, r := NewWriter(rdb, k), NewReader(rdb, k)
	for name, b := range map[string]Beat{
		"no id":       {},
		"odd id":      {Node: "a{b}"},
		"a huge beat": {Node: "n", LastError: strings.Repeat("x", maxBeat)},
	} {
		if err := w.Beat(t.Context(), b); !fault.Is(err, "fleet.invalid") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, listed := r.List(ctx)
	for name, err := range map[string]error{"Beat": w.Beat(ctx, Beat{Node: "n"}), "List": listed, "Leave": w.Leave(ctx, "n")} {
		if !fault.Is(err, "fleet.unavailable") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	k := newKeys(f)
	seen := time.UnixMilli(1_700_000_000_000).UTC()
	good, err := json.Marshal(Beat{Node: "n", At: seen, State: Current})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("n", good)
	f.Add("n", []byte(`{"clockOffsetMs":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, node string, text []byte) {
		sum := k.MAC(beatDomain, []byte(node), text)
		if b, err := decode(k, node, text, sum, seen); err == nil {
			if b.Node != node {
				t.Errorf("a beat of %q was taken for %q", b.Node, node)
			}
			if _, err := json.Marshal(b); err != nil {
				t.Errorf("a decoded beat does not encode: %v", err)
			}
		}
		sum[0] ^= 1
		if _, err := decode(k, node, text, sum, seen); !errors.Is(err, errForged) {
			t.Errorf("another MAC: %v", err)
		}
	})
}
