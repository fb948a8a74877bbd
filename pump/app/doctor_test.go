package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/doctor/doctortest"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/catalog"
	"github.com/sluice-gateway/sluice/pump/sink/mongo"
	"github.com/sluice-gateway/sluice/pump/sink/prometheus"
)

func (b *bench) examine(golden string) doctor.Report {
	b.t.Helper()
	checks, end := Doctor(b.config)
	return doctortest.Examine(b.t, golden, checks, end, b.config.Data, "DATA", b.redis.Addr(), "REDIS", b.config.Listen.Address, "PUMP")
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDoctorSeesTheLagAndTheDeadLetters(t *testing.T) {
	b := newBench(t)
	b.config.Listen.Address = freeAddress(t)
	b.config.Sinks = []Sink{{Name: "calls", Type: "jsonl"}, {Name: "days", Type: "sqlite"}}
	b.examine("doctor/new.txt")
	b.records(100) // that nobody reads
	b.examine("doctor/no-pump.txt")
	b.start()
	testenv.Eventually(t, soon, func() bool { return b.sink("calls").Written == 100 && b.sink("days").Written == 100 })
	testenv.Eventually(t, soon, func() bool { x := b.beat(); status, _ := b.get("/ready"); return x.Service == "pump" && status == 200 })
	if r := b.examine("doctor/running.txt"); r.Failed() {
		t.Error("a pump that is well was found ill")
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.redis.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: spool.DeadKey(0), Values: []string{"group", "calls", "reason", "the disk said no"}}).Err(); err != nil {
		t.Fatal(err)
	}
	r := b.examine("doctor/dead-letters.txt")
	if doctortest.Level(r, "dead letters") != doctor.Warn {
		t.Error("dead letters were not seen")
	}
	b.redis.Stop()
	b.examine("doctor/redis-stopped.txt")
}

func TestDoctorJudgesABacklog(t *testing.T) {
	for name, c := range map[string]struct {
		b     backlog
		level doctor.Level
		said  string
	}{
		"nothing recorded":    {backlog{}, doctor.OK, "nothing to read"},
		"up to date":          {backlog{streams: 4, reads: 4}, doctor.OK, "is 0s behind"},
		"a little late":       {backlog{streams: 4, reads: 4, entries: 3, lag: 2 * time.Second}, doctor.OK, "2s behind, by 3 batches"},
		"late":                {backlog{streams: 4, reads: 4, entries: 900, lag: time.Hour, fullest: 50}, doctor.Warn, "1h0m0s behind"},
		"about to lose":       {backlog{streams: 4, reads: 4, lag: time.Second, fullest: 93}, doctor.Fail, "93 % of streams.budget"},
		"never read":          {backlog{streams: 4, reads: 3}, doctor.Warn, "never read 1 of 4"},
		"records are missing": {backlog{streams: 4, reads: 4, missing: 12}, doctor.Warn, "12 records"},
	} {
		if f := c.b.judge("calls"); f.Level != c.level || !strings.Contains(f.Found, c.said) || (f.Mend == "") != (c.level == doctor.OK) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// A backlog near its budget is measured, not only judged.
func TestDoctorSeesAFullStream(t *testing.T) {
	b := newBench(t)
	b.config.Streams.Budget = config.Size(b.config.Streams.Shards) * 100 // bytes
	b.config.Sinks = []Sink{{Name: "calls", Type: "jsonl"}}
	rdb := b.redis.Client()
	b.records(50)
	for shard := range b.config.Streams.Shards {
		r, err := spool.NewReader(rdb, shard, spool.ReaderOptions{Group: "calls", Consumer: "one", Batches: 1, Block: -1})
		if err == nil {
			_, err = r.Read(t.Context()) // taken, and never acknowledged
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f := lookAtLag(t.Context(), rdb, b.config, b.config.Sinks[0])
	if f.Level != doctor.Fail || !strings.Contains(f.Found, "are being lost") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorLooksAtSinks(t *testing.T) {
	b := newBench(t)
	look := func(s Sink) doctor.Finding {
		t.Helper()
		ports := doctor.Ports{Service: "pump", Hello: doctor.Port{Setting: "listen.address", Address: freeAddress(t)}}
		checks := sinkChecks(b.config, s, &ports)
		if s.Type == "prometheus" {
			checks = ports.Checks()[1:]
		}
		if len(checks) != 1 {
			t.Fatalf("%d checks of %s", len(checks), s.Type)
		}
		return doctor.Examine(t.Context(), "pump", "v1", checks).Checks[0].Finding
	}
	check := func(f doctor.Finding, level doctor.Level, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if f.Level != level || !strings.Contains(f.Found+f.Mend, text) {
				t.Errorf("want %s and %q in %+v", level, text, f)
			}
		}
	}
	file := filepath.Join(b.config.Data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Sink{Name: "days", Type: "sqlite"}
	check(look(s), doctor.OK, filepath.Join(b.config.Data, "records")+" (sinks days.sqlite.dir) is not there yet")
	s.SQLite.Dir = file
	check(look(s), doctor.Fail, "is a file")
	s = Sink{Name: "calls", Type: "jsonl"}
	check(look(s), doctor.OK, filepath.Join(b.config.Data, "jsonl", "calls"))
	s.JSONL.Dir = filepath.Join(file, "below")
	check(look(s), doctor.Fail, "cannot be looked at")

	at := freeAddress(t)
	s = Sink{Name: "metrics", Type: "prometheus"}
	s.Prometheus.Listen = prometheus.Listen{Address: at}
	check(look(s), doctor.OK, at+" (sinks metrics.prometheus.listen.address) is free")
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check(look(s), doctor.Fail, "is held by", "no sluice-pump answers")
	check(look(Sink{Name: "out", Type: "stdout"}), doctor.OK, "output")

	const secret = "open-sesame"
	s = Sink{Name: "docs", Type: "mongodb"}
	s.MongoDB = mongo.Config{URL: config.Secret("mongodb://kim:" + secret + "@" + freeAddress(t) + "/?authSource=admin"), ServerSelectionTimeout: 300 * time.Millisecond}
	refused := look(s)
	check(refused, doctor.Fail, "MongoDB of the sink docs cannot be reached", "nothing listens")
	s.MongoDB.URL = config.Secret("mongodb://kim:" + secret + "@" + l.Addr().String()) // which takes connections and is silent
	began := time.Now()
	silent := look(s)
	check(silent, doctor.Fail, "cannot be reached", "mongodb.url")
	if took := time.Since(began); took > doctor.DefaultWithin {
		t.Errorf("took %s", took)
	}
	for _, f := range []doctor.Finding{refused, silent} {
		if strings.Contains(f.Found+f.Mend, secret) {
			t.Errorf("a password is in %+v", f)
		}
	}
}

func TestDoctorReachesMongoDB(t *testing.T) {
	db := testenv.MongoDB(t)
	s := Sink{Name: "docs", Type: "mongodb"}
	s.MongoDB = mongo.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: db.Name()}
	if f := lookAtMongo(t.Context(), s); f.Level != doctor.OK || !strings.Contains(f.Found, db.Name()) {
		t.Errorf("%+v", f)
	}
}

func TestDoctorKnowsEveryTypeOfSinks(t *testing.T) {
	for _, k := range catalog.List() {
		ports := doctor.Ports{}
		for _, c := range sinkChecks(Default(), Sink{Name: "x", Type: k.Type, Options: catalog.Options{MongoDB: mongo.Config{URL: "mongodb://127.0.0.1:1", ServerSelectionTimeout: time.Millisecond}}}, &ports) {
			if f := c.Run(t.Context()); strings.Contains(f.Found, "cannot be looked at from here") {
				t.Errorf("sinks of the type %s have no check", k.Type)
			}
		}
	}
}
