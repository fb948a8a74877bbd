package keyring

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestEachGoesOverAllLiveEntries(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, k := s.Client(), newKeys(t)
		w, r := NewWriter(rdb, k), NewReader(rdb, k)
		want := map[string]bool{}
		var all []Entry
		for i := range 1200 {
			e := Entry{Hash: fmt.Sprintf("hash-%04d", i), Version: 1, Revoked: i%100 == 0}
			if !e.Revoked {
				e.Key.Alias, want[e.Hash] = e.Hash, true
			}
			all = append(all, e)
		}
		put(t, w, all...)
		if err := rdb.HSet(t.Context(), entryPrefix+"hash-0001", "v", 2).Err(); err != nil { // forged
			t.Fatal(err)
		}
		delete(want, "hash-0001")
		if err := errors.Join(rdb.Set(t.Context(), entryPrefix+"no hash", "x", 0).Err(), w.SetWatermark(t.Context(), time.Unix(1e9, 0))); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		err := r.Each(t.Context(), func(e Entry) error {
			if got[e.Hash] = true; e.Key.Alias != e.Hash || e.Revoked {
				t.Errorf("got %+v", e)
			}
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%d entries, want %d: %v; first %v", len(got), len(want), err, slices.Sorted(maps.Keys(got))[:3])
		}
		full := errors.New("enough")
		if err := r.Each(t.Context(), func(Entry) error { return full }); !errors.Is(err, full) {
			t.Errorf("the caller's error: %v", err)
		}
		s.Stop()
		if err := r.Each(t.Context(), func(Entry) error { return nil }); !fault.Is(err, "key.unavailable") {
			t.Errorf("with Redis away: %v", err)
		}
	})
}
