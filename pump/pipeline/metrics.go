package pipeline

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metric names, in the order of the constants below.
type descriptions struct {
	read, written, skipped, failed, dead, unreadable, taken, clamped   *prometheus.Desc
	lagEntries, lagSeconds, pending, bytes, gaps, provisional, evicted *prometheus.Desc
}

func describe() descriptions {
	lane, perSink := []string{"sink", "shard"}, []string{"sink"}
	d := func(name, help string, labels []string) *prometheus.Desc {
		return prometheus.NewDesc("sluice_pump_"+name, help, labels, nil)
	}
	return descriptions{
		read:        d("records_read_total", "Records that were read from the streams, once per delivery.", lane),
		written:     d("records_written_total", "Records that the sink confirmed.", lane),
		skipped:     d("records_skipped_total", "Records that the sink's filter or sample left out.", lane),
		failed:      d("records_failed_total", "Records of writes that failed, once per attempt.", lane),
		dead:        d("records_dead_total", "Records that went to the dead letters: the sink can never store them, or panicked on their batch.", lane),
		unreadable:  d("decode_errors_total", "Stream entries that went to the dead letters because they cannot be read or came too often.", lane),
		taken:       d("batches_taken_total", "Batches that another pump took over because this one was silent for too long.", lane),
		clamped:     d("records_clamped_total", "Records whose time was more than 5 minutes after their arrival, and was set to it.", lane),
		lagEntries:  d("lag_entries", "Stream entries that the sink does not have yet, beyond 1000 about.", lane),
		lagSeconds:  d("lag_seconds", "Age of the oldest stream entry that the sink does not have yet.", lane),
		pending:     d("pending", "Stream entries that pumps have and did not settle.", lane),
		bytes:       d("stream_bytes", "Bytes in the stream. Of the pump that trims it.", []string{"shard"}),
		gaps:        d("sequence_gap_records_total", "Records that the sink did not get and will not, by the start of the gateway that made them.", []string{"sink", "start"}),
		provisional: d("provisional_gap_records", "Records that the sink did not get yet although later ones came.", perSink),
		evicted:     d("trim_evicted_total", "Records that were taken from a stream before the sink had them, to keep the budget. Of the pump that trims.", perSink),
	}
}

func newSeconds() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_pump_sink_write_seconds", Help: "Duration of one write of a sink, failed ones included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"sink"})
}

// Describe is of prometheus.Collector. It tells nothing: which metrics there are
// depends on the sinks.
func (p *Pipeline) Describe(chan<- *prometheus.Desc) {}

// Collect is of prometheus.Collector.
func (p *Pipeline) Collect(out chan<- prometheus.Metric) {
	m := describe()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := p.State()
	for i, d := range p.sinks {
		provisional := uint64(0)
		for _, l := range s.Sinks[i].Shards {
			shard := strconv.Itoa(l.Shard)
			counter(m.read, l.Read, d.Name, shard)
			counter(m.written, l.Written, d.Name, shard)
			counter(m.skipped, l.Skipped+l.Sampled, d.Name, shard)
			counter(m.failed, l.Failed, d.Name, shard)
			counter(m.dead, l.Rejected+l.Parked, d.Name, shard)
			counter(m.unreadable, l.Unreadable, d.Name, shard)
			counter(m.taken, l.Taken, d.Name, shard)
			counter(m.clamped, l.Clamped, d.Name, shard)
			if l.LocatedAt.IsZero() {
				continue
			}
			gauge(m.lagEntries, float64(l.LagEntries), d.Name, shard)
			gauge(m.lagSeconds, l.LagSeconds, d.Name, shard)
			gauge(m.pending, float64(l.Pending), d.Name, shard)
			for _, g := range l.Gaps {
				if g.Provisional {
					provisional += g.Records
				}
			}
		}
		d.mu.Lock()
		for start, n := range d.gaps {
			counter(m.gaps, n, d.Name, start)
		}
		d.mu.Unlock()
		gauge(m.provisional, float64(provisional), d.Name)
		counter(m.evicted, uint64(s.Sinks[i].Evicted), d.Name)
	}
	for _, sh := range s.Shards {
		gauge(m.bytes, float64(sh.Bytes), strconv.Itoa(sh.Shard))
	}
	p.seconds.Collect(out)
}
