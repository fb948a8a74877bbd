package wire

import (
	"io"
	"net"
	"sync"
)

// The size classes. Most heads fit the first; the last holds a head of the
// default limit with room to see that it is over.
const (
	SmallBuffer  = 4 << 10
	MediumBuffer = 20 << 10 // 16 KiB of body and its head
	LargeBuffer  = 68 << 10
)

// Buffer is one that Buffers lends. A B that grew is not taken back.
type Buffer struct{ B []byte }

// Buffers lends buffers by size class.
type Buffers struct{ small, medium, large sync.Pool }

func (p *Buffers) class(n int) (*sync.Pool, int) {
	switch {
	case n <= SmallBuffer:
		return &p.small, SmallBuffer
	case n <= MediumBuffer:
		return &p.medium, MediumBuffer
	case n <= LargeBuffer:
		return &p.large, LargeBuffer
	}
	return nil, n
}

// Get lends a buffer of at least n bytes.
func (p *Buffers) Get(n int) *Buffer {
	c, size := p.class(n)
	if c != nil {
		if b, ok := c.Get().(*Buffer); ok {
			return b
		}
	}
	return &Buffer{B: make([]byte, size)}
}

// Put takes a buffer back; nil is nothing.
func (p *Buffers) Put(b *Buffer) {
	if b == nil {
		return
	}
	if c, size := p.class(len(b.B)); c != nil && size == len(b.B) {
		c.Put(b)
	}
}

// Reader reads one connection through a pooled buffer: Buf.B[R:W] is read and
// not yet used. What lies before base, the head of the message in work, stays
// where it is until Reset.
type Reader struct {
	Conn net.Conn
	Pool *Buffers
	Buf  *Buffer // nil: nothing is buffered
	head *Buffer // an earlier buf that still holds the head

	base, R, W int
}

// Buffered is what was read and not yet used.
func (d *Reader) Buffered() []byte {
	if d.Buf == nil {
		return nil
	}
	return d.Buf.B[d.R:d.W]
}

// fill reads more behind w, at least one byte. The caller has seen to room.
func (d *Reader) fill() error {
	if d.R == d.W {
		d.R, d.W = d.base, d.base
	} else if d.W == len(d.Buf.B) {
		d.compact()
		if d.W == len(d.Buf.B) {
			return io.ErrShortBuffer
		}
	}
	n, err := d.Conn.Read(d.Buf.B[d.W:])
	d.W += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (d *Reader) compact() {
	if d.R > d.base {
		n := copy(d.Buf.B[d.base:], d.Buf.B[d.R:d.W])
		d.R, d.W = d.base, d.base+n
	}
}

// Room sees to n bytes from base on, by another buffer if need be; the head
// stays in the one it is in.
func (d *Reader) Room(n int) {
	if d.Buf != nil && len(d.Buf.B)-d.base >= n {
		return
	}
	b := d.Pool.Get(max(n, d.W-d.R))
	if d.Buf != nil {
		d.W = copy(b.B, d.Buf.B[d.R:d.W])
		if d.head == nil && d.base > 0 {
			d.head = d.Buf
		} else {
			d.Pool.Put(d.Buf)
		}
	} else {
		d.W = 0
	}
	d.Buf, d.base, d.R = b, 0, 0
}

// grow makes the buffer larger while a head arrives: nothing points into it yet.
func (d *Reader) grow() {
	n := len(d.Buf.B) * 2
	d.compact()
	if d.W == len(d.Buf.B) {
		d.Room(n)
	}
}

// Pin keeps the next n bytes, a head, until reset.
func (d *Reader) Pin(n int) {
	d.R += n
	d.base = d.R
}

// Reset ends the message: its head may go, unread bytes move to the front. With
// none the buffer is given back.
func (d *Reader) Reset() {
	d.Pool.Put(d.head)
	d.head, d.base = nil, 0
	if d.Buf == nil {
		return
	}
	if d.R == d.W {
		d.Pool.Put(d.Buf)
		d.Buf, d.R, d.W = nil, 0, 0
		return
	}
	d.compact()
}
