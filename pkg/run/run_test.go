package run_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/pkg/run"
)

func untilDone(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestFirstToReturnEndsAll(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		first func(context.Context) error
		want  string
	}{
		"with an error":    {func(context.Context) error { return boom }, "bad: boom"},
		"without an error": {func(context.Context) error { return nil }, ""},
		"with a signal":    {func(context.Context) error { return run.ErrSignal }, ""},
		"by itself canceled": {
			func(context.Context) error { return context.Canceled },
			"bad: context canceled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var g run.Group
			ended := false
			g.Add("good", func(ctx context.Context) error { defer func() { ended = true }(); return untilDone(ctx) })
			g.Add("bad", c.first)
			err := g.Run(t.Context())
			if !ended {
				t.Error("Run returned before all actors had")
			}
			if got := fmt.Sprint(err); (err == nil) != (c.want == "") || (err != nil && got != c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestGroupEndsWithItsContext(t *testing.T) {
	var g run.Group
	g.Add("a", untilDone)
	g.Add("late", func(ctx context.Context) error { <-ctx.Done(); return errors.New("while ending") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); err == nil || err.Error() != "late: while ending" {
		t.Errorf("got %v", err)
	}
	var empty run.Group
	if err := empty.Run(ctx); err != nil {
		t.Errorf("an empty group: %v", err)
	}
}

func TestSignalEndsTheGroup(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		var g run.Group
		g.Add("signals", run.Signals())
		g.Add("sender", func(ctx context.Context) error {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			// The other actor may not listen yet; this process must not die of it.
			ignore := make(chan os.Signal, 1)
			signal.Notify(ignore, s)
			defer signal.Stop(ignore)
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
					if err := syscall.Kill(os.Getpid(), s); err != nil {
						return err
					}
				}
			}
		})
		if err := g.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.Signals()(ctx); err != nil {
		t.Errorf("without a signal: %v", err)
	}
}

// TestSignalBeforeTheGroupRuns sends the signal while the actor is made but not started,
// as it happens to a process that has just begun to listen.
func TestSignalBeforeTheGroupRuns(t *testing.T) {
	actor := run.Signals()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := actor(t.Context()); !errors.Is(err, run.ErrSignal) {
		t.Errorf("got %v", err)
	}
}

func TestCleanupUndoesInReverse(t *testing.T) {
	var c run.Cleanup
	var order []string
	for _, name := range []string{"first", "second", "third"} {
		c.Push(name, func(context.Context) error {
			order = append(order, name)
			if name == "second" {
				return errors.New("stuck")
			}
			return nil
		})
	}
	if err := c.Run(t.Context()); err == nil || err.Error() != "second: stuck" {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(order, []string{"third", "second", "first"}) {
		t.Errorf("order %v", order)
	}
	if err := c.Run(t.Context()); err != nil || len(order) != 3 {
		t.Error("steps ran twice")
	}
}

func TestHangingStepKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c run.Cleanup
		synced, release := false, make(chan struct{})
		c.Push("sync", func(context.Context) error { synced = true; return nil })
		c.Push("hangs", func(context.Context) error { <-release; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := c.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "hangs: it did not end in time") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if !synced {
			t.Error("the step after the hanging one did not run")
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("it took %s", d)
		}
		close(release)
	})
}
