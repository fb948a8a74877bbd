package drafts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

const (
	lookEvery  = time.Second      // how often what is due is looked for
	againAfter = 5 * time.Second  // a publication that neither succeeded nor was refused
	late       = 10 * time.Second // from when on a publication says that it is late
	atOnce     = 8                // publications of one look that are under way together
	dueAtOnce  = 200              // drafts of one look
	sweepEvery = time.Hour
	keepFor    = 30 * 24 * time.Hour // published drafts; the log keeps what they became
)

// Run publishes what is due until ctx ends. Any number of dashboards may run it:
// each draft is published once, by any of them, about a second after its time; or
// as soon as there is one again. Published drafts are removed after 30 days.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var sweep time.Time
	for {
		if err := s.Look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("scheduled drafts wait", "error", err)
		}
		if now := s.now(); now.After(sweep) {
			sweep = now.Add(sweepEvery)
			if err := s.o.Shelf.Sweep(ctx, now.Add(-keepFor)); err != nil && ctx.Err() == nil {
				s.log.Warn("old drafts are not removed yet", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look publishes what is due now. The error is that of reading what is due; what
// becomes of each draft stands in the draft, or in the log file while it is tried
// again.
func (s *Service) Look(ctx context.Context) error {
	due, err := s.o.Shelf.Due(ctx, s.now(), dueAtOnce)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, d := range due {
		if _, err := s.kind(d.Kind); err != nil || s.waits(d.ID) { // a newer dashboard knows what it is
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.tend(ctx, d)
		})
	}
	all.Wait()
	return nil
}

// tend does what is due of one draft.
func (s *Service) tend(ctx context.Context, d Draft) {
	err := s.due(ctx, d)
	switch {
	case err == nil:
	case fault.Is(err, "precondition.stale"), fault.Is(err, "draft.not_found"): // another dashboard, or a person, was faster
	case ctx.Err() != nil:
	default:
		s.wait(d.ID)
		s.log.Warn("a draft that is due is tried again", "draft", d.ID, "error", err)
	}
}

func (s *Service) due(ctx context.Context, d Draft) error {
	var err error
	if d.Claim != nil {
		if d, err = s.recover(ctx, d); err != nil {
			return err
		}
	}
	if d.State != Scheduled || d.Plan == nil || d.Plan.At.After(s.now()) {
		return nil
	}
	err = s.approved(ctx, d)
	if err == nil {
		_, err = s.publish(ctx, d.Plan.By, d, Publication{Note: s.noteOf(d), Merge: d.Plan.Merge})
	}
	if err == nil || !refusal(err) || errors.Is(err, context.Canceled) {
		return err
	}
	// A refusal may be that of a claim: the draft is no longer the one that was due.
	now, e := s.Get(ctx, d.Org, d.ID)
	if e != nil {
		return e
	}
	if now.State != Scheduled || now.Claim != nil || now.Plan == nil || !now.Plan.At.Equal(d.Plan.At) || fault.Is(err, "precondition.stale") {
		return nil
	}
	now.State, now.Approved, now.Plan, now.Problems, now.UpdatedAt = Rejected, false, nil, asProblems(fault.As(err)), s.now()
	if _, e = s.replace(ctx, now); e == nil {
		s.log.Warn("a scheduled draft was refused", "draft", d.ID, "error", err)
	}
	return e
}

// noteOf is the note of the revision that a scheduled draft becomes.
func (s *Service) noteOf(d Draft) string {
	behind := s.now().Sub(d.Plan.At)
	if behind < late {
		return d.Note
	}
	warning := fmt.Sprintf("(warning: scheduled for %s, published %s late)", d.Plan.At.Format(time.RFC3339), behind.Truncate(time.Second))
	note := []rune(d.Note)
	note = note[:min(len(note), maxNote-len(warning)-1)]
	return strings.TrimSpace(string(note) + " " + warning)
}

// waits tells whether a draft is not to be tried yet.
func (s *Service) waits(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.pause[id]
	if ok && !s.now().Before(until) {
		delete(s.pause, id)
		return false
	}
	return ok
}

func (s *Service) wait(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	maps.DeleteFunc(s.pause, func(_ string, until time.Time) bool { return !now.Before(until) })
	s.pause[id] = now.Add(againAfter)
}
