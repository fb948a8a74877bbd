package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// senderBuffer is what one read of a request body takes at most.
const senderBuffer = 32 << 10

// errLong is the error of a body that goes on behind its length.
var errLong = errors.New("the request body is longer than its Content-Length")

// sender is a request body that is sent while it comes in. A goroutine of its own
// reads it: the transport must get its Read back when the stream ends, also while
// the client is silent, and what it read into is not ours any more then.
type sender struct {
	e       *exchange
	r       *message.Request // only touched before the exchange is over
	body    io.Reader        // its body, which belongs to no other request ever
	left    int64            // -1: unknown
	trailer http.Header      // of the request that is sent; nil where it cannot have one

	begun  atomic.Bool
	chunks chan chunk
	next   chan struct{}
	closed chan struct{}
	once   sync.Once
	now    chunk

	mu  sync.Mutex // of copying out of a chunk, and of err
	err error      // why it could not be read
}

// chunk is what one read brought.
type chunk struct {
	b   []byte
	err error
}

func newSender(e *exchange, r *message.Request, trailer http.Header) *sender {
	return &sender{
		e: e, r: r, body: r.Body, left: r.ContentLength, trailer: trailer,
		chunks: make(chan chunk), next: make(chan struct{}), closed: make(chan struct{}),
	}
}

// pump reads the body until the transport takes no more of it. A Read that waits
// for the client ends with the client's exchange at the latest.
func (s *sender) pump(body io.Reader) {
	buf := s.e.p.buffers.get()
	defer s.e.p.buffers.put(buf)
	for {
		n, err := body.Read(buf[:])
		select {
		case s.chunks <- chunk{buf[:n], err}:
		case <-s.closed:
			return
		}
		if err != nil {
			// the buffer is in use until the last of it was taken
			select {
			case <-s.next:
			case <-s.closed:
			}
			return
		}
		select {
		case <-s.next:
		case <-s.closed:
			return
		}
	}
}

// Read is called by one goroutine of the transport.
func (s *sender) Read(p []byte) (int, error) {
	if !s.begun.Load() {
		if s.e.ctx.Err() != nil { // the transport may begin when all is over already
			return 0, errOver
		}
		s.begun.Store(true)
		go s.pump(s.body)
		if !s.take(false) {
			return 0, errOver
		}
	}
	if len(s.now.b) == 0 && s.now.err == nil && !s.take(true) {
		return 0, errOver
	}
	n, ok := s.hand(p)
	if !ok {
		return 0, errOver
	}
	if len(s.now.b) > 0 || s.now.err == nil {
		if s.left >= 0 {
			if s.left -= int64(n); s.left < 0 {
				return n, s.broke(errLong)
			}
			if s.left == 0 && len(s.now.b) == 0 {
				return n, io.EOF // with the last bytes, so that they end the stream
			}
		}
		return n, nil
	}
	return n, s.end(int64(n))
}

// hand copies what is there of the chunk. Close may come from another goroutine
// meanwhile and waits for it: behind it the buffer is another request's.
func (s *sender) hand(p []byte) (n int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, false
	default:
	}
	n = copy(p, s.now.b)
	s.now.b = s.now.b[n:]
	return n, true
}

// take waits for the next chunk; more says that one was there before.
func (s *sender) take(more bool) bool {
	s.e.untilHead(false)
	defer s.e.untilHead(true)
	if more {
		select {
		case s.next <- struct{}{}:
		case <-s.closed:
			return false
		case <-s.e.ctx.Done(): // which the transport does not watch meanwhile
			return false
		}
	}
	select {
	case s.now = <-s.chunks:
		return true
	case <-s.closed:
		return false
	case <-s.e.ctx.Done():
		return false
	}
}

// end is the error behind the last n bytes, with the trailer section taken.
func (s *sender) end(n int64) error {
	switch {
	case s.now.err != io.EOF:
		return s.broke(s.now.err)
	case s.left >= 0 && n > s.left:
		return s.broke(errLong)
	case s.left >= 0 && n < s.left:
		return s.broke(io.ErrUnexpectedEOF)
	}
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	if s.e.over || s.trailer == nil || s.r.Trailer == nil { // after the exchange r may be another's
		return io.EOF
	}
	for f := range s.r.Trailer.Fields() {
		if f.Writable() && !framing(f.Known) {
			s.trailer.Add(strings.Clone(f.Name), strings.Clone(f.Value))
		}
	}
	return io.EOF
}

// broke notes why the body could not be read.
func (s *sender) broke(err error) error {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	return err
}

// Close is called by the transport when it takes no more.
func (s *sender) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		close(s.closed)
		s.mu.Unlock()
	})
	return nil
}

func (s *sender) failed() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// buffers keeps body buffers for reuse. The zero value is ready.
type buffers struct{ p sync.Pool }

func (b *buffers) get() *[senderBuffer]byte {
	if v, ok := b.p.Get().(*[senderBuffer]byte); ok {
		return v
	}
	return new([senderBuffer]byte)
}

func (b *buffers) put(v *[senderBuffer]byte) { b.p.Put(v) }
