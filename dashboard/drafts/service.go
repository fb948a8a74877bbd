package drafts

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Objects are the revisioned objects of one kind; objects.Collection.
type Objects interface {
	Create(ctx context.Context, w objects.Write, text []byte) (objects.Result, error)
	Replace(ctx context.Context, w objects.Write, id string, text []byte) (objects.Result, error)
	Check(ctx context.Context, org, id string, text []byte) ([]fault.Problem, error)
}

// Options are what a Service needs. Shelf, Engine and Kinds are required.
type Options struct {
	Shelf  Shelf
	Engine *publish.Engine
	Kinds  map[string]Objects // that there may be drafts of
	// ApprovalNeeded tells whether an organisation publishes only drafts that were
	// approved. Default: none does.
	ApprovalNeeded func(ctx context.Context, org string) (bool, error)
	Now            func() time.Time // default: time.Now
	Logger         *slog.Logger     // default: none
}

// Service keeps, reviews, schedules and publishes drafts. Safe for concurrent use;
// any number of them may share the stores.
//
// Faults of many methods: "draft.not_found"; "precondition.required" and
// "precondition.stale" by the draft's version; "draft.published" for what became a
// revision already; "draft.publishing" while somebody publishes it; "draft.state"
// when the draft is not as far as the call needs; "draft.not_yours".
type Service struct {
	o   Options
	log *slog.Logger

	mu    sync.Mutex
	pause map[string]time.Time // drafts whose publication is tried again only then
}

// New makes a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ApprovalNeeded == nil {
		o.ApprovalNeeded = func(context.Context, string) (bool, error) { return false, nil }
	}
	return &Service{o: o, log: o.Logger, pause: map[string]time.Time{}}
}

// By is who does something.
type By struct {
	Org      string
	User     string // id of the user; of an API token its maker
	Author   publish.Author
	Reviewer bool // may review, and publish or take back what is not theirs
}

// Condition is what a change of a draft comes with.
type Condition struct {
	IfMatch string // the If-Match header (RFC 9110, 13.1.1): ETag of the draft, or "*" for any
	DryRun  bool   // judge, store nothing
}

// NewDraft is a draft to begin.
type NewDraft struct {
	Kind     string          `json:"kind"`
	ObjectID string          `json:"objectId,omitempty"` // absent: the object is to be created
	Base     int64           `json:"base,omitempty"`     // revision of the version that was changed; absent: the present one
	Object   json.RawMessage `json:"object"`             // the whole document
	Note     string          `json:"note,omitempty"`
}

// Change is what its author changes of a draft; nil keeps.
type Change struct {
	Base   *int64          `json:"base,omitempty"` // after a merge: the version that was merged with
	Object json.RawMessage `json:"object,omitempty"`
	Note   *string         `json:"note,omitempty"`
}

// ETag is the strong validator (RFC 9110, 8.8.3) of a draft.
func (d Draft) ETag() string { return objects.ETag(d.Version) }

// Get returns a draft, or the fault "draft.not_found".
func (s *Service) Get(ctx context.Context, org, id string) (Draft, error) {
	d, err := s.o.Shelf.Get(ctx, org, id)
	if errors.Is(err, ErrNotFound) {
		return Draft{}, notFound(id)
	}
	return d, err
}

// Present is the revision of the object of a draft, and whether it is another
// version than the draft was begun from. Of an object that is not there it is 0.
func (s *Service) Present(ctx context.Context, d Draft) (revision int64, moved bool, err error) {
	if d.Object == "" || d.State == Published {
		return 0, false, nil
	}
	err = s.o.Engine.View(ctx, func(state *publish.State) error {
		entry, _ := state.Get(d.ref())
		revision, moved = entry.Rev, entry.SHA != d.Base.SHA
		return nil
	})
	return revision, moved, err
}

// List returns a page of drafts of one organisation.
func (s *Service) List(ctx context.Context, q Query) (Page, error) { return s.o.Shelf.List(ctx, q) }

// Create begins a draft. The document may have errors: problems lists them. Faults:
// "draft.kind_unknown", "draft.object_invalid", "draft.note_invalid",
// "draft.object_not_found", "draft.base_unknown", and "draft.exists" with the id of
// the live draft that the same person has of this object.
func (s *Service) Create(ctx context.Context, by By, n NewDraft, dry bool) (Draft, []fault.Problem, error) {
	if _, err := s.kind(n.Kind); err != nil {
		return Draft{}, nil, err
	}
	now := s.now()
	d := Draft{
		ID: "d_" + rand.Text()[:20], Org: by.Org, Kind: n.Kind, Object: n.ObjectID, Owner: by.User, Author: by.Author,
		State: Open, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if d.Object == "" && n.Base != 0 {
		return Draft{}, nil, baseUnknown(d, n.Base)
	}
	if d.Object != "" {
		if err := s.setBase(ctx, &d, n.Base); err != nil {
			return Draft{}, nil, err
		}
	}
	if err := errors.Join(setNote(&d, n.Note), setText(&d, n.Object)); err != nil {
		return Draft{}, nil, err
	}
	problems, err := s.check(ctx, d)
	if err != nil || dry {
		return d, problems, err
	}
	if err := s.o.Shelf.Insert(ctx, d); err != nil {
		return Draft{}, nil, s.explain(ctx, d, err)
	}
	return d, problems, nil
}

// Update changes a draft, which only its author may. It becomes open again: what
// was said of the former text, and when it was to be published, counts no more.
func (s *Service) Update(ctx context.Context, by By, id string, c Condition, change Change) (Draft, []fault.Problem, error) {
	var problems []fault.Problem
	d, err := s.move(ctx, by, id, c, func(d *Draft) (err error) {
		if d.Owner != by.User {
			return notYours("change")
		}
		if change.Base != nil {
			if d.Object == "" {
				return baseUnknown(*d, *change.Base)
			}
			if err := s.setBase(ctx, d, *change.Base); err != nil {
				return err
			}
		}
		if change.Note != nil {
			if err := setNote(d, *change.Note); err != nil {
				return err
			}
		}
		if change.Object != nil {
			if err := setText(d, change.Object); err != nil {
				return err
			}
		}
		d.State, d.Approved, d.Plan, d.Problems = Open, false, nil, nil
		problems, err = s.check(ctx, *d)
		return err
	})
	return d, problems, err
}

// Delete removes a draft: its author, or a reviewer.
func (s *Service) Delete(ctx context.Context, by By, id string, c Condition) error {
	d, err := s.load(ctx, by, id, c.IfMatch)
	if err != nil {
		return err
	}
	if d.Owner != by.User && !by.Reviewer {
		return notYours("delete")
	}
	if c.DryRun {
		return nil
	}
	if err := s.o.Shelf.Delete(ctx, d.Org, d.ID, d.Version); err != nil {
		return s.explain(ctx, d, err)
	}
	return nil
}

// move changes a draft that is not published.
func (s *Service) move(ctx context.Context, by By, id string, c Condition, f func(*Draft) error) (Draft, error) {
	d, err := s.load(ctx, by, id, c.IfMatch)
	if err != nil {
		return Draft{}, err
	}
	if err := d.in(Open, Submitted, Approved, Scheduled, Rejected); err != nil {
		return Draft{}, err
	}
	if err := f(&d); err != nil {
		return Draft{}, err
	}
	if c.DryRun {
		return d, nil
	}
	d.UpdatedAt = s.now()
	return s.replace(ctx, d)
}

// load reads a draft to change it. What a crash left of a publication is put right.
func (s *Service) load(ctx context.Context, by By, id, ifMatch string) (Draft, error) {
	d, err := s.Get(ctx, by.Org, id)
	if err != nil {
		return Draft{}, err
	}
	if err := objects.Precondition(ifMatch, d.Version); err != nil {
		return Draft{}, err
	}
	if d.Claim == nil {
		return d, nil
	}
	if wait := d.Claim.Until.Sub(s.now()); wait > 0 {
		f := fault.New(fault.Conflict, "draft.publishing", "the draft is being published; look again in some seconds")
		f.Retry = int(wait/time.Second) + 1
		return Draft{}, f
	}
	return s.recover(ctx, d)
}

// replace stores the next version of a draft.
func (s *Service) replace(ctx context.Context, d Draft) (Draft, error) {
	version := d.Version
	d.Version++
	if err := s.o.Shelf.Replace(ctx, d, version); err != nil {
		return Draft{}, s.explain(ctx, d, err)
	}
	return d, nil
}

// kind gives the objects of a kind. A draft may be of one that only a newer
// dashboard knows.
func (s *Service) kind(name string) (Objects, error) {
	if all, ok := s.o.Kinds[name]; ok {
		return all, nil
	}
	known := slices.Sorted(maps.Keys(s.o.Kinds))
	return nil, fault.New(fault.Unprocessable, "draft.kind_unknown", "there are drafts of the kinds %s only", strings.Join(known, ", ")).
		With("known", known).At("/kind")
}

// check lists what would stop or accompany a publication now.
func (s *Service) check(ctx context.Context, d Draft) ([]fault.Problem, error) {
	all, err := s.kind(d.Kind)
	if err != nil {
		return nil, err
	}
	problems, err := all.Check(ctx, d.Org, d.Object, d.Text)
	if refusal(err) {
		return append(problems, asProblems(fault.As(err))...), nil
	}
	return problems, err
}

// setBase names the version that a draft was begun from: the one that a revision
// made, or with 0 the present one.
func (s *Service) setBase(ctx context.Context, d *Draft, revision int64) error {
	if revision == 0 {
		return s.o.Engine.View(ctx, func(state *publish.State) error {
			entry, ok := state.Get(d.ref())
			if !ok {
				return fault.New(fault.NotFound, "draft.object_not_found", "there is no object of kind %s with the id %q; leave objectId out to create it", d.Kind, d.Object).
					With("kind", d.Kind).With("id", d.Object)
			}
			d.Base = Base{entry.Rev, entry.SHA}
			return nil
		})
	}
	r, err := s.o.Engine.Revision(ctx, revision)
	if err != nil {
		if fault.Is(err, "revision.not_found") {
			return baseUnknown(*d, revision)
		}
		return err
	}
	for _, c := range r.Changes {
		if c.Org == d.Org && c.Kind == d.Kind && c.ID == d.Object && c.After != "" {
			d.Base = Base{revision, c.After}
			return nil
		}
	}
	return baseUnknown(*d, revision)
}

// setText puts a document in place, with the id of its object.
func setText(d *Draft, text []byte) error {
	text = bytes.TrimSpace(text)
	node, problems := strictjson.Parse(text, strictjson.Options{})
	if len(problems) > 0 || node.Kind != strictjson.Object {
		return fault.New(fault.Unprocessable, "draft.object_invalid", "object is the whole document, a JSON object").At("/object")
	}
	if id := node.Member("id"); d.Object != "" && id == nil {
		with, err := strictjson.MergePatch(text, fmt.Appendf(nil, `{"id":%q}`, d.Object))
		if err != nil {
			return err
		}
		text = with
	}
	d.Text, d.Name = text, publish.Summarise(d.Object, text).Name
	return nil
}

// maxNote is the most characters of a note.
const maxNote = 500

func setNote(d *Draft, note string) error {
	if err := checkNote(note); err != nil {
		return err
	}
	d.Note = note
	return nil
}

func checkNote(note string) error {
	if !utf8.ValidString(note) || utf8.RuneCountInString(note) > maxNote {
		return fault.New(fault.Unprocessable, "draft.note_invalid", "a note has at most %d characters", maxNote).With("max", maxNote).At("/note")
	}
	return nil
}

func (d Draft) ref() publish.Ref { return publish.Ref{Org: d.Org, Kind: d.Kind, ID: d.Object} }

// in refuses a draft that is in none of the states.
func (d Draft) in(states ...State) error {
	switch {
	case slices.Contains(states, d.State):
		return nil
	case d.State == Published:
		return fault.New(fault.Conflict, "draft.published", "the draft was published as revision %d; begin another one", d.Published).With("revision", d.Published)
	}
	return fault.New(fault.Conflict, "draft.state", "the draft is %s, so this cannot be done to it now", d.State).
		With("state", d.State).With("states", states)
}

// explain turns errors of the store into faults.
func (s *Service) explain(ctx context.Context, d Draft, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return notFound(d.ID)
	case errors.Is(err, ErrStale):
		now, err := s.Get(ctx, d.Org, d.ID)
		if err != nil {
			return err
		}
		return fault.New(fault.Stale, "precondition.stale",
			"it was changed meanwhile: the present version is %s; read it again, then repeat the change", now.ETag()).With("current", now.ETag())
	case errors.Is(err, ErrTaken):
		f := fault.New(fault.Conflict, "draft.exists", "you have a draft of this object already; go on with that one")
		p, err := s.o.Shelf.List(ctx, Query{Org: d.Org, Kind: d.Kind, Object: d.Object, Owner: d.Owner, Limit: 200})
		if err != nil {
			return f // which says enough
		}
		for _, other := range p.Items {
			if other.Live() && other.ID != d.ID {
				return f.With("id", other.ID)
			}
		}
		return f
	}
	return err
}

func notFound(id string) error {
	return fault.New(fault.NotFound, "draft.not_found", "there is no such draft; it may have been deleted").With("id", id)
}

func notYours(what string) error {
	return fault.New(fault.Denied, "draft.not_yours", "this is somebody else's draft, so you may not %s it", what).With("action", what)
}

func baseUnknown(d Draft, revision int64) error {
	return fault.New(fault.Unprocessable, "draft.base_unknown", "revision %d made no version of this object; leave base out for the present one", revision).
		With("revision", revision).With("id", d.Object).At("/base")
}

// now is the present instant as stores keep it: UTC, milliseconds.
func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Millisecond) }
