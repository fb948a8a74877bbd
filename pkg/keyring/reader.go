package keyring

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Reader is the gateway's end. Safe for concurrent use.
type Reader struct {
	rdb    redis.UniversalClient
	keys   *trust.Keys
	forged atomic.Int64
	seen   atomic.Int64 // the highest watermark, Unix nanoseconds
}

// NewReader makes a reader.
func NewReader(rdb redis.UniversalClient, k *trust.Keys) *Reader { return &Reader{rdb: rdb, keys: k} }

// Get looks an entry up. An error that is ErrUnknown is a fact: no such key.
// Every other error (codes key.unavailable, key.forged, key.malformed) means
// that the key cannot be judged now.
func (r *Reader) Get(ctx context.Context, hash string) (Entry, error) {
	if !hashPattern.MatchString(hash) {
		return Entry{}, unknown()
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := r.rdb.HMGet(ctx, entryPrefix+hash, "v", "p", "m").Result()
	if err != nil {
		return Entry{}, unavailable(err, "look a key up")
	}
	var f [3]string
	absent := 0
	for i := range f {
		var ok bool
		if f[i], ok = v[i].(string); !ok {
			absent++
		}
	}
	if absent == len(f) {
		return Entry{}, unknown()
	}
	version, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		version = 0 // fails the check of the MAC
	}
	e, err := decode(r.keys, hash, version, []byte(f[1]), []byte(f[2]))
	if errors.Is(err, ErrForged) {
		r.forged.Add(1)
	}
	return e, err
}

func unknown() error {
	return fault.Wrap(ErrUnknown, fault.NotFound, "key.unknown", "no such key")
}

// Stats counts what a reader met since it was made.
type Stats struct {
	Forged int64 // entries with a wrong MAC
}

// Stats returns the counters.
func (r *Reader) Stats() Stats { return Stats{Forged: r.forged.Load()} }

// Complete tells whether Redis holds every key of the store: it does not after
// it was emptied or put back to an older copy than this reader has seen, until a
// dashboard has written what is missing. While it does not, an unknown key is no
// fact. Ask now and then also without a question about a key: only what was seen
// can be missed. Errors: key.unavailable.
func (r *Reader) Complete(ctx context.Context) (bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	seen := r.seen.Load() // before: the watermark rises meanwhile
	text, err := r.rdb.Get(ctx, watermarkKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, unavailable(err, "look for the watermark")
	}
	at := parseWatermark(r.keys, text)
	if at.IsZero() || at.UnixNano() < seen {
		return false, nil
	}
	r.Remember(at)
	return true, nil
}

// Seen is the highest watermark that Complete has met; zero before the first.
func (r *Reader) Seen() time.Time {
	if n := r.seen.Load(); n > 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

// Remember makes the reader expect at least a watermark that was seen before, such
// as by the process before this one. A lower one than it expects changes nothing.
func (r *Reader) Remember(seen time.Time) {
	if seen.IsZero() {
		return
	}
	for n := seen.UnixNano(); ; {
		have := r.seen.Load()
		if n <= have || r.seen.CompareAndSwap(have, n) {
			return
		}
	}
}
