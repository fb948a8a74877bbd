package testenv

import "syscall"

// dieWithTest makes the kernel kill a child when the thread that started it
// ends, so that a test binary that is killed leaves nothing behind.
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
