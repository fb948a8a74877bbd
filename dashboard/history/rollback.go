package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Later is what was done to an object after the revision that it shall go back to,
// and is lost by that, though never from the log.
type Later struct {
	Ref
	Revisions []Past `json:"revisions"`      // ascending; the last 20
	More      int    `json:"more,omitempty"` // earlier ones than these
}

// Past is a revision without its changes.
type Past struct {
	N      int64          `json:"revision"`
	At     time.Time      `json:"at"`
	Author publish.Author `json:"author"`
	Note   string         `json:"note,omitempty"`
}

// Outcome tells what a rollback did, or would do when it was a dry run.
type Outcome struct {
	objects.SetResult
	Later []Later // by the plan's order
}

// moved bounds how often a rollback is begun again because others change the same.
const moved = 20

// Plan tells what Rollback would do, and judges it: the differences are in its plan.
func (s *Service) Plan(ctx context.Context, org string, n int64, scope []Ref) (Outcome, error) {
	return s.Rollback(ctx, objects.Write{Org: org, DryRun: true}, n, scope)
}

// Rollback brings objects back to how they were after revision n, as a new revision:
// those of the scope, or with none all that were changed since, by what the
// organisation of w has. It follows the rules of objects.Set: all or nothing, judged
// against the state that it leads to, and what cannot come back is refused with the
// reason. When nothing differs, nothing is done.
//
// Faults beside those of Set: "revision.not_found", "rollback.note_missing" (not in a
// dry run), and "rollback.object_unknown" for an object of the scope that there is
// not and was not. The problems of a refusal have the parameters objectKind and
// objectId.
func (s *Service) Rollback(ctx context.Context, w objects.Write, n int64, scope []Ref) (Outcome, error) {
	if !w.DryRun && strings.TrimSpace(w.Note) == "" {
		return Outcome{}, fault.New(fault.Unprocessable, "rollback.note_missing", "note says why; it is missing").At("/note")
	}
	for range moved {
		spans, err := s.back(ctx, w.Org, n, scope)
		if err != nil || len(spans) == 0 {
			return Outcome{}, err
		}
		changes, err := s.changes(ctx, spans)
		if err != nil {
			return Outcome{}, err
		}
		result, err := s.o.Set.Apply(ctx, w, changes)
		if changedMeanwhile(err) {
			continue
		}
		if err != nil {
			return Outcome{}, named(err, spans)
		}
		out := Outcome{SetResult: result}
		for _, p := range spans {
			out.Later = append(out.Later, Later{p.Ref, p.revisions, p.more})
		}
		return out, nil
	}
	f := fault.New(fault.Unavailable, "publish.busy", "others change the same objects all the time; try again")
	f.Retry = 1
	return Outcome{}, f
}

// back finds the objects that differ from how they were after revision n.
func (s *Service) back(ctx context.Context, org string, n int64, scope []Ref) ([]*span, error) {
	newest, err := s.o.Log.Newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the newest revision: %w", err)
	}
	if n < 1 || n > newest {
		return nil, notFound(n)
	}
	spans, err := s.spans(ctx, org, n, newest)
	if err != nil {
		return nil, err
	}
	if err := s.exist(ctx, org, spans, scope); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(spans, func(p *span) bool {
		return p.before == p.after || len(scope) > 0 && !slices.Contains(scope, p.Ref)
	}), nil
}

// exist refuses objects of the scope that no revision after n speaks of, and that
// are not there.
func (s *Service) exist(ctx context.Context, org string, spans []*span, scope []Ref) error {
	return s.o.Engine.View(ctx, func(state *publish.State) error {
		for i, ref := range scope {
			_, there := state.Get(publish.Ref{Org: org, Kind: ref.Kind, ID: ref.ID})
			if !there && !slices.ContainsFunc(spans, func(p *span) bool { return p.Ref == ref }) {
				return fault.New(fault.Unprocessable, "rollback.object_unknown", "there is no %s %q, now or at that revision", ref.Kind, ref.ID).
					With("kind", ref.Kind).With("id", ref.ID).At(fmt.Sprintf("/scope/%d", i))
			}
		}
		return nil
	})
}

// changes are the steps back.
func (s *Service) changes(ctx context.Context, spans []*span) ([]objects.Change, error) {
	var sums []string
	for _, p := range spans {
		sums = append(sums, p.before)
	}
	texts, err := s.texts(ctx, sums)
	if err != nil {
		return nil, err
	}
	changes := make([]objects.Change, len(spans))
	for i, p := range spans {
		changes[i] = objects.Change{Kind: p.Kind, ID: p.ID, Action: objects.Put, Text: texts[p.before]}
		if p.before == "" {
			changes[i].Action = objects.Delete
		}
		if p.after != "" {
			changes[i].IfMatch = objects.ETag(p.newest())
		}
	}
	return changes, nil
}

// changedMeanwhile tells whether an object is not as the log said a moment ago.
func changedMeanwhile(err error) bool {
	f := fault.As(err)
	return f != nil && (f.Code == "precondition.stale" || f.Code == "precondition.required" || f.Kind == fault.NotFound)
}

// named says of each problem which object it keeps from coming back.
func named(err error, spans []*span) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	out := *f
	out.Problems = nil
	for _, p := range f.Problems {
		i, ok := p.Params["change"].(int)
		if ok && i >= 0 && i < len(spans) {
			p.Params = maps.Clone(p.Params)
			delete(p.Params, "change")
			p.Params["objectKind"], p.Params["objectId"] = spans[i].Kind, spans[i].ID
			p.Message = fmt.Sprintf("%s %q: %s", spans[i].Kind, spans[i].ID, p.Message)
			p.Path = strings.TrimPrefix(p.Path, fmt.Sprintf("/changes/%d/object", i))
		}
		out.Problems = append(out.Problems, p)
	}
	return &out
}
