package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
)

// Roots is where signed roots and what they name are written; pkg/publish.Writer.
type Roots interface {
	Publish(ctx context.Context, u wire.Update) (published bool, err error)
	Head(ctx context.Context, group string) (wire.Head, error)
	Missing(ctx context.Context, shas []string) ([]string, error)
	Strays(ctx context.Context, keep func(sha string) bool) ([]string, error)
}

// Nodes lists the gateways and pumps that are alive; pkg/fleet.Reader.
type Nodes interface {
	List(ctx context.Context) ([]fleet.Beat, error)
}

// Bus carries notices; pkg/bus.Bus.
type Bus interface {
	Publish(ctx context.Context, kind notice.Kind, payload any) error
	On(kind notice.Kind, f func(payload json.RawMessage))
	OnGap(f func())
}

// Event says that a revision was appended, here or elsewhere, or that a gateway
// acknowledged one.
type Event struct {
	Kind     EventKind
	Revision int64
}

// EventKind names what an Event tells.
type EventKind string

// The kinds of events.
const (
	EventRevision     EventKind = "revision"
	EventAcknowledged EventKind = "acknowledged"
)

// Options are what an Engine needs. Stores and Roots are required.
type Options struct {
	Log      Log
	Contents Contents
	Views    Views
	Marks    Marks
	Roots    Roots
	Nodes    Nodes            // nil: no group is known but those that definitions name
	Now      func() time.Time // default: time.Now
	Logger   *slog.Logger     // default: none
	Changed  func(Event)      // called for each event; must not block, nor call the engine
	// Fault lets tests stop at a step, as a crash would: an error that it returns
	// ends what is under way at once, and the engine must not be used any more.
	// The steps are contents, append, view, views, mark, roots and notices.
	Fault func(step string) error
}

// Names of marks in the store.
const (
	markApplied = "applied"
	markEpoch   = "epoch"
)

const (
	redisTimeout  = 2 * time.Second        // of an incremental publication
	awayTimeout   = 500 * time.Millisecond // of a question to a Redis that was away
	fullTimeout   = 30 * time.Second       // of a complete one
	settleTimeout = 10 * time.Second       // of what follows an append
	repairEvery   = 5 * time.Second
	deepEvery     = time.Minute // how often every content in Redis is looked for
	defaultGroup  = "default"
)

// Engine appends revisions, folds them into the views and publishes them. One
// runs in each dashboard; any number may share the stores and Redis. Its methods
// are safe for concurrent use.
type Engine struct {
	o    Options
	log  *slog.Logger
	bus  Bus // nil: nobody is told
	acks *acknowledgements

	wake     chan struct{} // capacity 1
	locked   chan struct{} // capacity 1; guards everything below
	state    *State
	pending  []folded // revisions that may not be in the views yet, ascending
	epoch    int64
	trees    map[string]*wire.Tree
	heads    map[string]wire.Head // of the trees
	texts    map[string][]byte    // recently folded, for the next publication
	size     int                  // of texts, bytes
	compared bool                 // Redis was compared with the log since the start
	away     bool                 // Redis did not answer last time
	behind   bool                 // Redis is ahead of the store
	refused  map[string]wire.Head // what Redis held when that was found
	deepAt   time.Time            // of the last look for every content
	deep     bool                 // look for every content next time
	forcedAt time.Time            // when every content was last written, there or not

	damaged atomic.Bool // a gateway could not read a content

	public snapshot // what may be read without waiting for the lock
}

// folded is a revision with the objects that it made.
type folded struct {
	n       int64
	objects []Object
}

// New makes an engine. Start must be called before anything else.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{
		o: o, log: o.Logger, acks: newAcknowledgements(), wake: make(chan struct{}, 1),
		locked: make(chan struct{}, 1), state: newState(o.Contents), trees: map[string]*wire.Tree{},
		heads: map[string]wire.Head{}, texts: map[string][]byte{}, refused: map[string]wire.Head{},
		public: snapshot{hashes: map[int64]string{}, names: map[Ref]string{}},
	}
}

// Attach connects the engine to the bus, before either runs.
func (e *Engine) Attach(b Bus) {
	e.bus = b
	b.On(notice.RevisionAppendedKind, func(json.RawMessage) { e.Wake() })
	b.On(notice.AppliedKind, func(payload json.RawMessage) {
		var a notice.Applied
		if err := json.Unmarshal(payload, &a); err != nil {
			e.log.Warn("an acknowledgement cannot be read", "error", err)
			return
		}
		e.Acknowledge(a)
	})
	b.OnGap(e.Wake)
}

// Wake makes Run look at the log and at Redis now.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Start loads the views, folds what the log has beyond them, and compares Redis
// with the log. Redis being away is no error: Run repairs it later.
func (e *Engine) Start(ctx context.Context) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if e.epoch, err = e.o.Marks.Mark(ctx, markEpoch); err != nil {
		return fmt.Errorf("reading the signing epoch: %w", err)
	}
	if e.epoch == 0 {
		e.epoch = 1
		if err := e.o.Marks.Raise(ctx, markEpoch, 1); err != nil {
			return fmt.Errorf("setting the first signing epoch: %w", err)
		}
	}
	if e.state.n, err = e.o.Marks.Mark(ctx, markApplied); err != nil {
		return fmt.Errorf("reading how far the views are: %w", err)
	}
	// The views may be ahead of the mark, but never of the log that is read after
	// them: the state is exact once catchUp returns.
	for o, err := range e.o.Views.Each(ctx) {
		if err != nil {
			return fmt.Errorf("loading the views: %w", err)
		}
		if e.state.put(o) {
			e.public.named(o)
		}
	}
	if err := e.catchUp(ctx); err != nil {
		return err
	}
	if e.state.at.IsZero() && e.state.n > 0 {
		last, err := e.o.Log.Since(ctx, e.state.n-1, 1)
		if err != nil || len(last) == 0 {
			return fmt.Errorf("reading revision %d: %w", e.state.n, orNotFound(err))
		}
		e.state.at = last[0].At
	}
	e.addGroup(defaultGroup)
	for _, entry := range e.state.objects {
		for _, g := range entry.Groups {
			e.addGroup(g)
		}
	}
	e.rehead()
	if err := e.repair(ctx, e.groupsAlive(ctx)); err != nil {
		e.log.Warn("published configuration was not compared with the log", "error", err)
	}
	return nil
}

func orNotFound(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}

// Run repairs until ctx ends: every 5 s, and when it is woken.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(repairEvery)
	defer tick.Stop()
	for {
		everything := false
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			everything = true
		case <-e.wake:
		}
		if err := e.Repair(ctx, everything); err != nil && ctx.Err() == nil {
			e.log.Warn("published configuration is not repaired yet", "error", err)
		}
	}
}

// Repair brings views and Redis up to the log. With everything it also looks for
// new gateway groups.
func (e *Engine) Repair(ctx context.Context, everything bool) error {
	var groups []string
	if everything { // before the lock: nobody shall wait for a Redis that hangs
		groups = e.groupsAlive(ctx)
	}
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.catchUp(ctx); err != nil {
		e.public.failed(err)
		return err
	}
	return e.repair(ctx, groups)
}

// View runs f with the newest state. f must not call the engine.
func (e *Engine) View(ctx context.Context, f func(*State) error) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.catchUp(ctx); err != nil {
		return err
	}
	return f(e.state)
}

// Condition is the engine's health. It never waits.
func (e *Engine) Condition() Condition { return e.public.condition() }

// Expected is what gateways of a group should run, and the time of its revision;
// ok is false for a group that is not known (yet). It never waits.
func (e *Engine) Expected(group string) (head wire.Head, at time.Time, ok bool) {
	return e.public.head(group)
}

// NamesOf returns the names of an organisation's objects of a kind by their ids; what
// does not exist is left out. It never waits, so that what others wrote an instant
// ago may be missing.
func (e *Engine) NamesOf(org, kind string, ids []string) map[string]string {
	return e.public.namesOf(org, kind, ids)
}

// Revisions returns up to limit revisions below before (0: from the newest),
// descending; with kind and id those of one object.
func (e *Engine) Revisions(ctx context.Context, before int64, limit int, kind, id string) ([]Revision, error) {
	return e.o.Log.Page(ctx, before, limit, kind, id)
}

// Recorded tells how many revisions there are, and whether all of them are about
// the organisation; otherwise it is not known how many are.
func (e *Engine) Recorded(ctx context.Context, org string) (n int64, own bool, err error) {
	err = e.View(ctx, func(s *State) error {
		n, own = s.Revision(), s.Alone(org)
		return nil
	})
	return n, own, err
}

// Revision returns one revision, or the fault "revision.not_found".
func (e *Engine) Revision(ctx context.Context, n int64) (Revision, error) {
	if n >= 1 {
		list, err := e.o.Log.Since(ctx, n-1, 1)
		if err != nil {
			return Revision{}, fmt.Errorf("reading revision %d: %w", n, err)
		}
		if len(list) == 1 && list[0].N == n {
			return list[0], nil
		}
	}
	return Revision{}, fault.New(fault.NotFound, "revision.not_found", "there is no revision %d", n).With("revision", n)
}

// Text returns a text by its SHA-256, or the fault "content.not_found".
func (e *Engine) Text(ctx context.Context, sha string) ([]byte, error) {
	texts, err := e.o.Contents.Get(ctx, []string{sha})
	if err != nil {
		return nil, fmt.Errorf("reading a content: %w", err)
	}
	text, ok := texts[sha]
	if !ok {
		return nil, fault.New(fault.NotFound, "content.not_found", "there is no content of that hash")
	}
	return text, nil
}

// lock takes the engine, or gives up when ctx ends.
func (e *Engine) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case e.locked <- struct{}{}:
		return func() { <-e.locked }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other changes: %w", ctx.Err())
	}
}

// step is where tests, or a build with the tag failpoint, may stop.
func (e *Engine) step(name string) error {
	failpoint(name)
	if e.o.Fault == nil {
		return nil
	}
	if err := e.o.Fault(name); err != nil {
		return fmt.Errorf("%w at %s: %w", errStopped, name, err)
	}
	return nil
}

// errStopped marks errors of Options.Fault.
var errStopped = errors.New("stopped")

func (e *Engine) emit(kind EventKind, n int64) {
	if e.o.Changed != nil {
		e.o.Changed(Event{kind, n})
	}
}
