// Package keytest holds the contract of a keys.Store: what every store must do,
// whoever keeps it.
package keytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// base is when everything in the suite happens: whole milliseconds, UTC.
var base = time.Date(2026, 11, 22, 4, 35, 7, 89_000_000, time.UTC)

// Run checks the contract. open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) keys.Store) {
	for name, f := range map[string]func(*testing.T, keys.Store){
		"a key comes back as it went in":        roundTrip,
		"instants are milliseconds in UTC":      instants,
		"an absent key is not found":            absent,
		"ids are unique":                        uniqueIDs,
		"hashes are unique over all keys":       uniqueHashes,
		"keys without hashes do not clash":      noHashes,
		"replace needs the stored version":      replace,
		"a rotation adds and removes a hash":    rotation,
		"of racing inserts of an id one wins":   insertRace,
		"of racing inserts of a hash one wins":  hashRace,
		"of racing replacements one wins":       replaceRace,
		"changes are not lost":                  counting,
		"a list is newest first, by pages":      pages,
		"pages hold still while others write":   stablePages,
		"bounds of a page":                      bounds,
		"a foreign cursor is refused":           cursors,
		"the search finds substrings only":      search,
		"nothing searched for is an operator":   searchHostile,
		"filters":                               filters,
		"changed keys in the order of change":   changed,
		"every change is seen by a follower":    follow,
		"an ended context ends every operation": ended,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// hostile are texts that must be nothing but text to every store.
func hostile() []string {
	return []string{
		`%`, `_`, `.*`, `^$`, `$ne`, `{"$ne":null}`, `{`, `[`, `]`, `, `, `(`, `\`, `\E.*`, `'; DROP TABLE keys; --`, `"`, "`",
		`a.b.c`, `$set`, `주문`, `😀`, `a/b`, `*`, `?`, `+`, `|`, ` `, `null`, `true`, `1`,
	}
}

// key is an active key made at the n-th second.
func key(id string, n int) keys.Stored {
	at := base.Add(time.Duration(n) * time.Second)
	return keys.Stored{
		Key: access.Key{
			ID: id, Org: "default", Prefix: "slc_" + id, Alias: "alias of " + id, State: access.KeyActive,
			Version: 1, CreatedAt: at, UpdatedAt: at,
		},
		Hashes: []string{"hash of " + id},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, s keys.Store, all ...keys.Stored) {
	t.Helper()
	for _, k := range all {
		must(t, s.Insert(t.Context(), k))
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantKey(t *testing.T, s keys.Store, want keys.Stored) {
	t.Helper()
	got, err := s.Get(t.Context(), want.Key.Org, want.Key.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get(%s): %v\n got %+v\nwant %+v", want.Key.ID, err, got, want)
	}
}

// race runs f on n goroutines that start together, and waits for all.
func race(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func roundTrip(t *testing.T, s keys.Store) {
	for i, text := range hostile() {
		k := key(fmt.Sprintf("k_%d", i), i)
		k.Key.Alias, k.Key.Owner, k.Key.Prefix = text, text, text
		k.Key.Policies, k.Key.Tags = []string{text, "gold"}, []string{text}
		k.Key.Rights = []access.Right{{API: text}, {API: "orders", Endpoints: []access.EndpointRight{{Methods: []string{"GET"}, Path: "/v1.0/{id}"}}}}
		k.Key.Metadata = map[string]string{text: text, "a.b": "dots", "$where": "dollars", "": "empty"}
		k.Key.ExpiresAt = base.Add(time.Hour)
		k.Hashes = []string{"1" + text, "2" + text}
		insert(t, s, k)
		wantKey(t, s, k)
	}
	bare := keys.Stored{Key: access.Key{ID: "bare", Org: "default", State: access.KeyActive}}
	insert(t, s, bare)
	wantKey(t, s, bare)
}

func instants(t *testing.T, s keys.Store) {
	k := key("k", 0)
	seoul := time.FixedZone("KST", 9*3600)
	k.Key.CreatedAt, k.Key.UpdatedAt, k.Key.ExpiresAt = base.Add(999_999), base.In(seoul), base.Add(time.Hour+1).In(seoul)
	insert(t, s, k)
	k.Key.CreatedAt, k.Key.UpdatedAt, k.Key.ExpiresAt = base, base, base.Add(time.Hour)
	wantKey(t, s, k)
}

func absent(t *testing.T, s keys.Store) {
	insert(t, s, key("k", 0))
	for _, c := range [][2]string{{"default", "other"}, {"other", "k"}, {"default", "K"}, {"", "k"}, {"default", ""}, {"default", "$ne"}} {
		_, err := s.Get(t.Context(), c[0], c[1])
		wantErr(t, fmt.Sprintf("Get(%q, %q)", c[0], c[1]), err, keys.ErrNotFound)
	}
}

func uniqueIDs(t *testing.T, s keys.Store) {
	first := key("k", 0)
	insert(t, s, first)
	again := key("k", 1)
	again.Hashes = []string{"another hash"}
	wantErr(t, "the same id", s.Insert(t.Context(), again), keys.ErrTaken)
	again.Key.Org = "other"
	wantErr(t, "the same id in another organisation", s.Insert(t.Context(), again), keys.ErrTaken)
	wantKey(t, s, first)
	// The refused ones left no claim on their hash.
	free := key("free", 2)
	free.Hashes = []string{"another hash"}
	insert(t, s, free)
}

func uniqueHashes(t *testing.T, s keys.Store) {
	a, b := key("a", 0), key("b", 1)
	a.Hashes = []string{"h1", "h2"}
	insert(t, s, a, b)
	clash := key("c", 2)
	clash.Hashes = []string{"h3", "h2"}
	wantErr(t, "inserting a known hash", s.Insert(t.Context(), clash), keys.ErrTaken)
	_, err := s.Get(t.Context(), "default", "c")
	wantErr(t, "the refused key", err, keys.ErrNotFound)
	other := key("d", 3)
	other.Key.Org, other.Hashes = "other", []string{"h1"}
	wantErr(t, "inserting it in another organisation", s.Insert(t.Context(), other), keys.ErrTaken)

	changed := b
	changed.Key.Version, changed.Key.Alias, changed.Hashes = 2, "changed", []string{"h4", "h1"}
	wantErr(t, "replacing with a known hash", s.Replace(t.Context(), changed, 1), keys.ErrTaken)
	wantKey(t, s, b)
	// Neither refusal kept h3 or h4, nor took b's own.
	clash.Hashes = []string{"h3", "h4"}
	insert(t, s, clash)
	taken := key("e", 4)
	taken.Hashes = b.Hashes
	wantErr(t, "the hash that b still has", s.Insert(t.Context(), taken), keys.ErrTaken)
}

func noHashes(t *testing.T, s keys.Store) {
	a, b := key("a", 0), key("b", 1)
	a.Hashes, b.Hashes = nil, nil
	insert(t, s, a, b)
	wantKey(t, s, a)
	wantKey(t, s, b)
	a.Key.Version, a.Key.State = 2, access.KeyRevoked
	must(t, s.Replace(t.Context(), a, 1))
	wantKey(t, s, a)
}

func replace(t *testing.T, s keys.Store) {
	k := key("k", 0)
	wantErr(t, "replacing an absent key", s.Replace(t.Context(), k, 1), keys.ErrNotFound)
	insert(t, s, k)
	k.Key.Version, k.Key.Alias, k.Key.State = 2, "changed", access.KeySuspended
	for _, version := range []int64{0, 2, -1, 99} {
		wantErr(t, fmt.Sprintf("with version %d", version), s.Replace(t.Context(), k, version), keys.ErrStale)
	}
	wantKey(t, s, key("k", 0))
	must(t, s.Replace(t.Context(), k, 1))
	wantKey(t, s, k)
	wantErr(t, "the same again", s.Replace(t.Context(), k, 1), keys.ErrStale)
	other := k
	other.Key.Org = "other"
	wantErr(t, "from another organisation", s.Replace(t.Context(), other, 2), keys.ErrNotFound)
	wantKey(t, s, k)
}

func rotation(t *testing.T, s keys.Store) {
	k := key("k", 0)
	insert(t, s, k)
	k.Key.Version, k.Hashes = 2, []string{"new", "hash of k"}
	must(t, s.Replace(t.Context(), k, 1))
	wantKey(t, s, k)
	k.Key.Version, k.Hashes = 3, []string{"new"}
	must(t, s.Replace(t.Context(), k, 2))
	wantKey(t, s, k)
	// The old hash is free, the new one is not.
	free, taken := key("free", 1), key("taken", 2)
	free.Hashes, taken.Hashes = []string{"hash of k"}, []string{"new"}
	insert(t, s, free)
	wantErr(t, "the new hash", s.Insert(t.Context(), taken), keys.ErrTaken)
}

func insertRace(t *testing.T, s keys.Store) {
	for round := range 10 {
		id := fmt.Sprintf("k%d", round)
		oneWins(t, func(i int) (string, error) {
			k := key(id, i)
			k.Hashes = []string{fmt.Sprintf("%s hash %d", id, i)}
			k.Key.Alias = fmt.Sprint(i)
			return k.Key.Alias, s.Insert(t.Context(), k)
		}, keys.ErrTaken, func() string {
			k, err := s.Get(t.Context(), "default", id)
			must(t, err)
			if len(k.Hashes) != 1 || k.Hashes[0] != id+" hash "+k.Key.Alias {
				t.Errorf("the winner is %s with the hashes %v", k.Key.Alias, k.Hashes)
			}
			return k.Key.Alias
		})
	}
}

func hashRace(t *testing.T, s keys.Store) {
	for round := range 10 {
		hash := fmt.Sprintf("hash %d", round)
		oneWins(t, func(i int) (string, error) {
			k := key(fmt.Sprintf("k-%d-%d", round, i), i)
			k.Hashes = []string{fmt.Sprintf("own %d-%d", round, i), hash}
			return k.Key.ID, s.Insert(t.Context(), k)
		}, keys.ErrTaken, func() string {
			p, err := s.List(t.Context(), keys.Query{Org: "default", Q: fmt.Sprintf("k-%d-", round), Limit: 100})
			must(t, err)
			if len(p.Items) != 1 {
				t.Fatalf("%d keys have %q", len(p.Items), hash)
			}
			return p.Items[0].Key.ID
		})
	}
}

func replaceRace(t *testing.T, s keys.Store) {
	insert(t, s, key("k", 0))
	for version := int64(1); version <= 10; version++ {
		oneWins(t, func(i int) (string, error) {
			k := key("k", 0)
			k.Key.Version, k.Key.Alias = version+1, fmt.Sprintf("%d-%d", version, i)
			return k.Key.Alias, s.Replace(t.Context(), k, version)
		}, keys.ErrStale, func() string {
			k, err := s.Get(t.Context(), "default", "k")
			must(t, err)
			return k.Key.Alias
		})
	}
}

// oneWins runs attempts that race and checks that one of them succeeds, the
// others get lost, and what is stored is the winner's.
func oneWins(t *testing.T, try func(i int) (string, error), lost error, stored func() string) {
	t.Helper()
	var wins atomic.Int64
	var winner atomic.Value
	race(8, func(i int) {
		name, err := try(i)
		switch {
		case err == nil:
			wins.Add(1)
			winner.Store(name)
		case !errors.Is(err, lost):
			t.Errorf("a loser got %v, want %v", err, lost)
		}
	})
	if wins.Load() != 1 {
		t.Fatalf("%d attempts won, want 1", wins.Load())
	}
	if got := stored(); got != winner.Load() {
		t.Errorf("stored is %s, the winner was %s", got, winner.Load())
	}
}

// counting is compare and swap under contention.
func counting(t *testing.T, s keys.Store) {
	const writers, each = 4, 10
	insert(t, s, key("k", 0))
	race(writers, func(int) {
		for done := 0; done < each; {
			k, err := s.Get(t.Context(), "default", "k")
			if err == nil {
				k.Key.Version++
				err = s.Replace(t.Context(), k, k.Key.Version-1)
			}
			switch {
			case err == nil:
				done++
			case !errors.Is(err, keys.ErrStale):
				t.Error(err)
				return
			}
		}
	})
	k, err := s.Get(t.Context(), "default", "k")
	if err != nil || k.Key.Version != 1+writers*each {
		t.Errorf("after %d changes the version is %d, %v", writers*each, k.Key.Version, err)
	}
}

func ended(t *testing.T, s keys.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "Insert", s.Insert(ctx, key("k", 0)), context.Canceled)
	wantErr(t, "Replace", s.Replace(ctx, key("k", 0), 1), context.Canceled)
	_, err := s.Get(ctx, "default", "k")
	wantErr(t, "Get", err, context.Canceled)
	_, err = s.List(ctx, keys.Query{Org: "default", Limit: 10})
	wantErr(t, "List", err, context.Canceled)
	_, err = s.Changed(ctx, base, "", 10)
	wantErr(t, "Changed", err, context.Canceled)
	_, err = s.Get(t.Context(), "default", "k")
	wantErr(t, "what a cancelled insert left", err, keys.ErrNotFound)
}
