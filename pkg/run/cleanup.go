package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// stepGrace is what a step gets when the deadline of all has passed.
const stepGrace = 250 * time.Millisecond

// Cleanup is a stack of named steps that undo a start. The zero value is ready;
// it is safe for concurrent use.
type Cleanup struct {
	mu    sync.Mutex
	steps []step
}

type step struct {
	name string
	f    func(ctx context.Context) error
}

// Push adds a step. It runs before all steps that were pushed earlier.
func (c *Cleanup) Push(name string, f func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps = append(c.steps, step{name, f})
}

// Run takes all steps off the stack and runs them, the last first, each with
// ctx, whose deadline is the one of all. A step that does not return by then is
// left behind and named; the next ones still run, so that a sync of the disk
// happens even when an earlier step hangs. The errors are joined, each with the
// name of its step.
func (c *Cleanup) Run(ctx context.Context) error {
	c.mu.Lock()
	steps := c.steps
	c.steps = nil
	c.mu.Unlock()
	var errs []error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := runStep(ctx, steps[i]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", steps[i].name, err))
		}
	}
	return errors.Join(errs...)
}

func runStep(ctx context.Context, s step) error {
	done := make(chan error, 1)
	go func() { done <- s.f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// The deadline has passed: give the step, which has just been told, a moment
	// to end properly, and one that is quick anyway the chance to run.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepGrace)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-grace.Done():
		return fmt.Errorf("it did not end in time: %w", ctx.Err())
	}
}
