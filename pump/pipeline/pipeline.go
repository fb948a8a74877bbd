// Package pipeline takes records from the streams to the sinks: one lane per sink
// and shard, which reads, picks (stage.go), writes, tries again (retry.go), sends
// what is hopeless to the dead letters (park.go) and acknowledges. A sink that is
// slow or down delays its own lanes and nobody else's.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// Streams is the wire to the records. App makes it of pkg/spool, whose functions
// want a client of Redis. Safe for concurrent use.
type Streams interface {
	Reader(shard int, o spool.ReaderOptions) (*spool.Reader, error)
	Locate(ctx context.Context, shard int, group string) (spool.Position, error)
	Trim(ctx context.Context, shard int, o spool.TrimOptions) (spool.Trimmed, error)
	// Lease is the right to trim a shard, which one pump has at a time.
	Lease(shard int) Lease
}

// Lease is had by one process at a time. For one goroutine.
type Lease interface {
	// Hold takes or renews it; false while another process has it.
	Hold(ctx context.Context) (token int64, held bool, err error)
	// Release gives it back.
	Release(ctx context.Context) error
}

// Sink is a sink with what the pipeline does for it.
type Sink struct {
	Name     string // of the sink and of its consumer group
	Type     string // for State
	Required bool   // for State
	Counting bool   // gets also the records that are for counters only
	From     string // spool.FromOldest or FromNow, when the group is new
	// WriteTimeout is how long one attempt may take; default 30 s. A batch whose pump
	// is silent for twice as long goes to another pump.
	WriteTimeout time.Duration
	Rules        Rules
	To           sink.Sink
}

// Options of a pipeline. Zero values mean the defaults.
type Options struct {
	Consumer string // of this process: the same after a restart, no other's
	Shards   int    // default spool.DefaultShards; the same in the whole installation
	Streams  Streams
	Sinks    []Sink
	Drain    time.Duration     // how long a running Write may take after the end of Run's context; default 3.5 s; all else takes 1.5 s at most
	Trim     spool.TrimOptions // per shard
	Log      *slog.Logger      // default: none

	survey, trim time.Duration // how often; tests are in a hurry
	pause        bounds        // between attempts
	block        time.Duration
}

// after a Write was cancelled it has so long to return
const patience = 500 * time.Millisecond

// Pipeline is all lanes. State and Collect are safe for concurrent use.
type Pipeline struct {
	o     Options
	sinks []*destination
	log   *slog.Logger
	trims []*trims
	// seconds are durations of writes, by sink.
	seconds *prometheus.HistogramVec
}

// destination is a sink at work.
type destination struct {
	Sink
	stage *stage
	lanes []*lane
	log   *slog.Logger

	seconds          prometheus.Observer
	reading, writing trouble
	evicted          atomic.Int64 // records that this pump's trims took from the sink

	mu          sync.Mutex
	gaps        map[string]uint64 // records missing for good, by start
	toldMissing uint64            // of them the log knows
	toldAt      time.Time

	// Of Run alone:
	ended        chan struct{} // closed when no lane runs any more
	left, closed bool          // left behind in a Write; closed or about to be
	closing      chan error
}

// New makes a pipeline, without talking to Redis. The sinks become its own: Run
// closes them.
func New(o Options) (*Pipeline, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	defaults(&o.Shards, spool.DefaultShards)
	defaults(&o.Drain, 3500*time.Millisecond)
	defaults(&o.survey, 2*time.Second)
	defaults(&o.trim, time.Second)
	defaults(&o.block, 500*time.Millisecond)
	if o.pause == (bounds{}) {
		o.pause = bounds{100 * time.Millisecond, 30 * time.Second}
	}
	p := &Pipeline{o: o, log: o.Log, seconds: newSeconds()}
	for shard := range o.Shards {
		p.trims = append(p.trims, &trims{lease: o.Streams.Lease(shard), shard: shard})
	}
	for _, s := range o.Sinks {
		defaults(&s.WriteTimeout, 30*time.Second)
		st, err := newStage(s.Rules, s.Counting)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		d := &destination{Sink: s, stage: st, log: o.Log.With("sink", s.Name), seconds: p.seconds.WithLabelValues(s.Name)}
		for shard := range o.Shards {
			r, err := o.Streams.Reader(shard, spool.ReaderOptions{
				Group: s.Name, Consumer: o.Consumer, From: s.From, Block: o.block, ClaimAfter: 2 * s.WriteTimeout,
			})
			if err != nil {
				return nil, fmt.Errorf("sink %s: %w", s.Name, err)
			}
			d.lanes = append(d.lanes, newLane(d, shard, r, o.pause))
		}
		p.sinks = append(p.sinks, d)
	}
	return p, nil
}

func defaults[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// Run works until ctx ends, or a sink's own work fails. Then nothing more is read,
// running Writes may finish within Drain, what was not written stays pending for
// this consumer's next life, and the sinks are closed. A sink whose Write does not
// even end when cancelled is left behind and named in the error.
func (p *Pipeline) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	base := context.WithoutCancel(ctx)
	hard, cut := context.WithCancel(base)
	defer cut()
	work, leave := context.WithCancel(base)
	defer leave()

	for _, d := range p.sinks {
		d.ended = make(chan struct{})
		var lanes sync.WaitGroup
		for _, l := range d.lanes {
			lanes.Go(func() { l.run(ctx, hard) })
		}
		go func() { lanes.Wait(); close(d.ended) }()
	}
	side := p.beside(ctx, work, stop)

	<-ctx.Done()
	deadline := time.AfterFunc(p.o.Drain, cut)
	defer deadline.Stop()
	late, cancel := context.WithTimeout(base, p.o.Drain+patience)
	defer cancel()
	var errs []error
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		errs = append(errs, err)
	}
	for _, d := range p.sinks {
		if !within(late, d.ended) {
			d.left = true
			errs = append(errs, fmt.Errorf("sink %s: its Write did not end when it was cancelled; it is left behind", d.Name))
		}
	}
	leave()
	rest, cancel := context.WithTimeout(base, patience)
	defer cancel()
	if !within(late, side) && !within(rest, side) {
		errs = append(errs, errors.New("a sink's own work did not end when it was cancelled; it is left behind"))
	}
	return errors.Join(append(errs, p.Close(base))...)
}

// beside starts what is not on the way of records: the sinks' own work until work
// ends, surveys and trims until ctx does. What it returns is closed at the end of all.
func (p *Pipeline) beside(ctx, work context.Context, stop context.CancelCauseFunc) <-chan struct{} {
	var side sync.WaitGroup
	side.Go(func() { p.surveying(ctx) })
	side.Go(func() { p.trimming(ctx) })
	for _, d := range p.sinks {
		w, ok := d.To.(sink.Worker)
		if !ok {
			continue
		}
		side.Go(func() {
			if err := d.guard(func() error { return w.Work(work) }); err != nil && work.Err() == nil {
				stop(fmt.Errorf("sink %s: %w", d.Name, err))
			}
		})
	}
	done := make(chan struct{})
	go func() { side.Wait(); close(done) }()
	return done
}

// within waits for done, which wins, or for the end of ctx.
func within(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Close closes the sinks of a pipeline that was not run, and takes half a second at
// most. Run does it by itself, after which Close does nothing.
func (p *Pipeline) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []*destination
	for _, d := range p.sinks {
		if d.closed || d.left {
			continue
		}
		d.closed, d.closing = true, make(chan error, 1)
		all = append(all, d)
		go func() { d.closing <- d.guard(d.To.Close) }()
	}
	var errs []error
	for _, d := range all {
		select {
		case err := <-d.closing:
			if err != nil {
				errs = append(errs, fmt.Errorf("close sink %s: %w", d.Name, err))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("close sink %s: it takes too long and is left behind", d.Name))
		}
	}
	return errors.Join(errs...)
}
