package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Into says where a backup is restored to. All are required but Ring and Now.
type Into struct {
	Store   Target
	Marks   publish.Marks // of the same store, as the next
	Keys    keys.Store
	KeyDir  string // the folder of the platform's key files
	Replace bool   // also where there is something already
	// Ring gives the entries of keys in Redis, read with the keys of the backup; see
	// keyring.NewReader. nil: Redis is not asked.
	Ring func(k *trust.Keys) Ring
	Now  func() time.Time // default: time.Now
}

// Ring is what gateways see of keys; keyring.Reader.
type Ring interface {
	Get(ctx context.Context, hash string) (keyring.Entry, error)
	Each(ctx context.Context, f func(keyring.Entry) error) error
}

// Restored is what a restore led to.
type Restored struct {
	Summary
	Epoch int64 `json:"epoch"` // the new one
	// Revoked is how many keys are revoked in Redis, but were not in the backup; they
	// are revoked now.
	Revoked int `json:"revoked"`
	// Adopted is how many keys or further secrets of keys were made after the backup:
	// gateways know them from Redis, and now the store has them too.
	Adopted int `json:"adopted"`
	// Unasked says why Redis was not, or not to the end, asked which keys were revoked
	// or made after the backup; nil when it was.
	Unasked error `json:"-"`
	// KeptKeys is the folder that the key files which were there before lie in now;
	// "" when there were none or the same ones.
	KeptKeys string `json:"keptKeys,omitempty"`
}

// maxSkew is how far the clock may be behind that of the backup.
const maxSkew = 2 * time.Minute

// Restore reads a backup into a store. open opens the file from its beginning; it is
// called twice or more, since the whole file is checked before anything is touched.
// No dashboard may be running on the store.
//
// The new signing epoch is higher than that of the backup and of the store, and at
// least the time in Unix milliseconds: so it is higher than any that gateways have seen,
// also where a store was restored before and lost since. Every key's version is raised
// to the time in Unix milliseconds at least, for the same reason: its entry wins over
// the one in Redis. A tombstone there wins over it all the same, and a key that has
// one is restored as revoked. A key that only Redis knows, since it was made after the
// backup, is taken over from there: gateways accept it, so it must be seen and revoked.
//
// Errors: those of Read; ErrNotEmpty, also for key files that are not those of the
// backup; ErrUnfinished when the store is neither what it was nor complete, until a
// restore with Replace succeeds. After any other error the store is as it was.
func Restore(ctx context.Context, open func() (io.ReadCloser, error), passphrase string, into Into) (Restored, error) {
	if into.Now == nil {
		into.Now = time.Now
	}
	held, err := readFile(ctx, open, passphrase, nil)
	if err != nil {
		return Restored{}, err
	}
	now := into.Now().UTC().Truncate(time.Millisecond)
	if now.Before(held.CreatedAt.Add(-maxSkew)) {
		return Restored{}, fmt.Errorf("this machine's clock says %s, but the backup is of %s: set the clock right first, since the new signing epoch is made from the time",
			now.Format(time.RFC3339), held.CreatedAt.Format(time.RFC3339))
	}
	folder, err := openKeyFolder(into.KeyDir, held.KeyFiles)
	if err != nil {
		return Restored{}, err
	}
	if err := into.admit(ctx, folder); err != nil {
		return Restored{}, err
	}
	epoch, err := into.epoch(ctx, held.Epoch, now)
	if err != nil {
		return Restored{}, err
	}
	trusted, err := folder.stage()
	if err != nil {
		return Restored{}, errors.Join(err, folder.drop())
	}
	w := &filler{now: now}
	if into.Ring != nil {
		w.ring = into.Ring(trusted)
	}
	err = into.Store.Fill(ctx, map[string]int64{markEpoch: epoch, markBegun: epoch}, func(put func(Batch) error) error {
		w.begin()
		_, err := readFile(ctx, open, passphrase, func(b Batch) error { return w.put(ctx, b, put) })
		return err
	})
	if errors.Is(err, ErrUnfinished) {
		return Restored{}, errors.Join(fmt.Errorf("%d of %d revisions, %d of %d keys and %d of %d users were written, and no dashboard starts on this: run sluice-dashboard restore FILE --replace again: %w",
			w.written.Revisions, held.Revisions, w.written.Keys, held.Keys, w.written.Users, held.Users, err), folder.drop())
	}
	if err != nil {
		return Restored{}, errors.Join(err, folder.drop())
	}
	out := Restored{Summary: held.Summary, Epoch: epoch}
	if err := w.adopt(ctx, into.Keys); err != nil {
		return out, fmt.Errorf("the store is restored, but not the keys that were made after the backup, and no dashboard starts on this: run sluice-dashboard restore FILE --replace again: %w: %w", ErrUnfinished, err)
	}
	out.Revoked, out.Adopted, out.Unasked = len(w.revoked), w.adopted, w.unknown
	if out.KeptKeys, err = folder.swap(now); err != nil {
		return out, fmt.Errorf("the store is restored, but not the key files in %s, and no dashboard starts on this: run sluice-dashboard restore FILE --replace again: %w: %w", into.KeyDir, ErrUnfinished, err)
	}
	if err := into.Marks.Raise(ctx, markDone, epoch); err != nil {
		return out, fmt.Errorf("everything is restored, but that could not be noted: run sluice-dashboard restore FILE --replace again: %w: %w", ErrUnfinished, err)
	}
	return out, nil
}

func readFile(ctx context.Context, open func() (io.ReadCloser, error), passphrase string, f func(Batch) error) (c Contained, err error) {
	file, err := open()
	if err != nil {
		return Contained{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return Read(ctx, file, passphrase, f)
}

// admit refuses to write over what is there.
func (into Into) admit(ctx context.Context, folder *keyFolder) error {
	if into.Replace {
		return nil
	}
	if err := Ready(ctx, into.Marks); err != nil {
		return err
	}
	empty, err := into.Store.Empty(ctx)
	if err != nil {
		return fmt.Errorf("looking whether the store is empty: %w", err)
	}
	if !empty {
		return fmt.Errorf("%w: stop all dashboards and use --replace to put the backup in the place of everything that it holds", ErrNotEmpty)
	}
	if folder.other() {
		return fmt.Errorf("%w: %s holds keys that are not those of the backup; use --replace to put them aside", ErrNotEmpty, folder.dir)
	}
	return nil
}

func (into Into) epoch(ctx context.Context, held int64, now time.Time) (int64, error) {
	epoch := max(held+1, now.UnixMilli())
	for _, name := range []string{markEpoch, markBegun} {
		v, err := into.Marks.Mark(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("reading the store's signing epoch: %w", err)
		}
		epoch = max(epoch, v+1)
	}
	return epoch, nil
}
