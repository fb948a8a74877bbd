package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
	"github.com/sluice-gateway/sluice/pump/catalog"
	"github.com/sluice-gateway/sluice/pump/pipeline"
	"github.com/sluice-gateway/sluice/pump/sink/jsonl"
	"github.com/sluice-gateway/sluice/pump/sink/mongo"
)

const soon = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is the rest of the platform around one pump.
type bench struct {
	t      *testing.T
	redis  *testenv.Server
	keys   *trust.Keys
	config Config
	log    bytes.Buffer
	mu     sync.Mutex
	app    *App
	stop   func() error
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, redis: testenv.RedisServer(t), keys: keys, config: Default()}
	b.config.Data, b.config.Name = t.TempDir(), "pump-test"
	b.config.Listen.Address = "127.0.0.1:0"
	b.config.Redis.Addresses = []string{b.redis.Addr()}
	if err := keys.SaveNode(filepath.Join(b.config.Data, "keys")); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) start() {
	b.t.Helper()
	if err := b.config.Validate(); err != nil {
		b.t.Fatal(err)
	}
	a, err := New(b.t.Context(), b.config, slog.New(slog.NewTextHandler(b, nil)))
	if err != nil {
		b.t.Fatal(err)
	}
	b.app = a
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	b.stop = sync.OnceValue(func() error { cancel(); return <-done })
	b.t.Cleanup(func() { _ = b.stop() })
}

// records writes n records as a gateway does, and waits until Redis has them.
func (b *bench) records(n int) {
	b.t.Helper()
	p, err := spool.Open(b.redis.Client(), spool.Options{Dir: b.t.TempDir(), Node: "gw", Group: "default", FlushEvery: 20 * time.Millisecond})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	for i := range n {
		if !p.Add(&record.Record{At: time.Now(), Status: 200, Method: "GET", API: "orders", Org: "default", Path: "/" + strings.Repeat("x", i%10)}) {
			b.t.Fatal("not taken")
		}
	}
	testenv.Eventually(b.t, soon, func() bool { return p.Stats().Sent == uint64(n) })
	cancel()
	<-done
	end, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), soon)
	defer cancel()
	if err := p.Close(end); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) get(path string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.app.Addr()+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	answer, err := (&http.Client{Transport: t}).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (b *bench) sink(name string) pipeline.SinkState {
	b.t.Helper()
	var s pipeline.State
	if _, body := b.get("/state"); json.Unmarshal([]byte(body), &s) != nil {
		b.t.Fatal(body)
	}
	for _, one := range s.Sinks {
		if one.Name == name {
			return one
		}
	}
	b.t.Fatalf("no sink %s in %+v", name, s)
	return pipeline.SinkState{}
}

func (b *bench) beat() fleet.Beat {
	b.t.Helper()
	all, err := fleet.NewReader(b.redis.Client(), b.keys).List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if len(all) == 0 {
		return fleet.Beat{}
	}
	return all[0]
}

func TestRecordsGoFromRedisToAFile(t *testing.T) {
	b := newBench(t)
	b.config.Sinks = []Sink{{Name: "calls", Type: "jsonl", Required: true}}
	b.start()
	testenv.Eventually(t, soon, func() bool { status, _ := b.get("/ready"); return status == 200 })
	b.records(100)
	testenv.Eventually(t, soon, func() bool { x := b.sink("calls"); return x.Written == 100 && x.Pending == 0 })
	if _, body := b.get("/hello"); !strings.Contains(body, `"sink calls":{"status":"pass"`) {
		t.Error(body)
	}
	if _, body := b.get("/metrics"); !strings.Contains(body, "sluice_pump_records_written_total{") {
		t.Error(body)
	}
	testenv.Eventually(t, soon, func() bool { x := b.beat(); return x.State == fleet.Current && x.Service == "pump" })
	began := time.Now()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	files, _ := filepath.Glob(filepath.Join(b.config.Data, "jsonl", "calls", "calls-*.jsonl"))
	if len(files) != 1 {
		t.Fatalf("%v", files)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || bytes.Count(text, []byte("\n")) != 100 {
		t.Errorf("%d lines, %v", bytes.Count(text, []byte("\n")), err)
	}
}

// TestASinkThatFailsIsSaidEverywhere takes a folder of files away.
func TestASinkThatFailsIsSaidEverywhere(t *testing.T) {
	b := newBench(t)
	b.config.Sinks = []Sink{
		{Name: "calls", Type: "jsonl", Required: true, Options: catalog.Options{JSONL: jsonl.Config{Dir: filepath.Join(t.TempDir(), "a", "b")}}},
		{Name: "copy", Type: "jsonl"},
	}
	b.config.ReadyAfter = time.Second
	b.start()
	testenv.Eventually(t, soon, func() bool { status, _ := b.get("/ready"); return status == 200 })
	if err := os.RemoveAll(b.config.Sinks[0].JSONL.Dir); err != nil {
		t.Fatal(err)
	}
	b.records(10)
	testenv.Eventually(t, soon, func() bool { return b.sink("copy").Written == 10 && b.sink("calls").Failing })
	testenv.Eventually(t, soon, func() bool {
		x := b.beat()
		said, _ := x.ReasonWith["error"].(string)
		since, _ := x.ReasonWith["since"].(string)
		_, err := time.Parse(time.RFC3339, since)
		return err == nil && x.State == fleet.Degraded && strings.Contains(x.Reason, "sink calls fails since") && strings.Contains(x.Reason, "no such file") &&
			x.ReasonCode == fleet.CodeSinkFailing && x.ReasonWith["sink"] == "calls" && strings.Contains(said, "no such file")
	})
	testenv.Eventually(t, soon, func() bool { status, _ := b.get("/ready"); return status == 503 })
	if status, body := b.get("/hello"); status != 503 || !strings.Contains(body, `"sink calls":{"status":"fail","detail":"fails for`) || !strings.Contains(body, `"sink copy":{"status":"pass"`) {
		t.Errorf("%d %s", status, body)
	}
	if err := os.MkdirAll(b.config.Sinks[0].JSONL.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, func() bool { status, _ := b.get("/ready"); return status == 200 && b.sink("calls").Written == 10 })
	testenv.Eventually(t, soon, func() bool { return b.beat().State == fleet.Current })
}

func TestAFailureIsAWarningAtFirst(t *testing.T) {
	b := newBench(t)
	b.config.Sinks = []Sink{{Name: "calls", Type: "jsonl", Required: true, Options: catalog.Options{JSONL: jsonl.Config{Dir: filepath.Join(t.TempDir(), "a")}}}}
	b.start()
	if err := os.RemoveAll(b.config.Sinks[0].JSONL.Dir); err != nil {
		t.Fatal(err)
	}
	b.records(1)
	testenv.Eventually(t, soon, func() bool { return b.sink("calls").Failing })
	since := b.app.pipeline.SinkState("calls").FailingSince
	for after, want := range map[time.Duration]httpd.Status{time.Minute: httpd.Warn, 5*time.Minute + time.Second: httpd.Fail} {
		if got, detail := b.app.sinkHealth("calls", since.Add(after)); got != want || !strings.Contains(detail, "no such file") {
			t.Errorf("after %s: %s, %s", after, got, detail)
		}
	}
}

func TestWithoutSinksThePumpSaysSo(t *testing.T) {
	b := newBench(t)
	b.start()
	testenv.Eventually(t, soon, func() bool { status, _ := b.get("/ready"); return status == 200 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if !strings.Contains(b.log.String(), "nothing is drained") {
		t.Error(b.log.String())
	}
}

func TestAWrongSinkStopsTheStartAndTheOthersAreClosed(t *testing.T) {
	b := newBench(t)
	taken := newBench(t)
	taken.start()
	b.config.Listen.Address = taken.app.Addr()
	b.config.Sinks = []Sink{{Name: "calls", Type: "jsonl"}}
	if _, err := New(t.Context(), b.config, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("got %v", err)
	}
	b.config.Listen.Address = "127.0.0.1:0"
	b.config.Sinks = append(b.config.Sinks, Sink{Name: "m", Type: "mongodb", Options: catalog.Options{MongoDB: mongo.Config{Database: "x"}}})
	if _, err := New(t.Context(), b.config, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "sink m") {
		t.Errorf("got %v", err)
	}
}
