package wire

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// RawConn returns the socket below c, or nil where there is none to peek at.
func RawConn(c net.Conn) syscall.RawConn {
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

// PeekFD looks at a non-blocking socket without taking a byte: EAGAIN when it is
// open and nothing came, io.EOF when the peer has closed it, nil when bytes wait.
// It allocates nothing, as it runs once per exchange.
func PeekFD(fd uintptr) error {
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

// WaitingFD tells how many bytes wait in a socket. Where it is none, the error is
// PeekFD's.
func WaitingFD(fd uintptr) (int, error) {
	var n int32
	if _, _, e := syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); e != 0 {
		return 0, e
	}
	if n > 0 {
		return int(n), nil
	}
	return 0, PeekFD(fd)
}

// ReadFD is one read of a non-blocking socket of the runtime's
// poller. As it cannot block, the scheduler is not told of it: its watch over long
// system calls would cost more than the call, when cores are scarce.
func ReadFD(fd uintptr, p []byte) (int, error) {
	if RaceDetector {
		return syscall.Read(int(fd), p)
	}
	return rawCall(syscall.SYS_READ, fd, p)
}

// WriteFD is one write; see ReadFD.
func WriteFD(fd uintptr, p []byte) (int, error) {
	if RaceDetector {
		return syscall.Write(int(fd), p)
	}
	return rawCall(syscall.SYS_WRITE, fd, p)
}

func rawCall(call, fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, e := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// Again tells whether a call is to be made again when the socket is ready.
func Again(err error) bool { return err == syscall.EAGAIN || err == syscall.EINTR }
