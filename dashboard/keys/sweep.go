package keys

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	sweepEvery = time.Hour // from the start of one sweep to the next
	sweepPages = 10        // per step
)

// sweep is a slow walk over all keys. The passes of Repair look at what changed
// lately; only a sweep finds what was turned back in Redis beneath the watermark:
// an old entry that somebody put back, or one of several masters that lost its part.
type sweep struct {
	mu    sync.Mutex
	begin time.Time // of the next one
	under bool      // one is under way, and stands behind:
	since time.Time
	after string
}

// Sweep makes one step of a sweep, which puts up to 2000 keys, or does nothing
// while none is due. Run calls it every 5 s: every key is put about once an hour,
// or as fast as that allows. The first sweep begins at a random time within the
// first hour, so that dashboards do not sweep together. Errors are those of the
// store and of the ring; the next call tries the same step again.
func (s *Service) Sweep(ctx context.Context) error {
	w := &s.sweep
	w.mu.Lock()
	defer w.mu.Unlock()
	now := s.now()
	if !w.under {
		if wait := w.begin.Sub(now); w.begin.IsZero() || wait > sweepEvery { // or the clock went back
			w.begin = now.Add(rand.N(sweepEvery))
		}
		if now.Before(w.begin) {
			return nil
		}
		w.begin = now.Add(sweepEvery)
		w.under, w.since, w.after = true, time.Time{}, ""
	}
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	for range sweepPages {
		n, err := s.putPage(ctx, &w.since, &w.after, false)
		if err != nil {
			return fmt.Errorf("going over all keys: %w", err)
		}
		if n < pageSize {
			w.under = false
			return nil
		}
	}
	return nil
}
