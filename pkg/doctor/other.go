//go:build !linux && !darwin

package doctor

import (
	"io/fs"
	"strconv"
)

// freeBytes is not known here.
func freeBytes(string) (free int64, known bool) { return 0, false }

func ownerOf(fs.FileInfo) (uid int, known bool) { return 0, false }

func userName(uid int) string { return strconv.Itoa(uid) }

func openFiles() (most uint64, known bool) { return 0, false }
