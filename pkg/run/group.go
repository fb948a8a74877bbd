// Package run starts the long-lived parts of a process together and ends them
// together, and undoes in reverse what a start did.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Group runs named actors. The first that returns, with an error or without,
// ends all others. The zero value is ready.
type Group struct {
	actors []actor
}

type actor struct {
	name    string
	execute func(ctx context.Context) error
}

// Add puts an actor into the group, before Run. execute returns soon after its
// context ends.
func (g *Group) Add(name string, execute func(ctx context.Context) error) {
	g.actors = append(g.actors, actor{name, execute})
}

// Run starts all actors, waits until one returns or ctx ends, cancels the
// context of all and waits for every one of them. It returns the errors of the
// actors, each with its name, the one that ended the group first; an actor's
// context.Canceled after the end is none, and neither is ErrSignal. A panic in
// an actor is not caught. A group without actors waits for ctx.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(g.actors))
	for _, a := range g.actors {
		go func() { results <- result{a.name, a.execute(ctx)} }()
	}
	if len(g.actors) == 0 {
		<-ctx.Done()
	}
	var errs []error
	for range g.actors {
		r := <-results
		ended := ctx.Err() != nil
		cancel()
		switch {
		case r.err == nil, errors.Is(r.err, ErrSignal):
		case ended && errors.Is(r.err, context.Canceled):
		default:
			errs = append(errs, fmt.Errorf("%s: %w", r.name, r.err))
		}
	}
	return errors.Join(errs...)
}

// ErrSignal is what the actor of Signals returns after a signal.
var ErrSignal = errors.New("asked to stop by a signal")

// Signals is an actor that returns ErrSignal at the first SIGINT or SIGTERM since
// the call of Signals: from then on neither ends the process, which therefore has to
// come to the actor. A second one ends the process at once, as if nobody listened, so
// that a person is not kept waiting by a drain.
func Signals() func(ctx context.Context) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	return func(ctx context.Context) error {
		defer signal.Stop(c)
		select {
		case s := <-c:
			return fmt.Errorf("%w: %s", ErrSignal, s)
		case <-ctx.Done():
			return nil
		}
	}
}
