package http1

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tick is the grain of all deadlines: none fires early, each at most two ticks
// late.
const tick = 100 * time.Millisecond

// Clock is a coarse clock that ends what has outlived its deadline. Its one
// goroutine runs only while a server or pool that uses it has connections.
// Safe for concurrent use.
type Clock struct {
	start time.Time
	now   atomic.Int64 // since start
	date  atomic.Pointer[string]

	mu      sync.Mutex
	entries []watched
	running bool
	second  int64 // of date
}

// watched is a connection with deadlines. check runs on the clock's goroutine
// and must not block.
type watched interface {
	check(now int64)
	place() *int // where the clock keeps the entry's index
}

// NewClock makes a clock. A process needs one.
func NewClock() *Clock {
	c := &Clock{start: time.Now()}
	c.refresh()
	return c
}

// refresh is called with mu held, as it writes date.
func (c *Clock) refresh() int64 {
	t := time.Now()
	now := int64(t.Sub(c.start))
	c.now.Store(now)
	if s := t.Unix(); s != c.second {
		c.second = s
		d := t.UTC().Format(http.TimeFormat)
		c.date.Store(&d)
	}
	return now
}

// after is the coarse time d from now, never too early.
func (c *Clock) after(d time.Duration) int64 { return c.now.Load() + int64(d+tick) }

// at is the coarse time of t; 0, no deadline, for the zero time.
func (c *Clock) at(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(int64(t.Sub(c.start)), 2)
}

func (c *Clock) add(w watched) {
	c.mu.Lock()
	*w.place() = len(c.entries)
	c.entries = append(c.entries, w)
	if !c.running {
		c.running = true
		c.refresh()
		go c.run()
	}
	c.mu.Unlock()
}

func (c *Clock) remove(w watched) {
	c.mu.Lock()
	i, last := *w.place(), len(c.entries)-1
	c.entries[i] = c.entries[last]
	*c.entries[i].place() = i
	c.entries[last] = nil
	c.entries = c.entries[:last]
	c.mu.Unlock()
}

func (c *Clock) run() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for empty := 0; ; {
		<-t.C
		c.mu.Lock()
		now := c.refresh()
		if empty++; len(c.entries) > 0 {
			empty = 0
		}
		if empty > 10 {
			c.running = false
			c.mu.Unlock()
			return
		}
		for _, w := range c.entries {
			w.check(now)
		}
		c.mu.Unlock()
	}
}

// deadline is a coarse deadline that its owner sets and the clock fires, once
// and for all. The lowest bit says that it was fired.
type deadline struct{ w atomic.Int64 }

// set moves the deadline; 0 takes it off. It reports false when it was fired.
func (d *deadline) set(at int64) bool {
	if d.w.Swap(at&^1)&1 == 1 {
		d.w.Store(1)
		return false
	}
	return true
}

// fire reports true once, when the deadline is over at now.
func (d *deadline) fire(now int64) bool {
	v := d.w.Load()
	return v > 1 && v&1 == 0 && v <= now && d.w.CompareAndSwap(v, 1)
}

func (d *deadline) fired() bool { return d.w.Load()&1 == 1 }
