package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
)

// keepTexts is how many bytes of recently folded texts are kept until they are
// published; beyond that they are read from the store.
const keepTexts = 16 << 20

// addGroup starts a tree for a group that was not known, with everything that
// its gateways get.
func (e *Engine) addGroup(group string) (added bool) {
	if _, ok := e.trees[group]; ok {
		return false
	}
	t := wire.NewTree(group)
	for ref, entry := range e.state.objects {
		if entry.in(group) {
			e.set(t, ref, entry)
		}
	}
	e.trees[group] = t
	return true
}

func (e *Engine) set(t *wire.Tree, ref Ref, entry Entry) {
	if err := t.Set(wire.Item{Org: ref.Org, Kind: ref.Kind, ID: ref.ID, SHA: entry.SHA}); err != nil {
		e.log.Error("an object cannot be published", "kind", ref.Kind, "id", ref.ID, "error", err)
	}
}

// plant takes one folded object into the trees.
func (e *Engine) plant(o Object) {
	ref := Ref{o.Org, o.Kind, o.ID}
	entry := e.state.objects[ref]
	if !o.Deleted && !e.away && e.size+len(o.Text) <= keepTexts {
		e.texts[o.SHA] = o.Text
		e.size += len(o.Text)
	}
	for group, t := range e.trees {
		if entry.in(group) {
			e.set(t, ref, entry)
		} else {
			t.Delete(o.Org, o.Kind, o.ID)
		}
	}
	for _, g := range entry.Groups {
		e.addGroup(g)
	}
}

// rehead computes what the trees' roots are at the present revision.
func (e *Engine) rehead() {
	for group, t := range e.trees {
		e.heads[group] = t.Root(e.epoch, e.state.n, e.state.at).Head()
	}
	e.public.moved(e.state.n, e.epoch, e.state.at, e.heads)
}

// publish writes the roots of the present revision with what changed since the
// last publication.
func (e *Engine) publish(ctx context.Context) error {
	if e.away {
		return errors.New("not tried, because Redis did not answer before")
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	u, err := e.compose(func(sha string) ([]byte, bool) {
		text, ok := e.texts[sha]
		if !ok {
			if some, err := e.o.Contents.Get(ctx, []string{sha}); err == nil {
				text, ok = some[sha]
			}
		}
		return text, ok
	})
	if err != nil {
		return err
	}
	err = e.write(ctx, u)
	if fault.Is(err, "publish.incomplete") { // Redis was emptied or restored: Run writes it all
		e.deep = true
		e.Wake()
	}
	if err != nil {
		return err
	}
	return e.step("roots")
}

func (e *Engine) compose(text func(sha string) ([]byte, bool)) (wire.Update, error) {
	trees := slices.Collect(maps.Values(e.trees))
	slices.SortFunc(trees, func(a, b *wire.Tree) int { return cmp.Compare(a.Group(), b.Group()) })
	return wire.Compose(e.epoch, e.state.n, e.state.at, text, trees...)
}

// write publishes an update and judges the outcome.
func (e *Engine) write(ctx context.Context, u wire.Update) error {
	published, err := e.o.Roots.Publish(ctx, u)
	if err != nil {
		e.away = fault.Is(err, "publish.unavailable")
		return err
	}
	if published {
		e.inSync()
		return nil
	}
	// Redis is ahead: of this dashboard, or of the store?
	newest, err := e.o.Log.Newest(ctx)
	if err != nil {
		return fmt.Errorf("reading the newest revision: %w", err)
	}
	epoch, err := e.o.Marks.Mark(ctx, markEpoch)
	if err != nil {
		return fmt.Errorf("reading the signing epoch: %w", err)
	}
	if newest > e.state.n || epoch > e.epoch {
		e.public.published(e.state.n) // by somebody who appended after that
		e.Wake()
		return nil
	}
	e.compared, e.behind = true, true
	e.public.refused()
	for group := range e.trees {
		if e.refused[group], err = e.o.Roots.Head(ctx, group); err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "publish.store_behind",
		"Redis holds a newer configuration than revision %d, the newest in the store", e.state.n)
}

// inSync notes that Redis holds the trees' roots.
func (e *Engine) inSync() {
	for _, t := range e.trees {
		t.Commit()
	}
	clear(e.texts)
	clear(e.refused)
	e.size = 0
	e.compared, e.away, e.behind = true, false, false
	e.public.published(e.state.n)
}

// repair compares Redis with the log and writes what it lacks. The state is the
// newest. groups are those that gateways say they are of.
func (e *Engine) repair(ctx context.Context, groups []string) (err error) {
	defer func() {
		if err != nil {
			e.public.failed(err)
		}
	}()
	epoch, err := e.o.Marks.Mark(ctx, markEpoch)
	if err != nil {
		return fmt.Errorf("reading the signing epoch: %w", err)
	}
	changed := epoch > e.epoch
	e.epoch = max(e.epoch, epoch)
	for _, g := range groups {
		changed = e.addGroup(g) || changed
	}
	if changed {
		e.rehead()
	}
	synced, refusedStill, err := e.compare(ctx)
	if err != nil {
		e.away = true
		return err
	}
	if e.away {
		e.away, e.deep = false, true
	}
	if refusedStill {
		return fault.New(fault.Unavailable, "publish.store_behind",
			"Redis holds a newer configuration than revision %d, the newest in the store", e.state.n)
	}
	if synced {
		e.inSync()
		if !e.deep && !e.forced() && e.o.Now().Sub(e.deepAt) < deepEvery {
			return nil
		}
	}
	return e.rewrite(ctx, synced)
}

// forced tells whether to write every content, because one that is there is not
// what its name says. Redis gets some rest between two of these.
func (e *Engine) forced() bool {
	return e.damaged.Load() && e.o.Now().Sub(e.forcedAt) >= deepEvery
}

// groupsAlive are the groups that gateways say they are of. It also notes whether
// one of them cannot read everything.
func (e *Engine) groupsAlive(ctx context.Context) (groups []string) {
	if e.o.Nodes == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	beats, err := e.o.Nodes.List(ctx)
	if err != nil {
		e.log.Debug("the list of nodes cannot be read", "error", err)
		return nil
	}
	for _, b := range beats {
		if strings.Contains(b.LastError, codeIncomplete) {
			e.damaged.Store(true)
		}
		if b.Service == "gateway" && b.Group != "" && !slices.Contains(groups, b.Group) {
			groups = append(groups, b.Group)
		}
	}
	return groups
}

// compare tells whether Redis holds the present roots, and whether it holds just
// what it refused this store's roots for.
func (e *Engine) compare(ctx context.Context) (synced, refusedStill bool, err error) {
	timeout := redisTimeout
	if e.away {
		timeout = awayTimeout // changes wait for this
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	synced, refusedStill = true, e.behind
	for group, want := range e.heads {
		have, err := e.o.Roots.Head(ctx, group)
		if err != nil {
			return false, false, err
		}
		synced = synced && have == want
		refusedStill = refusedStill && have == e.refused[group] && have.Compare(want) >= 0
	}
	return synced, refusedStill && !synced, nil
}

// rewrite publishes everything that Redis does not have for good. When the roots
// are the present ones it writes only if a content is missing.
func (e *Engine) rewrite(ctx context.Context, synced bool) error {
	ctx, cancel := context.WithTimeout(ctx, fullTimeout)
	defer cancel()
	sums := map[string]bool{} // of items; true: Redis has it
	for _, t := range e.trees {
		for item := range t.Items() {
			sums[item.SHA] = true
		}
	}
	missing, err := e.o.Roots.Missing(ctx, slices.Collect(maps.Keys(sums)))
	if err != nil {
		return err
	}
	lacking, err := e.partsMissing(ctx)
	if err != nil {
		return err
	}
	e.deep, e.deepAt = false, e.o.Now()
	if e.forced() {
		e.damaged.Store(false)
		e.forcedAt = e.deepAt
		missing = slices.Collect(maps.Keys(sums))
		lacking = true
	}
	if synced && len(missing) == 0 && !lacking {
		return nil
	}
	for _, sum := range missing {
		sums[sum] = false
	}
	texts, err := e.load(ctx, missing)
	if err != nil {
		return err
	}
	for _, t := range e.trees {
		t.MarkAll()
	}
	u, err := e.compose(func(sha string) ([]byte, bool) {
		if sums[sha] {
			return nil, true
		}
		text, ok := texts[sha]
		return text, ok
	})
	if err != nil {
		return err
	}
	maps.DeleteFunc(u.Contents, func(sha string, _ []byte) bool { return sums[sha] })
	if u.Dropped, err = e.strays(ctx, sums, u); err != nil {
		return err
	}
	start := e.o.Now()
	if err := e.write(ctx, u); err != nil {
		return err
	}
	e.log.Info("published configuration was rewritten", "revision", e.state.n, "contents", len(u.Contents),
		"ms", e.o.Now().Sub(start).Milliseconds())
	e.notify(ctx, notices{config: true})
	return nil
}

// partsMissing tells whether Redis lacks a part that the present roots name.
func (e *Engine) partsMissing(ctx context.Context) (bool, error) {
	var sums []string
	for _, t := range e.trees {
		r := t.Root(e.epoch, e.state.n, e.state.at)
		for _, p := range r.Parts {
			if p != ([32]byte{}) {
				sums = append(sums, fmt.Sprintf("%x", p))
			}
		}
	}
	missing, err := e.o.Roots.Missing(ctx, sums)
	return len(missing) > 0, err
}

// strays are contents that Redis keeps although no present root names them: the
// dashboard that dropped them did not come to say so.
func (e *Engine) strays(ctx context.Context, items map[string]bool, u wire.Update) ([]string, error) {
	parts := map[string]struct{}{}
	for _, r := range u.Roots {
		for _, p := range r.Parts {
			parts[fmt.Sprintf("%x", p)] = struct{}{}
		}
	}
	return e.o.Roots.Strays(ctx, func(sha string) bool {
		_, item := items[sha]
		_, part := parts[sha]
		return item || part
	})
}

type notices struct{ appended, config bool }

// notify tells others. Nobody depends on it: they compare numbers by themselves.
func (e *Engine) notify(ctx context.Context, n notices) {
	if e.bus == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if n.config {
		if err := e.bus.Publish(ctx, notice.ConfigChangedKind, notice.ConfigChanged{Epoch: e.epoch, Generation: e.state.n}); err != nil {
			e.log.Debug("gateways were not told", "revision", e.state.n, "error", err)
		}
	}
	if n.appended && !e.away {
		if err := e.bus.Publish(ctx, notice.RevisionAppendedKind, notice.RevisionAppended{Revision: e.state.n}); err != nil {
			e.log.Debug("dashboards were not told", "revision", e.state.n, "error", err)
		}
	}
}
