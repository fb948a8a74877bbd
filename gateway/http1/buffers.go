package http1

import (
	"io"
	"net"
	"sync"
)

// The size classes. Most heads fit the first; the last holds a head of the
// default limit with room to see that it is over.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 16 << 10
	largeBuffer  = 68 << 10
)

type buffer struct{ b []byte }

// buffers lends buffers by size class.
type buffers struct{ small, medium, large sync.Pool }

func (p *buffers) class(n int) (*sync.Pool, int) {
	switch {
	case n <= smallBuffer:
		return &p.small, smallBuffer
	case n <= mediumBuffer:
		return &p.medium, mediumBuffer
	case n <= largeBuffer:
		return &p.large, largeBuffer
	}
	return nil, n
}

// get lends a buffer of at least n bytes.
func (p *buffers) get(n int) *buffer {
	c, size := p.class(n)
	if c != nil {
		if b, ok := c.Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{b: make([]byte, size)}
}

func (p *buffers) put(b *buffer) {
	if b == nil {
		return
	}
	if c, size := p.class(len(b.b)); c != nil && size == len(b.b) {
		c.Put(b)
	}
}

// reader reads one connection through a pooled buffer: buf.b[r:w] is read and
// not yet used. What lies before base, the head of the message in work, stays
// where it is until reset.
type reader struct {
	conn net.Conn
	pool *buffers
	buf  *buffer // nil: nothing is buffered
	head *buffer // an earlier buf that still holds the head

	base, r, w int
}

func (d *reader) buffered() []byte {
	if d.buf == nil {
		return nil
	}
	return d.buf.b[d.r:d.w]
}

// fill reads more behind w, at least one byte. The caller has seen to room.
func (d *reader) fill() error {
	if d.r == d.w {
		d.r, d.w = d.base, d.base
	} else if d.w == len(d.buf.b) {
		d.compact()
		if d.w == len(d.buf.b) {
			return io.ErrShortBuffer
		}
	}
	n, err := d.conn.Read(d.buf.b[d.w:])
	d.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (d *reader) compact() {
	if d.r > d.base {
		n := copy(d.buf.b[d.base:], d.buf.b[d.r:d.w])
		d.r, d.w = d.base, d.base+n
	}
}

// room sees to n bytes from base on, by another buffer if need be; the head
// stays in the one it is in.
func (d *reader) room(n int) {
	if d.buf != nil && len(d.buf.b)-d.base >= n {
		return
	}
	b := d.pool.get(max(n, d.w-d.r))
	if d.buf != nil {
		d.w = copy(b.b, d.buf.b[d.r:d.w])
		if d.head == nil && d.base > 0 {
			d.head = d.buf
		} else {
			d.pool.put(d.buf)
		}
	} else {
		d.w = 0
	}
	d.buf, d.base, d.r = b, 0, 0
}

// grow makes the buffer larger while a head arrives: nothing points into it yet.
func (d *reader) grow() {
	n := len(d.buf.b) * 2
	d.compact()
	if d.w == len(d.buf.b) {
		d.room(n)
	}
}

// pin keeps the next n bytes, a head, until reset.
func (d *reader) pin(n int) {
	d.r += n
	d.base = d.r
}

// reset ends the message: its head may go, unread bytes move to the front. With
// none the buffer is given back.
func (d *reader) reset() {
	d.pool.put(d.head)
	d.head, d.base = nil, 0
	if d.buf == nil {
		return
	}
	if d.r == d.w {
		d.pool.put(d.buf)
		d.buf, d.r, d.w = nil, 0, 0
		return
	}
	d.compact()
}
