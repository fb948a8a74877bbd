package buildinfo

import (
	"regexp"
	"runtime/debug"
	"testing"
)

func TestVersionIsARelease(t *testing.T) {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9a-z.]+)?$`).MatchString(Version()) {
		t.Errorf("version.txt holds %q", Version())
	}
}

func TestCommit(t *testing.T) {
	rev := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	for want, settings := range map[string][]debug.BuildSetting{
		"unknown":       nil,
		"0123456789ab":  {rev, {Key: "vcs.modified", Value: "false"}},
		"0123456789ab+": {{Key: "vcs.modified", Value: "true"}, rev},
	} {
		if got := commit(settings); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if Commit() == "" {
		t.Error("empty")
	}
}
