package app

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway/serve"
	"github.com/sluice-gateway/sluice/pkg/spool"
)

// collector turns the gateway's own counts into Prometheus metrics when it is
// scraped, so that the path of a request pays a few atomic additions and no more.
type collector struct {
	a        *App
	counters *serve.Counters

	requests, latency, bytes, aborted, conns, floods, frames, malformed, keys, generation, apis, rejected *prometheus.Desc
}

var _ prometheus.Collector = (*collector)(nil)

func newCollector(a *App, c *serve.Counters) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sluice_gateway_"+name, help, labels, nil)
	}
	return &collector{
		a: a, counters: c,
		requests:   d("requests_total", "Requests answered, by status; 499 are clients that went away.", "status"),
		latency:    d("request_duration_seconds", "From the head of a request to the last byte of its response."),
		bytes:      d("response_bytes_total", "Bytes of response bodies."),
		aborted:    d("responses_aborted_total", "Responses that were cut short."),
		conns:      d("connections", "Client connections, by state.", "state"),
		floods:     d("http2_floods_total", "HTTP/2 connections that were ended because of a flood of frames."),
		frames:     d("http2_errors_total", "Errors of HTTP/2 streams and connections that clients made."),
		malformed:  d("requests_malformed_total", "Requests that the engine refused before they reached an API, by code.", "code"),
		keys:       d("key_lookups_total", "Key look-ups, by where the answer came from.", "answer"),
		generation: d("generation", "Generation of the configuration in use."),
		apis:       d("apis", "APIs that are routed."),
		rejected:   d("rejected_objects", "Published objects that this gateway could not take."),
	}
}

// Describe sends the descriptors.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.latency, c.bytes, c.aborted, c.conns, c.floods, c.frames, c.malformed, c.keys, c.generation, c.apis, c.rejected} {
		out <- d
	}
}

// Collect reads the counts.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	n := c.counters.Read()
	for status, count := range n.Status {
		counter(c.requests, float64(count), strconv.Itoa(status))
	}
	buckets := map[float64]uint64{}
	for bound, count := range n.Latency {
		buckets[bound.Seconds()] = count
	}
	out <- prometheus.MustNewConstHistogram(c.latency, n.Total, n.Sum.Seconds(), buckets)
	counter(c.bytes, float64(n.Bytes))
	counter(c.aborted, float64(n.Aborted))
	w := c.a.engines.work()
	open := c.a.connections()
	idle := min(open, w.idle)
	gauge(c.conns, float64(idle), "idle")
	gauge(c.conns, float64(open-idle), "active")
	counter(c.floods, float64(w.floods))
	counter(c.frames, float64(w.errors))
	for code, n := range w.refused {
		counter(c.malformed, float64(n), code)
	}
	k := c.a.sessions.Stats()
	counter(c.keys, float64(k.Hits), "cache")
	counter(c.keys, float64(k.Misses), "redis")
	counter(c.keys, float64(k.Stale), "stale")
	counter(c.keys, float64(k.Unavailable), "unavailable")
	rep := c.a.world.Report()
	gauge(c.generation, float64(rep.Generation))
	gauge(c.apis, float64(rep.APIs))
	gauge(c.rejected, float64(len(rep.Rejected)))
}

// frontCollector tells of listeners and certificates.
type frontCollector struct {
	a *App

	accepted, open, turned, handshakes, expiry, unusable *prometheus.Desc
}

var _ prometheus.Collector = (*frontCollector)(nil)

func newFrontCollector(a *App) *frontCollector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sluice_gateway_"+name, help, labels, nil)
	}
	return &frontCollector{
		a:          a,
		accepted:   d("listener_accepted_total", "Connections accepted, by listener.", "listener"),
		open:       d("listener_connections", "Open connections, by listener.", "listener"),
		turned:     d("listener_turned_away_total", "Connections that ended before a protocol had them, by listener and reason: limit, untrusted, proxy_header, handshake, plain.", "listener", "reason"),
		handshakes: d("tls_resumed_total", "TLS sessions that continued an earlier one, by listener.", "listener"),
		expiry:     d("certificate_not_after_seconds", "When a certificate ends, or the first of a bundle, in seconds since 1970.", "name"),
		unusable:   d("certificates_unusable", "Files of certificates that cannot be used now."),
	}
}

// Describe sends the descriptors.
func (c *frontCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.accepted, c.open, c.turned, c.handshakes, c.expiry, c.unusable} {
		out <- d
	}
}

// Collect reads the counts.
func (c *frontCollector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for _, f := range c.a.fronts {
		s, name := f.Stats(), f.Name()
		send(c.accepted, prometheus.CounterValue, float64(s.Accepted), name)
		send(c.open, prometheus.GaugeValue, float64(s.Open), name)
		for reason, n := range map[string]uint64{
			"limit": s.Rejected, "untrusted": s.Untrusted, "proxy_header": s.Malformed, "handshake": s.Handshakes - s.Plain, "plain": s.Plain,
		} {
			send(c.turned, prometheus.CounterValue, float64(n), name, reason)
		}
		send(c.handshakes, prometheus.CounterValue, float64(s.Resumed), name)
	}
	for _, e := range c.a.certs.Expiries() {
		send(c.expiry, prometheus.GaugeValue, float64(e.NotAfter.Unix()), e.Name)
	}
	send(c.unusable, prometheus.GaugeValue, float64(len(c.a.certs.Problems())))
}

// durations are bucket bounds given in seconds.
func durations(seconds []float64) []time.Duration {
	out := make([]time.Duration, len(seconds))
	for i, s := range seconds {
		out[i] = time.Duration(s * float64(time.Second))
	}
	return out
}

// recordsCollector tells how the records of calls fare.
type recordsCollector struct {
	spool *spool.Producer

	records, sent, dropped, batches, repeated, spilled, refused, disk, streams, redis, volatile *prometheus.Desc
}

var _ prometheus.Collector = (*recordsCollector)(nil)

func newRecordsCollector(p *spool.Producer) *recordsCollector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sluice_gateway_"+name, help, labels, nil)
	}
	return &recordsCollector{
		spool:    p,
		records:  d("records_total", "Records of calls that were taken."),
		sent:     d("sent_records_total", "Records that Redis acknowledged, those of earlier starts included."),
		dropped:  d("dropped_records_total", "Records that were dropped, by reason.", "reason"),
		batches:  d("sent_batches_total", "Batches of records that Redis acknowledged."),
		repeated: d("repeated_batches_total", "Batches that Redis had already when they were sent once more."),
		spilled:  d("spilled_batches_total", "Batches of records that went over the disk."),
		refused:  d("spool_budget_refusals_total", "Attempts to ship records that found a stream's budget used."),
		disk:     d("spool_disk_bytes", "Records that wait on disk for Redis."),
		streams:  d("spool_stream_bytes", "What the streams in Redis held when this gateway last wrote to them."),
		redis:    d("spool_redis_up", "Whether Redis took the last batch of records."),
		volatile: d("spool_volatile", "Whether open batches are lost by a crash, because the disk has no room for them."),
	}
}

// Describe sends the descriptors.
func (c *recordsCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.records, c.sent, c.dropped, c.batches, c.repeated, c.spilled, c.refused, c.disk, c.streams, c.redis, c.volatile} {
		out <- d
	}
}

// Collect reads the counts.
func (c *recordsCollector) Collect(out chan<- prometheus.Metric) {
	s := c.spool.Stats()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter(c.records, s.Records)
	counter(c.sent, s.Sent)
	for reason, n := range s.Dropped {
		counter(c.dropped, n, reason)
	}
	counter(c.batches, s.Batches)
	counter(c.repeated, s.Repeated)
	counter(c.spilled, s.Spilled)
	counter(c.refused, s.Refused)
	gauge(c.disk, float64(s.DiskBytes))
	gauge(c.streams, float64(s.StreamBytes))
	flag := map[bool]float64{true: 1}
	gauge(c.redis, flag[s.RedisOK])
	gauge(c.volatile, flag[s.Volatile])
}
