package loadgen

import (
	"context"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// pacer waits for points in time. The runtime's timers may be a millisecond late when a process is idle,
// which an open loop at thousands of requests per second would add to every latency; the kernel's, read
// through the poller, are late by some microseconds.
type pacer struct {
	f    *os.File
	raw  syscall.RawConn
	done func() bool
}

// itimerspec is the kernel's, of timerfd_settime(2).
type itimerspec struct{ interval, value syscall.Timespec }

// clockMonotonic is CLOCK_MONOTONIC of clock_gettime(2).
const clockMonotonic = 1

// newPacer makes one that ctx ends. close it.
func newPacer(ctx context.Context) (*pacer, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("timerfd_create", errno)
	}
	p := &pacer{f: os.NewFile(fd, "timer")}
	var err error
	if p.raw, err = p.f.SyscallConn(); err != nil {
		_ = p.f.Close()
		return nil, err
	}
	p.done = context.AfterFunc(ctx, func() { _ = p.f.SetReadDeadline(time.Unix(1, 0)) })
	return p, nil
}

// wait returns after d, or sooner when the context has ended.
func (p *pacer) wait(d time.Duration) error {
	spec := itimerspec{value: syscall.NsecToTimespec(max(int64(d), 1))}
	var errno syscall.Errno
	if err := p.raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	}); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError("timerfd_settime", errno)
	}
	var expirations [8]byte
	_, err := p.f.Read(expirations[:])
	return err
}

func (p *pacer) close() {
	p.done()
	_ = p.f.Close()
}
