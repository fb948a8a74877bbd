package session

import (
	"sync"
	"time"
)

// breakerFailures in a row open the breaker for breakerPause; then one call may
// try.
const (
	breakerFailures = 5
	breakerPause    = time.Second
)

// breaker keeps requests from each spending their budget on a Redis that is
// away. The zero value is closed.
type breaker struct {
	mu       sync.Mutex
	failures int
	until    time.Time // no calls before
	trying   bool      // the one call after a pause is under way
}

// allow tells whether a call may be made; its outcome must be reported.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures < breakerFailures:
		return true
	case now.Before(b.until) || b.trying:
		return false
	}
	b.trying = true
	return true
}

// report notes how a call went.
func (b *breaker) report(ok bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if ok {
		b.failures = 0
		return
	}
	b.failures++
	if b.failures >= breakerFailures {
		b.until = now.Add(breakerPause)
	}
}

func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= breakerFailures && now.Before(b.until)
}
