package archive

import (
	"context"
	"log/slog"
	"time"
)

// Retainer is an archive as its pump has it.
type Retainer interface {
	// Retain drops the days that are past the retention and returns their names.
	Retain(ctx context.Context, now time.Time) (dropped []string, err error)
}

// lookEvery is how often the clock is looked at; a machine that slept is late by no
// more.
const lookEvery = time.Minute

// Keep lets an archive drop old days at once and when the hour of the clock changes,
// until ctx ends, and returns nil then. After an error it tries again within a
// minute; the log hears of the first one of several, and of what was dropped.
func Keep(ctx context.Context, r Retainer, log *slog.Logger) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last time.Time // of the last success
	failing := false
	for {
		if now := time.Now(); due(last, now) {
			dropped, err := r.Retain(ctx, now)
			if len(dropped) > 0 {
				log.Info("old records were dropped", "days", dropped)
			}
			switch {
			case ctx.Err() != nil:
				return nil
			case err == nil:
				last, failing = now, false
			case !failing:
				failing = true
				log.Warn("old records could not be dropped; this is tried again every minute", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// due tells whether it is time to drop old days: it never was done, or the clock
// shows another hour than when it was, in whichever direction it went.
func due(last, now time.Time) bool {
	return last.IsZero() || !now.Truncate(time.Hour).Equal(last.Truncate(time.Hour))
}
