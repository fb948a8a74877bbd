//go:build !failpoint

package publish

// failpoint does nothing in this build; see failpoint_on.go.
func failpoint(string) {}
