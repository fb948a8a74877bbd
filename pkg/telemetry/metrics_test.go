package telemetry_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/pkg/telemetry"
)

func TestScrape(t *testing.T) {
	reg := telemetry.NewRegistry("pump")
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_pump_batches_total", Help: "h"})
	reg.MustRegister(c)
	c.Add(3)
	w := httptest.NewRecorder()
	telemetry.Handler(reg).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`sluice_build_info{commit="`, `service="pump"`, "go_goroutines ", "process_open_fds ", "sluice_pump_batches_total 3"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
	if w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestLatencyBucketsRise(t *testing.T) {
	if b := telemetry.LatencyBuckets(); !slices.IsSorted(b) || len(slices.Compact(b)) != len(b) {
		t.Errorf("got %v", b)
	}
}
