package session

import (
	"time"

	"github.com/sluice-gateway/sluice/pkg/keyring"
)

// State is what survives a restart: known keys, by their hashes, and
// revocations. Who stores it seals it.
type State struct {
	Known  []Saved `json:"known,omitempty"`
	Floors []Floor `json:"floors,omitempty"`
}

// Saved is a known key with the time of Redis' last word on it.
type Saved struct {
	Entry   keyring.Entry `json:"entry"`
	Fetched time.Time     `json:"fetched"`
}

// Floor is the least version of a key that may be used; Revoked: none.
type Floor struct {
	Hash    string `json:"hash"`
	Version int64  `json:"version"`
	Revoked bool   `json:"revoked,omitempty"`
}

// Export returns a copy of what is known, without keys that are too old to be
// used.
func (l *Lookup) Export() State {
	var st State
	now := l.o.Now()
	for i := range l.cache.shards {
		s := &l.cache.shards[i]
		s.mu.RLock()
		for _, it := range s.known {
			if it.usable(now, l.o.StaleIfError) {
				st.Known = append(st.Known, Saved{it.entry, time.Unix(0, it.fetched.Load()).UTC()})
			}
		}
		for hash, f := range s.floors {
			st.Floors = append(st.Floors, Floor{hash, f.version, f.revoked})
		}
		s.mu.RUnlock()
	}
	return st
}

// Import takes a saved state into the cache, beside and never over what is newer
// there. Keys are asked for again at their first use; while that is not
// possible, they serve within StaleIfError of when Redis last confirmed them.
func (l *Lookup) Import(st State) {
	now := l.o.Now()
	for _, f := range st.Floors {
		s := l.cache.shard(f.Hash)
		s.mu.Lock()
		have := s.floors[f.Hash]
		it := s.known[f.Hash]
		if f.Revoked || f.Version > have.version && (it == nil || it.entry.Version < f.Version) {
			s.setFloor(f.Hash, floor{max(f.Version, have.version), f.Revoked || have.revoked})
		}
		s.mu.Unlock()
	}
	for _, k := range st.Known {
		if k.Entry.Revoked {
			continue
		}
		if k.Fetched.After(now) { // the clock went back
			k.Fetched = now
		}
		s := l.cache.shard(k.Entry.Hash)
		s.mu.Lock()
		f, old := s.floors[k.Entry.Hash], s.known[k.Entry.Hash]
		if !f.revoked && k.Entry.Version >= f.version && (old == nil || old.entry.Version < k.Entry.Version) {
			it := &item{entry: k.Entry}
			it.fetched.Store(k.Fetched.UnixNano())
			it.used.Store(k.Fetched.UnixNano())
			it.expired.Store(true)
			s.insert(it)
		}
		s.mu.Unlock()
	}
}
