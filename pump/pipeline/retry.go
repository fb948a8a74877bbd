package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/sluice-gateway/sluice/pump/sink"
)

// bounds of the pause between attempts.
type bounds struct{ least, most time.Duration }

// backoff is the pause before the next attempt: twice as long each time, less up to
// a half at random, so that lanes that failed together do not come back together.
type backoff struct {
	bounds
	last time.Duration
}

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, b.least), b.most)
	return b.last - rand.N(b.last/2+1)
}

// sleep waits for d; false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A write's errors beside those of the sink.
var (
	errTaken = errors.New("other readers took batches over")
	errStuck = errors.New("the write goes on after its deadline")
)

// panicked is a panic in a sink: an error of the batch, not of the process.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("the sink panicked: %v", p.value) }

// guard turns a panic of the sink into an error.
func (d *destination) guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v}
			d.log.Error("the sink panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// attempt is one Write within its deadline. Meanwhile Redis is told that the lane's
// batches are in work; when others took some of the job's over, the write is
// cancelled and the error is errTaken. After the deadline nothing is kept, so that
// another pump can take over from a write that hangs.
func (l *lane) attempt(hard context.Context, j *job) error {
	if time.Since(l.kept) > l.keepEvery && l.keepAll(hard, j) {
		return errTaken
	}
	ctx, cancel := context.WithTimeout(hard, l.d.WriteTimeout)
	defer cancel()
	b := sink.Batch{Shard: l.shard, From: j.batches[0].Entry, To: j.batches[len(j.batches)-1].Entry, Records: j.records}
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- l.d.guard(func() error { return l.d.To.Write(ctx, b) }) }()
	tick := time.NewTicker(l.keepEvery)
	defer tick.Stop()
	ended, taken := ctx.Done(), false
	for {
		select {
		case err := <-done:
			l.d.seconds.Observe(time.Since(began).Seconds())
			switch {
			case err != nil && taken:
				return errTaken
			case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
				return fmt.Errorf("no answer within %s: %w", l.d.WriteTimeout, err)
			}
			return err
		case <-ended:
			ended = nil
			tick.Reset(max(patience, l.keepEvery/4))
		case <-tick.C:
			switch {
			case ended == nil && !taken:
				l.failed(errStuck)
			case ended != nil && l.keepAll(hard, j):
				taken = true
				cancel()
			}
		}
	}
}

// pause waits before the next attempt, and keeps the lane's batches meanwhile. False
// when the lane stops.
func (l *lane) pause(ctx, hard context.Context, j *job, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	tick := time.NewTicker(l.keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-tick.C:
			if l.keepAll(hard, j) {
				return true // the next attempt finds out
			}
		}
	}
}
