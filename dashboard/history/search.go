package history

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Bounds of one search: beyond them it answers with what it has found, and goes on
// with the next page.
const (
	maxRevisions = 5000
	maxChanges   = 50_000
)

// Found is a page of revisions, newest first.
type Found struct {
	Revisions []publish.Revision // with the changes of the organisation only
	Next      int64              // below which the next page begins; 0 on the last one
}

// Search finds revisions of an organisation below before (0: from the newest) whose
// note, author, or objects' ids or names hold q, whatever the case. may tells whether
// the names of a kind count. A page may have fewer than limit revisions, even none,
// and still be followed by another.
func (s *Service) Search(ctx context.Context, org, q string, before int64, limit int, may func(kind string) bool) (Found, error) {
	q = strings.ToLower(q)
	var found Found
	seen, changes := 0, 0
	for {
		page, err := s.o.Log.Page(ctx, before, batch, "", "")
		if err != nil {
			return Found{}, fmt.Errorf("reading revisions: %w", err)
		}
		hits, err := s.matching(ctx, page, org, q, may)
		if err != nil {
			return Found{}, err
		}
		for i, r := range page {
			before = r.N
			seen, changes = seen+1, changes+len(r.Changes)
			if hits[i] != nil {
				found.Revisions = append(found.Revisions, *hits[i])
			}
			if len(found.Revisions) == limit {
				break
			}
		}
		if len(page) == 0 || before <= 1 {
			return found, nil
		}
		if len(found.Revisions) == limit || seen >= maxRevisions || changes >= maxChanges {
			found.Next = before
			return found, nil
		}
	}
}

// matching gives for each revision of a page itself, if it is found, or nil. Names
// are read only of what nothing else finds.
func (s *Service) matching(ctx context.Context, page []publish.Revision, org, q string, may func(string) bool) ([]*publish.Revision, error) {
	hits := make([]*publish.Revision, len(page))
	var open []int
	var asked []publish.Change
	for i := range page {
		own := page[i]
		own.Changes = nil
		for _, c := range page[i].Changes {
			if c.Org == org {
				own.Changes = append(own.Changes, c)
			}
		}
		switch {
		case len(own.Changes) == 0:
		case says(own, q):
			hits[i] = &own
		default:
			open = append(open, i)
			for _, c := range own.Changes {
				if may(c.Kind) {
					asked = append(asked, c)
				}
			}
			page[i] = own
		}
	}
	called, err := s.names.of(ctx, s.o.Engine, asked)
	if err != nil {
		return nil, err
	}
	for _, i := range open {
		for _, c := range page[i].Changes {
			if may(c.Kind) && strings.Contains(called[c.Says()], q) {
				hits[i] = &page[i]
				break
			}
		}
	}
	return hits, nil
}

func says(r publish.Revision, q string) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), q) }
	if has(r.Note) || has(r.Author.Name) || has(r.Author.ID) {
		return true
	}
	for _, c := range r.Changes {
		if has(c.ID) {
			return true
		}
	}
	return false
}

// names remembers what documents call their objects, in lower case. A document never
// changes under its sum, so nothing here gets old.
type names struct {
	mu sync.Mutex
	by map[string]string
}

// maxNames bounds what is remembered: about 10 MB.
const maxNames = 50_000

func newNames() *names { return &names{by: map[string]string{}} }

// of returns the names that the documents of changes say, by their sums.
func (n *names) of(ctx context.Context, e *publish.Engine, changes []publish.Change) (map[string]string, error) {
	found := make(map[string]string, len(changes))
	var unknown []publish.Change
	n.mu.Lock()
	for _, c := range changes {
		if name, ok := n.by[c.Says()]; ok {
			found[c.Says()] = name
		} else {
			unknown = append(unknown, c)
		}
	}
	n.mu.Unlock()
	for len(unknown) > 0 {
		some := unknown[:min(len(unknown), batch)]
		unknown = unknown[len(some):]
		read, err := e.Names(ctx, some)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		if len(n.by)+len(some) > maxNames {
			clear(n.by)
		}
		for _, c := range some {
			name := strings.ToLower(read[c.Says()])
			n.by[c.Says()], found[c.Says()] = name, name
		}
		n.mu.Unlock()
	}
	return found, nil
}
