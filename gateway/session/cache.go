package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
)

const shards = 64

// cache is the memory of a Lookup, in shards so that requests of different
// callers do not wait for one another.
type cache struct{ shards [shards]shard }

func newCache(size, unknown int) *cache {
	c := &cache{}
	for i := range c.shards {
		s := &c.shards[i]
		s.size, s.unknownSize = max(1, size/shards), max(1, unknown/shards)
		s.known = map[string]*item{}
		s.unknown = map[string]time.Time{}
		s.floors = map[string]floor{}
		s.calls = map[string]*call{}
	}
	return c
}

// shard picks by FNV-1a, so that hashes of every form spread.
func (c *cache) shard(hash string) *shard { return shardOf(c, hash) }

func shardOf[T string | []byte](c *cache, hash T) *shard {
	n := uint32(2166136261)
	for i := 0; i < len(hash); i++ {
		n = (n ^ uint32(hash[i])) * 16777619
	}
	return &c.shards[(n^n>>16)%shards]
}

// item is one known key. The entry never changes; a newer one is a new item.
type item struct {
	entry   keyring.Entry
	fetched atomic.Int64 // when Redis last said so, Unix nanoseconds
	expired atomic.Bool  // ask again, whatever the time
	used    atomic.Int64 // last use, Unix nanoseconds
	merged  atomic.Pointer[merged]
}

// merged is a session with the state of the policies that it was made from.
type merged struct {
	stamp   Stamp
	session *access.Session
}

// fresh tells whether Redis need not be asked. An entry from the future is not:
// the clock went back, and nobody knows how old it is.
func (it *item) fresh(now time.Time, ttl time.Duration) bool {
	return !it.expired.Load() && time.Duration(now.UnixNano()-it.fetched.Load()).Abs() < ttl
}

func (it *item) usable(now time.Time, within time.Duration) bool {
	return now.UnixNano()-it.fetched.Load() < int64(within)
}

// floor is the least version of a key that may be used.
type floor struct {
	version int64
	revoked bool // for ever
}

type shard struct {
	mu          sync.RWMutex
	known       map[string]*item
	unknown     map[string]time.Time // hash -> when Redis said so
	floors      map[string]floor
	calls       map[string]*call
	size        int
	unknownSize int
}

type verdict int

const (
	isMissing verdict = iota
	isKnown
	isUnknown
	isRevoked
)

// look tells what is remembered of a key. A known one may be old. The hash is no
// string, so that none is made for each request.
func (s *shard) look(hash []byte, now time.Time, unknownTTL time.Duration) (*item, verdict) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.floors) > 0 {
		if f := s.floors[string(hash)]; f.revoked {
			return nil, isRevoked
		}
	}
	if it := s.known[string(hash)]; it != nil {
		// Once a second is enough to tell the used from the unused, and spares the
		// processors a fight over one cache line.
		if n := now.UnixNano(); n-it.used.Load() > int64(time.Second) {
			it.used.Store(n)
		}
		return it, isKnown
	}
	if at, ok := s.unknown[string(hash)]; ok && now.Sub(at).Abs() < unknownTTL {
		return nil, isUnknown
	}
	return nil, isMissing
}

// put takes an entry that Redis gave, unless a newer version was seen.
func (s *shard) put(e keyring.Entry, now time.Time) (*item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.floors[e.Hash]
	if f.revoked {
		return nil, key.ErrRevoked
	}
	old := s.known[e.Hash]
	switch {
	case e.Version < f.version || old != nil && e.Version < old.entry.Version:
		return nil, errBehind
	case old != nil && e.Version == old.entry.Version:
		old.fetched.Store(now.UnixNano())
		old.expired.Store(false)
		return old, nil
	}
	it := &item{entry: e}
	it.fetched.Store(now.UnixNano())
	it.used.Store(now.UnixNano())
	s.insert(it)
	return it, nil
}

// insert keeps an item and makes room. The lock is held.
func (s *shard) insert(it *item) {
	hash := it.entry.Hash
	if s.known[hash] == nil && len(s.known) >= s.size {
		s.evict()
	}
	s.known[hash] = it
	delete(s.unknown, hash)
	delete(s.floors, hash) // the item's version says the same
}

// evict drops the longer unused of two random items: nearly as good as the
// longest unused of all, without a list to keep.
func (s *shard) evict() {
	victim := ""
	n := 0
	for hash, it := range s.known {
		if victim == "" || it.used.Load() < s.known[victim].used.Load() {
			victim = hash
		}
		if n++; n == 2 {
			break
		}
	}
	delete(s.known, victim)
}

// putUnknown takes that Redis has no such key. For a key that was seen that is no
// fact: revoked keys leave a tombstone, so one that vanished was lost. It becomes
// one when the last word on the key is too old to be used.
func (s *shard) putUnknown(hash string, now time.Time, stale time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, seen := s.floors[hash]
	switch {
	case f.revoked:
		return key.ErrRevoked
	case seen:
		return errLost
	}
	if it := s.known[hash]; it != nil {
		if it.usable(now, stale) {
			return errLost
		}
		delete(s.known, hash)
	}
	if _, again := s.unknown[hash]; !again && len(s.unknown) >= s.unknownSize {
		for other := range s.unknown {
			delete(s.unknown, other)
			break
		}
	}
	s.unknown[hash] = now
	return key.ErrUnknown
}

// putRevoked keeps a tombstone for ever, or nearly: see setFloor.
func (s *shard) putRevoked(hash string, version int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setFloor(hash, floor{max(version, s.floors[hash].version), true})
}

// drop takes a notice.
func (s *shard) drop(hash string, version int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unknown, hash)
	if it := s.known[hash]; it != nil {
		if it.entry.Version >= version {
			it.expired.Store(true)
			return
		}
		delete(s.known, hash)
	}
	if f := s.floors[hash]; version > f.version {
		s.setFloor(hash, floor{version, f.revoked})
	}
}

// setFloor keeps a floor. There is room for four times as many as for keys; when
// it is used up, one that is no revocation goes if a few tries find one. Then
// Redis alone says what becomes of that key. The lock is held.
func (s *shard) setFloor(hash string, f floor) {
	delete(s.unknown, hash)
	delete(s.known, hash)
	if _, there := s.floors[hash]; !there && len(s.floors) >= 4*s.size {
		victim, n := "", 0
		for other, o := range s.floors {
			victim = other
			if n++; !o.revoked || n == 16 {
				break
			}
		}
		delete(s.floors, victim)
	}
	s.floors[hash] = f
}

func (s *shard) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.unknown)
	for _, it := range s.known {
		it.expired.Store(true)
	}
}

// join returns the call under way for a key, or begins one and makes the caller
// its leader.
func (s *shard) join(hash string) (c *call, leader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls[hash]; c != nil {
		return c, false
	}
	c = &call{done: make(chan struct{})}
	s.calls[hash] = c
	return c, true
}

func (s *shard) leave(hash string, c *call) {
	s.mu.Lock()
	delete(s.calls, hash)
	s.mu.Unlock()
	close(c.done)
}

func (s *shard) count(st *Stats) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st.Known += len(s.known)
	st.Unknown += len(s.unknown)
	for _, f := range s.floors {
		if f.revoked {
			st.Revoked++
		}
	}
}
