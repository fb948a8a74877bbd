package publish

import (
	"maps"
	"sync"
	"time"

	wire "github.com/sluice-gateway/sluice/pkg/publish"
)

// keepHashes is of how many revisions the root's hash is kept.
const keepHashes = 1000

// snapshot is what the engine shows of itself while it may be busy.
type snapshot struct {
	mu     sync.Mutex
	c      Condition
	epoch  int64
	at     time.Time
	heads  map[string]wire.Head
	hashes map[int64]string // of roots of the group default
	names  map[Ref]string   // of what exists
}

// named notes the name of an object that changed, or that it is gone.
func (s *snapshot) named(o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := Ref{o.Org, o.Kind, o.ID}
	if o.Deleted {
		delete(s.names, ref)
	} else {
		s.names[ref] = o.Summary.Name
	}
}

// namesOf returns the names of those that exist.
func (s *snapshot) namesOf(org, kind string, ids []string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]string, len(ids))
	for _, id := range ids {
		if name, ok := s.names[Ref{org, kind, id}]; ok {
			found[id] = name
		}
	}
	return found
}

// moved notes a new revision, epoch or group.
func (s *snapshot) moved(n, epoch int64, at time.Time, heads map[string]wire.Head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Revision, s.epoch, s.at, s.heads = n, epoch, at, maps.Clone(heads)
	if h, ok := heads[defaultGroup]; ok {
		s.hashes[n] = h.SHA
		delete(s.hashes, n-keepHashes)
	}
}

func (s *snapshot) published(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Published, s.c.StoreBehind, s.c.Error = n, false, ""
}

// refused notes that Redis is ahead of the store.
func (s *snapshot) refused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.StoreBehind = true
}

func (s *snapshot) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Error = err.Error()
}

func (s *snapshot) condition() Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

func (s *snapshot) head(group string) (wire.Head, time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.heads[group]
	return h, s.at, ok
}

// of returns what is known of revision n.
func (s *snapshot) of(n int64) (hash string, epoch int64, published bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hashes[n], s.epoch, s.c.Published >= n
}
