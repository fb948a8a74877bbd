package http1

import (
	"io"
	"net"
	"syscall"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// A body of known length between two plain sockets is moved by the kernel (splice)
// once spliceFrom bytes of it are still to come, at most spliceStep at a time.
const (
	spliceFrom = 128 << 10
	spliceStep = 256 << 10
)

// spliceable tells whether what is left of the body is worth it: nothing of it
// lies in the buffer, and its end needs no look at the bytes.
func (c *upConn) spliceable() bool {
	return c.plain && c.body.Kind == wire.BodyLength && c.body.Left >= spliceFrom && c.d.R == c.d.W
}

// splice moves the rest of c's body to the client. It moves only what has come
// already, so that a target that stalls meets its own deadline and not the
// client's. Without an error it has moved all, or nothing where a socket is not a
// plain one. Errors of the target are *message.Failure.
func (w *writer) splice(c *upConn) (moved int64, err error) {
	dst, ok := w.x.c.nc.(*net.TCPConn)
	if !ok || w.mode != writeLength || w.left < c.body.Left || w.err != nil || w.finished {
		return 0, nil
	}
	w.begun = true
	if err := w.Flush(); err != nil {
		return 0, err
	}
	s := w.x.c.s
	for c.body.Left > 0 {
		if err := c.await(); err != nil {
			return moved, c.bodyError(err)
		}
		c.moving = io.LimitedReader{R: c.nc, N: min(int64(c.have), c.body.Left, spliceStep)}
		if !w.x.c.write.Set(s.c.Clock.After(s.c.WriteTimeout)) {
			return moved, w.fail(message.ErrSlow)
		}
		n, err := dst.ReadFrom(&c.moving)
		w.x.c.write.Set(0)
		moved, w.sent, w.left = moved+n, w.sent+n, w.left-n
		if c.body.Took(n) == io.EOF {
			return moved, nil
		}
		if err == nil && c.moving.N > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && c.broken() {
			return moved, c.bodyError(err)
		}
		if err != nil {
			return moved, w.fail(err)
		}
	}
	return moved, nil
}

// await waits for body bytes in the socket and leaves them there.
func (c *upConn) await() error {
	if err := c.Before(); err != nil {
		return err
	}
	err := c.raw.Read(c.ready)
	c.After(0)
	if err == nil {
		err = c.err
	}
	return err
}

func (c *upConn) tryWaiting(fd uintptr) bool {
	c.have, c.err = wire.WaitingFD(fd)
	switch {
	case c.have > 0:
		c.err = nil
	case wire.Again(c.err):
		return false
	case c.err == nil: // bytes came between the two looks
		c.have = 1
	case c.err == io.EOF:
		c.err = io.ErrUnexpectedEOF
	}
	return true
}

// broken tells whether the target's side of a connection has ended.
func (c *upConn) broken() bool {
	c.err = nil
	err := c.raw.Control(c.alive)
	return err != nil || c.err != nil && c.err != syscall.EAGAIN
}
