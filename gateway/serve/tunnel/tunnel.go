// Package tunnel passes bytes between two connections for as long as both sides want:
// WebSockets and other upgrades, and raw TCP. A tunnel that has nothing to pass holds
// no buffer, no pipe and nothing of the request that it began with: two sockets, two
// goroutines and a few hundred bytes.
//
// set.go has the limits and the list of what is open, tunnel.go one tunnel, way.go
// one direction of it, frames.go knows where WebSocket frames end.
package tunnel

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Ends are the two sides of a tunnel and what is told of it.
type Ends struct {
	// Client and Upstream are closed when the tunnel ends.
	Client, Upstream net.Conn
	// FromClient and FromUpstream were read from the sides already.
	FromClient, FromUpstream []byte
	// WebSocket says that both sides speak RFC 6455: then they are told before the
	// tunnel ends by a limit or a drain.
	WebSocket bool
	// Name groups tunnels in counts: the id of an API, the name of a listener.
	Name string
	// Address is the client's, Protocol what is spoken.
	Address, Protocol string
	// Ended is called once with what came of the tunnel, before it is forgotten; nil is
	// allowed.
	Ended func(Result)
}

// Reason says why a tunnel ended.
type Reason string

// The reasons.
const (
	Over    Reason = "closed"  // both sides had ended, or one closed the WebSocket
	Broken  Reason = "broken"  // a connection broke
	Idle    Reason = "idle"    // nothing passed for the idle timeout
	Aged    Reason = "age"     // it reached the maximum age
	Drained Reason = "drain"   // the gateway stops
	Refused Reason = "refused" // it came after the stop began
)

// reasons are all of them, in the order of Set's counts.
func reasons() []Reason { return []Reason{Over, Broken, Idle, Aged, Drained, Refused} }

// Result is what came of a tunnel.
type Result struct {
	Reason Reason
	In     int64 // bytes from the client to the upstream
	Out    int64 // bytes from the upstream to the client
}

// tunnel is one that is open.
type tunnel struct {
	s        *Set
	name     string
	address  string
	protocol string
	since    time.Time
	ws       bool
	up, down way // from the client, to the client
	last     atomic.Int64
	ending   atomic.Pointer[ending]
	broken   atomic.Bool
}

// ending is a decision to end a tunnel; what is open at its time is cut.
type ending struct {
	why Reason
	by  time.Time
}

// run passes bytes until both directions are over.
func (t *tunnel) run() {
	var other sync.WaitGroup
	other.Add(1)
	go func() {
		defer other.Done()
		t.up.run()
	}()
	t.down.run()
	other.Wait()
	t.cut()
}

// touch notes that something passed.
func (t *tunnel) touch() { t.last.Store(int64(time.Since(t.s.start))) }

// idle is how long nothing passed.
func (t *tunnel) idle() time.Duration { return time.Since(t.s.start) - time.Duration(t.last.Load()) }

// cut closes both sides.
func (t *tunnel) cut() {
	_ = t.up.src.Close()
	_ = t.down.src.Close()
}

// end makes the tunnel end for a reason: a WebSocket says goodbye to both sides
// where a frame ends and waits for their answers until by; others are cut.
func (t *tunnel) end(why Reason, by time.Time) {
	if !t.ending.CompareAndSwap(nil, &ending{why, by}) {
		return
	}
	if !t.ws {
		t.cut()
		return
	}
	// wakes the directions; each sees the decision and sets a deadline of its own
	_ = t.up.src.SetReadDeadline(past())
	_ = t.down.src.SetReadDeadline(past())
}

// past is a time that every deadline has passed.
func past() time.Time { return time.Unix(1, 0) }

// result is what came of it.
func (t *tunnel) result() Result {
	r := Result{Reason: Over, In: t.up.bytes.Load(), Out: t.down.bytes.Load()}
	if e := t.ending.Load(); e != nil {
		r.Reason = e.why
	} else if t.broken.Load() {
		r.Reason = Broken
	}
	return r
}
