package prometheus

import (
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// The histograms that a series of calls has.
const (
	serverDuration = iota
	clientDuration
	overhead
	requestSize
	responseSize
	histograms
)

// count adds records under one lock, so that a scrape sees each of them in all
// metrics or in none.
func (s *Sink) count(records []record.Entry) {
	now := s.now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.expire(now)
	s.refusals.expire(now)
	for i := range records {
		e := &records[i]
		if !s.counted.first(e.ID) {
			continue
		}
		k := s.labels.of(e)
		s.calls.find(k, &s.labels, now).add(&e.Record)
		if e.Refusal != "" {
			k.reason = reasonOf(e.Refusal, e.Flags)
			s.refusals.find(k, &s.labels, now).n++
		}
	}
}

// add counts one call.
func (s *series) add(r *record.Record) {
	s.n++
	d := s.dists
	d[serverDuration].add(seconds(r.Total))
	if r.Attempts > 0 || r.Upstream > 0 {
		d[clientDuration].add(seconds(r.Upstream))
	}
	// The life of a websocket is not time that the gateway took.
	if !r.Flags.Has(record.Upgraded) {
		d[overhead].add(seconds(r.Total - r.Upstream))
	}
	d[requestSize].add(float64(max(r.BytesIn, 0)))
	d[responseSize].add(float64(max(r.BytesOut, 0)))
}

// seconds divides, since multiplying by 1e-9 would put 5 ms above the bound 0.005.
func seconds(d time.Duration) float64 { return float64(max(d, 0)) / 1e9 }
