//go:build unix

package listen

import (
	"io"
	"net"
	"syscall"
)

// begins waits for the first bytes of nc and tells which protocol they are of.
// It takes none of them from a socket; the engine reads that by itself.
func begins(nc net.Conn) (net.Conn, opening, error) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return beginsOpaque(nc)
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nc, 0, err
	}
	var b [len(preface)]byte
	var o opening
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			switch {
			case err == syscall.EINTR:
				continue
			case err == syscall.EAGAIN:
				return false
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = io.EOF
				return true
			}
			o = judge(b[:n])
			return o != undecided
		}
	})
	if err == nil {
		err = failed
	}
	return nc, o, err
}
