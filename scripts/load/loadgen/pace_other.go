//go:build !linux

package loadgen

import (
	"context"
	"time"
)

// pacer waits for points in time, as exactly as the runtime's timers.
type pacer struct {
	ctx   context.Context
	timer *time.Timer
}

func newPacer(ctx context.Context) (*pacer, error) {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &pacer{ctx, t}, nil
}

func (p *pacer) wait(d time.Duration) error {
	p.timer.Reset(d)
	select {
	case <-p.timer.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *pacer) close() { p.timer.Stop() }
