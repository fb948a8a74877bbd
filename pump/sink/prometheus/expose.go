package prometheus

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluice-gateway/sluice/pkg/rollup"
)

// The native histograms: schema 3 as it is counted, coarser where more than
// maxNative buckets are in use.
const (
	nativeSchema  = 3
	maxNative     = 160
	zeroThreshold = 0x1p-128 // what client libraries use
)

// copied is a series as it was under the lock, with memory that scrapes reuse.
type copied struct {
	refusal bool
	series  series
}

// Gather is one scrape: all metrics as they were at one moment.
func (s *Sink) Gather() ([]*dto.MetricFamily, error) {
	s.scrape.Lock()
	defer s.scrape.Unlock()
	overflowed, sizes := s.snapshot()
	slices.SortFunc(s.copies, func(a, b copied) int { return comparePairs(a.series.pairs, b.series.pairs) })
	histogram := func(name, help string, which int) *dto.MetricFamily {
		f := family(name, help, dto.MetricType_HISTOGRAM)
		for i := range s.copies {
			if c := &s.copies[i]; !c.refusal && c.series.dists[which].h.Count() > 0 {
				f.Metric = append(f.Metric, &dto.Metric{Label: c.series.pairs, Histogram: c.series.dists[which].expose(c.series.born)})
			}
		}
		return f
	}
	counter := func(name, help string, refusals bool) *dto.MetricFamily {
		f := family(name, help, dto.MetricType_COUNTER)
		for i := range s.copies {
			if c := &s.copies[i]; c.refusal == refusals {
				n := float64(c.series.n)
				f.Metric = append(f.Metric, &dto.Metric{Label: c.series.pairs, Counter: &dto.Counter{Value: &n, CreatedTimestamp: timestamp(c.series.born)}})
			}
		}
		return f
	}
	all := []*dto.MetricFamily{
		histogram("http_client_request_duration_seconds", "Time until the upstream's response began, of calls that were sent to one.", clientDuration),
		histogram("http_server_request_body_size_bytes", "Size of the request's body.", requestSize),
		histogram("http_server_request_duration_seconds", "Time from the request's head to the last byte of the response.", serverDuration),
		histogram("http_server_response_body_size_bytes", "Size of the response's body.", responseSize),
		histogram("sluice_gateway_overhead_seconds", "Time of a call less the wait for the upstream's response.", overhead),
		own("sluice_pump_prometheus_overflowed_records_total", "Records counted with the label overflow, for lack of room.", dto.MetricType_COUNTER, overflowed),
		own("sluice_pump_prometheus_series", "Combinations of labels in use.", dto.MetricType_GAUGE, sizes),
		counter("sluice_rejected_requests_total", "Calls that the gateway answered with an error of its own, by reason.", true),
		counter("sluice_requests_total", "Calls.", false),
	}
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return len(f.Metric) == 0 }), nil
}

// snapshot copies all series under the lock, and gives the figures of the two
// tables: calls, then refusals.
func (s *Sink) snapshot() (overflowed, sizes [2]float64) {
	now := s.now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i, t := range []*table{s.calls, s.refusals} {
		t.expire(now)
		overflowed[i], sizes[i] = float64(t.overflowed), float64(t.size())
		one := func(from *series) {
			if n == len(s.copies) {
				s.copies = append(s.copies, copied{})
			}
			s.copies[n].refusal = t == s.refusals
			from.copyTo(&s.copies[n].series)
			n++
		}
		for _, from := range t.byKey {
			one(from)
		}
		if t.overflow != nil {
			one(t.overflow)
		}
	}
	clear(s.copies[n:]) // what expired is not kept for later
	s.copies = s.copies[:n]
	return overflowed, sizes
}

// copyTo makes o equal to s and reuses o's memory.
func (s *series) copyTo(o *series) {
	dists := o.dists
	*o = *s
	if len(dists) < len(s.dists) {
		dists = make([]dist, len(s.dists))
	}
	o.dists = dists
	for i := range s.dists {
		from, to := &s.dists[i], &dists[i]
		from.h.CopyTo(&to.h)
		to.bounds, to.in = from.bounds, append(to.in[:0], from.in...)
	}
}

func comparePairs(a, b []*dto.LabelPair) int {
	return slices.CompareFunc(a, b, func(x, y *dto.LabelPair) int {
		return cmp.Or(strings.Compare(x.GetName(), y.GetName()), strings.Compare(x.GetValue(), y.GetValue()))
	})
}

func family(name, help string, t dto.MetricType) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: &help, Type: &t}
}

// own is a metric about the two tables.
func own(name, help string, t dto.MetricType, values [2]float64) *dto.MetricFamily {
	f := family(name, help, t)
	label := "metric"
	for i, of := range []string{"requests", "rejected_requests"} {
		m := &dto.Metric{Label: []*dto.LabelPair{{Name: &label, Value: &of}}}
		if t == dto.MetricType_COUNTER {
			m.Counter = &dto.Counter{Value: &values[i]}
		} else {
			m.Gauge = &dto.Gauge{Value: &values[i]}
		}
		f.Metric = append(f.Metric, m)
	}
	return f
}

func timestamp(nanos int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(0, nanos)) }

// expose is a histogram in both forms: scrapers take the native one if they know it.
func (d *dist) expose(born int64) *dto.Histogram {
	n, sum, zero, threshold := d.h.Count(), d.h.Sum(), d.h.Zero(), float64(zeroThreshold)
	h := &dto.Histogram{
		SampleCount: &n, SampleSum: &sum, CreatedTimestamp: timestamp(born),
		Bucket:    make([]*dto.Bucket, len(d.bounds)),
		ZeroCount: &zero, ZeroThreshold: &threshold,
	}
	cumulated, buckets := make([]uint64, len(d.bounds)), make([]dto.Bucket, len(d.bounds))
	below := uint64(0)
	for i := range d.bounds {
		below += d.in[i]
		cumulated[i] = below
		buckets[i].CumulativeCount, buckets[i].UpperBound = &cumulated[i], &d.bounds[i]
		h.Bucket[i] = &buckets[i]
	}
	native(h, &d.h)
	return h
}

// native adds the spans of the native form. Their indexes are rollup's plus one; at
// each coarser schema two neighbours are one.
func native(out *dto.Histogram, h *rollup.Histogram) {
	for schema := int32(nativeSchema); ; schema-- {
		out.PositiveSpan, out.PositiveDelta = nil, nil
		last, used, count, before := int32(math.MinInt32), 0, int64(0), int64(0)
		flush := func() {
			if used > 0 {
				out.PositiveDelta = append(out.PositiveDelta, count-before)
				before = count
			}
		}
		for i, n := range h.Buckets() {
			shift := nativeSchema - schema
			at := (int32(i) + 1 + 1<<shift - 1) >> shift
			if at == last {
				count += int64(n)
				continue
			}
			flush()
			used++
			count = int64(n)
			out.PositiveSpan = extend(out.PositiveSpan, at, last)
			last = at
		}
		flush()
		out.Schema = &schema
		if used <= maxNative || schema == 0 {
			break
		}
	}
	if len(out.PositiveSpan) == 0 && out.GetZeroCount() == 0 {
		none := int32(0)
		length := uint32(0)
		out.PositiveSpan = []*dto.BucketSpan{{Offset: &none, Length: &length}} // says that it is native
	}
}

// extend adds the bucket at to the spans that end with the bucket last.
func extend(spans []*dto.BucketSpan, at, last int32) []*dto.BucketSpan {
	if len(spans) > 0 && at == last+1 {
		*spans[len(spans)-1].Length++
		return spans
	}
	offset, length := at, uint32(1)
	if len(spans) > 0 {
		offset = at - last - 1
	}
	return append(spans, &dto.BucketSpan{Offset: &offset, Length: &length})
}
