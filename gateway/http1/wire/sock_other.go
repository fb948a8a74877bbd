//go:build !linux

package wire

import (
	"errors"
	"net"
	"syscall"
)

// RawConn says that sockets are not looked into here: connections are read by
// net.Conn alone, and a dead one is noticed by its use.
func RawConn(net.Conn) syscall.RawConn { return nil }

// PeekFD is not called where RawConn gives nothing; nor are ReadFD and WriteFD.
func PeekFD(uintptr) error { return syscall.EAGAIN }

// WaitingFD is for Linux.
func WaitingFD(uintptr) (int, error) { return 0, errors.ErrUnsupported }

// ReadFD is for Linux.
func ReadFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// WriteFD is for Linux.
func WriteFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Again tells whether a call is to be made again when the socket is ready.
func Again(err error) bool { return err == syscall.EAGAIN }
