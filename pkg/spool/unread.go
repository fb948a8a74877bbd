package spool

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"
)

//go:embed unread.lua
var unreadScript string

// Unread says that a delivery does not count, because this reader stops before it
// could do its work: restarts while a sink is down must not make batches look as if
// they killed their readers. They stay pending for this consumer's next life.
// Batches that are another reader's by now are left alone.
func (r *Reader) Unread(ctx context.Context, batches ...*Batch) error {
	if len(batches) == 0 {
		return nil
	}
	args := []any{r.o.Group, r.o.Consumer}
	for _, b := range batches {
		args = append(args, b.Entry)
	}
	if err := redis.NewScript(unreadScript).Run(ctx, r.rdb, []string{StreamKey(r.shard)}, args...).Err(); err != nil {
		return fmt.Errorf("give back %d batches of shard %d: %w", len(batches), r.shard, err)
	}
	return nil
}
