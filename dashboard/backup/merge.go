package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
)

// filler changes batches on their way into the store.
type filler struct {
	ring    Ring // nil: nobody is asked
	now     time.Time
	written Counts
	revoked map[string]bool // ids
	adopted int
	unknown error // why Redis is not asked any more
}

func (w *filler) begin() {
	w.written, w.revoked, w.unknown = Counts{}, map[string]bool{}, nil
	if w.ring == nil {
		w.unknown = errors.New("nobody asked Redis")
	}
}

func (w *filler) put(ctx context.Context, b Batch, put func(Batch) error) error {
	if err := w.keys(ctx, b.Keys); err != nil {
		return err
	}
	if err := put(b); err != nil {
		return err
	}
	w.written.Revisions += int64(len(b.Revisions))
	w.written.Keys += int64(len(b.Keys))
	w.written.Users += int64(len(b.Users))
	return nil
}

// keys raises versions and takes over revocations. Without Redis it goes on: then
// the tombstones there, if any are left, refuse those keys.
func (w *filler) keys(ctx context.Context, list []keys.Stored) error {
	var hashes []string
	for i := range list {
		k := &list[i].Key
		k.Version = max(k.Version+1, w.now.UnixMilli())
		if k.State != access.KeyRevoked {
			hashes = append(hashes, list[i].Hashes...)
		}
	}
	if w.unknown != nil || len(hashes) == 0 {
		return nil
	}
	dead, known := map[string]bool{}, map[string]int64{}
	for _, hash := range hashes {
		e, err := w.ring.Get(ctx, hash)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.Is(err, "key.unavailable") {
			w.unknown = err
			return nil
		}
		if err == nil { // what is forged or not there says nothing
			dead[hash], known[hash] = e.Revoked, e.Version
		}
	}
	for i := range list {
		k := &list[i].Key
		for _, hash := range list[i].Hashes {
			k.Version = max(k.Version, known[hash]+1)
		}
		if k.State == access.KeyRevoked || !slices.ContainsFunc(list[i].Hashes, func(h string) bool { return dead[h] }) {
			continue
		}
		alive := slices.DeleteFunc(slices.Clone(list[i].Hashes), func(h string) bool { return dead[h] })
		if len(alive) > 0 { // a rotation ended: one secret is out of use, the key is not
			list[i].Hashes = alive
			continue
		}
		k.State, k.UpdatedAt = access.KeyRevoked, w.now
		w.revoked[k.ID] = true
	}
	return nil
}

// adopt takes over what gateways know of keys and the store does not. Without Redis
// it does nothing.
func (w *filler) adopt(ctx context.Context, store keys.Store) error {
	if w.unknown != nil {
		return nil
	}
	err := w.ring.Each(ctx, func(e keyring.Entry) error {
		have, err := store.Get(ctx, e.Key.Org, e.Key.ID)
		switch was := have.Key.Version; {
		case errors.Is(err, keys.ErrNotFound):
			have = keys.Stored{Key: e.Key, Hashes: []string{e.Hash}}
			have.Key.Version = max(e.Version+1, w.now.UnixMilli())
			err = store.Insert(ctx, have)
		case err == nil && slices.Contains(have.Hashes, e.Hash):
			return nil
		case err == nil: // a further secret of the key
			have.Hashes = append(have.Hashes, e.Hash)
			have.Key.Version = max(was+1, e.Version+1)
			err = store.Replace(ctx, have, was)
		}
		if errors.Is(err, keys.ErrTaken) { // the store gave this secret to another key
			return nil
		}
		if err == nil {
			w.adopted++
		}
		return err
	})
	if fault.Is(err, "key.unavailable") {
		w.unknown = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("taking keys over from Redis: %w", err)
	}
	return nil
}
