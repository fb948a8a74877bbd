package spool

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// span are records of a start that a group has.
type span struct {
	start       string
	base, end   uint64
	first, last uint64 // microseconds
}

func (b *Batch) span() span {
	return span{b.Start.String(), b.Base, b.Base + uint64(b.Count), frame.Micros(b.First), frame.Micros(b.Last)}
}

// Release lets go of a batch that is another reader's now. It changes nothing in Redis.
func (r *Reader) Release(b *Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, b.Entry)
}

// orphaned remembers batches that the sink has and whose group is gone: Redis came back
// empty before they were acknowledged. Nobody will send them again.
func (r *Reader) orphaned(batches []*Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range batches {
		delete(r.held, b.Entry)
		if b.Seq > 0 && b.Count > 0 {
			r.orphans = append(r.orphans, b.span())
		}
	}
}

// relearn tells a group that was made anew what this reader knows of its earlier life.
// Another reader of the group may have made it, who knows less or more: what both say is
// put together.
func (r *Reader) relearn(ctx context.Context) error {
	r.mu.Lock()
	spans := r.orphans
	for start, position := range r.known {
		spans = append(spans, ranges(start, position)...)
	}
	count := len(r.orphans)
	r.mu.Unlock()
	const perCall = 100
	for len(spans) > 0 {
		some := spans[:min(perCall, len(spans))]
		spans = spans[len(some):]
		args := []any{r.o.Group, "", time.Now().UnixMilli(), "", r.o.DeadLetters} // no consumer: of an earlier life
		for _, s := range some {
			args = append(args, "0-1", s.start, s.base, s.end-s.base, s.first, s.last, "")
		}
		if err := r.ack.Run(ctx, r.rdb, []string{StreamKey(r.shard), positionsKey(r.shard), DeadKey(r.shard)}, args...).Err(); err != nil {
			return fmt.Errorf("tell the new group %s of shard %d what it has: %w", r.o.Group, r.shard, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orphans = r.orphans[count:]
	return nil
}

// ranges reads those of a position: "high;since;lost;from-to-first-last,...", see ack.lua.
func ranges(start, position string) (list []span) {
	parts := strings.SplitN(position, ";", 4)
	if len(parts) != 4 {
		return nil
	}
	for text := range strings.SplitSeq(parts[3], ",") {
		var n [4]uint64
		for i, s := range strings.SplitN(text, "-", 4) {
			n[i], _ = strconv.ParseUint(s, 10, 64)
		}
		if n[1] > n[0] {
			list = append(list, span{start, n[0], n[1], n[2], n[3]})
		}
	}
	return list
}
