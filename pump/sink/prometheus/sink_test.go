package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// counting is a Sink without a listener.
func counting(t testing.TB, c Config) (*Sink, *clock) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	now := newClock()
	return newSink(c.withDefaults(), now.now), now
}

// frames names records as the spool does, all different.
var frames atomic.Uint64

func batch(records ...record.Record) sink.Batch {
	frame := frames.Add(1)
	b := sink.Batch{From: "1-0", To: "2-0"}
	for i, r := range records {
		b.Records = append(b.Records, record.Entry{ID: fmt.Sprintf("00000000000000ab-0-%d-%d", frame, i), Node: "n1", Record: r})
	}
	return b
}

func write(t testing.TB, s *Sink, b sink.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// gathered is a scrape: name -> the metrics by their labels.
func gathered(t testing.TB, s *Sink) map[string]map[string]*dto.Metric {
	t.Helper()
	families, err := s.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]*dto.Metric{}
	for _, f := range families {
		out[f.GetName()] = map[string]*dto.Metric{}
		for _, m := range f.GetMetric() {
			var l []string
			for _, p := range m.GetLabel() {
				l = append(l, p.GetName()+"="+p.GetValue())
			}
			labels := strings.Join(l, " ")
			if out[f.GetName()][labels] != nil {
				t.Fatalf("%s{%s} is there twice", f.GetName(), labels)
			}
			out[f.GetName()][labels] = m
		}
	}
	return out
}

func total(ms map[string]*dto.Metric) (n float64) {
	for _, m := range ms {
		n += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return n
}

func call(api, method string, status int, d time.Duration) record.Record {
	return record.Record{API: api, Method: method, Status: status, Total: d, Upstream: d / 2, Attempts: 1, BytesIn: 100, BytesOut: 5000}
}

func TestCallsAreCountedByTheirLabels(t *testing.T) {
	s, _ := counting(t, Config{})
	denied := record.Record{API: "pets", Method: "GET", Status: 401, Total: time.Millisecond, Refusal: "auth.missing"}
	unsampled := call("pets", "GET", 200, 5*time.Millisecond)
	unsampled.Flags, unsampled.Sample = record.CountOnly, 0.01
	socket := record.Record{API: "pets", Method: "GET", Status: 101, Total: time.Hour, Upstream: time.Millisecond, Attempts: 1, Flags: record.Upgraded}
	write(t, s, batch(call("pets", "GET", 200, 10*time.Millisecond), unsampled, call("pets", "BREW", 200, 0), denied, socket,
		record.Record{Method: "GET", Status: 404, Refusal: "route.no_api"}, record.Record{API: "pets", Method: "GET"}))
	m := gathered(t, s)
	for labels, n := range map[string]float64{
		"api_id=pets http_request_method=GET http_response_status_code=200":    2,
		"api_id=pets http_request_method=_OTHER http_response_status_code=200": 1,
		"api_id=pets http_request_method=GET http_response_status_code=401":    1,
		"api_id=pets http_request_method=GET http_response_status_code=101":    1,
		"api_id=_NONE http_request_method=GET http_response_status_code=404":   1,
		"api_id=pets http_request_method=GET http_response_status_code=0":      1,
	} {
		if got := m["sluice_requests_total"][labels].GetCounter().GetValue(); got != n {
			t.Errorf("{%s} is %v, not %v", labels, got, n)
		}
		if got := m["http_server_request_duration_seconds"][labels].GetHistogram().GetSampleCount(); float64(got) != n {
			t.Errorf("duration {%s} has %v calls, not %v", labels, got, n)
		}
	}
	for name, n := range map[string]float64{
		"sluice_requests_total": 7, "http_server_request_duration_seconds": 7, "http_server_request_body_size_bytes": 7,
		"http_server_response_body_size_bytes": 7, "http_client_request_duration_seconds": 4,
		"sluice_gateway_overhead_seconds": 6, "sluice_rejected_requests_total": 2,
	} {
		if got := total(m[name]); got != n {
			t.Errorf("%s counts %v calls, not %v", name, got, n)
		}
	}
	if m["sluice_rejected_requests_total"]["api_id=pets http_request_method=GET http_response_status_code=401 reason=auth"].GetCounter().GetValue() != 1 {
		t.Errorf("refusals: %v", m["sluice_rejected_requests_total"])
	}
	d := m["http_server_request_duration_seconds"]["api_id=pets http_request_method=GET http_response_status_code=200"].GetHistogram()
	if d.GetSampleSum() != 0.015 || d.GetBucket()[0].GetCumulativeCount() != 1 || d.GetBucket()[1].GetCumulativeCount() != 2 {
		t.Errorf("5 ms and 10 ms: %v", d)
	}
	o := m["sluice_gateway_overhead_seconds"]["api_id=pets http_request_method=GET http_response_status_code=200"].GetHistogram()
	if o.GetSampleSum() != 0.0075 {
		t.Errorf("overhead of 5 and 2.5 ms: %v", o)
	}
}

func TestAllLabelsCanBeChosen(t *testing.T) {
	e := record.Entry{ID: "a-0-1-0", Node: "n7", Record: record.Record{
		API: "pets", Method: "GET", Status: 503, Org: "acme", Route: "/pets/{id}", Key: "k1", KeyAlias: "shop", OAuthClient: "app",
	}}
	want := map[string]string{
		"api_id": "pets", "http_request_method": "GET", "http_response_status_code": "503", "http_response_status_class": "5xx",
		"org_id": "acme", "http_route": "/pets/{id}", "node": "n7", "key": "shop", "oauth_client": "app",
	}
	if len(want) != len(labelNames()) {
		t.Fatal("a label is not tested")
	}
	all := make([]string, 0, len(want))
	for _, name := range labelNames() {
		s, _ := counting(t, Config{Labels: []string{name}})
		write(t, s, sink.Batch{Records: []record.Entry{e}})
		if m := gathered(t, s)["sluice_requests_total"]; m[name+"="+want[name]] == nil {
			t.Errorf("with %s alone: %v", name, m)
		}
		all = append(all, name)
	}
	s, _ := counting(t, Config{Labels: all})
	write(t, s, sink.Batch{Records: []record.Entry{e}})
	const labels = "api_id=pets http_request_method=GET http_response_status_class=5xx http_response_status_code=503 http_route=/pets/{id} key=shop node=n7 oauth_client=app org_id=acme"
	if m := gathered(t, s)["sluice_requests_total"]; m[labels] == nil {
		t.Errorf("with all: %v", m)
	}
	e.ID, e.KeyAlias = "a-0-1-1", ""
	s, _ = counting(t, Config{Labels: []string{"key"}})
	write(t, s, sink.Batch{Records: []record.Entry{e}})
	if m := gathered(t, s)["sluice_requests_total"]; m["key=k1"] == nil {
		t.Errorf("a key without alias: %v", m)
	}
}

func TestReasonsAreFew(t *testing.T) {
	for code, want := range map[string]string{
		"auth.missing": "auth", "auth.key_refused": "auth", "access.denied": "access", "limit.rate": "rate_limit", "limit.quota_exceeded": "quota",
		"quota.used": "quota", "ratelimit.exceeded": "rate_limit", "request.aborted": "request", "path.too_long": "request", "value.control": "request",
		"route.no_api": "route", "upstream.timeout": "upstream", "internal": "internal", "waf.blocked": "protection", "made.up": "other", "\x00": "other",
	} {
		if got := reasonOf(code, 0); got != want {
			t.Errorf("%q is %q, not %q", code, got, want)
		}
	}
	if got := reasonOf("new.code", record.Limited); got != "rate_limit" {
		t.Errorf("what was limited by an unknown code is %q", got)
	}
}

func TestABatchThatComesAgainIsNotCountedAgain(t *testing.T) {
	s, _ := counting(t, Config{})
	b := batch(call("a", "GET", 200, 1), call("a", "GET", 200, 1), call("a", "GET", 200, 1))
	write(t, s, sink.Batch{Records: b.Records[:2]}) // cut inside a frame
	write(t, s, b)
	write(t, s, b)
	write(t, s, sink.Batch{Records: []record.Entry{b.Records[2], b.Records[0]}})
	if n := total(gathered(t, s)["sluice_requests_total"]); n != 3 {
		t.Fatalf("3 calls were counted as %v", n)
	}
}

func TestTheMemoryOfWhatCameIsBounded(t *testing.T) {
	var w window
	id := func(frame, i int) string { return fmt.Sprintf("00000000000000ab-3-%d-%d", frame, i) }
	for f := range 3 * framesKept {
		if !w.first(id(f, 70)) || !w.first(id(f, 3)) || w.first(id(f, 70)) {
			t.Fatalf("frame %d", f)
		}
	}
	if len(w.frames) != framesKept || len(w.ring) != framesKept {
		t.Fatalf("%d frames are kept", len(w.frames))
	}
	if w.first(id(2*framesKept, 3)) {
		t.Error("the oldest frame that must be kept is not")
	}
	if !w.first(id(2*framesKept-1, 3)) {
		t.Error("an older one is")
	}
	for _, odd := range []string{"", "x", "x-", "x-y", "x-99999999999999999999", "x-70000"} {
		if !w.first(odd) || !w.first(odd) {
			t.Errorf("%q has no index, so it is always new", odd)
		}
	}
}

func TestAWriteOfAnEndedContextCountsNothing(t *testing.T) {
	s, _ := counting(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := batch(call("a", "GET", 200, 1))
	if err := s.Write(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	write(t, s, b)
	if n := total(gathered(t, s)["sluice_requests_total"]); n != 1 {
		t.Fatalf("counted %v", n)
	}
}

func TestScrapesSeeEachCallInAllMetricsOrNone(t *testing.T) {
	s, _ := counting(t, Config{})
	const writers, batches, size = 4, 60, 300
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for b := range batches {
				records := make([]record.Record, size)
				for i := range records {
					records[i] = call(fmt.Sprintf("api-%d", (w+b+i)%9), "GET", 200, time.Duration(i)*time.Millisecond)
				}
				if err := s.Write(t.Context(), batch(records...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for last := 0.0; ; {
				families, err := s.Gather()
				if err != nil {
					t.Error(err)
					return
				}
				n := map[string]float64{}
				for _, f := range families {
					for _, m := range f.GetMetric() {
						n[f.GetName()] += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
					}
				}
				all := n["sluice_requests_total"]
				if all < last || n["http_server_request_duration_seconds"] != all || n["http_client_request_duration_seconds"] != all {
					t.Errorf("after %v: %v", last, n)
					return
				}
				last = all
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	readers.Wait()
	<-done
	if n := total(gathered(t, s)["sluice_requests_total"]); n != writers*batches*size {
		t.Fatalf("counted %v", n)
	}
}

func TestATakenPortIsToldWithTheOption(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := Open(t.Context(), Config{Listen: Listen{Address: l.Addr().String()}}, sink.Env{Name: "metrics"})
	if err == nil || s != nil {
		t.Fatalf("a sink %v on a port that is in use", s)
	}
	for _, part := range []string{"prometheus.listen.address", "sink metrics", "in use"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not tell of %q", err, part)
		}
	}
}

func TestWritingDoesNotAllocate(t *testing.T) {
	s, _ := counting(t, Config{})
	records := make([]record.Record, 256)
	for i := range records {
		records[i] = call(fmt.Sprintf("api-%d", i%20), "GET", 200, time.Duration(i)*time.Millisecond)
		if i%10 == 0 {
			records[i].Refusal = "limit.rate"
		}
	}
	b := batch(records...)
	write(t, s, b)
	if n := testing.AllocsPerRun(100, func() { s.counted = window{}; write(t, s, b) }); n > 12 { // the emptied window's own
		t.Fatalf("%v allocations per batch of %d", n, len(records))
	}
}
