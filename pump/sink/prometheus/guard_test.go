package prometheus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/rollup"
)

func TestTenThousandValuesMakeABoundedNumberOfSeries(t *testing.T) {
	s, _ := counting(t, Config{MaxSeries: 500})
	const values, rounds = 10_000, 3
	for range rounds {
		var records []record.Record
		for i := range values {
			r := call(fmt.Sprintf("api-%d", i), "GET", 429, 20*time.Millisecond)
			r.Refusal = "limit.rate"
			records = append(records, r)
		}
		write(t, s, batch(records...))
	}
	m := gathered(t, s)
	for _, name := range []string{"sluice_requests_total", "sluice_rejected_requests_total", "http_server_request_duration_seconds", "http_client_request_duration_seconds"} {
		if len(m[name]) != 500 {
			t.Errorf("%s has %d series", name, len(m[name]))
		}
		if n := total(m[name]); n != values*rounds {
			t.Errorf("%s counts %v", name, n)
		}
		over := m[name]["overflow=true"]
		if n := over.GetCounter().GetValue() + float64(over.GetHistogram().GetSampleCount()); n != (values-499)*rounds {
			t.Errorf("%s counts %v as overflow", name, n)
		}
	}
	for _, of := range []string{"metric=requests", "metric=rejected_requests"} {
		if n := m["sluice_pump_prometheus_overflowed_records_total"][of].GetCounter().GetValue(); n != (values-499)*rounds {
			t.Errorf("%s: %v overflowed", of, n)
		}
		if n := m["sluice_pump_prometheus_series"][of].GetGauge().GetValue(); n != 500 {
			t.Errorf("%s: %v series", of, n)
		}
	}
	sum := 0.0
	for _, h := range m["http_server_response_body_size_bytes"] {
		sum += h.GetHistogram().GetSampleSum()
	}
	if sum != 5000*values*rounds {
		t.Errorf("the sizes sum up to %v", sum)
	}
}

func TestIdleSeriesGoAndMakeRoom(t *testing.T) {
	s, now := counting(t, Config{MaxSeries: 3})
	write(t, s, batch(call("a", "GET", 200, 1), call("b", "GET", 200, 1), call("c", "GET", 200, 1)))
	const a, b, c = "api_id=a http_request_method=GET http_response_status_code=200", "api_id=b http_request_method=GET http_response_status_code=200", "api_id=c http_request_method=GET http_response_status_code=200"
	names := func() []string {
		var out []string
		for l := range gathered(t, s)["sluice_requests_total"] {
			out = append(out, l)
		}
		slices.Sort(out)
		return out
	}
	if got := names(); !slices.Equal(got, []string{a, b, "overflow=true"}) {
		t.Fatalf("at first: %q", got)
	}
	now.advance(59 * time.Minute)
	write(t, s, batch(call("a", "GET", 200, 1)))
	now.advance(2 * time.Minute)
	if got := names(); !slices.Equal(got, []string{a}) {
		t.Fatalf("after b and c were idle for 61 minutes: %q", got)
	}
	write(t, s, batch(call("c", "GET", 200, 1), call("a", "GET", 200, 1)))
	m := gathered(t, s)["sluice_requests_total"]
	if m[c].GetCounter().GetValue() != 1 || m[a].GetCounter().GetValue() != 3 {
		t.Fatalf("c after it came back, a: %v", m)
	}
	if born := m[c].GetCounter().GetCreatedTimestamp().AsTime(); !born.Equal(now.now()) {
		t.Errorf("c begins at %v, not at %v", born, now.now())
	}
	now.advance(2 * time.Hour)
	if m := gathered(t, s); len(m["sluice_requests_total"]) != 0 || len(m["sluice_pump_prometheus_series"]) != 2 {
		t.Fatalf("after everything was idle: %v", m)
	}
}

func TestBucketsAreThoseThatWereSet(t *testing.T) {
	s, _ := counting(t, Config{Buckets: Buckets{Duration: []float64{0.5, 2}, Size: []float64{1000}}})
	var records []record.Record
	for _, d := range []time.Duration{0, 500 * time.Millisecond, 500*time.Millisecond + 1, 2 * time.Second, time.Minute} {
		records = append(records, call("a", "GET", 200, d))
	}
	write(t, s, batch(records...))
	m := gathered(t, s)
	const labels = "api_id=a http_request_method=GET http_response_status_code=200"
	check := func(name string, bounds []float64, counts []uint64) {
		t.Helper()
		h := m[name][labels].GetHistogram()
		var gotBounds []float64
		var gotCounts []uint64
		for _, b := range h.GetBucket() {
			gotBounds, gotCounts = append(gotBounds, b.GetUpperBound()), append(gotCounts, b.GetCumulativeCount())
		}
		if !slices.Equal(gotBounds, bounds) || !slices.Equal(gotCounts, counts) || h.GetSampleCount() != 5 {
			t.Errorf("%s: %v %v of %d", name, gotBounds, gotCounts, h.GetSampleCount())
		}
	}
	check("http_server_request_duration_seconds", []float64{0.5, 2}, []uint64{2, 4})
	check("http_server_request_body_size_bytes", []float64{1000}, []uint64{5})
	check("http_server_response_body_size_bytes", []float64{1000}, []uint64{0})
}

// decoded are the native buckets, by the upper bound that Prometheus gives them.
func decoded(h *dto.Histogram) map[float64]uint64 {
	out := map[float64]uint64{}
	at, n, d := int32(0), int64(0), 0
	for i, s := range h.GetPositiveSpan() {
		at += s.GetOffset()
		if i == 0 {
			at = s.GetOffset()
		}
		for range s.GetLength() {
			n += h.GetPositiveDelta()[d]
			d++
			out[math.Exp2(float64(at)/math.Exp2(float64(h.GetSchema())))] = uint64(n)
			at++
		}
	}
	return out
}

func TestNativeBucketsHoldTheirValues(t *testing.T) {
	narrow := func(r *rand.Rand) float64 { return math.Exp2(r.Float64()*6 - 10) }
	wide := func(r *rand.Rand) float64 { return math.Exp2(r.Float64()*80 - 28) }
	for name, tc := range map[string]struct {
		draw   func(*rand.Rand) float64
		schema int32
	}{"narrow": {narrow, 3}, "wide": {wide, 0}} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			var h rollup.Histogram
			values := make([]float64, 20_000)
			for i := range values {
				values[i] = tc.draw(r)
				h.Add(values[i])
			}
			var out dto.Histogram
			native(&out, &h)
			if name == "narrow" && out.GetSchema() != tc.schema || out.GetSchema() < tc.schema || len(out.GetPositiveDelta()) > maxNative {
				t.Fatalf("schema %d with %d buckets", out.GetSchema(), len(out.GetPositiveDelta()))
			}
			growth := math.Exp2(math.Exp2(-float64(out.GetSchema())))
			all := uint64(0)
			for bound, n := range decoded(&out) {
				want := uint64(0)
				for _, v := range values {
					if v > bound/growth && v <= bound {
						want++
					}
				}
				if all += n; n != want {
					t.Errorf("up to %v: %d values, not %d", bound, n, want)
				}
			}
			if all != uint64(len(values)) {
				t.Errorf("%d of %d values are in a bucket", all, len(values))
			}
		})
	}
}

func TestAnEmptyNativeHistogramSaysThatItIsNative(t *testing.T) {
	var out dto.Histogram
	native(&out, new(rollup.Histogram))
	if len(out.GetPositiveSpan()) != 1 || out.GetPositiveSpan()[0].GetLength() != 0 {
		t.Fatalf("%v", &out)
	}
}

func TestHostileValuesStayWithinTheirLabel(t *testing.T) {
	s, _ := counting(t, Config{Labels: []string{"api_id", "http_route", "key", "http_response_status_code", "http_response_status_class"}})
	long := strings.Repeat("é", 5000)
	var records []record.Record
	for _, v := range []string{"a\"} 1\nevil{x=\"", "\\", "\xff\xfe", "\xff\xfd", "--", "overflow", "\x00", long, long + "x", "", "𝔘nicode", "a b"} {
		records = append(records, record.Record{API: v, Route: v, Key: v, Method: v, Status: 200, BytesIn: -5, BytesOut: -1, Total: -3})
	}
	for _, status := range []int{-7, 1, 99, 1000, math.MaxInt} {
		records = append(records, record.Record{API: "odd", Status: status})
	}
	for range 2 { // again, when the series exist
		write(t, s, batch(records...))
	}
	families, err := s.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0.0
	for _, f := range families {
		var text strings.Builder
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		parsed, err := parser.TextToMetricFamilies(strings.NewReader(text.String()))
		if err != nil || len(parsed) != 1 || len(parsed[f.GetName()].GetMetric()) != len(f.GetMetric()) {
			t.Fatalf("%v: %d families in\n%s", err, len(parsed), text.String())
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !utf8.ValidString(l.GetValue()) || len(l.GetValue()) > maxValue {
					t.Errorf("%s=%q", l.GetName(), l.GetValue())
				}
			}
			if f.GetName() == "sluice_requests_total" {
				seen += m.GetCounter().GetValue()
			}
		}
	}
	if seen != float64(2*len(records)) {
		t.Errorf("%v of %d calls were counted", seen, 2*len(records))
	}
	m := gathered(t, s)["sluice_requests_total"] // fails where one series is there twice
	if n := m["api_id=odd http_response_status_class=_OTHER http_response_status_code=_OTHER"].GetCounter().GetValue(); n != 10 {
		t.Errorf("numbers that are no status: %v of %v", n, m)
	}
}

func TestWrongOptionsAreRefusedByName(t *testing.T) {
	for key, c := range map[string]Config{
		"labels":           {Labels: []string{"api_id", "path"}},
		"labels:":          {Labels: []string{"api_id", "api_id"}},
		"path":             {Path: "metrics"},
		"path:":            {Path: "/m?x=1"},
		"tls":              {TLS: TLS{Cert: "x.pem"}},
		"tls.client_ca":    {TLS: TLS{ClientCA: "x.pem"}},
		"tls.cert":         {TLS: TLS{Cert: "/does/not/exist", Key: "/does/not/exist"}},
		"auth":             {Auth: Auth{Username: "x"}},
		"auth.username":    {Auth: Auth{Username: "x:y", Password: "z"}},
		"max_series":       {MaxSeries: 1},
		"max_series:":      {MaxSeries: -1},
		"idle_expiry":      {IdleExpiry: time.Second},
		"buckets.duration": {Buckets: Buckets{Duration: []float64{1, 1}}},
		"buckets.size":     {Buckets: Buckets{Size: []float64{0, 1}}},
		"buckets.size:":    {Buckets: Buckets{Size: []float64{1, math.NaN()}}},
		"buckets.size::":   {Buckets: Buckets{Size: []float64{1, math.Inf(1)}}},
		"buckets.size:::":  {Buckets: Buckets{Size: make([]float64, 65)}},
	} {
		c.Listen.Address = "127.0.0.1:0"
		_, err := open(t.Context(), c, testEnv(t), time.Now)
		if name := strings.TrimRight(key, ":"); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
