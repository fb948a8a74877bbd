// Package telemetry makes the metrics registry that a process exposes at
// /metrics. Names are sluice_<service>_<noun>_<unit>, in base units (seconds,
// bytes), counters end in _total.
package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/pkg/buildinfo"
)

// NewRegistry makes a registry with what every process tells: the Go runtime,
// the process, and sluice_build_info{service,version,commit} 1.
func NewRegistry(service string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_build_info",
		Help: "The build that is running; always 1.",
		ConstLabels: prometheus.Labels{
			"service": service, "version": buildinfo.Version(), "commit": buildinfo.Commit(),
		},
	})
	info.Set(1)
	reg.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info)
	return reg
}

// scrapeTimeout ends a scrape that hangs in a collector; Prometheus gives up
// after 10 s by default.
const scrapeTimeout = 9 * time.Second

// Handler answers /metrics in the text format or, if asked for, OpenMetrics. A
// collector that fails does not hide the others.
func Handler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4,
		Timeout:             scrapeTimeout,
	})
}

// LatencyBuckets are the bounds, in seconds, of histograms of requests: 0.5 ms
// to 60 s, denser where users feel a difference.
func LatencyBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
}
