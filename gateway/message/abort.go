package message

import (
	"sync"
	"time"
)

// Abort cuts an upstream exchange short when the client has gone away. The
// client's side calls Fire, from any goroutine; the upstream's side watches
// with the connection that it waits on. The zero value is ready.
type Abort struct {
	mu    sync.Mutex
	conn  interface{ SetDeadline(time.Time) error }
	fired bool
}

// Watch names the connection to cut. It reports false when the client is gone
// already.
func (a *Abort) Watch(c interface{ SetDeadline(time.Time) error }) bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fired {
		return false
	}
	a.conn = c
	return true
}

// Unwatch ends Watch. After it, Fire does not touch the connection.
func (a *Abort) Unwatch() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.conn = nil
	a.mu.Unlock()
}

// Fire makes every pending read and write of the watched connection fail.
func (a *Abort) Fire() {
	a.mu.Lock()
	a.fired = true
	if a.conn != nil {
		_ = a.conn.SetDeadline(time.Unix(1, 0))
	}
	a.mu.Unlock()
}

// Fired tells whether the client has gone away.
func (a *Abort) Fired() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fired
}

// Reset makes the value ready for the next exchange.
func (a *Abort) Reset() {
	a.mu.Lock()
	a.conn, a.fired = nil, false
	a.mu.Unlock()
}
