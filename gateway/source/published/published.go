// Package published is the source of a gateway that belongs to a platform: the
// signed roots in Redis, checked, and of them only what changed.
package published

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/publish"
)

// Live and Disk are the origins of an update.
const (
	Live = "live"
	Disk = "disk"
)

// Snapshot is everything of one generation, for last-known-good. The maps are
// by SHA-256 (hex) and must not be changed.
type Snapshot struct {
	Envelope publish.Envelope
	Root     *publish.Root
	Parts    map[string][]byte
	Texts    map[string][]byte
}

// Source reads what the dashboards publish. Fetch is for one goroutine.
type Source struct {
	reader *publish.Reader
	hints  chan struct{}
	at     route.State          // of the update that Fetch returned last
	items  map[route.Key]string // what whoever took it has since, by SHA-256; nil: not known
	tried  Snapshot             // what an incomplete fetch brought, so that it is not fetched again

	mu   sync.Mutex
	last Snapshot
}

var _ route.Source = (*Source)(nil)

// New makes a source of the reader's group.
func New(r *publish.Reader) *Source {
	return &Source{reader: r, hints: make(chan struct{}, 1)}
}

// Hint says that something may be new. It never blocks.
func (s *Source) Hint() {
	select {
	case s.hints <- struct{}{}:
	default:
	}
}

// Hints yields a value after a Hint.
func (s *Source) Hints() <-chan struct{} { return s.hints }

// Snapshot returns the generation that Fetch read last; ok is false before.
func (s *Source) Snapshot() (snap Snapshot, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.last.Root != nil
}

// Fetch returns what changed since the update that it returned last, or everything
// when have came from elsewhere. A root that is older than have, of another group,
// changed or signed by an unknown key is an error with its code, and changes
// nothing. When some texts cannot be had, the update lists them, the error says why,
// and the next Fetch tries again; what stood in a part that cannot be read stays as
// it is.
func (s *Source) Fetch(ctx context.Context, have route.State) (*route.Update, error) {
	at := publish.Head{Epoch: have.Epoch, Generation: have.Generation, SHA: have.Root}
	head, err := s.reader.Head(ctx)
	if err != nil {
		return nil, err
	}
	last, _ := s.Snapshot()
	settled := have == s.at && last.Root != nil && last.Root.Head() == at
	if settled && head == at {
		return nil, nil
	}
	root, envelope, err := s.reader.Root(ctx)
	if err != nil {
		return nil, err
	}
	if have != (route.State{}) {
		if err := publish.Newer(at, root.Head()); err != nil {
			return nil, err
		}
	}
	if settled && root.Head() == at {
		return nil, nil
	}
	items, texts, parts, err := s.reader.Fetch(ctx, root, func(sha string) ([]byte, bool) {
		if b, ok := last.text(sha); ok {
			return b, true
		}
		return s.tried.text(sha)
	})
	bad := new(publish.IncompleteError)
	if err != nil && !errors.As(err, &bad) {
		s.tried.Parts = parts // what is there need not be fetched again, or a large fetch may never end
		if texts != nil {
			s.tried.Texts = texts
		}
		return nil, err
	}
	if have != s.at {
		s.items = nil
	}
	u := s.update(root, items, texts, bad)
	s.at = u.State
	if err != nil {
		s.tried = Snapshot{Parts: parts, Texts: texts}
		return u, fault.Wrap(err, fault.Unavailable, "root.incomplete", "some of what generation %d names could not be fetched; it is tried again", root.Generation)
	}
	s.tried = Snapshot{}
	s.mu.Lock()
	s.last = Snapshot{envelope, root, parts, texts}
	s.mu.Unlock()
	return u, nil
}

// update compares a root's items with what was returned before.
func (s *Source) update(root *publish.Root, items []publish.Item, texts map[string][]byte, bad *publish.IncompleteError) *route.Update {
	h := root.Head()
	u := &route.Update{State: route.State{Epoch: h.Epoch, Generation: h.Generation, Root: h.SHA, Origin: Live}, Full: s.items == nil}
	now := make(map[route.Key]string, len(items))
	for _, it := range items {
		k := route.Key{Org: it.Org, Kind: it.Kind, ID: it.ID}
		before, had := s.items[k]
		text, ok := texts[it.SHA]
		switch {
		case !ok:
			u.Incomplete = append(u.Incomplete, k)
			if had {
				now[k] = before
			}
			continue
		case before != it.SHA:
			u.Set = append(u.Set, route.Item{Org: it.Org, Kind: it.Kind, ID: it.ID, SHA: it.SHA, Text: text})
		}
		now[k] = it.SHA
	}
	lost := map[int]bool{}
	for _, p := range bad.Parts {
		lost[p] = true
	}
	for k, sha := range s.items {
		if _, ok := now[k]; ok {
			continue
		}
		if lost[publish.PartOf(k.Org, k.Kind, k.ID)] {
			u.Incomplete, now[k] = append(u.Incomplete, k), sha
			continue
		}
		u.Gone = append(u.Gone, k)
	}
	if s.items = now; u.Full && len(lost) > 0 {
		// nobody can say what is gone: not everything, and the next one is full again
		u.Full, s.items = false, nil
	}
	return u
}

func (s Snapshot) text(sha string) ([]byte, bool) {
	if b, ok := s.Texts[sha]; ok {
		return b, true
	}
	b, ok := s.Parts[sha]
	return b, ok
}

// Update makes a full update of a snapshot whose root was checked already. When
// some texts are missing or wrong, the error is a *publish.IncompleteError beside the
// update, which lists them as far as their names are known.
func (s Snapshot) Update(origin string) (*route.Update, error) {
	items, texts, _, err := publish.Assemble(s.Root, s.text)
	bad := new(publish.IncompleteError)
	if err != nil {
		err = fmt.Errorf("reading generation %d: %w", s.Root.Generation, err)
		if !errors.As(err, &bad) {
			return nil, err
		}
	}
	h := s.Root.Head()
	u := &route.Update{State: route.State{Epoch: h.Epoch, Generation: h.Generation, Root: h.SHA, Origin: origin}, Full: true}
	for _, it := range items {
		text, ok := texts[it.SHA]
		if !ok {
			u.Incomplete = append(u.Incomplete, route.Key{Org: it.Org, Kind: it.Kind, ID: it.ID})
			continue
		}
		u.Set = append(u.Set, route.Item{Org: it.Org, Kind: it.Kind, ID: it.ID, SHA: it.SHA, Text: text})
	}
	return u, err
}
