// Package loadgen puts HTTP/1.1 load on a URL, in an open loop at a fixed rate or in a closed loop, and
// reports counts and latencies. Its memory does not grow with the length of a run.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a run.
type Options struct {
	URL         string        // http or https
	Method      string        // default: GET
	Header      []string      // lines such as "Authorization: x", without line ends
	Body        []byte        // sent with every request
	Rate        float64       // requests per second of an open loop; 0 is a closed loop
	Connections int           // bound of what is in flight; default: 1
	Length      time.Duration // of the run
	Timeout     time.Duration // of one request; default: 10s
	Insecure    bool          // accept any certificate
}

// Result of a run. Latencies count from the intended start of a request in an open loop, and from its
// sending in a closed one; requests without an answer count too.
type Result struct {
	URL         string            `json:"url"`
	Mode        string            `json:"mode"` // open or closed
	Rate        float64           `json:"rate,omitempty"`
	Connections int               `json:"connections"`
	Seconds     float64           `json:"seconds"`
	Requests    uint64            `json:"requests"`
	PerSecond   float64           `json:"perSecond"`
	Status      map[string]uint64 `json:"status"`           // by code
	Errors      map[string]uint64 `json:"errors,omitempty"` // by kind: dial, timeout, closed, protocol
	Late        uint64            `json:"late"`             // open loop: started over 10 ms late, as all connections were busy
	Dials       uint64            `json:"dials"`
	Latency     Latency           `json:"latencyMs"`
	// Lag is how late requests of an open loop started although a connection was free: the generator's
	// own part of their latencies. Zero in a closed loop.
	Lag Latency `json:"lagMs,omitzero"`
}

// Latency in milliseconds.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Good is the number of answers with a status of 2xx.
func (r *Result) Good() (n uint64) {
	for status, count := range r.Status {
		if status[0] == '2' {
			n += count
		}
	}
	return n
}

// lateAfter is how late a request may start before it counts as late.
const lateAfter = 10 * time.Millisecond

// worker is what one connection counts.
type worker struct {
	conn   *conn
	hist   Histogram
	lag    Histogram
	status map[int]uint64
	errors map[string]uint64
	late   uint64
}

// Run puts the load on and returns when the run's length is over, every request is answered or timed
// out, or ctx has ended; then the result covers what was done. The error is about the options, or about
// timers that the system does not give.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Method == "" {
		o.Method = "GET"
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	o.Connections = max(o.Connections, 1)
	if o.Length <= 0 || o.Rate < 0 {
		return nil, errors.New("a run needs a length above zero and a rate that is not negative")
	}
	workers := make([]*worker, o.Connections)
	for i := range workers {
		c, err := newConn(o)
		if err != nil {
			return nil, err
		}
		workers[i] = &worker{conn: c, status: map[int]uint64{}, errors: map[string]uint64{}}
	}
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make([]error, len(workers))
	for i, w := range workers {
		wg.Go(func() {
			defer w.conn.close()
			failed[i] = w.run(ctx, o, start, &next)
		})
	}
	wg.Wait()
	return collect(o, workers, time.Since(start)), errors.Join(failed...)
}

func (w *worker) run(ctx context.Context, o Options, start time.Time, next *atomic.Int64) error {
	pace, err := newPacer(ctx)
	if err != nil {
		return err
	}
	defer pace.close()
	for ctx.Err() == nil {
		began := time.Now()
		if o.Rate > 0 {
			began = start.Add(time.Duration(float64(next.Add(1)-1) / o.Rate * float64(time.Second)))
		}
		if began.Sub(start) >= o.Length {
			return nil
		}
		if wait := time.Until(began); wait > 0 {
			if err := pace.wait(wait); err != nil {
				return unlessEnded(ctx, err)
			}
			w.lag.Add(time.Since(began))
		} else if -wait > lateAfter {
			w.late++
		}
		status, err := w.conn.do(ctx)
		w.hist.Add(time.Since(began))
		if err != nil {
			w.errors[kindOf(err)]++
			if o.Rate == 0 { // a server that is gone is asked again, not hammered
				if err := pace.wait(5 * time.Millisecond); err != nil {
					return unlessEnded(ctx, err)
				}
			}
			continue
		}
		w.status[status]++
	}
	return nil
}

// unlessEnded is what went wrong with waiting, where it was not the end of the run.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("waiting for the next request's time: %w", err)
}

func kindOf(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.As(err, &op) && op.Op == "dial":
		return "dial"
	case errors.As(err, &op), errors.Is(err, net.ErrClosed), err.Error() == "EOF", err.Error() == "unexpected EOF":
		return "closed"
	}
	return "protocol"
}

func collect(o Options, workers []*worker, took time.Duration) *Result {
	r := &Result{URL: o.URL, Mode: "closed", Rate: o.Rate, Connections: o.Connections, Seconds: took.Seconds(), Status: map[string]uint64{}, Errors: map[string]uint64{}}
	if o.Rate > 0 {
		r.Mode = "open"
	}
	var all, lag Histogram
	for _, w := range workers {
		all.Merge(&w.hist)
		lag.Merge(&w.lag)
		r.Late += w.late
		r.Dials += w.conn.dials
		for code, n := range w.status {
			r.Status[strconv.Itoa(code)] += n
		}
		for kind, n := range w.errors {
			r.Errors[kind] += n
		}
	}
	r.Requests = all.Count()
	r.PerSecond = float64(r.Requests) / took.Seconds()
	r.Latency, r.Lag = all.latency(), lag.latency()
	return r
}

// latency sums the histogram up in milliseconds.
func (h *Histogram) latency() Latency {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Latency{ms(h.Mean()), ms(h.Quantile(0.5)), ms(h.Quantile(0.9)), ms(h.Quantile(0.99)), ms(h.Quantile(0.999)), ms(h.Max())}
}

// String is one line for people.
func (r *Result) String() string {
	return fmt.Sprintf("%.0f/s, %d requests, %d not 2xx, p50 %.2f ms, p99 %.2f ms, max %.1f ms",
		r.PerSecond, r.Requests, r.Requests-r.Good(), r.Latency.P50, r.Latency.P99, r.Latency.Max)
}
