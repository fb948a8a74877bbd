package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// mostPanics is how often a sink may panic on a batch that it gets alone.
const mostPanics = 5

// longestReason bounds what a dead letter says, in bytes.
const longestReason = 500

// rejected writes a dead letter for each batch that has records which the sink can
// never store, and tells how many. ok is false when the lane stops before it could.
func (l *lane) rejected(hard context.Context, j *job, r *sink.Reject) (records int, ok bool) {
	if r == nil {
		return 0, true
	}
	byBatch := map[*spool.Batch][]sink.Rejected{}
	for _, one := range r.Records {
		if one.Index < 0 || one.Index >= len(j.records) {
			l.d.log.Error("the sink rejected a record that it was not given", "index", one.Index, "records", len(j.records))
			continue
		}
		o := j.origins[one.Index]
		b := j.batches[o.batch]
		byBatch[b] = append(byBatch[b], sink.Rejected{Index: int(o.index), Reason: one.Reason})
	}
	for _, b := range j.batches {
		list := byBatch[b]
		if len(list) == 0 {
			continue
		}
		reason, indexes := summary(list)
		if !l.insist(hard, "dead letter", func() error { return l.reader.Reject(hard, b, reason, indexes) }) {
			return records, false
		}
		records += len(indexes)
		l.stats.rejected.Add(uint64(len(indexes)))
		l.d.log.Warn("records went to the dead letters", "shard", l.shard, "entry", b.Entry, "records", len(indexes), "reason", reason)
	}
	return records, true
}

// summary is a dead letter's reason and its records.
func summary(list []sink.Rejected) (reason string, indexes []int) {
	var reasons []string
	for _, one := range list {
		indexes = append(indexes, one.Index)
		if !slices.Contains(reasons, one.Reason) {
			reasons = append(reasons, one.Reason)
		}
	}
	slices.Sort(indexes)
	if n := len(reasons); n > 3 {
		reasons = append(reasons[:3], fmt.Sprintf("%d more reasons", n-3))
	}
	reason = strings.Join(reasons, "; ")
	if len(reason) > longestReason {
		reason = strings.ToValidUTF8(reason[:longestReason], "") + "…"
	}
	if reason == "" {
		reason = "the sink gave no reason"
	}
	return reason, slices.Compact(indexes)
}

// park sends a batch to the dead letters. False when the lane stops before.
func (l *lane) park(hard context.Context, b *spool.Batch, reason string) bool {
	if len(reason) > longestReason {
		reason = strings.ToValidUTF8(reason[:longestReason], "") + "…"
	}
	if !l.insist(hard, "dead letter", func() error { return l.reader.Park(hard, b, reason) }) {
		return false
	}
	l.settled([]*spool.Batch{b})
	l.stats.parked.Add(uint64(len(b.Records)))
	l.d.log.Error("a batch went to the dead letters", "shard", l.shard, "entry", b.Entry, "records", len(b.Records), "reason", reason)
	l.succeeded()
	return true
}
