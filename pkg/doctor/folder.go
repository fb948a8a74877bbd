package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// Folder is one that a service writes to.
type Folder struct {
	Name    string      // of the check
	Setting string      // the key of the configuration
	Path    string      // where it is
	Others  fs.FileMode // mode bits that it must not have, such as 0o077
	Least   int64       // bytes of free room below which the check fails
	Wanted  int64       // and below which it warns
	For     string      // what the room is for, such as "records that Redis does not take"
}

// Check is the check of a folder: that it is there or can be made, that it can be
// written to and by whom else it can be used, and what room its disk has.
func (f Folder) Check() Check {
	return Check{Name: f.Name, Run: func(context.Context) Finding { return f.look() }}
}

func (f Folder) look() Finding {
	at := fmt.Sprintf("%s (%s)", f.Path, f.Setting)
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		above := f.Path
		for err != nil && filepath.Dir(above) != above {
			above = filepath.Dir(above)
			info, err = os.Stat(above)
		}
		if err != nil || !info.IsDir() || probe(above) != nil {
			return Failure(fmt.Sprintf("make it for the user of the service: install -d -m 700 -o USER %s", f.Path),
				"The folder %s is not there, and cannot be made in %s%s.", at, above, asWhom())
		}
		return Well("The folder %s is not there yet; it can be made in %s when it is needed.", at, above)
	case err != nil:
		return Failure("let the user of the service enter the folders above it", "The folder %s cannot be looked at: %v%s.", at, cause(err), asWhom())
	case !info.IsDir():
		return Failure("move the file away, or correct "+f.Setting, "%s is a file, not a folder.", at)
	}
	if err := probe(f.Path); err != nil {
		return Failure(fmt.Sprintf("give it to the user of the service: chown USER %s; or make room on its disk", f.Path),
			"The folder %s cannot be written to: %v%s.", at, cause(err), asWhom())
	}
	free, known := freeBytes(f.Path)
	room := "."
	if known {
		room = fmt.Sprintf(", and its disk has %s free.", bytesText(free))
	}
	switch {
	case known && free < f.Least:
		return Failure("make room: du -xh "+f.Path+" shows what takes it", "The disk of the folder %s has %s free, less than the %s that are needed%s.", at, bytesText(free), bytesText(f.Least), f.purpose())
	case known && free < f.Wanted:
		return Warning("make room, or give the setting less", "The disk of the folder %s has %s free, less than the %s%s.", at, bytesText(free), bytesText(f.Wanted), f.purpose())
	case info.Mode().Perm()&f.Others != 0:
		return Warning(fmt.Sprintf("chmod %03o %s", info.Mode().Perm()&^f.Others, f.Path), "The folder %s has mode %04o: others than its owner have access to what is in it.", at, info.Mode().Perm())
	}
	return Well("The folder %s can be written to%s%s", at, asOwner(info), room)
}

func (f Folder) purpose() string {
	if f.For == "" {
		return ""
	}
	return " for " + f.For
}

// probe writes a file into a folder and removes it.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = file.Write([]byte("written by doctor, which removes it\n"))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// cause is an error of the file system without the path, which was said already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// asWhom names the user, for errors that hang on who asks.
func asWhom() string {
	if uid := os.Geteuid(); uid >= 0 {
		return fmt.Sprintf(" by the user %s, who runs this", userName(uid))
	}
	return ""
}

// asOwner says so where root looked at somebody else's folder: root may write anywhere.
func asOwner(info fs.FileInfo) string {
	owner, known := ownerOf(info)
	if os.Geteuid() != 0 || !known || owner == 0 {
		return ""
	}
	return fmt.Sprintf(" by root, and belongs to the user %s", userName(owner))
}

// bytesText is a number of bytes as people read it.
func bytesText(n int64) string {
	switch {
	case n >= 10<<30:
		return (config.Size(n) >> 30 << 30).String()
	case n >= 10<<20:
		return (config.Size(n) >> 20 << 20).String()
	}
	return strings.TrimSpace(config.Size(n >> 10 << 10).String())
}
