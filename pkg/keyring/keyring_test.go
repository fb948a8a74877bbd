package keyring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
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

const hash = "0123456789abcdef0123456789abcdef"

func live(version int64, alias string) Entry {
	return Entry{Hash: hash, Version: version, Key: access.Key{ID: "k_1", Org: "default", Alias: alias, State: access.KeyActive, Version: version}}
}

func tombstone(version int64) Entry { return Entry{Hash: hash, Version: version, Revoked: true} }

func put(t testing.TB, w *Writer, entries ...Entry) {
	t.Helper()
	if err := w.Put(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}

func TestAnEntryArrivesWhole(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w, r := NewWriter(rdb, k), NewReader(rdb, k.Node())
		if _, err := r.Get(t.Context(), hash); !errors.Is(err, ErrUnknown) || !fault.Is(err, "key.unknown") {
			t.Errorf("an unknown key: %v", err)
		}
		want := Entry{Hash: hash, Version: 7, Key: access.Key{
			ID: "k_1", Org: "default", Prefix: "slc_7Fq2", Alias: "mobile", Owner: "ann", Policies: []string{"gold"},
			Rights:   []access.Right{{API: "orders", Endpoints: []access.EndpointRight{{Methods: []string{"GET"}, Path: "/a/{b}"}}}},
			Metadata: map[string]string{"tier": "1"}, Tags: []string{"x"}, ExpiresAt: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
			State: access.KeyActive, Version: 7, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), UpdatedAt: time.Date(2026, 2, 2, 3, 4, 5, 6, time.UTC),
		}}
		put(t, w, want)
		if got, err := r.Get(t.Context(), hash); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		var many []Entry
		for i := range 300 { // more than one chunk
			e := live(1, fmt.Sprint(i))
			e.Hash = fmt.Sprintf("%032d", i)
			many = append(many, e)
		}
		put(t, w, many...)
		if got, err := r.Get(t.Context(), many[299].Hash); err != nil || got.Key.Alias != "299" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestOnlyNewerVersionsAreWrittenAndTombstonesStay(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w, r := NewWriter(rdb, k), NewReader(rdb, k)
		for _, step := range []struct {
			name    string
			put     Entry
			version int64
			alias   string
			revoked bool
		}{
			{"first", live(3, "three"), 3, "three", false},
			{"older", live(2, "two"), 3, "three", false},
			{"the same version, other content", live(3, "other"), 3, "three", false},
			{"the same again", live(3, "three"), 3, "three", false},
			{"newer by more digits", live(10, "ten"), 10, "ten", false},
			{"revoked", tombstone(11), 11, "", true},
			{"an older live one", live(10, "ten"), 11, "", true},
			{"a newer live one", live(12, "revived"), 11, "", true},
			{"a newer tombstone", tombstone(13), 13, "", true},
		} {
			put(t, w, step.put)
			got, err := r.Get(t.Context(), hash)
			if err != nil || got.Version != step.version || got.Key.Alias != step.alias || got.Revoked != step.revoked {
				t.Errorf("%s: %+v, %v", step.name, got, err)
			}
		}
		if d, err := rdb.PTTL(t.Context(), entryPrefix+hash).Result(); err != nil || d != -1 {
			t.Errorf("the tombstone lives %v, %v", d, err)
		}
	})
}

// TestARevocationWinsWhateverItsVersion: a store that was restored from an old
// backup knows lower versions than Redis, and may still revoke.
func TestARevocationWinsWhateverItsVersion(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w, r := NewWriter(rdb, k), NewReader(rdb, k)
		put(t, w, live(10, "ten"))
		put(t, w, tombstone(4))
		if e, err := r.Get(t.Context(), hash); err != nil || !e.Revoked || e.Version <= 10 {
			t.Errorf("after the revocation: %+v, %v", e, err)
		}
		put(t, w, live(5, "five"), live(12, "twelve"))
		if e, err := r.Get(t.Context(), hash); err != nil || !e.Revoked {
			t.Errorf("after later versions: %+v, %v", e, err)
		}
	})
}

// TestTheWatermarkDoesNotRiseOverWhatWasLostMeanwhile: Redis comes back with the
// watermark that the pass began from, but without what the pass has written.
func TestTheWatermarkDoesNotRiseOverWhatWasLostMeanwhile(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k := newKeys(t)
		w := NewWriter(s.Client(), k)
		t1 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		from, err := w.Watermark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		put(t, w, live(1, "one"))
		s.Flush()
		if ok, err := w.AdvanceWatermark(t.Context(), from, t1); ok || err != nil {
			t.Errorf("Redis was emptied during the pass: %v, %v", ok, err)
		}
		if from, err = w.Watermark(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ok, err := w.AdvanceWatermark(t.Context(), from, t1); !ok || err != nil {
			t.Errorf("the next pass: %v, %v", ok, err)
		}
		if !s.Real() {
			return // it cannot be restored from a copy
		}
		copied := s.Dump()
		if from, err = w.Watermark(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(t, w, tombstone(2))
		s.Restore(copied)
		testenv.EventuallyNoError(t, 10*time.Second, func() error { return w.rdb.Ping(t.Context()).Err() })
		if ok, err := w.AdvanceWatermark(t.Context(), from, t1.Add(time.Hour)); ok || err != nil {
			t.Errorf("Redis was restored during the pass: %v, %v", ok, err)
		}
	})
}

func TestWritersRaceAndTheNewestVersionWins(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		const versions = 200
		k := newKeys(t)
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				w := NewWriter(s.Client(), k)
				for _, v := range rand.New(rand.NewPCG(uint64(n), 1)).Perm(versions) {
					if err := w.Put(t.Context(), live(int64(v+1), fmt.Sprint(v+1))); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		var last int64
		r := NewReader(s.Client(), k)
		for last < versions && t.Context().Err() == nil && !t.Failed() {
			e, err := r.Get(t.Context(), hash)
			if errors.Is(err, ErrUnknown) {
				continue
			}
			if err != nil || e.Version < last || e.Key.Alias != fmt.Sprint(e.Version) {
				t.Fatalf("after version %d: %+v, %v", last, e, err)
			}
			last = e.Version
		}
		wg.Wait()
		if e, err := r.Get(t.Context(), hash); err != nil || e.Version != versions {
			t.Errorf("at last: %+v, %v", e, err)
		}
	})
}

func TestForgedEntriesAreNotBelievedAndDoNotBlock(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k, other := s.Client(), newKeys(t), newKeys(t)
		key := entryPrefix + hash
		const second = "fedcba9876543210fedcba9876543210"
		for name, forge := range map[string]func() error{
			"more rights":         func() error { return rdb.HSet(t.Context(), key, "p", `K{"id":"k_1","rights":[{"api":"*"}]}`).Err() },
			"a higher version":    func() error { return rdb.HSet(t.Context(), key, "v", "99").Err() },
			"no number":           func() error { return rdb.HSet(t.Context(), key, "v", "9e99").Err() },
			"a forged tombstone":  func() error { return rdb.HSet(t.Context(), key, "p", "R").Err() },
			"another's MAC":       func() error { return rdb.HSet(t.Context(), key, "m", mac(other, hash, 5, []byte("R"))).Err() },
			"no MAC":              func() error { return rdb.HDel(t.Context(), key, "m").Err() },
			"another key's entry": func() error { return rdb.Copy(t.Context(), entryPrefix+second, key, 0, true).Err() },
		} {
			t.Run(name, func(t *testing.T) {
				if err := rdb.Del(t.Context(), key).Err(); err != nil {
					t.Fatal(err)
				}
				w, r := NewWriter(rdb, k), NewReader(rdb, k)
				e := live(9, "other")
				e.Hash = second
				put(t, w, live(5, "good"), e)
				if err := forge(); err != nil {
					t.Fatal(err)
				}
				if e, err := r.Get(t.Context(), hash); !errors.Is(err, ErrForged) || !fault.Is(err, "key.forged") || errors.Is(err, ErrUnknown) {
					t.Errorf("Get = %+v, %v", e, err)
				}
				if r.Stats().Forged != 1 {
					t.Errorf("counted %d", r.Stats().Forged)
				}
				put(t, w, live(5, "good"))
				if e, err := r.Get(t.Context(), hash); err != nil || e.Key.Alias != "good" {
					t.Errorf("after writing it again: %+v, %v", e, err)
				}
			})
		}
		t.Run("a key of another type", func(t *testing.T) {
			if err := errors.Join(rdb.Del(t.Context(), key).Err(), rdb.Set(t.Context(), key, "x", 0).Err()); err != nil {
				t.Fatal(err)
			}
			if _, err := NewReader(rdb, k).Get(t.Context(), hash); err == nil || errors.Is(err, ErrUnknown) {
				t.Errorf("Get: %v", err)
			}
			put(t, NewWriter(rdb, k), live(1, "one"))
			if e, err := NewReader(rdb, k).Get(t.Context(), hash); err != nil || e.Version != 1 {
				t.Errorf("%+v, %v", e, err)
			}
		})
	})
}

func TestInvalidEntriesAndHashes(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w, r := NewWriter(rdb, k), NewReader(rdb, k)
	for _, bad := range []string{"", "short", "{tag}aaaaaaaa", "with space", strings.Repeat("a", 129), "aaaaaaaa\n", "aaaaaaaa*"} {
		e := live(1, "x")
		e.Hash = bad
		if err := w.Put(t.Context(), e); !fault.Is(err, "key.invalid") {
			t.Errorf("put %q: %v", bad, err)
		}
		if _, err := r.Get(t.Context(), bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("get %q: %v", bad, err)
		}
	}
	for _, v := range []int64{0, -1, 1 << 60} {
		if err := w.Put(t.Context(), live(v, "x")); !fault.Is(err, "key.invalid") {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if err := w.Put(t.Context(), live(1, strings.Repeat("x", MaxEntry))); !fault.Is(err, "key.too_large") {
		t.Errorf("a huge entry: %v", err)
	}
}

func TestRedisAwayIsNotAnUnknownKey(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb, k := s.Client(), newKeys(t)
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := NewReader(rdb, k).Get(ctx, hash); errors.Is(err, ErrUnknown) || !fault.Is(err, "key.unavailable") {
		t.Errorf("Get: %v", err)
	}
	if err := NewWriter(rdb, k).Put(ctx, live(1, "x")); !fault.Is(err, "key.unavailable") {
		t.Errorf("Put: %v", err)
	}
}

func TestScriptIsLoadedAgainAfterRedisLostIt(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb, k := s.Client(), newKeys(t)
	w := NewWriter(rdb, k)
	put(t, w, live(1, "one"))
	if err := rdb.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	put(t, w, live(2, "two"))
	if e, err := NewReader(rdb, k).Get(t.Context(), hash); err != nil || e.Version != 2 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestWatermark(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w := NewWriter(rdb, k)
		want := func(what string, at time.Time) {
			t.Helper()
			if got, err := w.Watermark(t.Context()); err != nil || !got.Equal(at) {
				t.Errorf("%s: %v, %v, want %v", what, got, err, at)
			}
		}
		advance := func(what string, from, to time.Time, ok bool) {
			t.Helper()
			if got, err := w.AdvanceWatermark(t.Context(), from, to); err != nil || got != ok {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
		t1 := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
		t2 := t1.Add(time.Minute)
		want("at first", time.Time{})
		advance("from nothing", time.Time{}, t1, true)
		want("after that", t1)
		advance("from where another began", time.Time{}, t2, false)
		advance("on", t1, t2, true)
		s.Flush()
		advance("over an emptied Redis", t2, t2.Add(time.Minute), false)
		want("of an emptied Redis", time.Time{})
		if err := w.SetWatermark(t.Context(), t2); err != nil {
			t.Fatal(err)
		}
		want("set", t2)
		forged := NewWriter(rdb, newKeys(t)).formatWatermark(t2.Add(time.Hour))
		if err := rdb.Set(t.Context(), watermarkKey, forged, 0).Err(); err != nil {
			t.Fatal(err)
		}
		want("of another installation", time.Time{})
		advance("over a forged one", time.Time{}, t1, true)
		want("after that", t1)
	})
}

// TestAnOlderWatermarkThanWasSeenIsNotComplete: Redis was put back to a copy that
// lacks keys.
func TestAnOlderWatermarkThanWasSeenIsNotComplete(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w, r := NewWriter(rdb, k), NewReader(rdb, k.Node())
	t1 := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	set := func(w *Writer, at time.Time) {
		t.Helper()
		if err := w.SetWatermark(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, r *Reader, want bool) {
		t.Helper()
		if ok, err := r.Complete(t.Context()); ok != want || err != nil {
			t.Errorf("%s: %v, %v", when, ok, err)
		}
	}
	want("without a watermark", r, false)
	if !r.Seen().IsZero() {
		t.Errorf("seen %v", r.Seen())
	}
	set(NewWriter(rdb, newKeys(t)), t1.Add(time.Hour))
	want("of another installation", r, false)
	set(w, t1)
	want("the first", r, true)
	set(w, t1.Add(time.Minute))
	want("a higher one", r, true)
	set(w, t1)
	want("a lower one", r, false)
	want("for who saw no higher one", NewReader(rdb, k), true)
	if seen := r.Seen(); !seen.Equal(t1.Add(time.Minute)) {
		t.Errorf("seen %v", seen)
	}
	next := NewReader(rdb, k)
	next.Remember(r.Seen())
	next.Remember(t1)
	next.Remember(time.Time{})
	want("after a restart", next, false)
	set(w, t1.Add(2*time.Minute))
	want("repaired", next, true)
	want("repaired", r, true)
}

func FuzzDecode(f *testing.F) {
	k := newKeys(f)
	p, err := live(3, "x").payload()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hash, int64(3), p)
	f.Add(hash, int64(4), []byte("R"))
	f.Add(hash, int64(1), []byte("K"))
	f.Fuzz(func(t *testing.T, hash string, version int64, payload []byte) {
		sum := mac(k, hash, version, payload)
		if e, err := decode(k, hash, version, payload, sum); err == nil && (e.Hash != hash || e.Version != version) {
			t.Errorf("%+v", e)
		}
		if len(payload) == 0 {
			return
		}
		if _, err := decode(k, hash, version+1, payload, sum); !errors.Is(err, ErrForged) {
			t.Errorf("another version: %v", err)
		}
		sum[0] ^= 1
		if _, err := decode(k, hash, version, payload, sum); !errors.Is(err, ErrForged) {
			t.Errorf("another MAC: %v", err)
		}
	})
}
