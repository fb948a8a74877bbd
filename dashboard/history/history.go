// Package history looks back in the log of truth: what differs between two
// revisions, what was once changed and why, and how to bring objects back to how
// they were. A rollback is a new revision; nothing in the log is ever changed.
//
// Read history.go for differences, rollback.go for the way back, search.go for the
// search.
package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/dashboard/diff"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Options are what a Service needs; all of it.
type Options struct {
	Engine   *publish.Engine
	Log      publish.Log
	Contents publish.Contents
	Set      *objects.Set
}

// Service answers questions about the past. Its methods are safe for concurrent use.
type Service struct {
	o     Options
	diffs *diff.Rules
	names *names
}

// New makes the service of the stores that the engine has.
func New(o Options) *Service {
	return &Service{o: o, diffs: diff.NewRules(), names: newNames()}
}

// Ref names one object of an organisation.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

func (r Ref) compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.ID, o.ID))
}

// ObjectDiff is what differs in one object.
type ObjectDiff struct {
	Ref
	Name   string `json:"name,omitempty"`   // as the later document says, or the earlier one of what is gone
	Action string `json:"action"`           // create, update or delete
	Before string `json:"before,omitempty"` // SHA-256 of the text, hex
	After  string `json:"after,omitempty"`
	// Differences are none where two texts mean the same, and absent (nil) beyond
	// the first objects of a comparison that has very many.
	Differences []diff.Difference `json:"differences"`
}

// batch is how many revisions or objects are read at a time.
const batch = 200

// maxTold is how many objects of one comparison have their differences told.
const maxTold = 1000

// Diff tells what differs between the states after revisions a and b, by kind and
// id; 0 is the state before the first one, and a may be the later one. The fault is
// "revision.not_found".
func (s *Service) Diff(ctx context.Context, org string, a, b int64) ([]ObjectDiff, error) {
	newest, err := s.o.Log.Newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the newest revision: %w", err)
	}
	for _, n := range []int64{a, b} {
		if n < 0 || n > newest {
			return nil, notFound(n)
		}
	}
	spans, err := s.spans(ctx, org, min(a, b), max(a, b))
	if err != nil {
		return nil, err
	}
	out := []ObjectDiff{}
	for _, p := range spans {
		if a > b {
			p.before, p.after = p.after, p.before
		}
		if d := p.diff(); d.Before != d.After {
			out = append(out, d)
		}
	}
	return out, s.tell(ctx, out[:min(len(out), maxTold)])
}

func notFound(n int64) error {
	return fault.New(fault.NotFound, "revision.not_found", "there is no revision %d", n).With("revision", n)
}

// span is what a run of revisions did to one object.
type span struct {
	Ref
	before, after string // SHA-256 of the texts; "" is none
	revisions     []Past
	more          int // revisions beyond those
}

func (p *span) diff() ObjectDiff {
	d := ObjectDiff{Ref: p.Ref, Action: "update", Before: p.before, After: p.after}
	switch {
	case p.before == "":
		d.Action = "create"
	case p.after == "":
		d.Action = "delete"
	}
	return d
}

// newest is the number of the last revision that changed the object.
func (p *span) newest() int64 { return p.revisions[len(p.revisions)-1].N }

// maxLater is how many revisions a span keeps: the last ones.
const maxLater = 20

// spans folds the revisions after a up to b, sorted by kind and id.
func (s *Service) spans(ctx context.Context, org string, a, b int64) ([]*span, error) {
	found := map[Ref]*span{}
	for a < b {
		revisions, err := s.o.Log.Since(ctx, a, batch)
		if err != nil {
			return nil, fmt.Errorf("reading revisions after %d: %w", a, err)
		}
		if len(revisions) == 0 {
			return nil, notFound(b)
		}
		for _, r := range revisions {
			if r.N > b {
				break
			}
			for _, c := range r.Changes {
				if c.Org == org {
					fold(found, r, c)
				}
			}
		}
		a = revisions[len(revisions)-1].N
	}
	out := make([]*span, 0, len(found))
	for _, p := range found {
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y *span) int { return x.compare(y.Ref) })
	return out, nil
}

func fold(found map[Ref]*span, r publish.Revision, c publish.Change) {
	ref := Ref{c.Kind, c.ID}
	p := found[ref]
	if p == nil {
		p = &span{Ref: ref, before: c.Before}
		found[ref] = p
	}
	p.after = c.After
	if len(p.revisions) == maxLater {
		p.revisions = append(p.revisions[:0], p.revisions[1:]...)
		p.more++
	}
	p.revisions = append(p.revisions, Past{r.N, r.At, r.Author, r.Note})
}

// tell fills in names and differences.
func (s *Service) tell(ctx context.Context, all []ObjectDiff) error {
	for some := range slices.Chunk(all, batch) {
		var sums []string
		for _, d := range some {
			sums = append(sums, d.Before, d.After)
		}
		texts, err := s.texts(ctx, sums)
		if err != nil {
			return err
		}
		for i := range some {
			d := &some[i]
			d.Name = publish.Summarise(d.ID, texts[cmp.Or(d.After, d.Before)]).Name
			d.Differences = s.diffs.Texts(d.Kind, texts[d.Before], texts[d.After])
			if d.Differences == nil {
				d.Differences = []diff.Difference{}
			}
		}
	}
	return nil
}

// texts reads contents by their sums; "" is passed over. The fault
// "content.not_found" says that the store lost one.
func (s *Service) texts(ctx context.Context, sums []string) (map[string][]byte, error) {
	sums = slices.DeleteFunc(slices.Clone(sums), func(sum string) bool { return sum == "" })
	slices.Sort(sums)
	sums = slices.Compact(sums)
	texts, err := s.o.Contents.Get(ctx, sums)
	if err != nil {
		return nil, fmt.Errorf("reading contents: %w", err)
	}
	if len(texts) < len(sums) {
		return nil, fault.New(fault.NotFound, "content.not_found", "the store has lost a document of the revisions that are compared")
	}
	return texts, nil
}
