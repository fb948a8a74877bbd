//go:build !linux

package http1

import (
	"errors"
	"net"
	"syscall"
)

// rawConn says that sockets are not looked into here: connections are read by
// net.Conn alone, and a dead one is noticed by its use.
func rawConn(net.Conn) syscall.RawConn { return nil }

func peekFD(uintptr) error                 { return syscall.EAGAIN }
func readFD(uintptr, []byte) (int, error)  { return 0, errors.ErrUnsupported }
func writeFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
func again(err error) bool                 { return err == syscall.EAGAIN }
