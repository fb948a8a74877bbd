package http1

import (
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// sender sends a request body that is not at hand at once, while the response may
// come already. One belongs to each upstream connection.
type sender struct {
	active bool // a goroutine runs or ran in this exchange; of the exchange's goroutine

	mu       sync.Mutex
	done     bool // the body was sent to its end
	over     bool // the exchange is over
	head     bool // the final head came, or will not come
	err      error
	sendNow  chan struct{} // closed by 100 (Continue), the final head, the end
	released bool
}

// begin readies s for another exchange.
func (s *sender) begin() {
	s.mu.Lock()
	s.active, s.done, s.over, s.head, s.err, s.sendNow, s.released = false, false, false, false, nil, nil, false
	s.mu.Unlock()
}

// start sends r's body in a goroutine.
func (s *sender) start(c *upConn, r *message.Request, chunked, wait bool) {
	s.active = true
	s.sendNow = make(chan struct{})
	body, length := r.Body, r.ContentLength
	_, _ = body.Read(nil) // says that somebody reads it, before the answer can come
	go func() {
		if wait && !s.allowed(c.p.c.ContinueTimeout) {
			return
		}
		err := s.copy(c, body, length, chunked)
		if err == nil {
			err = s.finish(c, r, chunked)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.done = true
			if !s.head {
				c.read.Set(c.by(c.p.c.FirstByteTimeout))
			}
		}
	}()
}

// allowed waits for 100 (Continue), for a while only (RFC 9110, 10.1.1), and tells
// whether the body is still wanted.
func (s *sender) allowed(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.sendNow:
	case <-t.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.over && !s.head
}

func (s *sender) release() {
	if s.sendNow != nil && !s.released {
		s.released = true
		close(s.sendNow)
	}
}

// proceed lets a body go that waits for 100 (Continue).
func (s *sender) proceed() {
	s.mu.Lock()
	s.release()
	s.mu.Unlock()
}

// headSeen says that the wait for the head is over.
func (s *sender) headSeen() {
	s.mu.Lock()
	s.head = true
	s.release()
	s.mu.Unlock()
}

// end ends the exchange and tells whether the request was sent whole.
func (s *sender) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.release()
	return !s.active || s.done
}

// failed is why the body could not be read, or nil.
func (s *sender) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// broke notes that the body could not be read. The target must not take what it
// got for the whole, nor wait for the rest; unless it has answered already and
// the body is withheld for that reason.
func (s *sender) broke(c *upConn, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.head && err == wire.ErrUnread {
		return err
	}
	s.err = err
	_ = c.nc.Close()
	return err
}

// copy sends the body's bytes, each read as a chunk or as they are.
func (s *sender) copy(c *upConn, body io.Reader, length int64, chunked bool) error {
	const ahead = 8 // of a chunk's data: size in hex, CRLF
	buf := c.p.bufs.Get(wire.LargeBuffer)
	defer c.p.bufs.Put(buf)
	for sent := int64(0); ; {
		n, err := body.Read(buf.B[ahead : len(buf.B)-2])
		if sent += int64(n); !chunked && sent > length {
			return s.broke(c, errTooMuch)
		}
		if n > 0 {
			p := buf.B[ahead : ahead+n]
			if chunked {
				var size [ahead]byte
				h := append(strconv.AppendUint(size[:0], uint64(n), 16), "\r\n"...)
				copy(buf.B[ahead-len(h):], h)
				copy(buf.B[ahead+n:], "\r\n")
				p = buf.B[ahead-len(h) : ahead+n+2]
			}
			if err := s.write(c, p); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && !chunked && sent < length:
			return s.broke(c, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return s.broke(c, err)
		}
	}
}

func (s *sender) write(c *upConn, p []byte) error {
	if !c.write.Set(c.by(c.p.c.FirstByteTimeout)) {
		return message.ErrSlow
	}
	_, err := c.nc.Write(p)
	c.write.Set(0)
	return err
}

// finish ends a chunked body, with the trailer section that came with it.
func (s *sender) finish(c *upConn, r *message.Request, chunked bool) error {
	if !chunked {
		return nil
	}
	b := []byte("0\r\n")
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return wire.ErrUnread
	}
	if r.Trailer != nil { // not after the exchange, when r may be another's
		b = wire.AppendTrailer(b, r.Trailer)
	}
	s.mu.Unlock()
	return s.write(c, append(b, "\r\n"...))
}
