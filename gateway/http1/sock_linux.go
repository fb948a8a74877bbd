package http1

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// rawConn returns the socket below c, or nil where there is none to peek at.
func rawConn(c net.Conn) syscall.RawConn {
	if n, ok := c.(interface{ NetConn() net.Conn }); ok { // crypto/tls
		c = n.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		if r, err := t.SyscallConn(); err == nil {
			return r
		}
	}
	return nil
}

// peekFD looks at a non-blocking socket without taking a byte: EAGAIN when it is
// open and nothing came, io.EOF when the peer has closed it, nil when bytes wait.
// It allocates nothing, as it runs once per exchange.
func peekFD(fd uintptr) error {
	var b [1]byte
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case e == syscall.EINTR:
		case e == syscall.EAGAIN:
			return syscall.EAGAIN
		case e != 0:
			return e
		case n == 0:
			return io.EOF
		default:
			return nil
		}
	}
}

// readFD and writeFD are one non-blocking system call on a socket of the
// runtime's poller.
func readFD(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }
func writeFD(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
func again(err error) bool                      { return err == syscall.EAGAIN || err == syscall.EINTR }
