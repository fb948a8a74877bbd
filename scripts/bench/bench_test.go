package main

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/scripts/bench/machine"
)

func TestWhatWrkPrintsIsRead(t *testing.T) {
	got, err := parseWrk(`Running 5s test @ http://127.0.0.1:1/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.15ms    1.05ms  26.66ms   90.12%
    Req/Sec    15.01k     1.51k   17.59k    66.00%
  Latency Distribution
     50%    1.97ms
     75%    2.42ms
     90%    3.05ms
     99%  980.00us
  149384 requests in 5.01s, 180.52MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 7
Requests/sec:  29836.61
Transfer/sec:     36.06MB
`)
	want := load{requests: 149384, perSecond: 29836.61, p50: 1970 * time.Microsecond, p99: 980 * time.Microsecond, wrong: 17}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused\n", "  12 requests in 1s, 1MB read\n", "99999999999999999999 requests in 1s\nRequests/sec: 1\n"} {
		if got, err := parseWrk(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestWhatH2loadPrintsIsRead(t *testing.T) {
	const text = `TLS Protocol: TLSv1.3
Application protocol: h2

finished in 5.00s, 23577.20 req/s, 25.11MB/s
requests: 117886 total, 118526 started, 117886 done, 117880 succeeded, 6 failed, 4 errored, 2 timeout
status codes: 117880 2xx, 0 3xx, 0 4xx, 0 5xx
`
	got, err := parseH2load(text)
	if err != nil || got.requests != 117880 || got.perSecond != 23577.2 || got.wrong != 8 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := parseH2load(strings.Replace(text, "l: h2", "l: http/1.1", 1)); !errors.Is(err, errUnavailable) {
		t.Errorf("a server without h2: %v", err)
	}
	if _, err := parseH2load("finished in 1s"); err == nil {
		t.Error("half an output was accepted")
	}
	var log strings.Builder
	for i := range 100 {
		log.WriteString("1700000000000000\t200\t" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "\n")
	}
	p50, p99, err := parseH2loadLog(strings.NewReader(log.String()))
	if err != nil || p50 != 49*time.Microsecond || p99 != 98*time.Microsecond {
		t.Errorf("%v %v %v", p50, p99, err)
	}
	if _, _, err := parseH2loadLog(strings.NewReader("1 200\n")); err == nil {
		t.Error("half a line was accepted")
	}
}

func TestQuantilesMediansAndRatios(t *testing.T) {
	sorted := []float64{1, 2, 3, 4}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.26: 2, 0.5: 2, 0.99: 4, 1: 4} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 || median(nil) != 0 || spread("%.0f", nil) != "" {
		t.Error("nothing has a value")
	}
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 3, 2}) != 2.5 {
		t.Error("the median is wrong")
	}
	got := ratios(map[int]float64{1: 30, 2: 10, 3: 5, 4: 7}, map[int]float64{1: 10, 2: 20, 3: 0})
	if !slices.Equal(got, []float64{0.5, 3}) {
		t.Errorf("ratios %v: rounds belong together, and one without its other side is left out", got)
	}
}

func TestTheReportHasMediansRangesRatiosAndBars(t *testing.T) {
	chosen, err := choose("keyless-64")
	if err != nil {
		t.Fatal(err)
	}
	out := &outcome{row: chosen[0], memory: map[string]int64{sluice: 32 << 20, reference: 8 << 20}, objects: map[string]float64{sluice: 2.5}, notes: []string{"haproxy: haproxy is missing: apt-get install haproxy"}}
	add := func(name string, round int, rps, cpu float64) {
		out.turns = append(out.turns, turn{name, round, load{perSecond: rps, p50: time.Millisecond, p99: 2 * time.Millisecond}, cpu})
	}
	add(sluice, 1, 100, 30)
	add(reference, 1, 200, 10)
	add(sluice, 2, 300, 50)
	add(reference, 2, 220, 30)
	add(sluice, 3, 150, 40)
	add(reference, 3, 210, 20)
	text := report(machine.Facts{When: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}, options{rounds: 3, length: time.Second}, []*outcome{out})
	for _, want := range []string{
		"| sluice | 40.0 (30.0 to 50.0) | 2.00 (1.67 to 3.00) | 150 (100 to 300) | 1.00 (1.00 to 1.00) | 2.00 (2.00 to 2.00) | 32.0 |",
		"| nginx | 20.0 (10.0 to 30.0) | 1.00 (1.00 to 1.00) |", "sluice allocates 2.50 heap objects per request.",
		"* haproxy: haproxy is missing: apt-get install haproxy", "keyless-64, CPU per request to nginx's: 2.00 of at most 1.20: MISSED",
		"heap objects per request: 2.50 of at most 2.00: MISSED", "resident memory in MiB: 32.00 of at most 64.00: held",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	empty := &outcome{row: chosen[0], notes: []string{"skipped: wrk is missing: apt-get install wrk"}}
	text = brief(machine.Facts{}, []*outcome{out, empty})
	for _, want := range []string{"| keyless-64 | 40.0 | 20.0 | 2.00 (1.67 to 3.00) | 150 | 210 | 2.00 | 2.00 | 32.0 | 2.50 |", "| keyless-64 | skipped: wrk is missing: apt-get install wrk |"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
}

func TestRowsAreChosenByNameAndBeginning(t *testing.T) {
	names := func(list []row) (out []string) {
		for _, r := range list {
			out = append(out, r.name)
		}
		return out
	}
	for text, want := range map[string][]string{
		"keyless-64": {"keyless-64"}, "tls, keyless": {"keyless-8", "keyless-64", "keyless-512", "tls"}, "all": names(rows()),
	} {
		if got, err := choose(text); err != nil || !slices.Equal(names(got), want) {
			t.Errorf("%q: %v %v", text, names(got), err)
		}
	}
	if _, err := choose("keyles"); err == nil || !strings.Contains(err.Error(), "keyless-512") {
		t.Errorf("an unknown row: %v", err)
	}
	for _, r := range rows() {
		if r.connections == 0 || r.size == 0 || r.apis == 0 || !slices.Contains(r.with, reference) {
			t.Errorf("%+v", r)
		}
		for _, name := range r.with {
			if starters()[name] == nil {
				t.Errorf("%s: nobody can start %s", r.name, name)
			}
		}
	}
}

func TestMetricsAreSummedOverTheirSeries(t *testing.T) {
	const text = "# HELP a_total b\na_total{x=\"1 2\"} 3\na_total{x=\"}\"} 4\na_total_more 9\nb_total 1.5e+03\n"
	for name, want := range map[string]float64{"a_total": 7, "b_total": 1500} {
		if got, err := metric(text, name); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := metric(text, "c_total"); err == nil {
		t.Error("a metric that is not there has a value")
	}
}

func TestCPUTimeAndMemoryOfThisProcessGrowWithWork(t *testing.T) {
	before, err := cpuTime([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for after := before; after < before+3*tick; {
		for range 10_000_000 { // work, so that the kernel counts it
		}
		if after, err = cpuTime([]int{os.Getpid()}); err != nil || time.Now().After(deadline) {
			t.Fatalf("from %v to %v (%v)", before, after, err)
		}
	}
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = byte(i)
	}
	if n, err := peakMemory([]int{os.Getpid()}); err != nil || n < int64(len(held)) || held[77] != 77 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := cpuTime([]int{1 << 30}); err == nil {
		t.Error("a process that does not run has CPU time")
	}
}

func TestLinesOfProcAreRead(t *testing.T) {
	parent, used, err := parseStat([]byte("7 (a) b (c) S 3 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1\n"))
	if err != nil || parent != 3 || used != 2*time.Second {
		t.Errorf("parent %d, used %v (%v)", parent, used, err)
	}
	if _, _, err := parseStat([]byte("7 (a) S")); err == nil {
		t.Error("half a line was accepted")
	}
	if n, err := parsePeak("Name:\tx\nVmHWM:\t    5432 kB\nVmRSS:\t 1 kB\n"); err != nil || n != 5432<<10 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := parsePeak("Name:\tx\n"); err != nil || n != 0 {
		t.Errorf("a process that has ended: %d %v", n, err)
	}
	if _, err := parsePeak("Name:\tx\nVmHWM:\t much\n"); err == nil {
		t.Error("a size that is none was accepted")
	}
}

// TestEveryProxyTellsTheOriginTheSame starts what there is of them, with and without TLS.
func TestEveryProxyTellsTheOriginTheSame(t *testing.T) {
	seen := make(chan http.Header, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer s.Close()
	cert, err := newCertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, err := buildStdlib(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{reference, haproxy, stdlib} {
		for _, tls := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " with TLS"}[tls], func(t *testing.T) {
				c, err := starters()[name](t.Context(), stage{row: row{tls: tls}, origin: strings.TrimPrefix(s.URL, "http://"), dir: t.TempDir(), certificate: cert, stdlib: program})
				if errors.Is(err, errMissing) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.stop()
				resp, err := asker().Get(c.url + "/x?y")
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				told := <-seen
				host := strings.TrimPrefix(strings.TrimPrefix(c.url, "https://"), "http://")
				_, port, _ := strings.Cut(host, ":")
				proto := map[bool]string{false: "http", true: "https"}[tls]
				for field, want := range map[string]string{
					"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Port": port,
					"Forwarded": `for=127.0.0.1;host="` + host + `";proto=` + proto,
				} {
					if got := told.Get(field); got != want {
						t.Errorf("%s: %q, want %q", field, got, want)
					}
				}
				if id := told.Get(idField); len(id) < 16 || resp.Header.Get(idField) != id || told.Get("Via") == "" {
					t.Errorf("the origin sees %v, the caller %v", told, resp.Header)
				}
			})
		}
	}
}

const idField = "X-Request-Id"

// TestARowIsRunWithNginxAlone measures the reference beside itself: whatever programs are there.
func TestARowIsRunWithNginxAlone(t *testing.T) {
	for _, program := range []string{"nginx", "wrk"} {
		if _, err := find(program); err != nil {
			t.Skip(err)
		}
	}
	scratch := t.TempDir()
	o, err := startOrigin(t.Context(), scratch)
	if err != nil {
		t.Fatal(err)
	}
	defer o.stop()
	b := &bench{o: options{rounds: 1, length: time.Second, gateway: filepath.Join(scratch, "none")}, scratch: scratch, origin: o}
	for _, r := range []row{
		{name: "get", connections: 4, size: kib, apis: 1, with: []string{sluice, reference}},
		{name: "turns", connections: 4, size: small, apis: 3, with: []string{reference}},
		{name: "upload", connections: 4, size: kib, upload: small, apis: 1, with: []string{reference}},
	} {
		out, err := b.compete(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.turns) != 1 || out.turns[0].name != reference || out.turns[0].load.requests == 0 || out.memory[reference] == 0 || math.IsNaN(out.turns[0].cpu) {
			t.Errorf("%s: %+v", r.name, out)
		}
		if r.name == "get" && (len(out.notes) != 1 || !strings.Contains(out.notes[0], "make build")) {
			t.Errorf("a gateway that is not built: %v", out.notes)
		}
	}
}

func TestSettingsOfTheSurroundingGatewayAreNotTaken(t *testing.T) {
	t.Setenv("SLUICE_GATEWAY_LISTEN_HEAD", "1MiB")
	env := gatewayEnv(stage{row: row{records: true}}, "d", "r:1", []string{"a:1", "b:2"})
	for want, there := range map[string]bool{"SLUICE_GATEWAY_LISTEN_HEAD=1MiB": false, "SLUICE_GATEWAY_RECORDS_ENABLED=true": true, "SLUICE_GATEWAY_LISTEN_TLS=true": false} {
		if slices.Contains(env, want) != there {
			t.Errorf("%s in the environment: %v", want, !there)
		}
	}
}

func TestAMissingProgramIsToldWithItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for program, want := range map[string]string{"h2load": "h2load is missing: apt-get install nghttp2-client", "bin/sluice-gateway": "bin/sluice-gateway is missing: run `make build`"} {
		if _, err := find(program); !errors.Is(err, errMissing) || err.Error() != want {
			t.Errorf("%v", err)
		}
	}
	out, err := (&bench{}).compete(t.Context(), row{name: "h2", h2: true, with: []string{reference}})
	if err != nil || len(out.turns) != 0 || len(out.notes) != 1 || !strings.HasPrefix(out.notes[0], "skipped: h2load is missing") {
		t.Errorf("%+v %v", out, err)
	}
}

func TestARowThatFailsDoesNotEndTheOthers(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{"wrk": "exit 3", "nginx": "echo no such port; exit 1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	b := &bench{scratch: t.TempDir(), origin: &origin{}, o: options{short: true, rounds: 1, length: time.Second}}
	text, err := b.compare(t.Context(), []row{{name: "first", with: []string{reference}}, {name: "second", h2: true, with: []string{reference}}})
	if err == nil || !strings.Contains(err.Error(), "no such port") {
		t.Errorf("the run is green: %v", err)
	}
	for _, want := range []string{"| first | failed: first: nginx: nginx ended at its start", "| second | skipped: h2load is missing"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
}
