package tunnel

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of tunnels.
type Limits struct {
	// IdleTimeout ends a tunnel through which nothing passed for so long, in neither
	// direction. Default 0: never.
	IdleTimeout time.Duration
	// MaxAge ends a tunnel so long after it began. Default 0: never.
	MaxAge time.Duration
	// Grace is how long the sides of a WebSocket may take to answer a close frame, and
	// how long one side stays connected when the other one is gone. Default 2s.
	Grace time.Duration
}

// Set is the tunnels of a gateway or a listener. Make it with NewSet. Safe for
// concurrent use.
type Set struct {
	limits  Limits
	start   time.Time
	buffers sync.Pool
	ended   []atomic.Uint64 // by place in reasons

	mu     sync.Mutex
	open   map[*tunnel]struct{}
	empty  chan struct{} // closed when the last one ends; nil while there is none
	closed bool          // a stop began
	cut    bool          // and its time is over
}

// NewSet makes an empty set.
func NewSet(l Limits) *Set {
	l.Grace = cmp.Or(l.Grace, 2*time.Second)
	return &Set{limits: l, start: time.Now(), open: map[*tunnel]struct{}{}, ended: make([]atomic.Uint64, len(reasons()))}
}

func (s *Set) lend() *[bufferSize]byte {
	if b, ok := s.buffers.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

func (s *Set) giveBack(b *[bufferSize]byte) { s.buffers.Put(b) }

// Run passes bytes between two connections until both directions have ended, one
// breaks, a limit is reached or the set is shut down, and closes them. After a
// Shutdown began a WebSocket is told so, and others are closed at once. It uses the caller's goroutine and one more.
func (s *Set) Run(e Ends) Result {
	t := &tunnel{s: s, name: e.Name, address: e.Address, protocol: e.Protocol, since: time.Now(), ws: e.WebSocket}
	t.up.prepare(t, e.Client, e.Upstream, e.FromClient, true)
	t.down.prepare(t, e.Upstream, e.Client, e.FromUpstream, false)
	ended := e.Ended
	e = Ends{} // what it held is free while the tunnel is open
	t.touch()
	r := Result{Reason: Refused}
	if s.add(t) {
		t.run()
		r = t.result()
	} else {
		t.cut()
	}
	s.ended[slices.Index(reasons(), r.Reason)].Add(1)
	if ended != nil {
		ended(r)
	}
	if r.Reason != Refused {
		s.remove(t)
	}
	return r
}

func (s *Set) add(t *tunnel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		if !t.ws || s.cut {
			return false
		}
		t.end(Drained, time.Now().Add(s.limits.Grace)) // its handshake was under way: it is told too
	}
	s.open[t] = struct{}{}
	if s.empty == nil {
		s.empty = make(chan struct{})
		go s.watch(s.empty)
	}
	return true
}

func (s *Set) remove(t *tunnel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.open, t); len(s.open) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// every is how often tunnels are looked at: eight times in the shortest limit, at
// most a hundred times a second, at least once.
func (l Limits) every() time.Duration {
	d := time.Second
	for _, limit := range []time.Duration{l.IdleTimeout, l.MaxAge, l.Grace} {
		if limit > 0 {
			d = min(d, limit/8)
		}
	}
	return max(d, 10*time.Millisecond)
}

// watch ends tunnels that have reached a limit. It runs while there are tunnels.
func (s *Set) watch(empty <-chan struct{}) {
	tick := time.NewTicker(s.limits.every())
	defer tick.Stop()
	for {
		select {
		case <-empty:
			return
		case now := <-tick.C:
			s.look(now)
		}
	}
}

func (s *Set) look(now time.Time) {
	l := s.limits
	var list []*tunnel // ended without the lock: that makes system calls
	s.mu.Lock()
	for t := range s.open {
		if e := t.ending.Load(); e != nil && now.After(e.by) ||
			e == nil && (l.IdleTimeout > 0 && t.idle() > l.IdleTimeout || l.MaxAge > 0 && now.Sub(t.since) > l.MaxAge) {
			list = append(list, t)
		}
	}
	s.mu.Unlock()
	for _, t := range list {
		switch {
		case t.ending.Load() != nil:
			t.cut()
		case l.MaxAge > 0 && now.Sub(t.since) > l.MaxAge:
			t.end(Aged, now.Add(l.Grace))
		default:
			t.end(Idle, now.Add(l.Grace))
		}
	}
}

// Shutdown refuses new tunnels from now on. WebSockets are told that the gateway is
// going away where a frame ends (RFC 6455, 1001) and have Grace, at most until ctx
// ends, to answer; other tunnels may live until ctx ends. Then what is left is cut.
// It returns when nothing is open any more.
func (s *Set) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	var list []*tunnel
	for t := range s.open {
		list = append(list, t)
	}
	empty := s.empty
	s.mu.Unlock()
	if empty == nil {
		return
	}
	by := time.Now().Add(s.limits.Grace)
	for _, t := range list {
		if t.ws {
			t.end(Drained, by)
		}
	}
	select {
	case <-empty:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.cut = true
	list = list[:0]
	for t := range s.open {
		list = append(list, t)
	}
	s.mu.Unlock()
	for _, t := range list {
		t.end(Drained, time.Now())
		t.cut()
	}
	<-empty
}

// Info is one open tunnel.
type Info struct {
	Name     string        // of the API or the listener
	Client   string        // its address
	Protocol string        // "websocket", "tcp", ...
	Since    time.Time     // when it began
	Idle     time.Duration // since something passed
	In, Out  int64         // bytes from and to the client so far
}

// List returns the open tunnels, the oldest first, at most n of them.
func (s *Set) List(n int) []Info {
	s.mu.Lock()
	list := make([]Info, 0, len(s.open))
	for t := range s.open {
		list = append(list, Info{t.name, t.address, t.protocol, t.since, max(t.idle(), 0), t.up.bytes.Load(), t.down.bytes.Load()})
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Client, b.Client))
	})
	return list[:min(n, len(list))]
}

// Stats are counts and gauges of a set.
type Stats struct {
	Open  map[string]int    // by Name
	Total int               // of Open
	Ended map[Reason]uint64 // since the start
}

// Stats returns counts and gauges.
func (s *Set) Stats() Stats {
	st := Stats{Open: map[string]int{}, Ended: map[Reason]uint64{}}
	s.mu.Lock()
	for t := range s.open {
		st.Open[t.name]++
	}
	st.Total = len(s.open)
	s.mu.Unlock()
	for i, r := range reasons() {
		st.Ended[r] = s.ended[i].Load()
	}
	return st
}
