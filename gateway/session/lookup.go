// Package session finds what the owner of a key may do: in a bounded cache, then
// in Redis, then, while Redis is away, in the cache beyond its time. Three
// answers are kept apart: a session, a fact against the key (unknown, revoked),
// and that the key cannot be judged now.
//
// lookup.go is the way of one question, fetch.go the call to Redis with its
// budget, cache.go the memory, breaker.go what spares an ailing Redis, state.go
// what survives a restart.
package session

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Entries is where keys are looked up; pkg/keyring's Reader is one.
type Entries interface {
	// Get returns a key's entry. keyring.ErrUnknown is a fact; any other error means
	// that the key cannot be judged.
	Get(ctx context.Context, hash string) (keyring.Entry, error)
}

// Stamp names a state of the policies. A different one makes sessions be merged
// anew.
type Stamp struct{ Epoch, Generation int64 }

// PolicySource tells the policies that are live.
type PolicySource interface {
	// Policies returns those of an organisation by id, not to be changed, with the
	// stamp of the state they are from.
	Policies(org string) (map[string]access.Policy, Stamp)
}

// Options of a Lookup. Zero values mean the defaults.
type Options struct {
	// TTL is how long an entry is used without asking Redis again. Default: 30 s.
	TTL time.Duration
	// UnknownTTL is the same for keys that do not exist. Default: 2 s.
	UnknownTTL time.Duration
	// StaleIfError is how long after the last answer an entry is used while it cannot
	// be asked for. Default: 1 h.
	StaleIfError time.Duration
	// Size bounds the entries kept. Default: 100 000.
	Size int
	// UnknownSize bounds the unknown keys kept, apart from the others, so that made-up
	// keys drive out no real ones. Default: 20 000.
	UnknownSize int
	// Budget is the time for one question to Redis about a key that is kept, and can be
	// used as it is when no answer comes. Default: 20 ms.
	Budget time.Duration
	// FirstBudget is the same for a key that is not kept: without an answer its caller
	// is turned away. Default: 250 ms.
	FirstBudget time.Duration
	// Complete tells whether Redis holds every key: it does not after it was emptied,
	// until the dashboard has repaired it. While it does not, unknown keys cannot be
	// judged. Nil: it always does.
	Complete func(ctx context.Context) (bool, error)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

func (o *Options) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.TTL, 30*time.Second)
	set(&o.UnknownTTL, 2*time.Second)
	set(&o.StaleIfError, time.Hour)
	set(&o.Budget, 20*time.Millisecond)
	set(&o.FirstBudget, 250*time.Millisecond)
	if o.Size <= 0 {
		o.Size = 100_000
	}
	if o.UnknownSize <= 0 {
		o.UnknownSize = 20_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Lookup implements key.Lookup. Safe for concurrent use.
type Lookup struct {
	entries  Entries
	hash     func(secret string) trust.KeyHash
	policies PolicySource
	o        Options
	cache    *cache
	breaker  breaker
	counts   counts
}

type counts struct{ hits, misses, stale, unavailable atomic.Int64 }

// New makes a Lookup. hash is trust.Keys.SumKey: secrets themselves are never kept.
func New(entries Entries, hash func(secret string) trust.KeyHash, policies PolicySource, o Options) *Lookup {
	o.fill()
	return &Lookup{entries: entries, hash: hash, policies: policies, o: o, cache: newCache(o.Size, o.UnknownSize)}
}

var _ key.Lookup = (*Lookup)(nil)

// Session returns what the owner of secret may do; key.ErrUnknown or
// key.ErrRevoked, which are facts; or another error when the key cannot be
// judged now.
func (l *Lookup) Session(ctx context.Context, secret string) (*access.Session, error) {
	sum := l.hash(secret)
	now := l.o.Now()
	s := shardOf(l.cache, sum[:])
	it, known := s.look(sum[:], now, l.o.UnknownTTL)
	switch known {
	case isRevoked:
		return nil, key.ErrRevoked
	case isUnknown:
		return nil, key.ErrUnknown
	case isKnown:
		if it.fresh(now, l.o.TTL) {
			l.counts.hits.Add(1)
			return l.session(it), nil
		}
	}
	// A key of ours with a wrong checksum was never made: no need to ask anybody.
	if ours, ok := access.ValidSecret(secret); ours && !ok {
		return nil, key.ErrUnknown
	}
	l.counts.misses.Add(1)
	budget := l.o.FirstBudget
	if known == isKnown && it.usable(now, l.o.StaleIfError) {
		budget = l.o.Budget
	}
	it, err := l.fetch(ctx, s, string(sum[:]), budget)
	switch {
	case err == nil:
		return l.session(it), nil
	case errors.Is(err, key.ErrUnknown) || errors.Is(err, key.ErrRevoked):
		return nil, err
	}
	// Look again: a notice may have come in the meantime.
	if it, known := s.look(sum[:], now, l.o.UnknownTTL); known == isKnown && it.usable(now, l.o.StaleIfError) {
		l.counts.stale.Add(1)
		return l.session(it), nil
	} else if known == isRevoked {
		return nil, key.ErrRevoked
	}
	l.counts.unavailable.Add(1)
	return nil, fmt.Errorf("look a key up: %w", err)
}

// session merges the key with its policies, once per version of the key and
// state of the policies.
func (l *Lookup) session(it *item) *access.Session {
	var byID map[string]access.Policy
	var stamp Stamp
	if l.policies != nil {
		byID, stamp = l.policies.Policies(it.entry.Key.Org)
	}
	if m := it.merged.Load(); m != nil && m.stamp == stamp {
		return m.session
	}
	m := &merged{stamp, access.Merge(it.entry.Key, byID)}
	it.merged.Store(m)
	return m.session
}

// Drop tells that a version of a key exists, as a notice says. What is older is
// no longer used, not even while Redis is away: the newer one may be a
// revocation.
func (l *Lookup) Drop(hash string, version int64) { l.cache.shard(hash).drop(hash, version) }

// Expire makes every key be asked for again at its next use, because notices may
// have been missed. Entries stay usable while Redis is away.
func (l *Lookup) Expire() {
	for i := range l.cache.shards {
		l.cache.shards[i].expire()
	}
}

// Stats is what a Lookup holds and did since it was made.
type Stats struct {
	Known, Unknown, Revoked          int   // kept now
	Hits, Misses, Stale, Unavailable int64 // questions
	BreakerOpen                      bool
}

// Stats returns the counters.
func (l *Lookup) Stats() Stats {
	st := Stats{
		Hits: l.counts.hits.Load(), Misses: l.counts.misses.Load(), Stale: l.counts.stale.Load(),
		Unavailable: l.counts.unavailable.Load(), BreakerOpen: l.breaker.open(l.o.Now()),
	}
	for i := range l.cache.shards {
		l.cache.shards[i].count(&st)
	}
	return st
}
