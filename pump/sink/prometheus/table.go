package prometheus

import (
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-gateway/sluice/pkg/rollup"
)

// table holds the series of metrics with the same labels: at most max, those that
// came first, until they are idle for too long. Sink.mu guards it.
type table struct {
	max      int
	idle     int64 // in nanoseconds, as all times here
	buckets  Buckets
	byKey    map[seriesKey]*series
	overflow *series // nil while nothing overflowed
	// overflowed counts what went there since the start.
	overflowed uint64
	swept      int64
}

// series is one combination of labels.
type series struct {
	pairs      []*dto.LabelPair // never changed, so scrapes share it
	born, used int64
	n          uint64
	dists      []dist // one per histogram; none for refusals
}

// dist is one histogram, in two forms: the bounds of one say nothing exact about
// those of the other.
type dist struct {
	h      rollup.Histogram
	bounds []float64
	in     []uint64 // per bound and, last, above them; not cumulated
}

func (d *dist) add(v float64) {
	d.h.Add(v)
	i := 0
	for i < len(d.bounds) && v > d.bounds[i] {
		i++
	}
	d.in[i]++
}

func newTable(maxSeries int, idle time.Duration, b Buckets) *table {
	return &table{max: maxSeries, idle: int64(idle), buckets: b, byKey: map[seriesKey]*series{}}
}

// find is the series of a key, made if there is room, else that of the overflow.
func (t *table) find(k seriesKey, l *labels, now int64) *series {
	s, ok := t.byKey[k]
	if !ok {
		// Texts that have to be cleaned never are in the table as they came.
		k = k.clean()
		s, ok = t.byKey[k]
	}
	switch {
	case ok:
	case len(t.byKey) < t.max-1:
		k = k.keep()
		s = t.newSeries(l.pairs(k), now)
		t.byKey[k] = s
	default:
		t.overflowed++
		if t.overflow == nil {
			t.overflow = t.newSeries(overflowPairs(), now)
		}
		s = t.overflow
	}
	s.used = now
	return s
}

func (t *table) newSeries(pairs []*dto.LabelPair, now int64) *series {
	s := &series{pairs: pairs, born: now}
	if len(t.buckets.Duration) > 0 {
		s.dists = make([]dist, histograms)
		for i := range s.dists {
			bounds := t.buckets.Duration
			if i >= requestSize {
				bounds = t.buckets.Size
			}
			s.dists[i] = dist{bounds: bounds, in: make([]uint64, len(bounds)+1)}
		}
	}
	return s
}

// sweepsPerIdle is how often expire looks within the time that makes a series idle.
const sweepsPerIdle = 60

// expire forgets idle series, now and then.
func (t *table) expire(now int64) {
	if now-t.swept < t.idle/sweepsPerIdle {
		return
	}
	t.swept = now
	for k, s := range t.byKey {
		if now-s.used >= t.idle {
			delete(t.byKey, k)
		}
	}
	if t.overflow != nil && now-t.overflow.used >= t.idle {
		t.overflow = nil
	}
}

// size is how many series there are.
func (t *table) size() int {
	if t.overflow != nil {
		return len(t.byKey) + 1
	}
	return len(t.byKey)
}
