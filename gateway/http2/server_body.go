package http2

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// What an HTTP/1.1 client may still send, and how long, of a body that nobody read.
const (
	drainBytes = 64 << 10
	drainTime  = 5 * time.Second
)

// Errors of reading a request's body.
var (
	errUnread  = errors.New("the exchange is over")
	errTrailer = errors.New("the trailer section has a field that belongs in the head, or is too long")
)

// requestBody is the body of one request. It may be read by another goroutine than
// the handler's; after the exchange it only returns errors.
type requestBody struct {
	mu       sync.Mutex // of reading
	x        *exchange  // nil after the exchange
	r        *http.Request
	done     bool // it was read to its end
	reading  atomic.Bool
	over     atomic.Bool
	broken   atomic.Bool  // its end will never be known
	received atomic.Int64 // bytes that were read

	rate   int
	grace  time.Duration
	credit time.Duration // how long the client may still be waited for
	g      guard
	slow   atomic.Bool
}

func newRequestBody(x *exchange, r *http.Request) *requestBody {
	b := &requestBody{x: x, r: r, rate: x.s.c.BodyRate, grace: x.s.c.BodyGrace}
	b.credit = b.grace
	if b.rate > 0 {
		ctl := x.w.ctl
		b.g.fire = func() {
			b.slow.Store(true)
			_ = ctl.SetReadDeadline(time.Unix(1, 0))
		}
	}
	return b
}

// Read reads body bytes; the first one sends 100 (Continue) where the client waits
// for it.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading.Store(true)
	defer b.reading.Store(false)
	if b.over.Load() || b.x == nil {
		return 0, errUnread
	}
	n, err := b.paced(p)
	b.received.Add(int64(n))
	switch {
	case err == nil:
	case err == io.EOF:
		b.done = true
		if !b.trailer() {
			b.breakOff()
			return n, errTrailer
		}
	case b.slow.Load():
		b.x.s.timeouts.Add(1)
		b.breakOff()
		err = message.ErrSlow
	default:
		b.breakOff()
	}
	return n, err
}

// breakOff notes that nobody can tell where the body ends. An HTTP/1.1 connection
// ends with this exchange then; net/http, which was told to answer while it reads,
// would go on with whatever stands behind the error.
func (b *requestBody) breakOff() {
	b.broken.Store(true)
	if b.x.major == 1 {
		b.x.c.dead.Store(true)
	}
}

// paced reads, for as long as the client's credit lasts: waiting uses it up and
// bytes earn it.
func (b *requestBody) paced(p []byte) (int, error) {
	if b.rate <= 0 {
		return b.r.Body.Read(p)
	}
	from := time.Now()
	b.g.arm(b.credit)
	n, err := b.r.Body.Read(p)
	b.g.disarm()
	b.credit += time.Duration(n)*time.Second/time.Duration(b.rate) - time.Since(from)
	b.credit = min(max(b.credit, time.Millisecond), b.grace)
	return n, err
}

// Received is the number of bytes that were read so far.
func (b *requestBody) Received() int64 { return b.received.Load() }

// trailer takes the trailer section, of which net/http keeps the fields that the
// head announced.
func (b *requestBody) trailer() bool {
	lines := 0
	var h *message.Header
	for name, values := range b.r.Trailer {
		for _, v := range values {
			f := message.Field{Name: name, Value: v, Known: message.KnownName(name)}
			if lines++; lines > b.x.s.c.Fields || f.TrailerForbidden() || !f.Writable() {
				return false
			}
			if h == nil {
				h = new(message.Header)
			}
			h.Append(f)
		}
	}
	b.x.q.Trailer = h
	return true
}

// end takes the body from whoever still reads it, and tells whether it was read to
// its end.
func (b *requestBody) end() bool {
	b.over.Store(true)
	if b.reading.Load() {
		if b.x.major == 1 {
			b.x.c.dead.Store(true)
			_ = b.x.w.ctl.SetReadDeadline(time.Unix(pastTime, 0))
		} else {
			_ = b.r.Body.Close()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x = nil
	return b.done
}

// drain reads and throws away what is left of an HTTP/1.1 body, when it is little,
// or else lets the connection end. net/http would do it too late: with full duplex
// it then reads twice at once.
func (b *requestBody) drain(x *exchange) {
	if x.c.dead.Load() || x.q.ExpectContinue && b.Received() == 0 {
		x.c.dead.Store(true)
		return
	}
	_ = x.w.ctl.SetReadDeadline(time.Now().Add(drainTime))
	if _, err := io.CopyN(io.Discard, b.r.Body, drainBytes); err != io.EOF {
		x.c.dead.Store(true)
	}
}
