package archive

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// clockwork notes when it was asked.
type clockwork struct {
	asked []time.Time
	err   error
}

func (c *clockwork) Retain(_ context.Context, now time.Time) ([]string, error) {
	c.asked = append(c.asked, now)
	return []string{"20260101"}, c.err
}

func TestKeepAsksAtOnceAndWithEachHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, start := &clockwork{}, time.Now()
		var text bytes.Buffer
		done := make(chan error)
		go func() { done <- Keep(ctx, c, slog.New(slog.NewTextHandler(&text, nil))) }()
		<-time.After(3*time.Hour + 30*time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var after []time.Duration
		for _, at := range c.asked {
			after = append(after, at.Sub(start))
		}
		if want := []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}; !slices.Equal(after, want) {
			t.Errorf("asked after %v, want %v", after, want)
		}
		if n := strings.Count(text.String(), "20260101"); n != 4 {
			t.Errorf("the log names %d drops: %s", n, &text)
		}
	})
}

func TestKeepTriesAgainAndSaysSoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &clockwork{err: errors.New("disk on fire")}
		var text bytes.Buffer
		done := make(chan error)
		go func() { done <- Keep(ctx, c, slog.New(slog.NewTextHandler(&text, nil))) }()
		<-time.After(5*time.Minute + time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(c.asked) != 6 {
			t.Errorf("asked %d times in five minutes, want 6", len(c.asked))
		}
		if n := strings.Count(text.String(), "disk on fire"); n != 1 {
			t.Errorf("the log says so %d times", n)
		}
	})
}

func TestDue(t *testing.T) {
	at := time.Date(2026, 1, 1, 10, 59, 0, 0, time.UTC)
	for _, c := range []struct {
		last, now time.Time
		want      bool
	}{
		{time.Time{}, at, true},
		{at, at, false},
		{at, at.Add(59 * time.Second), false},
		{at, at.Add(time.Minute), true},
		{at, at.Add(-time.Hour), true},
		{at, at.Add(24 * time.Hour), true},
	} {
		if got := due(c.last, c.now); got != c.want {
			t.Errorf("due(%s, %s) = %v", c.last, c.now, got)
		}
	}
}
