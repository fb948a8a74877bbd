//go:build linux || darwin

package doctor

import (
	"io/fs"
	"math"
	"os/user"
	"strconv"
	"syscall"
)

// freeBytes is what an ordinary user may still write to the disk of a folder.
func freeBytes(dir string) (free int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	if s.Bsize > 0 && s.Bavail > math.MaxInt64/uint64(s.Bsize) {
		return math.MaxInt64, true
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}

func ownerOf(info fs.FileInfo) (uid int, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}

// userName is the name of a user, or the number.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// openFiles is the most files that this process may have open.
func openFiles() (most uint64, known bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return l.Max, true // Go raises the soft limit to the hard one
}
