package lastgood

import (
	"errors"
	"io/fs"

	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Kept is what lies in a folder of last-known-good state.
type Kept struct {
	// Root is the root on disk, nil where there is none that can be believed.
	Root *publish.Root
	// Damage is what is wrong with the root or its texts; nil where all is well, and
	// where there is nothing.
	Damage error
	// Sessions is why known callers cannot be taken from the disk; nil where they can,
	// and where there are none.
	Sessions error
}

// Look reads and checks a folder without changing anything in it, beside a gateway
// that may be writing there.
func Look(dir string, keys *trust.Keys, group string) (k Kept) {
	s := &Source{o: Options{Dir: dir, Keys: keys, Group: group}}
	snap, err := s.load()
	if err != nil {
		snap, err = s.load() // a save may have come between
	}
	k.Root = snap.Root
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.Damage = err
	}
	if _, err := s.LoadSessions(); err != nil {
		k.Sessions = err
	}
	return k
}
