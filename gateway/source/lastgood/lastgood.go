// Package lastgood keeps the last-known-good state on disk, so that a gateway
// starts and serves with everything else away: the signed root with its texts,
// and the sealed sessions of known callers.
//
// The folder holds root.json (the root's exact bytes and its signature), items/
// (texts by SHA-256) and sessions (sealed). Every file is written beside its
// place, synced and renamed, so that a crash or a full disk leaves the one before.
package lastgood

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/source/published"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// sealDomain separates the sealed sessions from everything else that is sealed.
const sealDomain = "last-good sessions"

// Inner is the source that is kept.
type Inner interface {
	route.Source
	// Snapshot returns the generation that was fetched last.
	Snapshot() (published.Snapshot, bool)
}

// Options of a Source.
type Options struct {
	Dir   string
	Keys  *trust.Keys
	Group string
	Every time.Duration // the state is saved at most this often; default 1s
	Retry time.Duration // after a save that failed; default 30s
	Log   *slog.Logger
}

// Source serves what Inner has, and what lies on disk when Inner has nothing
// better at the start.
type Source struct {
	inner Inner
	o     Options
	saved publish.Head
	told  string // the last complaint about the state on disk
	dirty chan struct{}
	sync  func(dir string) error
	bad   atomic.Bool // what lies on disk cannot be relied on, whatever its name
}

var _ route.Source = (*Source)(nil)

// Wrap keeps the state of inner in a folder, which it makes with mode 0700 and
// rids of what a crash left half written.
func Wrap(inner Inner, o Options) (*Source, error) {
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Retry == 0 {
		o.Retry = 30 * time.Second
	}
	items := filepath.Join(o.Dir, "items")
	if err := os.MkdirAll(items, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for the last-known-good state: %w", err)
	}
	for _, dir := range []string{o.Dir, items} {
		left, err := filepath.Glob(filepath.Join(dir, ".new-*"))
		if err != nil {
			return nil, fmt.Errorf("the folder for the last-known-good state: %w", err)
		}
		for _, name := range left {
			if err := os.Remove(name); err != nil {
				o.Log.Warn("a half-written file could not be removed", "error", err)
			}
		}
	}
	return &Source{inner: inner, o: o, dirty: make(chan struct{}, 1), sync: syncDir}, nil
}

// Hints are those of the inner source.
func (s *Source) Hints() <-chan struct{} { return s.inner.Hints() }

// Fetch asks the inner source. While nothing is served yet the state on disk is the
// floor: what the inner source has must not be older, and where it fails, or has
// not everything, the state on disk is returned beside the error. Texts on disk that
// are damaged are listed as incomplete, and the rest is served, if there is any; a
// root that cannot be believed makes all of it useless.
func (s *Source) Fetch(ctx context.Context, have route.State) (*route.Update, error) {
	if have != (route.State{}) {
		return s.ask(ctx, have)
	}
	disk, derr := s.disk()
	if disk == nil {
		u, err := s.ask(ctx, have)
		switch {
		case errors.Is(derr, fs.ErrNotExist):
		case err != nil:
			err = errors.Join(err, derr)
		case s.told != derr.Error():
			s.o.Log.Warn("the state on disk is of no use; it will be replaced", "error", derr)
		}
		s.told = derr.Error()
		return u, err
	}
	u, err := s.ask(ctx, disk.State)
	if err != nil {
		return disk, errors.Join(err, derr)
	}
	return u, nil
}

func (s *Source) ask(ctx context.Context, have route.State) (*route.Update, error) {
	u, err := s.inner.Fetch(ctx, have)
	if u != nil && err == nil {
		s.mark()
	}
	return u, err
}

// disk returns the state on disk as an update; beside an error what is good of
// it, or nil.
func (s *Source) disk() (*route.Update, error) {
	snap, damage := s.load()
	var u *route.Update
	err := damage
	if bad := new(publish.IncompleteError); err == nil || errors.As(err, &bad) {
		u, err = snap.Update(published.Disk)
	}
	if err == nil {
		return u, nil
	}
	s.bad.Store(true)
	if damage != nil { // it tells a wrong text from a missing one
		err = damage
	}
	if u == nil || len(u.Set) == 0 {
		return nil, fmt.Errorf("last-known-good state: %w", err)
	}
	return u, fmt.Errorf("last-known-good state: some of it is damaged on disk, the rest is of use: %w", err)
}

func (s *Source) mark() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// Run saves the state after each change, at most once in Options.Every, again
// after Options.Retry where that was not possible, and once more when ctx ends.
func (s *Source) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			s.save()
			return nil
		case <-s.dirty:
		}
		pause := s.o.Every
		if !s.save() {
			pause = s.o.Retry
			s.mark()
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// save writes texts, then the root that names them, then drops what it does not
// name. Each step is on the disk for good before the next: else a loss of power
// could leave a root without its texts.
func (s *Source) save() bool {
	snap, ok := s.inner.Snapshot()
	if !ok || snap.Root.Head() == s.saved {
		return true
	}
	if err := s.write(snap); err != nil {
		s.o.Log.Error("the last-known-good state could not be saved; the one before stays", "error", err, "generation", snap.Root.Generation)
		return false
	}
	s.saved = snap.Root.Head()
	s.bad.Store(false)
	return true
}

func (s *Source) write(snap published.Snapshot) error {
	have, err := os.ReadDir(filepath.Join(s.o.Dir, "items"))
	if err != nil {
		return err
	}
	bad := s.bad.Load()
	there := make(map[string]bool, len(have))
	for _, e := range have {
		there[e.Name()] = true
	}
	for _, texts := range []map[string][]byte{snap.Texts, snap.Parts} {
		for sha, text := range texts {
			if bad || !there[sha] {
				if err := replace(filepath.Join(s.o.Dir, "items", sha), text); err != nil {
					return err
				}
			}
			delete(there, sha)
		}
	}
	if err := s.sync(filepath.Join(s.o.Dir, "items")); err != nil {
		return err
	}
	env, err := json.Marshal(snap.Envelope)
	if err != nil {
		return err
	}
	if err := replace(filepath.Join(s.o.Dir, "root.json"), env); err != nil {
		return err
	}
	if err := s.sync(s.o.Dir); err != nil {
		return err
	}
	for old := range there {
		if err := os.Remove(filepath.Join(s.o.Dir, "items", old)); err != nil {
			return err
		}
	}
	return nil
}

// load reads and checks the state on disk: signature, group, every hash. With a
// *publish.IncompleteError it returns what is good.
func (s *Source) load() (snap published.Snapshot, err error) {
	text, err := os.ReadFile(filepath.Join(s.o.Dir, "root.json"))
	if err != nil {
		return snap, err
	}
	if err := json.Unmarshal(text, &snap.Envelope); err != nil {
		return snap, fmt.Errorf("root.json: %w", err)
	}
	root, err := publish.Open(snap.Envelope, s.o.Keys, s.o.Group)
	if err != nil {
		return snap, err
	}
	snap.Root = root
	_, snap.Texts, snap.Parts, err = publish.Assemble(root, func(sha string) ([]byte, bool) {
		b, err := os.ReadFile(filepath.Join(s.o.Dir, "items", sha))
		return b, err == nil
	})
	return snap, err
}

// SaveSessions seals and writes what a gateway knows of its callers.
func (s *Source) SaveSessions(plain []byte) error {
	sealed, err := s.o.Keys.Seal(sealDomain, plain)
	if err != nil {
		return fmt.Errorf("sealing sessions: %w", err)
	}
	return replace(filepath.Join(s.o.Dir, "sessions"), sealed)
}

// LoadSessions returns what SaveSessions wrote; nil when there is nothing.
func (s *Source) LoadSessions() ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Join(s.o.Dir, "sessions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := s.o.Keys.Open(sealDomain, sealed)
	if err != nil {
		return nil, fmt.Errorf("the sessions on disk: %w", err)
	}
	return plain, nil
}

// replace writes a file so that it is there whole or not at all.
func replace(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// syncDir makes the renames in a folder survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
