package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/trust"
)

const maxKeyFile = 16 << 10

var keyFileName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,60}\.(key|pub)$`)

// ReadKeyFiles reads the platform's key files: those of dir that end in .key or .pub.
func ReadKeyFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the keys' folder: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if !keyFileName.MatchString(e.Name()) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("looking at a key file: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
			return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", filepath.Join(dir, e.Name()), maxKeyFile)
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("reading a key file: %w", err)
		}
	}
	return files, nil
}

// keyFolder is the folder that key files are restored into. Its steps: stage puts
// the files beside it, swap puts them in place, drop forgets what was staged.
type keyFolder struct {
	dir    string
	files  map[string][]byte
	staged string // "" when nothing has to be done
	exists bool
}

// openKeyFolder compares the folder with the backup's files.
func openKeyFolder(dir string, files map[string][]byte) (*keyFolder, error) {
	for name, text := range files {
		if !keyFileName.MatchString(name) || len(text) > maxKeyFile {
			return nil, fmt.Errorf("%w: %.80q is no key file", ErrDamaged, name)
		}
	}
	k := &keyFolder{dir: filepath.Clean(dir), files: files}
	k.staged = k.dir + ".restoring"
	have, err := ReadKeyFiles(k.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	if k.exists = len(have) > 0; maps.EqualFunc(have, files, bytes.Equal) {
		k.staged = ""
	}
	return k, nil
}

// other tells whether the folder has keys, and not those of the backup.
func (k *keyFolder) other() bool { return k.exists && k.staged != "" }

// stage writes the files into a new folder beside the old one, and reads them as a
// dashboard does.
func (k *keyFolder) stage() (*trust.Keys, error) {
	if k.staged == "" {
		return trust.LoadDashboard(k.dir)
	}
	if err := os.RemoveAll(k.staged); err != nil {
		return nil, fmt.Errorf("removing what an earlier restore left: %w", err)
	}
	if err := os.MkdirAll(k.staged, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for the keys: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(k.files)) {
		if err := writeNew(filepath.Join(k.staged, name), k.files[name]); err != nil {
			return nil, fmt.Errorf("writing a key file: %w", err)
		}
	}
	if err := syncDir(k.staged); err != nil {
		return nil, err
	}
	return trust.LoadDashboard(k.staged)
}

// swap puts the staged files in place of those of the folder, which are kept in a
// folder beside it, whose path is returned. It may be done again after it broke off.
func (k *keyFolder) swap(now time.Time) (kept string, err error) {
	if k.staged == "" {
		return "", nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return "", fmt.Errorf("making the keys' folder: %w", err)
	}
	have, err := ReadKeyFiles(k.dir)
	if err != nil {
		return "", err
	}
	if len(have) > 0 {
		kept = k.dir + ".before-" + now.UTC().Format("20060102T150405.000Z")
		if err := os.MkdirAll(kept, 0o700); err != nil {
			return "", fmt.Errorf("making a folder for the present keys: %w", err)
		}
		for name := range have {
			if err := os.Rename(filepath.Join(k.dir, name), filepath.Join(kept, name)); err != nil {
				return "", fmt.Errorf("keeping a present key file: %w", err)
			}
		}
	}
	for name := range k.files {
		if err := os.Rename(filepath.Join(k.staged, name), filepath.Join(k.dir, name)); err != nil {
			return kept, fmt.Errorf("putting a key file in place: %w", err)
		}
	}
	if err := syncDir(k.dir); err != nil {
		return kept, err
	}
	return kept, k.drop()
}

// drop removes what was staged.
func (k *keyFolder) drop() error {
	if k.staged == "" {
		return nil
	}
	return os.RemoveAll(k.staged)
}

// writeNew makes a file with mode 0600 and forces it to disk. It refuses one that exists.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("forcing the folder to disk: %w", err)
	}
	return nil
}
