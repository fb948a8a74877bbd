package wire

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tick is the grain of all deadlines: none fires early, each at most two ticks
// late.
const Tick = 100 * time.Millisecond

// Clock is a coarse clock that ends what has outlived its deadline. Its one
// goroutine runs only while a server or pool that uses it has connections.
// Safe for concurrent use.
type Clock struct {
	start time.Time
	Now   atomic.Int64 // since start
	Date  atomic.Pointer[string]

	mu      sync.Mutex
	entries []Watched
	running bool
	second  int64 // of date
}

// Watched is a connection with deadlines. Check runs on the clock's goroutine
// and must not block.
type Watched interface {
	Check(now int64)
	Place() *int // where the clock keeps the entry's index
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
	c.Now.Store(now)
	if s := t.Unix(); s != c.second {
		c.second = s
		d := t.UTC().Format(http.TimeFormat)
		c.Date.Store(&d)
	}
	return now
}

// After is the coarse time d from now, never too early.
func (c *Clock) After(d time.Duration) int64 { return c.Now.Load() + int64(d+Tick) }

// At is the coarse time of t; 0, no deadline, for the zero time.
func (c *Clock) At(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(int64(t.Sub(c.start)), 2)
}

// Add begins to call w's Check at every tick.
func (c *Clock) Add(w Watched) {
	c.mu.Lock()
	*w.Place() = len(c.entries)
	c.entries = append(c.entries, w)
	if !c.running {
		c.running = true
		c.refresh()
		go c.run()
	}
	c.mu.Unlock()
}

// Remove ends Add, and waits for a Check that runs.
func (c *Clock) Remove(w Watched) {
	c.mu.Lock()
	i, last := *w.Place(), len(c.entries)-1
	c.entries[i] = c.entries[last]
	*c.entries[i].Place() = i
	c.entries[last] = nil
	c.entries = c.entries[:last]
	c.mu.Unlock()
}

func (c *Clock) run() {
	t := time.NewTicker(Tick)
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
			w.Check(now)
		}
		c.mu.Unlock()
	}
}

// Deadline is a coarse deadline that its owner sets and the clock fires, once
// and for all. The lowest bit says that it was fired.
type Deadline struct{ w atomic.Int64 }

// Set moves the deadline; 0 takes it off. It reports false when it was fired.
func (d *Deadline) Set(at int64) bool {
	if d.w.Swap(at&^1)&1 == 1 {
		d.w.Store(1)
		return false
	}
	return true
}

// Fire reports true once, when the deadline is over at now.
func (d *Deadline) Fire(now int64) bool {
	v := d.w.Load()
	return v > 1 && v&1 == 0 && v <= now && d.w.CompareAndSwap(v, 1)
}

// Fired tells whether Fire has reported true.
func (d *Deadline) Fired() bool { return d.w.Load()&1 == 1 }
