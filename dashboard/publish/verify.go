package publish

import (
	"context"
	"errors"
	"fmt"
)

// maxFindings bounds the findings of Verify.
const maxFindings = 20

// Verify replays the whole log and compares: the numbers have no gaps, each
// change starts where the one before ended, every text is what its hash says,
// and views and memory hold exactly what the replay leads to. It returns all
// findings joined, at most 20. This dashboard takes no change meanwhile.
func (e *Engine) Verify(ctx context.Context) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.catchUp(ctx); err != nil {
		return err
	}
	v := verifier{want: map[Ref]Entry{}}
	if err := v.replay(ctx, e.o.Log, e.state.n); err != nil {
		return err
	}
	seen := 0
	for o, err := range e.o.Views.Each(ctx) {
		if err != nil {
			return fmt.Errorf("reading the views: %w", err)
		}
		if _, ok := v.want[Ref{o.Org, o.Kind, o.ID}]; ok {
			seen++
		}
		v.view(o, e.state.n)
	}
	if seen != len(v.want) {
		v.add("the views have %d of the %d objects and tombstones that the log leads to", seen, len(v.want))
	}
	for ref, want := range v.want {
		have := e.state.objects[ref]
		if have.Rev != want.Rev || have.SHA != want.SHA || have.Deleted != want.Deleted {
			v.add("memory has %s %s at revision %d, the log leads to revision %d", ref.Kind, ref.ID, have.Rev, want.Rev)
		}
	}
	return errors.Join(v.findings...)
}

type verifier struct {
	want     map[Ref]Entry
	findings []error
}

func (v *verifier) add(format string, args ...any) {
	if len(v.findings) < maxFindings {
		v.findings = append(v.findings, fmt.Errorf(format, args...))
	}
}

func (v *verifier) replay(ctx context.Context, log Log, newest int64) error {
	for n := int64(0); n < newest; {
		revisions, err := log.Since(ctx, n, batch)
		if err != nil {
			return fmt.Errorf("reading revisions after %d: %w", n, err)
		}
		if len(revisions) == 0 {
			v.add("the log ends at %d, not at %d", n, newest)
			return nil
		}
		for _, r := range revisions {
			if r.N != n+1 {
				v.add("after revision %d comes %d", n, r.N)
			}
			n = r.N
			for _, c := range r.Changes {
				ref := Ref{c.Org, c.Kind, c.ID}
				if have := v.want[ref].SHA; have != c.Before {
					v.add("revision %d changes %s %s from %q, but it was %q", n, c.Kind, c.ID, c.Before, have)
				}
				v.want[ref] = Entry{Rev: n, SHA: c.After, Deleted: c.After == ""}
			}
		}
	}
	return nil
}

// view judges one object. Another dashboard may have gone on meanwhile, hence newest.
func (v *verifier) view(o Object, newest int64) {
	want, ok := v.want[Ref{o.Org, o.Kind, o.ID}]
	switch {
	case o.Rev > newest:
	case !ok:
		v.add("the views have %s %s, which no revision made", o.Kind, o.ID)
	case o.Rev != want.Rev || o.SHA != want.SHA || o.Deleted != want.Deleted:
		v.add("the views have %s %s at revision %d (%s), the log leads to revision %d (%s)", o.Kind, o.ID, o.Rev, o.SHA, want.Rev, want.SHA)
	case !o.Deleted && Sum(o.Text) != o.SHA:
		v.add("the text of %s %s is not what its hash says", o.Kind, o.ID)
	}
}
