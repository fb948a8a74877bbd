package keyring

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Reader is the gateway's end. Safe for concurrent use.
type Reader struct {
	rdb    redis.UniversalClient
	keys   *trust.Keys
	forged atomic.Int64
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
