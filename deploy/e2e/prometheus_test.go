package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestPrometheusScrapes runs Prometheus against all that the platform exposes: its counters are the
// client's, and promtool finds no fault with a name or a help text.
func TestPrometheusScrapes(t *testing.T) {
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			testenv.Missing(t, "prometheus", "install prometheus (Debian: prometheus)")
		}
	}
	sink := freeAddress(t)
	p := platform.For(t, platform.Options{Pumps: 1, Sinks: fmt.Sprintf(`[{name: metrics, type: prometheus, prometheus: {listen: {address: %q}}}]`, sink)})
	openAPI(t, p, "Counted", "/counted/")
	l := startNumbered(t.Context(), p.Gateways, 8, "/counted/n/", 5_000, 5_000)
	l.wait()
	for range 100 {
		fetch(t, p.Gateways[0].URL+"/of-no-api")
	}

	for name, base := range map[string]string{"sink": "http://" + sink, "pump": p.Pumps[0].Admin, "gateway": p.Gateways[0].Admin, "dashboard": p.Dashboards[0].URL} {
		_, text := fetch(t, base+"/metrics")
		check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
		check.Stdin = strings.NewReader(text)
		if said, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(said)) > 0 {
			t.Errorf("promtool on the metrics of the %s: %v\n%s", name, err, said)
		}
	}

	dir, own := t.TempDir(), freeAddress(t)
	file := filepath.Join(dir, "prometheus.yml")
	ok(t, os.WriteFile(file, fmt.Appendf(nil, "global: {scrape_interval: 500ms}\nscrape_configs:\n- job_name: sluice\n  static_configs: [{targets: [%q, %q]}]\n", sink, strings.TrimPrefix(p.Pumps[0].Admin, "http://")), 0o600))
	prom := platform.NewProc(dir, "prometheus", testenv.Must(exec.LookPath("prometheus"))(t), []string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + own, "--log.level=error",
	}, []string{"PATH=" + os.Getenv("PATH")})
	ok(t, prom.Start())
	t.Cleanup(func() { _ = prom.Stop(8 * time.Second) })
	for question, want := range map[string]string{
		`sum(sluice_requests_total{api_id="counted",http_response_status_code="200"})`:                            "5000",
		`sum(http_server_request_duration_seconds_count{api_id="counted"})`:                                       "5000",
		`sum(sluice_requests_total{http_response_status_code="404"})`:                                             "100",
		`sum(sluice_rejected_requests_total{reason="route"})`:                                                     "100",
		`sum(sluice_pump_records_written_total{sink="metrics"})`:                                                  "5100",
		`histogram_quantile(0.95, sum by (le) (http_server_request_duration_seconds_bucket)) < bool 60`:           "1",
		`sum(sluice_pump_lag_entries{sink="metrics"}) + sum(sluice_pump_sequence_gap_records_total) or vector(0)`: "0",
	} {
		testenv.EventuallyNoError(t, 20*time.Second, func() error {
			if !prom.Running() {
				t.Fatalf("Prometheus ended:\n%s", prom.Tail(20))
			}
			text, err := answer("http://" + own + "/api/v1/query?query=" + url.QueryEscape(question))
			if err != nil {
				return err
			}
			var said struct {
				Data struct {
					Result []struct{ Value [2]any }
				}
			}
			if err := json.Unmarshal(text, &said); err != nil {
				return err
			}
			if len(said.Data.Result) != 1 || said.Data.Result[0].Value[1] != want {
				return fmt.Errorf("%s is %s, want %s", question, text, want)
			}
			return nil
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func answer(url string) ([]byte, error) {
	c := http.Client{Timeout: 3 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}
