// Package buildinfo says which build of Sluice is running: the release from
// version.txt, which a release commit changes, and the revision that the Go
// toolchain stamps into a binary.
package buildinfo

import (
	_ "embed"
	"runtime/debug"
	"strings"
)

//go:embed version.txt
var version string

// Version is the release, such as "v1.2.3", or "v0.1.0-dev" between releases.
func Version() string { return strings.TrimSpace(version) }

// Commit is the source revision that was built, cut to 12 characters and with
// "+" at its end if the tree had changes; "unknown" if the build was not
// stamped.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return commit(info.Settings)
}

func commit(settings []debug.BuildSetting) string {
	rev, changed := "", false
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if rev == "" {
		return "unknown"
	}
	if len(rev) > 12 {
		rev = rev[:12]
	}
	if changed {
		rev += "+"
	}
	return rev
}
