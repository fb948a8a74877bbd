package drafts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

const (
	claimFor     = 30 * time.Second // how long others wait for a publication
	writeTimeout = 15 * time.Second // of a publication
	noteTimeout  = 5 * time.Second  // of writing down what became of it
	tries        = 5                // how often a publication is begun again because of others
)

// Publication is how to publish a draft.
type Publication struct {
	Condition
	Note  string // of the revision; "": the draft's
	Merge bool   // with what others changed elsewhere in the object
}

// Outcome is a draft that was published.
type Outcome struct {
	Draft  Draft
	Result objects.Result
	Merged *Merged // nil: nothing had to be merged
}

// Merged tells what a draft was merged with.
type Merged struct {
	Revision int64    `json:"revision"` // of the version that it was merged with
	Mine     []string `json:"mine"`     // what the draft changed, as JSON pointers (RFC 6901)
	Theirs   []string `json:"theirs"`   // what others changed
}

// candidate is a text to be published.
type candidate struct {
	text   []byte
	rev    int64 // of the version that it replaces; 0: it creates
	after  int64 // newest revision when it was judged
	merged *Merged
}

// Publish makes a draft a revision, by the rules of its kind and with its base as
// the precondition. When the object is no longer the draft's base, the fault
// "draft.object_moved" of kind Stale has the parameters base, mine and theirs (the
// three documents; base is null where the store lost it), revision and current (the
// ETag) of theirs, conflicts (JSON pointers that both changed) and mergeable: then
// Merge publishes theirs with the changes of the draft. "draft.object_deleted" is
// the same with theirs null. Other faults: "draft.approval_needed", and those of
// objects.Collection.
func (s *Service) Publish(ctx context.Context, by By, id string, p Publication) (Outcome, error) {
	d, err := s.load(ctx, by, id, p.IfMatch)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.may(ctx, by, d, "publish"); err != nil {
		return Outcome{}, err
	}
	if p.Note == "" {
		p.Note = d.Note
	}
	return s.publish(ctx, by.Author, d, p)
}

// publish is called with a draft that may be published. The outcome of a repetition
// is that of the first time, whoever repeats it and whatever was interrupted: each
// attempt is for the same version of the object, and an object that is created gets
// its id before.
func (s *Service) publish(ctx context.Context, author publish.Author, d Draft, p Publication) (Outcome, error) {
	for range tries {
		c, err := s.prepare(ctx, d, p.Merge)
		if err != nil {
			return Outcome{}, err
		}
		w := objects.Write{Org: d.Org, Author: author, Note: p.Note, IfMatch: objects.ETag(c.rev), DryRun: true}
		r, err := s.write(ctx, d, w, c)
		if overtaken(d, err) {
			continue
		}
		if err != nil {
			return Outcome{}, err
		}
		if p.DryRun {
			return Outcome{d, r, c.merged}, nil
		}
		own := d
		if d, err = s.claim(ctx, d, author, c, r.Object); err != nil {
			return Outcome{}, err
		}
		c.text, w.DryRun = r.Object.Text, false
		if r, err = s.write(ctx, d, w, c); err == nil {
			return s.finish(ctx, d, c, r), nil
		}
		if undecided(err) { // the claim stays: who finds it looks into the log
			return Outcome{}, err
		}
		again := overtaken(own, err)
		own.Version = d.Version
		if d, err = s.release(ctx, own, err); !again || d.ID == "" {
			return Outcome{}, err
		}
	}
	f := fault.New(fault.Unavailable, "publish.busy", "others change the same objects all the time; try again")
	f.Retry = 1
	return Outcome{}, f
}

// prepare finds out what the draft's text means to the object as it is now.
func (s *Service) prepare(ctx context.Context, d Draft, merge bool) (candidate, error) {
	c := candidate{text: d.Text}
	var entry publish.Entry
	var there bool
	var theirs []byte
	err := s.o.Engine.View(ctx, func(state *publish.State) (err error) {
		c.after = state.Revision()
		if d.Object == "" {
			return nil
		}
		if entry, there = state.Get(d.ref()); there && entry.SHA != d.Base.SHA {
			theirs, err = state.Text(ctx, d.ref())
		}
		return err
	})
	c.rev = entry.Rev
	if err != nil || d.Object == "" || theirs == nil && there {
		return c, err
	}
	base, err := s.o.Engine.Text(ctx, d.Base.SHA)
	if err != nil && !fault.Is(err, "content.not_found") {
		return c, err
	}
	if !there {
		return c, fault.New(fault.Stale, "draft.object_deleted", "the object was deleted meanwhile; begin a draft that creates it, or delete this one").
			With("base", orNull(base)).With("mine", orNull(d.Text)).With("theirs", nil)
	}
	m, readable := merged{}, false
	if base != nil {
		m, readable = threeWay(base, d.Text, theirs)
	}
	mergeable := readable && len(m.conflicts) == 0
	switch {
	case strictjson.Equal(d.Text, theirs):
		c.text = theirs // others did the same
		return c, nil
	case merge && mergeable:
		c.text, c.merged = m.text, &Merged{entry.Rev, notNil(m.mine), notNil(m.theirs)}
		return c, nil
	}
	return c, fault.New(fault.Stale, "draft.object_moved", "the object was changed meanwhile, by revision %d; merge that with the draft", entry.Rev).
		With("base", orNull(base)).With("mine", orNull(d.Text)).With("theirs", orNull(theirs)).
		With("revision", entry.Rev).With("current", objects.ETag(entry.Rev)).
		With("changedHere", notNil(m.mine)).With("changedThere", notNil(m.theirs)).
		With("conflicts", notNil(m.conflicts)).With("mergeable", mergeable)
}

// write creates or replaces the object.
func (s *Service) write(ctx context.Context, d Draft, w objects.Write, c candidate) (objects.Result, error) {
	all, err := s.kind(d.Kind)
	if err != nil {
		return objects.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if c.rev == 0 {
		w.IfMatch = ""
		return all.Create(ctx, w, c.text)
	}
	return all.Replace(ctx, w, d.Object, c.text)
}

// claim tells others that the draft is being published, as which text.
func (s *Service) claim(ctx context.Context, d Draft, author publish.Author, c candidate, o publish.Object) (Draft, error) {
	d.Claim = &Claim{Until: s.now().Add(claimFor), By: author, After: c.after, ID: o.ID, SHA: publish.Sum(o.Text)}
	if c.merged != nil {
		d.Claim.Merge = c.merged.Revision
	}
	return s.replace(ctx, d)
}

// release takes the claim back after a refusal, which it returns.
func (s *Service) release(ctx context.Context, d Draft, refused error) (Draft, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	d.Claim = nil
	free, err := s.replace(ctx, d)
	if err != nil { // then the claim ends by itself
		s.log.Warn("a draft that was not published stays claimed for now", "draft", d.ID, "error", err)
	}
	return free, refused
}

// finish notes that the draft is published. If that cannot be stored, whoever comes
// after the end of the claim finds it in the log.
func (s *Service) finish(ctx context.Context, d Draft, c candidate, r objects.Result) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	done := d.done(r.Object.ID, r.Object.Text, max(r.Revision, r.Object.Rev), s.now())
	stored, err := s.replace(ctx, done)
	if err != nil {
		stored = done
		if now, e := s.Get(ctx, d.Org, d.ID); e == nil && now.State == Published {
			stored = now // somebody found it in the log
		} else {
			s.log.Warn("a draft that was published is not marked so yet", "draft", d.ID, "revision", done.Published, "error", err)
		}
	}
	return Outcome{stored, r, c.merged}
}

// done is the draft once it is published.
func (d Draft) done(id string, text []byte, revision int64, at time.Time) Draft {
	d.Object, d.Text, d.Published, d.UpdatedAt = id, text, revision, at
	d.Name = publish.Summarise(id, text).Name
	if d.Claim != nil {
		d.Merged = d.Claim.Merge
	}
	d.State, d.Plan, d.Claim, d.Problems = Published, nil, nil, nil
	return d
}

// pageSize is how many revisions of an object are read at a time.
const pageSize = 50

// recover puts right what is left of a publication whose claim has ended: the log
// knows whether it was made.
func (s *Service) recover(ctx context.Context, d Draft) (Draft, error) {
	claim := *d.Claim
	before, last := int64(0), pageSize
	for last == pageSize {
		list, err := s.o.Engine.Revisions(ctx, before, pageSize, d.Kind, claim.ID)
		if err != nil {
			return Draft{}, fmt.Errorf("looking for the publication of a draft: %w", err)
		}
		last = len(list)
		for _, r := range list {
			if before = r.N; r.N <= claim.After {
				last = 0
				break
			}
			for _, c := range r.Changes {
				if c.Org != d.Org || c.Kind != d.Kind || c.ID != claim.ID || c.After != claim.SHA {
					continue
				}
				text, err := s.o.Engine.Text(ctx, claim.SHA)
				if err != nil {
					return Draft{}, err
				}
				return s.replace(ctx, d.done(claim.ID, text, r.N, s.now()))
			}
		}
	}
	d.Claim = nil
	return s.replace(ctx, d)
}

// overtaken tells whether a refusal is only about what others did between the
// judgement and the commit.
func overtaken(d Draft, err error) bool {
	f := fault.As(err)
	if f == nil {
		return false
	}
	return f.Code == "precondition.stale" || d.Object == "" && f.Code == fault.Code(d.Kind+".exists") && !namesID(d.Text)
}

// namesID tells whether a document has an id of its own.
func namesID(text []byte) bool {
	var d struct {
		ID string `json:"id"`
	}
	return json.Unmarshal(text, &d) == nil && d.ID != ""
}

// undecided tells whether nobody knows what became of a commit.
func undecided(err error) bool {
	f := fault.As(err)
	return f == nil || f.Kind == fault.Internal || f.Code == "publish.outcome_unknown" ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// refusal tells whether an error is a judgement, and not about a store or a
// gateway that does not answer.
func refusal(err error) bool {
	f := fault.As(err)
	return f != nil && f.Kind != fault.Internal && f.Kind != fault.Unavailable && f.Kind != fault.TooMany
}

// asProblems are the findings of a fault.
func asProblems(f *fault.Fault) []fault.Problem {
	if len(f.Problems) > 0 {
		return f.Problems
	}
	params := map[string]any{}
	for name, v := range f.Params {
		if name != "base" && name != "mine" && name != "theirs" { // whole documents
			params[name] = v
		}
	}
	return []fault.Problem{{Code: f.Code, Message: f.Message, Params: params, Severity: fault.Error}}
}

// orNull is a document as a parameter of a fault.
func orNull(text []byte) any {
	if text == nil {
		return nil
	}
	return json.RawMessage(text)
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
