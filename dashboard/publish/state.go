package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Ref names one revisioned object.
type Ref struct{ Org, Kind, ID string }

// State is the outcome of the log up to one revision, as far as rules need it:
// what exists, who serves it, which hosts and paths are taken. It is valid only
// within the function that it was given to.
type State struct {
	n        int64
	at       time.Time // of revision n
	objects  map[Ref]Entry
	orgs     map[string]bool // that have, or had, an object
	index    *apidef.Index
	contents Contents

	below *State            // of what With returns: what it was made from
	texts map[string][]byte // of what With returns, by sum
}

// Entry is what the state keeps of one object.
type Entry struct {
	Rev     int64
	SHA     string // "" when Deleted
	Name    string
	Groups  []string // gateway groups; none is every group
	Deleted bool
	uses    []Ref // the material that an API names
}

func newState(contents Contents) *State {
	return &State{objects: map[Ref]Entry{}, orgs: map[string]bool{}, index: apidef.NewIndex(), contents: contents}
}

// Revision is the number of the revision that this is the state of.
func (s *State) Revision() int64 { return s.n }

// Alone tells whether no organisation but this one ever had an object, so that
// every revision is its own.
func (s *State) Alone(org string) bool {
	return len(s.orgs) == 0 || len(s.orgs) == 1 && s.orgs[org]
}

// Get returns a present object.
func (s *State) Get(r Ref) (Entry, bool) {
	e, ok := s.objects[r]
	if !ok && s.below != nil {
		return s.below.Get(r)
	}
	return e, ok && !e.Deleted
}

// Text returns the text of a present object, or ErrNotFound.
func (s *State) Text(ctx context.Context, r Ref) ([]byte, error) {
	e, ok := s.Get(r)
	if !ok {
		return nil, ErrNotFound
	}
	if text, own := s.texts[e.SHA]; own {
		return text, nil
	}
	texts, err := s.contents.Get(ctx, []string{e.SHA})
	if err != nil {
		return nil, fmt.Errorf("reading the text of %s %s: %w", r.Kind, r.ID, err)
	}
	text, ok := texts[e.SHA]
	if !ok {
		return nil, fmt.Errorf("the store lacks the text %s of %s %s", e.SHA, r.Kind, r.ID)
	}
	return text, nil
}

// Conflicts lists what a definition may not share with the APIs that exist; see
// apidef.Index.
func (s *State) Conflicts(org string, d *apidef.Definition) []fault.Problem {
	return s.index.Conflicts(org, d)
}

// put folds one object in, unless the state has it as new already.
func (s *State) put(o Object) bool {
	ref := Ref{o.Org, o.Kind, o.ID}
	if s.objects[ref].Rev >= o.Rev {
		return false
	}
	s.orgs[o.Org] = true
	s.objects[ref] = Entry{Rev: o.Rev, SHA: o.SHA, Name: o.Summary.Name, Groups: o.Summary.Groups, Deleted: o.Deleted}
	if o.Kind != KindAPI {
		return true
	}
	s.index.Delete(o.Org, o.ID)
	if !o.Deleted {
		if d, _ := apidef.DecodeStored(o.Text); d != nil {
			s.index.Put(o.Org, o.Rev, d)
			entry := s.objects[ref]
			entry.uses = usesOf(o.Org, d)
			s.objects[ref] = entry
		}
	}
	return true
}

// usesOf lists the material that a definition names, each once.
func usesOf(org string, d *apidef.Definition) (out []Ref) {
	for _, u := range material.Uses(d) {
		if r := (Ref{org, u.Kind, u.ID}); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// Users are the present APIs that name a certificate or a secret, by id.
func (s *State) Users(r Ref) (out []Ref) {
	if s.below != nil {
		out = slices.DeleteFunc(s.below.Users(r), func(user Ref) bool { _, changed := s.objects[user]; return changed })
	}
	for ref, e := range s.objects {
		if !e.Deleted && slices.Contains(e.uses, r) {
			out = append(out, ref)
		}
	}
	slices.SortFunc(out, func(a, b Ref) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// in tells whether gateways of a group get the object. Disabled objects are
// published too: a gateway does not route a disabled API, and must know the
// state of a policy.
func (e Entry) in(group string) bool {
	return !e.Deleted && (len(e.Groups) == 0 || slices.Contains(e.Groups, group))
}

// Availability tells whether a listen path is free; see apidef.Index.
func (s *State) Availability(org, domain, path string, groups []string, exceptID string) apidef.Availability {
	return s.index.Availability(org, domain, path, groups, exceptID)
}
