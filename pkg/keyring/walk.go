package keyring

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// walkCount is how many names Redis looks at for one answer.
const walkCount = 500

// Each calls f with every live entry in Redis, one at a time, in no order; one that
// moves meanwhile may come twice, and one that is forged or cannot be read is left
// out. It goes over all of Redis, so it is for rare work, such as bringing a store back
// from a backup. Errors: key.unavailable, and f's as they are.
func (r *Reader) Each(ctx context.Context, f func(Entry) error) error {
	if c, ok := r.rdb.(*redis.ClusterClient); ok {
		var one sync.Mutex // the masters are walked at the same time
		return c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error {
			return r.walk(ctx, m, func(e Entry) error {
				one.Lock()
				defer one.Unlock()
				return f(e)
			})
		})
	}
	return r.walk(ctx, r.rdb, f)
}

func (r *Reader) walk(ctx context.Context, rdb redis.Cmdable, f func(Entry) error) error {
	for cursor := uint64(0); ; {
		names, next, err := r.scan(ctx, rdb, cursor)
		if err != nil {
			return unavailable(err, "go over all keys")
		}
		for _, name := range names {
			hash := strings.TrimPrefix(name, entryPrefix)
			if !hashPattern.MatchString(hash) {
				continue
			}
			e, err := r.Get(ctx, hash)
			if fault.Is(err, "key.unavailable") {
				return err
			}
			if err != nil || e.Revoked {
				continue
			}
			if err := f(e); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (r *Reader) scan(ctx context.Context, rdb redis.Cmdable, cursor uint64) ([]string, uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return rdb.Scan(ctx, cursor, entryPrefix+"*", walkCount).Result()
}
