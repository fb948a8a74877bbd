package doctor

import (
	"context"
	"sync"
	"time"
)

// Shared is what several checks want to know, and what is asked for once.
type Shared[T any] struct {
	within time.Duration
	ask    func(context.Context) (T, error)
	start  sync.Once
	done   chan struct{}
	value  T
	err    error
}

// Share makes it; the answer may take as long as within says, which is to be less than
// what the checks have.
func Share[T any](within time.Duration, ask func(context.Context) (T, error)) *Shared[T] {
	return &Shared[T]{within: within, ask: ask, done: make(chan struct{})}
}

// Get returns the answer. The first caller asks, with a deadline that is not the
// caller's: others wait too. An ask that does not return at its deadline is left
// behind, and the error is context.DeadlineExceeded.
func (s *Shared[T]) Get(ctx context.Context) (T, error) {
	s.start.Do(func() {
		go func() {
			defer close(s.done)
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.within)
			defer cancel()
			s.value, s.err = s.ask(within)
		}()
	})
	var none T
	select {
	case <-s.done:
		return s.value, s.err
	case <-time.After(s.within + lastWord):
		return none, context.DeadlineExceeded
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
