package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// lane is one shard's way to one sink. One goroutine runs it: the reader is its own.
type lane struct {
	d         *destination
	shard     int
	reader    *spool.Reader
	stats     *laneStats
	bounds    bounds
	keepEvery time.Duration // a quarter of the time after which others claim
	kept      time.Time     // when Redis was last told of the batches in work

	unread     uint64    // entries that went to the dead letters unread, and the log does not know
	toldUnread time.Time // when it last did

	open    []*spool.Batch        // delivered, not settled
	over    map[*spool.Batch]bool // those of a delivery that are settled, or another reader's
	records []record.Entry        // room for a job, used again
	origins []origin
}

func newLane(d *destination, shard int, r *spool.Reader, b bounds) *lane {
	return &lane{
		d: d, shard: shard, reader: r, stats: &laneStats{}, bounds: b, over: map[*spool.Batch]bool{},
		keepEvery: d.WriteTimeout / 2,
	}
}

// run reads and delivers until ctx ends; hard bounds what is then still to be done.
func (l *lane) run(ctx, hard context.Context) {
	pause := backoff{bounds: bounds{l.bounds.least, min(l.bounds.most, 2*time.Second)}}
	for ctx.Err() == nil {
		batches, err := l.reader.Read(ctx)
		l.tellUnreadable(l.stats.unreadable.Swap(l.reader.Parked()))
		if err != nil {
			if ctx.Err() == nil && l.d.reading.set(l.shard, err) {
				l.d.log.Warn("the stream cannot be read", "shard", l.shard, "error", err)
			}
			sleep(ctx, pause.next())
			continue
		}
		if l.d.reading.set(l.shard, nil) {
			l.d.log.Info("the stream is read again", "shard", l.shard)
		}
		pause.last = 0
		if len(batches) > 0 {
			l.deliver(ctx, hard, batches)
		}
	}
}

// tellUnreadable logs that entries cannot be read, at most once in tellEvery.
func (l *lane) tellUnreadable(before uint64) {
	l.unread += l.stats.unreadable.Load() - before
	if l.unread == 0 || time.Since(l.toldUnread) < tellEvery {
		return
	}
	l.d.log.Warn("entries that nobody can read went to the dead letters, with the reason", "shard", l.shard, "entries", l.unread, "key", spool.DeadKey(l.shard))
	l.unread, l.toldUnread = 0, time.Now()
}

// deliver brings batches to the sink. They share a Write, but for those that came
// before: one of them may be why. What is left when ctx ends stays pending.
func (l *lane) deliver(ctx, hard context.Context, batches []*spool.Batch) {
	l.open, l.kept = batches, time.Now()
	clear(l.over)
	for _, b := range batches {
		l.stats.read.Add(uint64(len(b.Records)))
	}
	for rest := batches; len(rest) > 0; {
		n := 0
		for n < len(rest) && rest[n].Deliveries <= 1 {
			n++
		}
		n = max(n, 1)
		if ctx.Err() != nil || !l.work(ctx, hard, rest[:n]) {
			l.giveBack(hard)
			return
		}
		rest = rest[n:]
	}
}

// giveBack lets what the lane leaves at a stop not look as if it had killed the pump.
func (l *lane) giveBack(hard context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(hard), patience/2)
	defer cancel()
	if err := l.reader.Unread(ctx, l.open...); err != nil {
		l.d.log.Debug("unfinished batches count as delivered", "shard", l.shard, "error", err)
	}
}

// work writes batches until they are settled: written, in the dead letters, or with
// another reader. False when the lane stops and they are not.
func (l *lane) work(ctx, hard context.Context, batches []*spool.Batch) bool {
	pause, panics := backoff{bounds: l.bounds}, 0
	for j := l.stage(batches); len(j.batches) > 0; {
		if slices.ContainsFunc(j.batches, func(b *spool.Batch) bool { return l.over[b] }) { // taken during a pause
			j = l.stage(j.batches)
			continue
		}
		if len(j.records) == 0 {
			return l.ack(hard, j)
		}
		err := l.attempt(hard, j)
		var reject *sink.Reject
		var bad *panicked
		switch {
		case err == nil || errors.As(err, &reject):
			l.succeeded()
			rejected, ok := l.rejected(hard, j, reject)
			l.stats.written.Add(uint64(len(j.records) - rejected))
			return ok && l.ack(hard, j)
		case errors.Is(err, errTaken):
			j = l.stage(j.batches)
			continue
		case errors.As(err, &bad) && len(j.batches) > 1:
			return l.each(ctx, hard, j.batches)
		case errors.As(err, &bad):
			if panics++; panics >= mostPanics {
				return l.park(hard, j.batches[0], err.Error())
			}
		}
		l.stats.failures.Add(uint64(len(j.records)))
		if ctx.Err() != nil {
			return false
		}
		l.failed(err)
		wait := pause.next()
		var later *sink.Wait
		if errors.As(err, &later) {
			wait = max(later.For, l.bounds.least)
		}
		if !l.pause(ctx, hard, j, wait) {
			return false
		}
	}
	return true
}

// each writes batches one by one, to find the one that is bad.
func (l *lane) each(ctx, hard context.Context, batches []*spool.Batch) bool {
	for i := range batches {
		if !l.work(ctx, hard, batches[i:i+1]) {
			return false
		}
	}
	return true
}

// keepAll tells Redis that the lane's batches are in work, and whether others took
// some of the job's over; those are the lane's no more.
func (l *lane) keepAll(hard context.Context, j *job) (taken bool) {
	l.kept = time.Now()
	err := l.reader.Keep(hard, l.open...)
	if err == nil {
		return false
	}
	if !errors.Is(err, spool.ErrLost) {
		return false // Redis is away, or came back empty: then nobody else has the records
	}
	for _, b := range l.open {
		if errors.Is(l.reader.Keep(hard, b), spool.ErrLost) {
			l.reader.Release(b)
			l.over[b] = true
		}
	}
	var ours []*spool.Batch
	for _, b := range l.open {
		if !l.over[b] {
			ours = append(ours, b)
		}
	}
	l.stats.taken.Add(uint64(len(l.open) - len(ours)))
	l.open = ours
	for _, b := range j.batches {
		taken = taken || l.over[b]
	}
	return taken
}

// gone tells whether Redis does not know the group any more.
func gone(err error) bool { return strings.Contains(err.Error(), "NOGROUP") }

// ack settles a job, however long Redis is away. False when the lane stops before.
func (l *lane) ack(hard context.Context, j *job) bool {
	l.stats.skipped.Add(j.skipped)
	l.stats.sampled.Add(j.sampled)
	l.stats.clamped.Add(j.clamped)
	ok := l.insist(hard, "acknowledge", func() error { return l.reader.Ack(hard, j.batches...) })
	if ok {
		l.settled(j.batches)
	}
	return ok
}

func (l *lane) settled(batches []*spool.Batch) {
	for _, b := range batches {
		l.over[b] = true // not ours any more
	}
	var left []*spool.Batch
	for _, b := range l.open {
		if !l.over[b] {
			left = append(left, b)
		}
	}
	l.open = left
}

// insist does something with Redis until it succeeds, or is another's matter by now,
// or hard ends, which is false.
func (l *lane) insist(hard context.Context, what string, f func() error) bool {
	for pause := (backoff{bounds: bounds{l.bounds.least, min(l.bounds.most, 2*time.Second)}}); ; {
		err := f()
		switch {
		case err == nil:
			if l.d.reading.set(l.shard, nil) {
				l.d.log.Info("Redis answers again", "shard", l.shard)
			}
			return true
		case errors.Is(err, spool.ErrLost):
			l.stats.taken.Add(1)
			l.d.log.Warn("a batch was taken over by another reader before it was settled; its records may come twice", "shard", l.shard)
			return true
		case gone(err):
			return true
		case hard.Err() != nil:
			return false
		}
		if l.d.reading.set(l.shard, err) {
			l.d.log.Warn("a batch cannot be settled", "what", what, "shard", l.shard, "error", err)
		}
		if !sleep(hard, pause.next()) {
			return false
		}
	}
}

// failed and succeeded log what changes, not each attempt.
func (l *lane) failed(err error) {
	if l.d.writing.set(l.shard, err) {
		l.d.log.Warn("the sink does not take records; they wait in Redis", "shard", l.shard, "error", err)
	}
}

func (l *lane) succeeded() {
	if l.d.writing.set(l.shard, nil) {
		l.d.log.Info("the sink takes records again", "shard", l.shard)
	}
}
