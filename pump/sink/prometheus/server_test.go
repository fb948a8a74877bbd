package prometheus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// program is the path of a program of the Debian package prometheus.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testenv.Missing(t, "prometheus", "install the package prometheus, which has "+name)
	}
	return path
}

var listening = regexp.MustCompile(`msg="?Listening on"? address="?([0-9.]+:[0-9]+)`)

// server runs Prometheus with the scrape options until the test ends and returns the
// URL of its API.
func server(t testing.TB, scrape string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	text := "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n- job_name: sluice\n" + scrape
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "prometheus"), append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0",
	}, args...)...)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	var tail bytes.Buffer // read after ended
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			tail.WriteString(lines.Text() + "\n")
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case address <- m[1]:
				default: // it was told already
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("the log of prometheus:\n%s", tail.String())
		}
	})
	select {
	case a := <-address:
		return "http://" + a
	case <-ended:
		t.Fatal("prometheus ended before it listened")
	case <-time.After(30 * time.Second):
		t.Fatal("prometheus does not listen after 30 s")
	}
	return ""
}

// query is the value of a PromQL expression that has one.
func query(t testing.TB, api, expression string) (float64, error) {
	t.Helper()
	status, body, _ := ask(t, http.DefaultClient, "GET", api+"/api/v1/query?query="+url.QueryEscape(expression), nil)
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		return 0, fmt.Errorf("%s: status %d: %s", expression, status, body)
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("%s has %d results: %s", expression, len(answer.Data.Result), body)
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// wants waits until an expression has a value, to within a fraction of it.
func wants(t *testing.T, api, expression string, want, within float64) {
	t.Helper()
	testenv.EventuallyNoError(t, 20*time.Second, func() error {
		got, err := query(t, api, expression)
		if err == nil && !(math.Abs(got-want) <= within*want) {
			err = fmt.Errorf("%s is %v, not %v", expression, got, want)
		}
		return err
	})
}

// traffic writes 3000 calls: of each 10, one refused, one without a known method.
func traffic(t testing.TB, s *Sink) {
	t.Helper()
	for b := range 6 {
		var records []record.Record
		for i := range 500 {
			r := call(fmt.Sprintf("api-%d", i%7), "GET", 200, time.Duration(1+b*500+i)*time.Millisecond)
			switch i % 10 {
			case 0:
				r = record.Record{API: r.API, Method: "GET", Status: 429, Total: r.Total, Refusal: "limit.rate"}
			case 1:
				r.Method = "BREW"
			}
			records = append(records, r)
		}
		write(t, s, batch(records...))
	}
}

func TestPrometheusScrapesWhatWasCounted(t *testing.T) {
	t.Parallel() // its server needs seconds to discover its targets
	program(t, "prometheus")
	dir := t.TempDir()
	cert, key := certificate(t, dir, "metrics")
	s := serving(t, Config{TLS: TLS{Cert: cert, Key: key}, Auth: Auth{Token: "t0ken"}})
	traffic(t, s)
	scrape := fmt.Sprintf("  scheme: https\n  authorization: {credentials: t0ken}\n  tls_config: {ca_file: %q}\n  static_configs: [{targets: [%q]}]\n", cert, s.Addr())
	api := server(t, scrape)
	for expression, want := range map[string]float64{
		"sum(up)":                    1,
		"sum(sluice_requests_total)": 3000,
		"count(sum by(api_id)(sluice_requests_total))":                                             7,
		`sum(sluice_requests_total{http_request_method="_OTHER"})`:                                 300,
		`sum(sluice_rejected_requests_total{reason="rate_limit",http_response_status_code="429"})`: 300,
		"sum(http_server_request_duration_seconds_count)":                                          3000,
		"sum(http_client_request_duration_seconds_count)":                                          2700,
		`sum(http_server_request_duration_seconds_bucket{le="0.25"})`:                              250,
		`sum(http_server_response_body_size_bytes_sum)`:                                            2700 * 5000,
	} {
		wants(t, api, expression, want, 0)
	}
	traffic(t, s) // the same again: other frames
	wants(t, api, "sum(sluice_requests_total)", 6000, 0)
}

func TestPrometheusTakesTheNativeHistograms(t *testing.T) {
	t.Parallel()
	program(t, "prometheus")
	s := serving(t, Config{Auth: Auth{Username: "prom", Password: "s3cret"}})
	traffic(t, s)
	api := server(t, fmt.Sprintf("  basic_auth: {username: prom, password: s3cret}\n  static_configs: [{targets: [%q]}]\n", s.Addr()), "--enable-feature=native-histograms")
	wants(t, api, "sum(sluice_requests_total)", 3000, 0)
	wants(t, api, "sum(histogram_count(http_server_request_duration_seconds))", 3000, 0)
	wants(t, api, "sum(histogram_sum(http_server_request_duration_seconds))", 3000*3001/2/1000.0, 1e-9)
	// Durations are 1 ms to 3 s, evenly: a quantile is off by a bucket at most.
	for _, q := range []float64{.1, .5, .95, .99} {
		wants(t, api, fmt.Sprintf("histogram_quantile(%v, sum(http_server_request_duration_seconds))", q), 3*q, .0906)
	}
	wants(t, api, "histogram_fraction(0, 1, sum(http_server_request_duration_seconds))", 1.0/3, 1e-9)
}

func TestPromtoolHasNothingToSay(t *testing.T) {
	promtool := program(t, "promtool")
	s := serving(t, Config{MaxSeries: 5})
	traffic(t, s)
	_, body, _ := ask(t, http.DefaultClient, "GET", s.URL()+"/metrics", nil)
	if n := len(gathered(t, s)); n != 9 {
		t.Fatalf("%d metrics are shown, not all 9", n)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader([]byte(body))
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) != 0 {
		t.Fatalf("%v: %s\n%s", err, out, body)
	}
}
