package app

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/pkg/telemetry"
)

// observer counts the API's answers.
func observer(reg *prometheus.Registry) func(method, path string, status int, took time.Duration) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_dashboard_requests_total", Help: "Requests of the REST API that were answered, by method, route and status.",
	}, []string{"method", "route", "status"})
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_dashboard_request_duration_seconds", Help: "Time to answer a request of the REST API; streams of events until their end.",
		Buckets: telemetry.LatencyBuckets(),
	}, []string{"method", "route"})
	reg.MustRegister(requests, latency)
	return func(method, path string, status int, took time.Duration) {
		if path == "none" {
			method = "other" // whatever a stranger sends must not become a label
		}
		requests.WithLabelValues(method, path, strconv.Itoa(status)).Inc()
		latency.WithLabelValues(method, path).Observe(took.Seconds())
	}
}
