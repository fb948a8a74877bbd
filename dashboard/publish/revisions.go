package publish

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Edit is one object's change to come. A nil Text deletes.
type Edit struct {
	Ref  Ref
	Text []byte
}

// Committed is a revision that was appended; zero when the edits change nothing.
type Committed struct {
	Revision Revision
	Objects  []Object
	Problems []fault.Problem // warnings: what is stored but not everywhere yet
}

// batch is how many revisions or contents are read at a time.
const batch = 200

// Commit appends one revision. build is called with the newest state and returns
// the edits or an error, which Commit returns as it is; when another dashboard
// appends meanwhile, it is called again with the state after that. So every
// revision was judged against exactly the state before it.
//
// Once the revision is stored Commit succeeds: what could not be done after that
// is a warning ("publish.pending", "publish.views_pending") and is repaired by
// any dashboard. Faults: "publish.store_behind" when Redis holds a newer
// generation than the log, "publish.store_turned_back" when the log lost revisions
// that this dashboard has seen, "publish.store_unavailable", and
// "publish.outcome_unknown" when nobody can say whether the revision is stored.
func (e *Engine) Commit(ctx context.Context, author Author, note string, build func(*State) ([]Edit, error)) (Committed, error) {
	if len(note) > 500*utf8.UTFMax || utf8.RuneCountInString(note) > 500 || !utf8.ValidString(note) {
		return Committed{}, fault.New(fault.Unprocessable, "revision.note_invalid", "the note must have at most 500 characters")
	}
	unlock, err := e.lock(ctx)
	if err != nil {
		return Committed{}, err
	}
	defer unlock()
	var taken turns
	for {
		if err := e.catchUp(ctx); err != nil {
			return Committed{}, storeUnavailable(err)
		}
		if err := e.admit(ctx); err != nil {
			return Committed{}, err
		}
		edits, err := build(e.state)
		if err != nil {
			return Committed{}, err
		}
		changes, texts := e.changes(edits)
		if len(changes) == 0 {
			return Committed{}, nil
		}
		if err := e.o.Contents.Put(ctx, texts); err != nil {
			return Committed{}, storeUnavailable(fmt.Errorf("storing contents: %w", err))
		}
		if err := e.step("contents"); err != nil {
			return Committed{}, err
		}
		r := Revision{N: e.state.n + 1, At: e.o.Now().UTC().Truncate(time.Millisecond), Author: author, Note: note, Changes: changes}
		err = e.o.Log.Append(ctx, r)
		if errors.Is(err, ErrTaken) {
			if err := taken.wait(ctx, r.N); err != nil {
				return Committed{}, storeUnavailable(err)
			}
			continue
		}
		if err != nil {
			if err := e.lookUp(ctx, r, fmt.Errorf("appending revision %d: %w", r.N, err)); err != nil {
				return Committed{}, err
			}
		}
		return e.settle(ctx, r, texts)
	}
}

// turns spaces the attempts at one number. Usually the revision that has it can
// be read at once; not so while the store has no majority for it.
type turns struct {
	n     int64
	pause time.Duration
	since time.Time
}

func (t *turns) wait(ctx context.Context, n int64) error {
	if n != t.n {
		*t = turns{n: n, pause: 10 * time.Millisecond, since: time.Now()}
		return nil
	}
	if time.Since(t.since) > settleTimeout {
		return fmt.Errorf("revision %d exists, but cannot be read", n)
	}
	timer := time.NewTimer(t.pause)
	defer timer.Stop()
	t.pause = min(2*t.pause, time.Second)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for revision %d: %w", n, ctx.Err())
	}
}

// admit refuses while Redis is ahead of the store. The first time it compares them.
func (e *Engine) admit(ctx context.Context) error {
	if !e.compared && !e.away {
		if err := e.repair(ctx, nil); err != nil {
			e.log.Warn("published configuration was not compared with the log", "error", err)
		}
	}
	if e.behind {
		return fault.New(fault.Unavailable, "publish.store_behind",
			"Redis holds a newer configuration than the store, so the store was restored from an old backup: restore a backup that is newer than the published configuration")
	}
	return nil
}

// lookUp returns nil when r is in the log although Append returned cause. Else
// it tells whether r is not there, or nobody knows: a write that only took too long
// may still be made.
func (e *Engine) lookUp(ctx context.Context, r Revision, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	list, err := e.o.Log.Since(ctx, r.N-1, 1)
	late := errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled)
	if err != nil || len(list) == 0 && late {
		return fault.Wrap(errors.Join(cause, err), fault.Unavailable, "publish.outcome_unknown",
			"the store stopped answering while revision %d was written, so it is not known whether the change was made; read the object again before you repeat it", r.N)
	}
	if len(list) == 1 && list[0].N == r.N && list[0].At.Equal(r.At) && list[0].Author == r.Author &&
		list[0].Note == r.Note && reflect.DeepEqual(list[0].Changes, r.Changes) {
		return nil
	}
	return storeUnavailable(cause)
}

// changes drops edits without effect. Of two edits of one object the last counts.
func (e *Engine) changes(edits []Edit) ([]Change, map[string][]byte) {
	var changes []Change
	texts := map[string][]byte{}
	for i, edit := range edits {
		if slices.ContainsFunc(edits[i+1:], func(later Edit) bool { return later.Ref == edit.Ref }) {
			continue
		}
		c := Change{Org: edit.Ref.Org, Kind: edit.Ref.Kind, ID: edit.Ref.ID}
		if have, ok := e.state.Get(edit.Ref); ok {
			c.Before = have.SHA
		}
		if edit.Text != nil {
			c.After = Sum(edit.Text)
		}
		if c.Before == c.After {
			continue
		}
		if edit.Text != nil {
			texts[c.After] = edit.Text
		}
		changes = append(changes, c)
	}
	return changes, texts
}

// settle does what follows an append. The caller's cancellation does not count
// any more.
func (e *Engine) settle(ctx context.Context, r Revision, texts map[string][]byte) (Committed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	done := Committed{Revision: r}
	if err := e.step("append"); err != nil {
		return done, err
	}
	done.Objects = e.fold(r, texts)
	if err := e.applyViews(ctx); err != nil {
		if errors.Is(err, errStopped) {
			return done, err
		}
		e.log.Error("the views are behind the log", "revision", r.N, "error", err)
		done.Problems = append(done.Problems, warning("publish.views_pending", nil,
			"the change is stored, but lists do not show it yet: the store does not answer; it is repeated by itself"))
		e.Wake()
	}
	err := e.publish(ctx)
	if err != nil {
		if errors.Is(err, errStopped) {
			return done, err
		}
		e.log.Warn("the revision is not published yet", "revision", r.N, "error", err)
		done.Problems = append(done.Problems, warning("publish.pending", map[string]any{"revision": r.N},
			"the change is stored, but gateways do not get it yet: Redis does not take it; it is repeated by itself"))
	}
	e.notify(ctx, notices{appended: true, config: err == nil})
	return done, e.step("notices")
}

// catchUp folds what the log has beyond the state and brings the views up to it.
func (e *Engine) catchUp(ctx context.Context) error {
	newest, err := e.o.Log.Newest(ctx)
	if err != nil {
		return fmt.Errorf("reading the newest revision: %w", err)
	}
	if newest < e.state.n { // whatever is appended now would leave a gap
		return fault.New(fault.Unavailable, "publish.store_turned_back",
			"the store ends at revision %d, but held revision %d before: it was put back to an older copy, so nothing is changed; restore a newer copy, or start the dashboards again", newest, e.state.n)
	}
	for e.state.n < newest {
		revisions, err := e.o.Log.Since(ctx, e.state.n, batch)
		if err != nil {
			return fmt.Errorf("reading revisions after %d: %w", e.state.n, err)
		}
		if len(revisions) == 0 {
			return fmt.Errorf("the log ends at %d and %d at once", e.state.n, newest)
		}
		texts, err := e.textsOf(ctx, revisions)
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if r.N != e.state.n+1 {
				return fmt.Errorf("the log has no revision %d, but has %d", e.state.n+1, r.N)
			}
			e.fold(r, texts)
		}
	}
	return e.applyViews(ctx)
}

// textsOf reads what revisions made.
func (e *Engine) textsOf(ctx context.Context, revisions []Revision) (map[string][]byte, error) {
	var sums []string
	for _, r := range revisions {
		for _, c := range r.Changes {
			if c.After != "" {
				sums = append(sums, c.After)
			}
		}
	}
	texts, err := e.load(ctx, sums)
	if err != nil {
		return nil, err
	}
	for _, sum := range sums {
		if _, ok := texts[sum]; !ok {
			return nil, fmt.Errorf("the store lacks the content %s that a revision names", sum)
		}
	}
	return texts, nil
}

// load reads contents in batches; missing ones are absent.
func (e *Engine) load(ctx context.Context, sums []string) (map[string][]byte, error) {
	texts := make(map[string][]byte, len(sums))
	for chunk := range slices.Chunk(sums, batch) {
		some, err := e.o.Contents.Get(ctx, chunk)
		if err != nil {
			return nil, fmt.Errorf("reading contents: %w", err)
		}
		for sum, text := range some {
			texts[sum] = text
		}
	}
	return texts, nil
}

// fold takes one revision into the state and the trees. The views follow in applyViews.
func (e *Engine) fold(r Revision, texts map[string][]byte) []Object {
	f := folded{n: r.N}
	for _, c := range r.Changes {
		o := makeObject(r, c, texts[c.After])
		f.objects = append(f.objects, o)
		if e.state.put(o) {
			e.plant(o)
			e.public.named(o)
		}
	}
	e.state.n, e.state.at = r.N, r.At
	e.pending = append(e.pending, f)
	e.rehead()
	e.emit(EventRevision, r.N)
	return f.objects
}

// applyViews brings the views up to the state and raises the mark.
func (e *Engine) applyViews(ctx context.Context) error {
	if len(e.pending) == 0 {
		return nil
	}
	for len(e.pending) > 0 {
		for _, o := range e.pending[0].objects {
			if err := e.o.Views.Apply(ctx, o); err != nil {
				return fmt.Errorf("applying revision %d: %w", e.pending[0].n, err)
			}
			if err := e.step("view"); err != nil {
				return err
			}
		}
		e.pending = e.pending[1:]
	}
	e.pending = nil
	if err := e.step("views"); err != nil {
		return err
	}
	if err := e.o.Marks.Raise(ctx, markApplied, e.state.n); err != nil {
		return fmt.Errorf("noting how far the views are: %w", err)
	}
	return e.step("mark")
}

func storeUnavailable(err error) error {
	if fault.Is(err, "publish.store_turned_back") {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "publish.store_unavailable",
		"the store does not answer, so nothing was changed; try again when it does")
}

// warning makes a problem that does not stop a write.
func warning(code fault.Code, params map[string]any, format string, args ...any) fault.Problem {
	return fault.Problem{Code: code, Message: fmt.Sprintf(format, args...), Params: params, Severity: fault.Warning}
}
