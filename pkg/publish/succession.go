package publish

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// successionKey holds how the signing key came about. A dashboard whose key was
// replaced is told by it before it writes a root that newer dashboards would not sign.
const successionKey = "sluice:{cfg}:succession"

// Follow makes the writer's keys follow what other dashboards announced. Errors:
// publish.unavailable.
func (w *Writer) Follow(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	text, err := w.rdb.Get(ctx, successionKey).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return unavailable(err, "read the succession of signing keys")
	}
	w.keys.Follow(text)
	return nil
}

// Announce tells all dashboards of the writer's signing key: from now on they sign
// with it. Errors: publish.unavailable.
func (w *Writer) Announce(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := w.rdb.Set(ctx, successionKey, w.keys.Succession(), 0).Err(); err != nil {
		return unavailable(err, "announce the signing key")
	}
	return nil
}
