package fleet

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

//go:embed beat.lua
var beatScript string

// Writer is a node's end. Safe for concurrent use.
type Writer struct {
	rdb    redis.UniversalClient
	keys   *trust.Keys
	beat   *redis.Script
	offset atomic.Int64 // nanoseconds that the clock of Redis is ahead
}

// NewWriter makes a writer.
func NewWriter(rdb redis.UniversalClient, k *trust.Keys) *Writer {
	return &Writer{rdb: rdb, keys: k, beat: redis.NewScript(beatScript)}
}

// Beat writes a beat. A zero At becomes now; a zero ClockOffset becomes what the
// beat before measured. Errors are faults: fleet.invalid, fleet.unavailable.
func (w *Writer) Beat(ctx context.Context, b Beat) error {
	if !nodePattern.MatchString(b.Node) {
		return fault.New(fault.Unprocessable, "fleet.invalid",
			"the node id %q is not 1 to 64 letters, digits, dots, underscores or hyphens; remove it from the data folder to get a new one", b.Node)
	}
	sent := time.Now()
	if b.At.IsZero() {
		b.At = sent.UTC()
	}
	if b.ClockOffset == 0 {
		b.ClockOffset = w.ClockOffset()
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode a beat: %w", err)
	}
	if len(text) > maxBeat {
		return fault.New(fault.TooLarge, "fleet.invalid", "a beat of %d bytes is longer than %d; report fewer rejected objects", len(text), maxBeat)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	millis, err := w.beat.Run(ctx, w.rdb, []string{nodesKey, nodePrefix + b.Node},
		b.Node, text, w.keys.MAC(beatDomain, []byte(b.Node), text), ForgetAfter.Milliseconds()).Int64()
	if err != nil {
		return unavailable(err, "write a beat")
	}
	middle := sent.Add(time.Since(sent) / 2)
	w.offset.Store(int64(time.UnixMilli(millis).Sub(middle)))
	return nil
}

// ClockOffset is how far the clock of Redis was ahead of this host's at the last
// beat; half a round trip is the error.
func (w *Writer) ClockOffset() time.Duration {
	return time.Duration(w.offset.Load()).Round(time.Millisecond)
}

// Leave removes a node that stops for good, so that it does not show as offline.
func (w *Writer) Leave(ctx context.Context, node string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := w.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRem(ctx, nodesKey, node)
		p.Del(ctx, nodePrefix+node)
		return nil
	})
	if err != nil {
		return unavailable(err, "leave the fleet")
	}
	return nil
}
