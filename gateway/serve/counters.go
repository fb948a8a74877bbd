package serve

import (
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
)

// Counters count exchanges: an Observer that costs a few atomic additions.
type Counters struct {
	bounds  []time.Duration
	status  [1000]atomic.Uint64
	latency []atomic.Uint64 // one more than bounds: the last is everything above
	sum     atomic.Int64    // nanoseconds
	bytes   atomic.Uint64
	aborted atomic.Uint64
}

var _ Observer = (*Counters)(nil)

// NewCounters takes the upper bounds of the latency histogram, ascending.
func NewCounters(bounds []time.Duration) *Counters {
	return &Counters{bounds: bounds, latency: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one exchange.
func (c *Counters) Observe(_ *filter.Exchange, o Outcome) {
	c.status[min(max(o.Status, 0), len(c.status)-1)].Add(1)
	i := 0
	for i < len(c.bounds) && o.Duration > c.bounds[i] {
		i++
	}
	c.latency[i].Add(1)
	c.sum.Add(int64(o.Duration))
	c.bytes.Add(uint64(o.Bytes))
	if o.Aborted {
		c.aborted.Add(1)
	}
}

// Keep counts an exchange that became a tunnel when the tunnel ends.
func (c *Counters) Keep(*filter.Exchange, Outcome) func(Outcome) {
	return func(o Outcome) { c.Observe(nil, o) }
}

// Counts is a reading of Counters.
type Counts struct {
	Status  map[int]uint64           // by status; 499 is a client that went away
	Total   uint64                   // of all of them
	Latency map[time.Duration]uint64 // cumulative, by upper bound
	Sum     time.Duration
	Bytes   uint64 // of response bodies
	Aborted uint64 // responses that were cut short
}

// Read returns the counts since the start.
func (c *Counters) Read() Counts {
	out := Counts{Status: map[int]uint64{}, Latency: map[time.Duration]uint64{}, Bytes: c.bytes.Load(), Aborted: c.aborted.Load(), Sum: time.Duration(c.sum.Load())}
	var below uint64
	for i, b := range c.bounds {
		below += c.latency[i].Load()
		out.Latency[b] = below
	}
	// in the reverse order of Observe, so that no bucket is above the total
	for i := range c.status {
		if n := c.status[i].Load(); n > 0 {
			out.Status[i] = n
			out.Total += n
		}
	}
	return out
}
