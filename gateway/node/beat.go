// Package node is a gateway's place in the fleet: its beats and
// acknowledgements, and the commands that dashboards send it.
package node

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Beats is where beats go.
type Beats interface {
	Beat(ctx context.Context, b fleet.Beat) error
	Leave(ctx context.Context, node string) error
}

// Notices is where acknowledgements go.
type Notices interface {
	Publish(ctx context.Context, kind notice.Kind, payload any) error
}

// Options of a Beater.
type Options struct {
	Node    *filter.Node
	Version string
	Address func() string // host:port where clients reach the gateway; nil: not told
	TLS     bool          // clients must use TLS there
	Start   string        // id of this start of the process
	Every   time.Duration
	World   *route.World
	Load    func() fleet.Load
	Spool   func() fleet.Spool // of records; nil: there is none
	Log     *slog.Logger
}

// beatTimeout bounds one beat or acknowledgement.
const beatTimeout = 2 * time.Second

// Beater tells the fleet what this gateway serves: every two seconds, and at once
// when a generation was applied.
type Beater struct {
	o       Options
	beats   Beats
	notices Notices
	since   time.Time

	now      chan struct{}
	draining atomic.Bool
	lost     bool // the last beat did not arrive; of Run

	mu      sync.Mutex
	applied []route.Report // not acknowledged yet
}

// NewBeater makes a beater; it beats while Run runs.
func NewBeater(beats Beats, notices Notices, o Options) *Beater {
	if o.Every == 0 {
		o.Every = 2 * time.Second
	}
	return &Beater{o: o, beats: beats, notices: notices, since: time.Now().UTC(), now: make(chan struct{}, 1)}
}

// Applied takes a reload's report and acknowledges it soon. It never blocks.
func (b *Beater) Applied(r route.Report) {
	b.mu.Lock()
	if len(b.applied) == 16 {
		b.applied = b.applied[1:]
	}
	b.applied = append(b.applied, r)
	b.mu.Unlock()
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// Drain makes every further beat say that the gateway is about to stop.
func (b *Beater) Drain() { b.draining.Store(true) }

// Run beats until ctx ends, then leaves the fleet.
func (b *Beater) Run(ctx context.Context) error {
	tick := time.NewTicker(b.o.Every)
	defer tick.Stop()
	for {
		b.acknowledge(ctx)
		b.beat(ctx)
		select {
		case <-ctx.Done():
			leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
			defer cancel()
			if err := b.beats.Leave(leave, b.o.Node.ID); err != nil {
				b.o.Log.Warn("the fleet could not be told that this gateway stops", "error", err)
			}
			return nil
		case <-tick.C:
		case <-b.now:
		}
	}
}

func (b *Beater) acknowledge(ctx context.Context) {
	b.mu.Lock()
	reports := b.applied
	b.applied = nil
	b.mu.Unlock()
	for _, r := range reports {
		if r.Err != nil && r.Generation == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, beatTimeout)
		err := b.notices.Publish(ctx, notice.AppliedKind, notice.Applied{
			Node: b.o.Node.ID, Name: b.o.Node.Name, Group: b.o.Node.Group,
			Epoch: r.Epoch, Generation: r.Generation, Root: r.Root, Millis: r.Took.Milliseconds(), Rejected: cut(r.Rejected, ackReasons),
		})
		cancel()
		if err != nil {
			b.o.Log.Debug("acknowledgements were lost; the next beat says the same", "error", err, "generation", r.Generation)
			return
		}
	}
}

func (b *Beater) beat(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	err := b.beats.Beat(ctx, b.say())
	switch {
	case err != nil && !b.lost:
		b.o.Log.Warn("beats do not arrive", "error", err)
	case err == nil && b.lost:
		b.o.Log.Info("beats arrive again")
	}
	b.lost = err != nil
}

func (b *Beater) say() fleet.Beat {
	r := b.o.World.Report()
	beat := fleet.Beat{
		Node: b.o.Node.ID, Name: b.o.Node.Name, Group: b.o.Node.Group, Service: "gateway", Version: b.o.Version,
		Start: b.o.Start, StartedAt: b.since, Epoch: r.Epoch, Generation: r.Generation, Root: r.Root, Rejected: cut(r.Rejected, beatReasons),
		Source: r.Origin, RedisOK: true /* of a beat that arrives */, Load: b.o.Load(),
	}
	if b.o.Address != nil {
		beat.Address, beat.TLS = b.o.Address(), b.o.TLS
	}
	if b.o.Spool != nil {
		beat.Spool = b.o.Spool()
	}
	if beat.Source == "" {
		beat.Source = "none"
	}
	if r.Err != nil {
		beat.LastError = shorten(r.Err.Error())
		if f := fault.As(r.Err); f != nil {
			beat.ErrorCode, beat.ErrorWith = f.Code, f.Params
		}
	}
	judge(&beat, r, b.draining.Load())
	beat.Reason = shorten(beat.Reason)
	return beat
}

// judge says what the gateway knows of itself; whether its generation is the newest
// one is for those to say who know the newest.
func judge(b *fleet.Beat, r route.Report, draining bool) {
	switch {
	case draining:
		b.State, b.Reason, b.ReasonCode = fleet.Draining, "the gateway is stopping", fleet.CodeDraining
	case r.Err != nil:
		b.State, b.Reason, b.ReasonCode, b.ReasonWith = fleet.Degraded, r.Err.Error(), b.ErrorCode, b.ErrorWith
	case len(r.Rejected) > 0:
		b.State, b.Reason, b.ReasonCode = fleet.Rejected, r.Rejected[0].Message, fault.Code(r.Rejected[0].Code)
	case r.Origin == "disk":
		b.State, b.Reason, b.ReasonCode = fleet.Degraded, "it serves the last-known-good state from its disk", fleet.CodeFromDisk
	case r.Origin == "":
		b.State, b.Reason, b.ReasonCode = fleet.CatchingUp, "it has no configuration yet", fleet.CodeNoConfig
	default:
		b.State = fleet.Current
	}
}

// What a beat and an acknowledgement carry at most: either is refused, or is a
// burden to every dashboard, when it is too large.
const (
	beatReasons = 24 << 10 // bytes of rejections in JSON
	ackReasons  = 1 << 20
	longest     = 1000 // bytes of one reason
)

// cut keeps the first rejections up to a size, with reasons that are not too long.
func cut(list []notice.Rejected, size int) []notice.Rejected {
	var kept []notice.Rejected
	for _, r := range list {
		r.Message = shorten(r.Message)
		text, err := json.Marshal(r)
		if size -= len(text) + 1; err != nil || size < 0 {
			break
		}
		kept = append(kept, r)
	}
	return kept
}

// shorten ends a long text at the end of a character.
func shorten(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
