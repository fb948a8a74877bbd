// Package sessiontest is the contract between session.Lookup and where key
// entries lie. Run it with every kind of session.Entries.
package sessiontest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/gateway/session"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Store is a store of entries that a test can break.
type Store interface {
	session.Entries
	Put(t *testing.T, e keyring.Entry) // whatever is there
	Away(t *testing.T)                 // stop answering
	Back(t *testing.T)                 // answer again, with the data
	Empty(t *testing.T)                // lose all data
}

// Sum is the hash function of the suite's lookups.
func Sum(secret string) (h trust.KeyHash) {
	sum := sha256.Sum256([]byte(secret))
	hex.Encode(h[:], sum[:])
	return h
}

// Hash is Sum as the key of an entry.
func Hash(secret string) string {
	h := Sum(secret)
	return string(h[:])
}

// Clock is a clock that stands still. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed instant.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Entry makes the entry of a secret. Each API in rights is allowed as a whole.
func Entry(secret string, version int64, rights ...string) keyring.Entry {
	k := access.Key{ID: "k_" + secret, Org: "default", State: access.KeyActive, Version: version}
	for _, api := range rights {
		k.Rights = append(k.Rights, access.Right{API: api})
	}
	return keyring.Entry{Hash: Hash(secret), Version: version, Key: k}
}

// Tombstone makes the entry of a revoked secret.
func Tombstone(secret string, version int64) keyring.Entry {
	return keyring.Entry{Hash: Hash(secret), Version: version, Revoked: true}
}

// bench is one lookup over a store.
type bench struct {
	*session.Lookup
	t     *testing.T
	store Store
	clock *Clock
}

func newBench(t *testing.T, store Store) *bench {
	c := NewClock()
	// The budget is generous: here the store is slow because the machine is.
	o := session.Options{Now: c.Now, Budget: 2 * time.Second}
	return &bench{session.New(store, Sum, nil, o), t, store, c}
}

// is asks for a secret and compares: "ok", "unknown", "revoked" or "unavailable".
func (b *bench) is(secret, want string) *access.Session {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	s, err := b.Session(ctx, secret)
	got := "unavailable"
	switch {
	case err == nil && s != nil:
		got = "ok"
	case errors.Is(err, key.ErrUnknown):
		got = "unknown"
	case errors.Is(err, key.ErrRevoked):
		got = "revoked"
	}
	if got != want {
		b.t.Fatalf("%s is %s (%v), want %s", secret, got, err, want)
	}
	return s
}

// Run runs the contract; open makes an empty store.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for name, f := range map[string]func(*bench){
		"a key is found, others are unknown":           found,
		"a cached key is used until its time is over":  cached,
		"a change takes effect at its notice":          noticed,
		"a revocation takes effect at its notice":      revoked,
		"a revocation wins over a store that is older": revokedForEver,
		"known keys work while the store is away":      away,
		"an outdated key does not work while it is":    outdated,
		"an emptied store does not make keys unknown":  emptied,
		"the state survives a restart":                 restarted,
		"missed notices are made up for":               gap,
	} {
		t.Run(name, func(t *testing.T) { f(newBench(t, open(t))) })
	}
}

func found(b *bench) {
	b.store.Put(b.t, Entry("a", 1, "orders"))
	s := b.is("a", "ok")
	if s.KeyID != "k_a" || !s.Allows("orders", "GET", "/") || s.Allows("billing", "GET", "/") {
		b.t.Errorf("the session is %+v", s)
	}
	b.is("b", "unknown")
	b.store.Put(b.t, Tombstone("c", 3))
	b.is("c", "revoked")
}

func cached(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.store.Put(b.t, Entry("a", 2, "orders"))
	if b.clock.Advance(29 * time.Second); b.is("a", "ok").Allows("orders", "GET", "/") {
		b.t.Error("the cache was not used")
	}
	if b.clock.Advance(2 * time.Second); !b.is("a", "ok").Allows("orders", "GET", "/") {
		b.t.Error("the cache was used beyond its time")
	}
	b.is("b", "unknown")
	b.store.Put(b.t, Entry("b", 1))
	b.clock.Advance(time.Second)
	b.is("b", "unknown")
	b.clock.Advance(2 * time.Second)
	b.is("b", "ok")
}

func noticed(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.is("b", "unknown")
	b.store.Put(b.t, Entry("a", 2, "orders"))
	b.store.Put(b.t, Entry("b", 1))
	b.Drop(Hash("a"), 2)
	b.Drop(Hash("b"), 1)
	if !b.is("a", "ok").Allows("orders", "GET", "/") {
		b.t.Error("the old version is used")
	}
	b.is("b", "ok")
}

func revoked(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.store.Put(b.t, Tombstone("a", 2))
	b.Drop(Hash("a"), 2)
	b.is("a", "revoked")
	b.store.Away(b.t)
	b.is("a", "revoked")
}

func revokedForEver(b *bench) {
	b.store.Put(b.t, Tombstone("a", 2))
	b.is("a", "revoked")
	b.store.Empty(b.t)
	b.store.Put(b.t, Entry("a", 1))
	b.Drop(Hash("a"), 1)
	b.Expire()
	b.clock.Advance(24 * time.Hour)
	b.is("a", "revoked")
}

func away(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.store.Away(b.t)
	b.clock.Advance(59 * time.Minute)
	b.is("a", "ok")
	b.is("b", "unavailable")
	b.clock.Advance(2 * time.Minute)
	b.is("a", "unavailable")
	b.store.Back(b.t)
	b.clock.Advance(2 * time.Second)
	b.is("a", "ok")
	b.is("b", "unknown")
}

// outdated: the newer version may be a revocation.
func outdated(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.Drop(Hash("a"), 2)
	b.store.Away(b.t)
	b.is("a", "unavailable")
	b.store.Back(b.t)
	b.clock.Advance(2 * time.Second)
	b.is("a", "unavailable") // the store itself is older than the notice
	b.store.Put(b.t, Entry("a", 2))
	b.is("a", "ok")
}

func emptied(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.store.Empty(b.t)
	b.clock.Advance(time.Minute)
	b.is("a", "ok")
	b.clock.Advance(2 * time.Hour)
	b.is("a", "unknown")
}

func restarted(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.store.Put(b.t, Tombstone("c", 2))
	b.is("a", "ok")
	b.is("c", "revoked")
	b.Drop(Hash("d"), 7)
	state := b.Export()
	b.store.Empty(b.t)
	b.store.Put(b.t, Entry("c", 1))
	b.store.Put(b.t, Entry("d", 6))
	b.store.Away(b.t)

	next := newBench(b.t, b.store)
	next.Import(state)
	next.is("a", "ok")
	next.is("c", "revoked")
	next.is("d", "unavailable")
	next.is("e", "unavailable")
	b.store.Back(b.t)
	next.clock.Advance(2 * time.Second)
	next.is("c", "revoked")
	next.is("d", "unavailable")
}

func gap(b *bench) {
	b.store.Put(b.t, Entry("a", 1))
	b.is("a", "ok")
	b.store.Put(b.t, Tombstone("a", 2))
	b.Expire()
	b.is("a", "revoked")
}
