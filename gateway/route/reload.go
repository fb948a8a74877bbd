package route

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/pkg/notice"
)

// World holds the table that requests are served from. Loading it is one atomic
// read.
type World struct {
	table  atomic.Pointer[Table]
	report atomic.Pointer[Report]
}

// NewWorld starts with an empty table.
func NewWorld() *World {
	w := &World{}
	w.table.Store(&Table{})
	w.report.Store(&Report{})
	return w
}

// Load returns the present table.
func (w *World) Load() *Table { return w.table.Load() }

// Report returns what came of the last reload.
func (w *World) Report() Report { return *w.report.Load() }

// Report is what came of a reload.
type Report struct {
	State
	Took     time.Duration     // from the hint to the swap
	At       time.Time         // of the swap
	Rejected []notice.Rejected // every object that is not as published, not only of this reload
	APIs     int
	Err      error // why the last fetch brought nothing; the table before serves on
}

// Options of a Reloader. Zero values take the defaults.
type Options struct {
	Coalesce time.Duration // hints within it make one reload; default 50ms
	Poll     time.Duration // how often the source is asked without a hint; default 5s
	Timeout  time.Duration // of one fetch; default 10s
	Applied  func(Report)  // called after each swap and each failed fetch; must not block long
	Log      *slog.Logger  // default: discarded
}

func (o Options) withDefaults() Options {
	if o.Coalesce == 0 {
		o.Coalesce = 50 * time.Millisecond
	}
	if o.Poll == 0 {
		o.Poll = 5 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Applied == nil {
		o.Applied = func(Report) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Reloader is the one actor that makes tables.
type Reloader struct {
	world  *World
	c      *Compiler
	source Source
	o      Options
	looked chan struct{} // closed after the first reload
}

// NewReloader takes the world that it swaps, the compiler and the source.
func NewReloader(w *World, c *Compiler, s Source, o Options) *Reloader {
	return &Reloader{w, c, s, o.withDefaults(), make(chan struct{})}
}

// Looked is closed after the first reload, whatever came of it: requests before it
// would find no API at all.
func (r *Reloader) Looked() <-chan struct{} { return r.looked }

// Run reloads on hints and polls until ctx ends. The first reload is
// at once. It is called once.
func (r *Reloader) Run(ctx context.Context) error {
	poll := time.NewTicker(r.o.Poll)
	defer poll.Stop()
	began := time.Now()
	for first := true; ; first = false {
		r.reload(ctx, began)
		if first {
			close(r.looked)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			began = time.Now()
			continue
		case <-r.source.Hints():
		}
		began = time.Now()
		if !r.coalesce(ctx) {
			return nil
		}
	}
}

// coalesce waits until hints have come to rest or the window is over.
func (r *Reloader) coalesce(ctx context.Context) bool {
	window := time.NewTimer(r.o.Coalesce)
	defer window.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-window.C:
			return true
		case <-r.source.Hints():
		}
	}
}

func (r *Reloader) reload(ctx context.Context, began time.Time) {
	fetch, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	old := r.world.Load()
	u, err := r.source.Fetch(fetch, old.state)
	if err != nil && ctx.Err() == nil {
		rep := r.world.Report()
		if rep.Err == nil || rep.Err.Error() != err.Error() {
			r.o.Log.Warn("configuration could not be fetched", "error", err, "generation", old.state.Generation)
		}
		rep.Err = err
		r.world.report.Store(&rep)
		r.o.Applied(rep)
	}
	if u == nil && err == nil {
		r.settle()
		if r.c.mended(old) {
			u = &Update{State: old.state}
		}
	}
	if u == nil {
		return
	}
	next, retired := r.c.apply(old, u)
	r.world.table.Store(next)
	rep := Report{State: next.state, Took: time.Since(began), At: time.Now(), APIs: next.apis.len(), Rejected: next.rejections(), Err: err}
	for _, k := range u.Incomplete {
		rep.Rejected = append(rep.Rejected, notice.Rejected{
			Org: k.Org, Kind: k.Kind, ID: k.ID, Code: "item.missing",
			Message: "its text could not be fetched", Kept: next.serves(k.Org, k.Kind, k.ID),
		})
	}
	r.world.report.Store(&rep)
	for _, f := range retired {
		r.c.ups.Release(f)
	}
	r.o.Log.Info("configuration applied", "generation", rep.Generation, "epoch", rep.Epoch, "origin", rep.Origin,
		"apis", rep.APIs, "changed", len(u.Set), "rejected", len(rep.Rejected), "ms", rep.Took.Milliseconds())
	r.o.Applied(rep)
}

// settle clears the error of an earlier fetch.
func (r *Reloader) settle() {
	if rep := r.world.Report(); rep.Err != nil {
		rep.Err = nil
		r.world.report.Store(&rep)
		r.o.Applied(rep)
	}
}

func (t *Table) rejections() []notice.Rejected {
	var out []notice.Rejected
	for _, rej := range t.rejected.all() {
		out = append(out, rej)
	}
	return out
}
