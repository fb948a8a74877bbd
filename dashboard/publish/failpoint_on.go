//go:build failpoint

package publish

import (
	"os"
	"strings"
	"syscall"
)

// failpoint kills this process, as kill -9 does, when the file that the
// environment variable SLUICE_FAILPOINT names holds the step's name. It is
// compiled only with the tag "failpoint", for tests that crash a real dashboard
// at each step of a publication: contents, append, view, views, mark, roots,
// notices. The file is removed first, so that the next start lives.
func failpoint(step string) {
	path := os.Getenv("SLUICE_FAILPOINT")
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(text)) != step {
		return
	}
	if err := os.Remove(path); err != nil {
		return
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the signal arrives
}
