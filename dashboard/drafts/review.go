package drafts

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// farthest is how far ahead a publication may be planned.
const farthest = 366 * 24 * time.Hour

// Submit asks for a review of an open draft. Its author does.
func (s *Service) Submit(ctx context.Context, by By, id string, c Condition) (Draft, error) {
	return s.move(ctx, by, id, c, func(d *Draft) error {
		if d.Owner != by.User {
			return notYours("submit")
		}
		if err := d.in(Open); err != nil {
			return err
		}
		d.State = Submitted
		return nil
	})
}

// Review says what a reviewer thinks of a submitted draft; who rejects says why, and
// may do so to one that is approved or scheduled too. Nobody reviews their own:
// "draft.own". Other faults: "draft.reviewers_only", "draft.reason_missing",
// "draft.note_invalid".
func (s *Service) Review(ctx context.Context, by By, id string, c Condition, v Verdict, note string) (Draft, error) {
	return s.move(ctx, by, id, c, func(d *Draft) error {
		states := []State{Submitted}
		if v == Reject {
			states = append(states, Approved, Scheduled)
		}
		switch {
		case !by.Reviewer:
			return fault.New(fault.Denied, "draft.reviewers_only", "only those who may approve drafts review them")
		case d.Owner == by.User:
			return fault.New(fault.Denied, "draft.own", "somebody else has to review the draft that you wrote")
		case v == Reject && note == "":
			return fault.New(fault.Unprocessable, "draft.reason_missing", "say in a note why the draft is rejected, so that its author can mend it").At("/note")
		}
		if err := checkNote(note); err != nil {
			return err
		}
		if err := d.in(states...); err != nil {
			return err
		}
		d.Reviews = append(slices.Clone(d.Reviews), Review{By: by.Author, At: s.now(), Verdict: v, Note: note})
		d.State, d.Approved, d.Plan = Approved, true, nil
		if v == Reject {
			d.State, d.Approved = Rejected, false
		}
		return nil
	})
}

// Schedule plans the publication of a draft: at a time to come, on the word of who
// says so now. Whether it may be published is judged now and again then. A plan
// that stands is changed. Faults beside those of Publish: "draft.at_invalid".
func (s *Service) Schedule(ctx context.Context, by By, id string, c Condition, at time.Time, merge bool) (Draft, error) {
	return s.move(ctx, by, id, c, func(d *Draft) error {
		at, now := at.UTC().Truncate(time.Millisecond), s.now()
		if !at.After(now) || at.Sub(now) > farthest {
			return fault.New(fault.Unprocessable, "draft.at_invalid", "at is a time to come, within a year").At("/at")
		}
		if err := s.may(ctx, by, *d, "schedule"); err != nil {
			return err
		}
		if _, err := s.prepare(ctx, *d, merge); err != nil {
			return err
		}
		d.State, d.Plan, d.Problems = Scheduled, &Plan{At: at, By: by.Author, Merge: merge}, nil
		return nil
	})
}

// Unschedule takes a plan back: the draft is approved or open as it was before.
func (s *Service) Unschedule(ctx context.Context, by By, id string, c Condition) (Draft, error) {
	return s.move(ctx, by, id, c, func(d *Draft) error {
		if d.Owner != by.User && !by.Reviewer {
			return notYours("unschedule")
		}
		if err := d.in(Scheduled); err != nil {
			return err
		}
		d.State, d.Plan = Open, nil
		if d.Approved {
			d.State = Approved
		}
		return nil
	})
}

// may tells whether somebody may publish a draft now.
func (s *Service) may(ctx context.Context, by By, d Draft, what string) error {
	if d.Owner != by.User && !by.Reviewer {
		return notYours(what)
	}
	if err := d.in(Open, Submitted, Approved, Scheduled); err != nil {
		return err
	}
	return s.approved(ctx, d)
}

// approved refuses a draft without the approval that its organisation wants.
func (s *Service) approved(ctx context.Context, d Draft) error {
	if d.Approved {
		return nil
	}
	needed, err := s.o.ApprovalNeeded(ctx, d.Org)
	if err != nil || !needed {
		return err
	}
	return fault.New(fault.Conflict, "draft.approval_needed", "somebody else has to approve the draft before it is published; submit it for a review")
}
