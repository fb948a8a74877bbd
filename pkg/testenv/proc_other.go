//go:build !linux

package testenv

import "syscall"

// dieWithTest has nothing to set where the kernel cannot tie a child's life to
// its parent's; the test's cleanup ends the child.
func dieWithTest() *syscall.SysProcAttr { return nil }
