package objects

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Holder is what the rules of a kind may be beside: the reasons to keep an object
// that lie in the state itself, so that they can go in the same revision.
type Holder interface {
	// Hold says why an object may not be deleted, by the state that its deletion
	// leads to. It must be quick.
	Hold(s *publish.State, org, id string) []fault.Problem
}

// Action is what a change of a set does.
type Action string

// The actions.
const (
	Put    Action = "put"    // creates the object, or replaces its text
	Delete Action = "delete" // removes the object
)

// Change is one object's part in a set.
type Change struct {
	Kind string
	// ID of the object; "" is the one in the text, or made from the name.
	ID     string
	Action Action
	Text   []byte // of Put
	// IfMatch is as in Write; "" says that the object does not exist yet, and "*" lets
	// Put create or replace.
	IfMatch string
}

// SetResult tells what a set did, or would do when it was a dry run.
type SetResult struct {
	Revision int64            // the revision that was made; 0 when nothing changed or in a dry run
	Objects  []publish.Object // those that changed; none in a dry run
	Problems []fault.Problem  // warnings, at /changes/N/object…
	Plan     []Step           // in the order of the changes
}

// maxChanges bounds one set; a revision is one row of the store.
const maxChanges = 10_000

// Set applies changes of several objects as one revision: all of them or none, each
// judged against the state that the others lead to. Safe for concurrent use.
//
// Faults beside those of Collection, whose codes are the same here: "set.invalid"
// (kind Unprocessable, with all problems of all changes), "set.empty",
// "set.too_many", "set.kind_unknown", "set.action_unknown" and "set.twice" (two
// changes of one object). Problems name their change by the parameter change (an
// index) and by a path that begins with /changes/ and it.
type Set struct {
	engine *publish.Engine
	kinds  map[string]*Collection
}

// NewSet makes a set of these collections, which must belong to the engine.
func NewSet(e *publish.Engine, all ...*Collection) *Set {
	s := &Set{engine: e, kinds: map[string]*Collection{}}
	for _, c := range all {
		s.kinds[c.kind] = c
	}
	return s
}

// Kinds lists the kinds of objects that a set may change, in the order of the alphabet.
func (s *Set) Kinds() []string { return slices.Sorted(maps.Keys(s.kinds)) }

// member is a change that was judged.
type member struct {
	candidate
	of      *Collection
	deletes bool
}

// batch is a set that was judged and waits for its commit.
type batch struct {
	org      string
	members  []member
	judgedAt int64
}

// Apply makes the changes. The If-Match of w does not count.
func (s *Set) Apply(ctx context.Context, w Write, changes []Change) (SetResult, error) {
	for range tries {
		b, err := s.prepare(ctx, w.Org, changes)
		if err != nil {
			return SetResult{}, err
		}
		result, err := s.commit(ctx, w, b)
		if !errors.Is(err, errMoved) {
			return result, err
		}
	}
	return SetResult{}, busy()
}

// prepare reads and judges all changes.
func (s *Set) prepare(ctx context.Context, org string, changes []Change) (*batch, error) {
	if err := s.known(changes); err != nil {
		return nil, err
	}
	b := &batch{org: org}
	var failed error
	err := s.engine.View(ctx, func(state *publish.State) error {
		b.members = make([]member, len(changes))
		var edits []publish.Edit
		for i, ch := range changes {
			with := state
			if ch.ID == "" { // ids that the set itself takes are not free
				with = state.With(edits)
			}
			m, err := s.member(ctx, with, state, org, ch)
			if err != nil {
				return ofChange(i, err)
			}
			if slices.ContainsFunc(edits, func(e publish.Edit) bool { return e.Ref == m.ref }) {
				return ofChange(i, fault.New(fault.Unprocessable, "set.twice", "the %s %q stands twice in the set; keep one change of it", m.of.noun(), m.ref.ID))
			}
			b.members[i] = m
			edits = append(edits, m.edit())
		}
		failed = b.unread()
		if failed == nil {
			b.judge(state)
		}
		return nil
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return b, b.examine(ctx)
}

// known refuses what no change may be.
func (s *Set) known(changes []Change) error {
	if len(changes) == 0 {
		return fault.New(fault.Unprocessable, "set.empty", "changes is empty; name at least one").At("/changes")
	}
	if len(changes) > maxChanges {
		return fault.New(fault.Unprocessable, "set.too_many", "a set has at most %d changes; split it", maxChanges).With("max", maxChanges).At("/changes")
	}
	for i, ch := range changes {
		path := "/changes/" + strconv.Itoa(i)
		if s.kinds[ch.Kind] == nil {
			return fault.New(fault.Unprocessable, "set.kind_unknown", "kind is one of %v", s.Kinds()).With("allowed", s.Kinds()).At(path + "/kind")
		}
		if ch.Action != Put && ch.Action != Delete {
			return fault.New(fault.Unprocessable, "set.action_unknown", "action is put or delete").With("allowed", []Action{Put, Delete}).At(path + "/action")
		}
	}
	return nil
}

// member reads one change. ids is the state with what the set has made so far.
func (s *Set) member(ctx context.Context, ids, state *publish.State, org string, ch Change) (member, error) {
	c := s.kinds[ch.Kind]
	m := member{of: c, deletes: ch.Action == Delete}
	if m.deletes {
		m.ref = publish.Ref{Org: org, Kind: ch.Kind, ID: ch.ID}
		entry, err := c.present(state, m.ref)
		if err != nil {
			return m, err
		}
		m.base = &entry
		if err := Precondition(ch.IfMatch, entry.Rev); err != nil {
			return m, err
		}
		m.stored, err = state.Text(ctx, m.ref)
		return m, err
	}
	if ch.ID == "" {
		d, _ := c.read(org, nil, ch.Text)
		ch.ID = d.ID
	}
	var err error
	if _, there := state.Get(publish.Ref{Org: org, Kind: ch.Kind, ID: ch.ID}); there && ch.ID != "" {
		w := Write{Org: org, IfMatch: ch.IfMatch}
		m.candidate, err = c.changeIn(ctx, state, w, ch.ID, func([]byte) ([]byte, error) { return ch.Text, nil })
		return m, err
	}
	if ch.IfMatch != "" && ch.IfMatch != "*" {
		return m, c.notFound(ch.ID)
	}
	m.doc, m.problems = c.read(org, nil, ch.Text)
	if m.doc.Value == nil {
		m.ref = publish.Ref{Org: org, Kind: ch.Kind, ID: ch.ID}
		return m, nil
	}
	if m.doc.ID == "" && ch.ID != "" {
		m.doc, m.problems = c.read(org, nil, insertID(ch.Text, ch.ID))
	}
	m.made = m.doc.ID == ""
	if err = c.place(ids, org, ch.Text, &m.candidate); err == nil && ch.ID != "" && m.ref.ID != ch.ID {
		err = fault.New(fault.Unprocessable, fault.Code(c.kind+".id_changed"), "the document has the id %q, the change %q; give both the same", m.ref.ID, ch.ID).With("id", ch.ID)
	}
	return m, err
}

func (m *member) edit() publish.Edit {
	if m.deletes {
		return publish.Edit{Ref: m.ref}
	}
	return publish.Edit{Ref: m.ref, Text: m.doc.Text}
}

func (b *batch) edits() []publish.Edit {
	edits := make([]publish.Edit, len(b.members))
	for i := range b.members {
		edits[i] = b.members[i].edit()
	}
	return edits
}

// unread is the fault of documents that cannot be read: nothing can be judged then.
func (b *batch) unread() error {
	if slices.ContainsFunc(b.members, func(m member) bool { return !m.deletes && m.doc.Value == nil }) {
		return invalidSet(b.problems())
	}
	return nil
}

// judge compares each change with the state that all of them lead to.
func (b *batch) judge(s *publish.State) {
	next := s.With(b.edits())
	for i := range b.members {
		m := &b.members[i]
		switch {
		case m.deletes:
			m.clashes = m.of.hold(next, b.org, m.ref.ID)
		case m.same:
			m.clashes = nil
		default:
			m.clashes = m.of.rules.Judge(next, b.org, m.doc)
		}
	}
	b.judgedAt = s.Revision()
}

// atOnce is how many changes of a set gateways and others are asked about at a time.
const atOnce = 8

// examine refuses a set with errors, and asks others about one without.
func (b *batch) examine(ctx context.Context) error {
	if err := b.refuse(); err != nil {
		return err
	}
	var all sync.WaitGroup
	turn, errs := make(chan struct{}, atOnce), make([]error, len(b.members))
	for i := range b.members {
		m := &b.members[i]
		if m.same {
			continue
		}
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			if m.deletes {
				m.problems, errs[i] = m.of.rules.Release(ctx, b.org, m.ref.ID)
				m.clashes = append(m.problems, m.clashes...)
				m.problems = nil
				return
			}
			m.problems = append(m.problems, m.of.rules.Consult(ctx, b.org, m.doc)...)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return b.refuse()
}

// refuse is the fault of problems that are errors: of documents first.
func (b *batch) refuse() error {
	if slices.ContainsFunc(b.members, func(m member) bool { return hasErrors(m.problems) }) {
		return invalidSet(b.problems())
	}
	return conflict(b.problems())
}

// problems are those of all changes, each with the change that has it.
func (b *batch) problems() (all []fault.Problem) {
	for i := range b.members {
		for _, p := range slices.Concat(b.members[i].problems, b.members[i].clashes) {
			all = append(all, inChange(i, p))
		}
	}
	return all
}

func invalidSet(problems []fault.Problem) error {
	return fault.FromProblems("set.invalid", "some changes have errors; nothing was changed", problems)
}
