package objects

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// step is the candidate's part of a plan.
func (n *candidate) step() Step {
	plan := Step{Action: "create", Kind: n.ref.Kind, ID: n.ref.ID, Groups: n.doc.Groups, After: publish.Sum(n.doc.Text)}
	if n.base != nil {
		plan.Action, plan.Before = "update", n.base.SHA
	}
	if n.same {
		plan.Action = "none"
	}
	return plan
}

// hold asks the rules of a kind why an object may not be deleted by the state that
// its deletion leads to.
func (c *Collection) hold(s *publish.State, org, id string) []fault.Problem {
	if h, ok := c.rules.(Holder); ok {
		return h.Hold(s, org, id)
	}
	return nil
}

func (m *member) step() Step {
	if m.deletes {
		return Step{Action: "delete", Kind: m.ref.Kind, ID: m.ref.ID, Groups: m.base.Groups, Before: m.base.SHA}
	}
	return m.candidate.step()
}

// commit appends the set, if the state still is what it was judged by or one that it
// fits as well.
func (s *Set) commit(ctx context.Context, w Write, b *batch) (SetResult, error) {
	result := SetResult{}
	for i := range b.members {
		step := b.members[i].step()
		if w.DryRun {
			step.Differences = b.members[i].of.diffs.Texts(step.Kind, b.members[i].stored, b.members[i].doc.Text)
		}
		result.Plan = append(result.Plan, step)
	}
	if w.DryRun {
		result.Problems = b.problems()
		return result, nil
	}
	done, err := s.engine.Commit(ctx, w.Author, w.Note, func(state *publish.State) ([]publish.Edit, error) {
		if err := b.fits(state); err != nil {
			return nil, err
		}
		if state.Revision() != b.judgedAt {
			b.judge(state)
			if err := b.refuse(); err != nil {
				return nil, err
			}
		}
		return b.edits(), nil
	})
	if err != nil {
		return SetResult{}, err
	}
	result.Revision, result.Objects = done.Revision.N, done.Objects
	result.Problems = append(b.problems(), done.Problems...)
	return result, nil
}

// fits tells whether every object still is what the set was made from; where it is
// not, the set is begun again, and says then what is wrong, if anything.
func (b *batch) fits(s *publish.State) error {
	for i := range b.members {
		m := &b.members[i]
		have, there := s.Get(m.ref)
		if there != (m.base != nil) || there && have.Rev != m.base.Rev {
			return errMoved
		}
	}
	return nil
}

// inChange says which change of a set a problem lies in.
func inChange(i int, p fault.Problem) fault.Problem {
	p.Path = "/changes/" + strconv.Itoa(i) + "/object" + p.Path
	p.Params = maps.Clone(p.Params)
	if p.Params == nil {
		p.Params = map[string]any{}
	}
	p.Params["change"] = i
	return p
}

// ofChange says which change of a set an error is about.
func ofChange(i int, err error) error {
	f := fault.As(err)
	if f == nil {
		return fmt.Errorf("change %d of the set: %w", i, err)
	}
	named := *f
	named.Params = maps.Clone(f.Params)
	problems := slices.Clone(f.Problems)
	named.Problems = nil
	named.With("change", i)
	if len(problems) == 0 {
		return named.At("/changes/" + strconv.Itoa(i))
	}
	for _, p := range problems {
		named.Problems = append(named.Problems, inChange(i, p))
	}
	return &named
}
