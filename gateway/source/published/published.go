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
	items  map[route.Key]string // SHA-256 of what Fetch returned last

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

// Fetch returns what changed since it was called last, or everything when have
// came from elsewhere. A root that is older than have, of another group, changed
// or signed by an unknown key is an error with its code, and changes nothing. When
// some texts cannot be had, the update lists them and the error says why.
func (s *Source) Fetch(ctx context.Context, have route.State) (*route.Update, error) {
	at := publish.Head{Epoch: have.Epoch, Generation: have.Generation, SHA: have.Root}
	head, err := s.reader.Head(ctx)
	if err != nil {
		return nil, err
	}
	known, complete := s.Snapshot()
	if complete && have.Origin == Live && head == at && known.Root.Head() == at {
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
	items, texts, parts, err := s.reader.Fetch(ctx, root, known.text)
	var incomplete *publish.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		return nil, err
	}
	u := s.update(root, items, texts, have.Origin != Live)
	if incomplete != nil {
		s.keep(u, incomplete)
		return u, fault.Wrap(err, fault.Unavailable, "root.incomplete", "some of what generation %d names could not be fetched; it is tried again", root.Generation)
	}
	s.mu.Lock()
	s.last = Snapshot{envelope, root, parts, texts}
	s.mu.Unlock()
	return u, nil
}

// update compares a root's items with those returned last.
func (s *Source) update(root *publish.Root, items []publish.Item, texts map[string][]byte, full bool) *route.Update {
	h := root.Head()
	u := &route.Update{State: route.State{Epoch: h.Epoch, Generation: h.Generation, Root: h.SHA, Origin: Live}, Full: full || s.items == nil}
	now := make(map[route.Key]string, len(items))
	for _, it := range items {
		k := route.Key{Org: it.Org, Kind: it.Kind, ID: it.ID}
		text, ok := texts[it.SHA]
		if !ok {
			continue
		}
		now[k] = it.SHA
		if u.Full || s.items[k] != it.SHA {
			u.Set = append(u.Set, route.Item{Org: it.Org, Kind: it.Kind, ID: it.ID, SHA: it.SHA, Text: text})
		}
	}
	for k := range s.items {
		if _, ok := now[k]; !ok && !u.Full {
			u.Gone = append(u.Gone, k)
		}
	}
	s.items = now
	return u
}

// keep takes what could not be fetched out of what is gone: it serves on as it
// is. The state stays the one before, so that the next Fetch tries again.
func (s *Source) keep(u *route.Update, bad *publish.IncompleteError) {
	lost := map[int]bool{}
	for _, p := range bad.Parts {
		lost[p] = true
	}
	for _, it := range bad.Items {
		u.Incomplete = append(u.Incomplete, route.Key{Org: it.Org, Kind: it.Kind, ID: it.ID})
	}
	gone := u.Gone[:0]
	missing := map[route.Key]bool{}
	for _, k := range u.Incomplete {
		missing[k] = true
	}
	for _, k := range u.Gone {
		switch {
		case missing[k]:
		case lost[publish.PartOf(k.Org, k.Kind, k.ID)]:
			u.Incomplete = append(u.Incomplete, k)
		default:
			gone = append(gone, k)
		}
	}
	u.Gone = gone
	s.items = nil // the next update is a full one
}

func (s Snapshot) text(sha string) ([]byte, bool) {
	if b, ok := s.Texts[sha]; ok {
		return b, true
	}
	b, ok := s.Parts[sha]
	return b, ok
}

// Update makes a full update of a snapshot that was checked already.
func (s Snapshot) Update(origin string) (*route.Update, error) {
	items, texts, _, err := publish.Assemble(s.Root, s.text)
	if err != nil {
		return nil, fmt.Errorf("reading generation %d: %w", s.Root.Generation, err)
	}
	h := s.Root.Head()
	u := &route.Update{State: route.State{Epoch: h.Epoch, Generation: h.Generation, Root: h.SHA, Origin: origin}, Full: true}
	for _, it := range items {
		u.Set = append(u.Set, route.Item{Org: it.Org, Kind: it.Kind, ID: it.ID, SHA: it.SHA, Text: texts[it.SHA]})
	}
	return u, nil
}
