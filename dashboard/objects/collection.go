package objects

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dashboard/diff"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Document is a text as its kind's rules read it.
type Document struct {
	ID     string
	Name   string
	Groups []string // gateway groups; none is every group
	Text   []byte
	Value  any
}

// Rules are what a kind of object must obey. Only problems of severity Error
// stop a change.
type Rules interface {
	// Read decodes and validates a text. value is nil where it cannot be decoded.
	Read(text []byte) (value any, problems []fault.Problem)
	// Judge compares a document with what else exists. It is called with exactly
	// the state that the change follows, and must be quick.
	Judge(s *publish.State, org string, d Document) []fault.Problem
	// Consult asks others about a document without errors. It may take a while.
	Consult(ctx context.Context, org string, d Document) []fault.Problem
	// Release says why an object may not be deleted.
	Release(ctx context.Context, org, id string) ([]fault.Problem, error)
}

// Preparer is what the rules of a kind with private parts have beside Rules.
type Preparer interface {
	// Prepare returns a text as it is to be stored under that id: what is private is
	// sealed, and taken from the stored text, which is nil for a creation, where the new
	// one leaves it out. The text was read before.
	Prepare(org, id string, stored, text []byte) ([]byte, []fault.Problem)
}

// Collection is all objects of one kind: each change is judged by the kind's
// rules, becomes a revision, and is published. Safe for concurrent use.
//
// Faults beside those of Commit, with the kind as first part of the code
// (api.… or policy.…): not_found, exists, invalid (kind Unprocessable, with all
// problems); precondition.required and precondition.stale; and the code of the
// first problem that Judge or Release found (kind Conflict).
type Collection struct {
	engine *publish.Engine
	views  publish.Views
	kind   string
	rules  Rules
	diffs  *diff.Rules
}

// New makes the collection of a kind. The views are those that the engine keeps.
func New(e *publish.Engine, views publish.Views, kind string, r Rules) *Collection {
	return &Collection{engine: e, views: views, kind: kind, rules: r, diffs: diff.NewRules()}
}

// errMoved says that the state changed in a way that calls for another try.
var errMoved = errors.New("changed meanwhile")

// tries bounds how often a change is begun again because of others.
const tries = 100

// candidate is a change that was judged and waits for its commit.
type candidate struct {
	ref      publish.Ref
	doc      Document
	made     bool           // the id was made here
	base     *publish.Entry // nil: a creation
	stored   []byte         // the text that it was made from
	same     bool           // the text is the stored one
	judgedAt int64          // revision of the state that it was judged by
	problems []fault.Problem
	clashes  []fault.Problem // what Judge found
}

// Create adds an object. Its id is made from the name when the text has none.
func (c *Collection) Create(ctx context.Context, w Write, text []byte) (Result, error) {
	for range tries {
		n, err := c.prepareNew(ctx, w.Org, text)
		if err != nil {
			return Result{}, err
		}
		result, err := c.commit(ctx, w, n)
		if !errors.Is(err, errMoved) {
			return result, err
		}
	}
	return Result{}, busy()
}

// Replace puts a whole new text in the place of an object's. The same text again
// changes nothing.
func (c *Collection) Replace(ctx context.Context, w Write, id string, text []byte) (Result, error) {
	return c.update(ctx, w, id, func([]byte) ([]byte, error) { return text, nil })
}

// Patch applies an RFC 7396 merge patch to an object's text; what the patch does
// not concern keeps every byte.
func (c *Collection) Patch(ctx context.Context, w Write, id string, patch []byte) (Result, error) {
	return c.update(ctx, w, id, func(stored []byte) ([]byte, error) { return strictjson.MergePatch(stored, patch) })
}

func (c *Collection) update(ctx context.Context, w Write, id string, change func(stored []byte) ([]byte, error)) (Result, error) {
	for range tries {
		n, err := c.prepareChange(ctx, w, id, change)
		if err != nil {
			return Result{}, err
		}
		result, err := c.commit(ctx, w, n)
		if !errors.Is(err, errMoved) {
			return result, err
		}
	}
	return Result{}, busy()
}

// Delete removes an object; a tombstone stays in the views.
func (c *Collection) Delete(ctx context.Context, w Write, id string) (Result, error) {
	ref := publish.Ref{Org: w.Org, Kind: c.kind, ID: id}
	var entry publish.Entry
	var stored []byte
	var held []fault.Problem
	judge := func(s *publish.State) (err error) {
		if entry, err = c.present(s, ref); err != nil {
			return err
		}
		if err := Precondition(w.IfMatch, entry.Rev); err != nil {
			return err
		}
		if held = c.hold(s.With([]publish.Edit{{Ref: ref}}), w.Org, id); w.DryRun {
			stored, err = s.Text(ctx, ref)
		}
		return cmp.Or(conflict(held), err)
	}
	if err := c.engine.View(ctx, judge); err != nil {
		return Result{}, err
	}
	problems, err := c.rules.Release(ctx, w.Org, id)
	if err != nil {
		return Result{}, err
	}
	problems = append(problems, held...)
	if err := conflict(problems); err != nil {
		return Result{}, err
	}
	plan := []Step{{Action: "delete", Kind: c.kind, ID: id, Groups: entry.Groups, Before: entry.SHA}}
	if w.DryRun {
		plan[0].Differences = c.diffs.Texts(c.kind, stored, nil)
		return Result{Problems: problems, Plan: plan, Object: publish.Object{Org: w.Org, Kind: c.kind, ID: id, Deleted: true}}, nil
	}
	done, err := c.engine.Commit(ctx, w.Author, w.Note, func(s *publish.State) ([]publish.Edit, error) {
		if err := judge(s); err != nil {
			return nil, err
		}
		return []publish.Edit{{Ref: ref}}, nil
	})
	if err != nil {
		return Result{}, err
	}
	return Result{
		Object: done.Objects[0], Revision: done.Revision.N, ETag: ETag(done.Revision.N),
		Problems: append(problems, done.Problems...), Plan: plan,
	}, nil
}

// Get returns a present object, or the fault not_found.
func (c *Collection) Get(ctx context.Context, org, id string) (publish.Object, error) {
	o, err := c.views.Get(ctx, org, c.kind, id)
	if errors.Is(err, publish.ErrNotFound) {
		return publish.Object{}, c.notFound(id)
	}
	return o, err
}

// List returns a page of objects. The query's kind is set here.
func (c *Collection) List(ctx context.Context, q publish.Query) (publish.Page, error) {
	q.Kind = c.kind
	return c.views.List(ctx, q)
}

// Check returns all problems that a text has as a new object, or as the text of
// the object with that id, warnings too. Nothing is stored.
func (c *Collection) Check(ctx context.Context, org, id string, text []byte) ([]fault.Problem, error) {
	var n candidate
	var err error
	if id == "" {
		n, err = c.prepareNew(ctx, org, text)
	} else {
		n, err = c.prepareChange(ctx, Write{Org: org, IfMatch: "*"}, id, func([]byte) ([]byte, error) { return text, nil })
	}
	if f := fault.As(err); f != nil && len(f.Problems) > 0 {
		return f.Problems, nil
	}
	return append(n.problems, n.clashes...), err
}

// prepareNew judges a creation.
func (c *Collection) prepareNew(ctx context.Context, org string, text []byte) (candidate, error) {
	n := candidate{}
	n.doc, n.problems = c.read(org, nil, text)
	if n.doc.Value == nil {
		return n, c.invalid(n.problems)
	}
	n.made = n.doc.ID == ""
	err := c.engine.View(ctx, func(s *publish.State) error {
		if err := c.place(s, org, text, &n); err != nil {
			return err
		}
		n.judge(s, c.rules)
		return nil
	})
	if err != nil {
		return n, err
	}
	return n, c.examine(ctx, &n)
}

// place gives a new document its id, if it has none, and its place among what exists.
func (c *Collection) place(s *publish.State, org string, text []byte, n *candidate) error {
	if n.made {
		n.doc, n.problems = c.read(org, nil, insertID(text, c.freeID(s, org, n.doc.Name)))
	}
	n.ref = publish.Ref{Org: org, Kind: c.kind, ID: n.doc.ID}
	if _, taken := s.Get(n.ref); taken {
		return c.exists(n.ref.ID)
	}
	return nil
}

// prepareChange judges the change of an object.
func (c *Collection) prepareChange(ctx context.Context, w Write, id string, change func(stored []byte) ([]byte, error)) (n candidate, err error) {
	err = c.engine.View(ctx, func(s *publish.State) error {
		if n, err = c.changeIn(ctx, s, w, id, change); err == nil && n.doc.Value != nil {
			n.judge(s, c.rules)
		}
		return err
	})
	if err != nil || n.same {
		return n, err
	}
	return n, c.examine(ctx, &n)
}

// changeIn makes the candidate of an object that s has. Its document has no value
// where it cannot be decoded.
func (c *Collection) changeIn(ctx context.Context, s *publish.State, w Write, id string, change func(stored []byte) ([]byte, error)) (candidate, error) {
	n := candidate{ref: publish.Ref{Org: w.Org, Kind: c.kind, ID: id}}
	entry, err := c.present(s, n.ref)
	if err != nil {
		return n, err
	}
	if err := Precondition(w.IfMatch, entry.Rev); err != nil {
		return n, err
	}
	if n.stored, err = s.Text(ctx, n.ref); err != nil {
		return n, err
	}
	text, err := change(n.stored)
	if err != nil {
		return n, err
	}
	n.base = &entry
	n.doc, n.problems = c.read(w.Org, n.stored, text)
	if n.doc.Value == nil {
		return n, nil
	}
	switch n.doc.ID {
	case id:
	case "":
		n.doc, n.problems = c.read(w.Org, n.stored, insertID(text, id))
	default:
		n.problems = append(n.problems, fault.Problem{
			Code: fault.Code(c.kind + ".id_changed"), Path: "/id", Severity: fault.Error, Fix: id,
			Message: fmt.Sprintf("the id is %s and never changes; make a new object instead", id), Params: map[string]any{"id": id},
		})
	}
	n.same = bytes.Equal(n.stored, n.doc.Text)
	return n, nil
}

// judge notes what clashes with the rest of the state.
func (n *candidate) judge(s *publish.State, r Rules) {
	n.clashes, n.judgedAt = r.Judge(s, n.ref.Org, n.doc), s.Revision()
}

// examine refuses a candidate with errors, and asks others about one without.
func (c *Collection) examine(ctx context.Context, n *candidate) error {
	if hasErrors(n.problems) {
		return c.invalid(append(n.problems, n.clashes...))
	}
	if err := conflict(append(slices.Clone(n.clashes), n.problems...)); err != nil {
		return err
	}
	n.problems = append(n.problems, c.rules.Consult(ctx, n.ref.Org, n.doc)...)
	if hasErrors(n.problems) {
		return c.invalid(append(n.problems, n.clashes...))
	}
	return nil
}

// commit appends the candidate, if the state still is what it was judged by or
// one that it fits as well.
func (c *Collection) commit(ctx context.Context, w Write, n candidate) (Result, error) {
	plan := n.step()
	if n.same {
		o, err := c.Get(ctx, n.ref.Org, n.ref.ID)
		return Result{Object: o, ETag: ETag(o.Rev), Problems: n.problems, Plan: []Step{plan}}, err
	}
	if w.DryRun {
		plan.Differences = c.diffs.Texts(c.kind, n.stored, n.doc.Text)
		o := publish.Object{Org: n.ref.Org, Kind: c.kind, ID: n.ref.ID, SHA: plan.After, Text: n.doc.Text, Summary: publish.Summarise(n.ref.ID, n.doc.Text)}
		return Result{Object: o, Problems: append(n.problems, n.clashes...), Plan: []Step{plan}}, nil
	}
	done, err := c.engine.Commit(ctx, w.Author, w.Note, func(s *publish.State) ([]publish.Edit, error) {
		if err := c.fits(s, w, n); err != nil {
			return nil, err
		}
		if s.Revision() != n.judgedAt {
			n.judge(s, c.rules)
			if err := conflict(n.clashes); err != nil {
				return nil, err
			}
		}
		return []publish.Edit{{Ref: n.ref, Text: n.doc.Text}}, nil
	})
	if err != nil {
		return Result{}, err
	}
	problems := slices.Concat(n.problems, n.clashes, done.Problems)
	return Result{Object: done.Objects[0], Revision: done.Revision.N, ETag: ETag(done.Revision.N), Problems: problems, Plan: []Step{plan}}, nil
}

// fits tells whether the object still is what the candidate was made from.
func (c *Collection) fits(s *publish.State, w Write, n candidate) error {
	have, there := s.Get(n.ref)
	switch {
	case n.base == nil && !there, n.base != nil && there && have.Rev == n.base.Rev:
		return nil
	case n.base == nil && n.made:
		return errMoved
	case n.base == nil:
		return c.exists(n.ref.ID)
	case !there:
		return c.notFound(n.ref.ID)
	}
	if err := Precondition(w.IfMatch, have.Rev); err != nil {
		return err
	}
	return errMoved
}

// read reads a text. What nothing reads is only a warning where the stored text
// has the very same bytes there.
func (c *Collection) read(org string, stored, text []byte) (Document, []fault.Problem) {
	value, problems := c.rules.Read(text)
	kept := keep(problems, stored, text)
	if value == nil && len(kept) > 0 && !hasErrors(problems) {
		rest, err := strictjson.Without(text, kept)
		if err == nil {
			var more []fault.Problem
			value, more = c.rules.Read(rest)
			keep(more, stored, text)
			problems = append(problems, more...)
		}
	}
	d := Document{Text: text, Value: value}
	var loose struct {
		ID     string   `json:"id"`
		Name   string   `json:"name"`
		Groups []string `json:"groups"`
	}
	if value != nil && json.Unmarshal(text, &loose) == nil {
		d.ID, d.Name, d.Groups = loose.ID, loose.Name, loose.Groups
	}
	if p, ok := c.rules.(Preparer); ok && d.ID != "" {
		var more []fault.Problem
		d.Text, more = p.Prepare(org, d.ID, stored, text)
		problems = append(problems, more...)
	}
	return d, problems
}

// freeID makes an id from a name that no present object has.
func (c *Collection) freeID(s *publish.State, org, name string) string {
	id := apidef.MakeID(name)
	if strings.HasPrefix(id, "api-") && c.kind != publish.KindAPI && !strings.HasPrefix(strings.ToLower(name), "api") {
		id = c.kind + strings.TrimPrefix(id, "api")
	}
	free := id
	for i := 2; ; i++ {
		if _, taken := s.Get(publish.Ref{Org: org, Kind: c.kind, ID: free}); !taken {
			return free
		}
		suffix := "-" + strconv.Itoa(i)
		free = strings.TrimRight(id[:min(len(id), 64-len(suffix))], "-") + suffix
	}
}

// insertID makes id the first member of an object's text; nothing else changes.
// An empty id that is there already is filled in.
func insertID(text []byte, id string) []byte {
	if _, there := at(text, "/id"); there {
		if filled, err := strictjson.MergePatch(text, []byte(`{"id":"`+id+`"}`)); err == nil {
			return filled
		}
	}
	open := bytes.IndexByte(text, '{')
	if open < 0 {
		return text
	}
	after := text[open+1:]
	body := bytes.TrimLeft(after, " \t\r\n")
	gap := after[:len(after)-len(body)]
	out := slices.Concat(text[:open+1], gap, []byte(`"id": "`+id+`"`))
	if bytes.HasPrefix(body, []byte("}")) {
		return append(out, body...)
	}
	out = append(out, ',')
	if len(gap) == 0 {
		gap = []byte(" ")
	}
	return append(append(out, gap...), body...)
}

func (c *Collection) present(s *publish.State, r publish.Ref) (publish.Entry, error) {
	entry, ok := s.Get(r)
	if !ok {
		return publish.Entry{}, c.notFound(r.ID)
	}
	return entry, nil
}

func (c *Collection) notFound(id string) error {
	return fault.New(fault.NotFound, fault.Code(c.kind+".not_found"), "there is no %s with the id %q", c.noun(), id).With("id", id)
}

func (c *Collection) exists(id string) error {
	return fault.New(fault.Conflict, fault.Code(c.kind+".exists"),
		"the %s %q exists already; choose another id, or change that one", c.noun(), id).With("id", id)
}

func (c *Collection) invalid(problems []fault.Problem) error {
	return fault.FromProblems(fault.Code(c.kind+".invalid"), "the "+c.noun()+" has errors; nothing was changed", problems)
}

func (c *Collection) noun() string {
	if c.kind == publish.KindAPI {
		return "API"
	}
	return c.kind
}

// conflict is the fault of problems that are errors, named after the first.
func conflict(problems []fault.Problem) error {
	for _, p := range problems {
		if p.Severity == fault.Error {
			return &fault.Fault{Kind: fault.Conflict, Code: p.Code, Message: p.Message, Params: p.Params, Problems: problems}
		}
	}
	return nil
}

func hasErrors(problems []fault.Problem) bool {
	return slices.ContainsFunc(problems, func(p fault.Problem) bool { return p.Severity == fault.Error })
}

func busy() error {
	f := fault.New(fault.Unavailable, "publish.busy", "others change the same objects all the time; try again")
	f.Retry = 1
	return f
}
