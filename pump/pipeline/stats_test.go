package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// TestGapsAreTold loses records in three ways: the gateway tells so, a batch vanishes
// from the stream, and a budget takes them from a slow sink.
func TestGapsAreTold(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := &scripted{}
		g := newGateway(t, rdb, spool.Options{Shards: 1, Lanes: 1})
		o := quick(s.Client(), "pump", Sink{Name: "a", Type: "scripted", To: to})
		o.Shards = 1
		p := start(t, o).ready(t)
		g.send(10)
		complete(t, p, "a", to, 10)
		g.p.Lose("api-1", 5)
		g.send(10)
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Missing == 5 })
		lane := p.State().Sinks[0].Shards[0]
		if len(lane.Gaps) != 1 || lane.Gaps[0].Start != g.p.Start().String() || lane.Gaps[0].Records != 5 || lane.Gaps[0].Provisional || lane.Gaps[0].Before.IsZero() {
			t.Errorf("%+v", lane.Gaps)
		}
		p.end(t)

		g.send(20) // nobody reads: two batches and more lie there
		entries := rdb.XRange(t.Context(), spool.StreamKey(0), "-", "+").Val()
		last := entries[len(entries)-2]
		if err := rdb.XDel(t.Context(), spool.StreamKey(0), last.ID).Err(); err != nil {
			t.Fatal(err)
		}
		var lost uint64
		if _, err := fmt.Sscan(last.Values["n"].(string), &lost); err != nil {
			t.Fatal(err)
		}
		p = start(t, o)
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Missing == 5+lost })
		if n, _ := to.has(); n != 40-int(lost) {
			t.Errorf("%d records and %d missing", n, lost)
		}
		want := fmt.Sprintf(`sluice_pump_sequence_gap_records_total{sink="a",start="%s"} %d`, g.p.Start(), 5+lost)
		testenv.Eventually(t, soon, func() bool { return strings.Contains(metrics(t, p), want) })
		p.end(t)
	})
}

func TestWhatABudgetTakesFromASlowSinkIsCounted(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		release := make(chan struct{})
		slow := &scripted{before: func(ctx context.Context, _ sink.Batch) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		fast := &scripted{}
		g := newGateway(t, s.Client(), spool.Options{Shards: 1})
		var j journal
		o := quick(s.Client(), "pump", Sink{Name: "slow", To: slow, WriteTimeout: time.Minute}, Sink{Name: "fast", To: fast})
		o.Shards, o.Trim.Budget, o.Log = 1, 8<<10, j.log()
		p := start(t, o).ready(t)
		for p.SinkState("slow").Evicted < 200 { // more than the 80 that its lane has in hand, which arrive all the same
			g.send(100)
			complete(t, p, "fast", fast, g.sent)
		}
		testenv.Eventually(t, soon, func() bool { st := p.State().Shards; return len(st) == 1 && st[0].Bytes < 8<<10 })
		close(release)
		testenv.Eventually(t, soon, func() bool {
			n, _ := slow.has()
			x := p.SinkState("slow")
			return x.Pending == 0 && x.LagSeconds == 0 && x.Missing > 0 && n+int(x.Missing) == g.sent
		})
		x := p.SinkState("slow")
		if n := j.count("to keep the stream's budget"); n == 0 || p.SinkState("fast").Evicted != 0 || x.Evicted < int64(x.Missing) {
			t.Errorf("%d lines, %+v", n, x)
		}
		p.end(t)
	})
}

func TestAGroupThatIsOfNoSinkIsNamedOnce(t *testing.T) {
	s := testenv.RedisServer(t)
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	var j journal
	o := quick(s.Client(), "pump", Sink{Name: "old", To: &scripted{}})
	o.Shards, o.Log = 1, j.log()
	start(t, o).ready(t).end(t)
	to := &scripted{}
	o = quick(s.Client(), "pump", Sink{Name: "new", To: to})
	o.Shards, o.Log, o.Trim.Unprotected = 1, j.log(), time.Second
	p := start(t, o)
	g.send(20)
	complete(t, p, "new", to, 20)
	testenv.Eventually(t, soon, func() bool { return j.count("holds nothing back any more") == 1 })
	if n := j.count("is of no sink in this configuration"); n != 1 {
		t.Errorf("%d lines", n)
	}
	groups := p.State().Shards[0].Groups
	if !slices.Contains(groups, GroupState{"old", false, false}) || !slices.Contains(groups, GroupState{"new", true, true}) {
		t.Errorf("%+v", groups)
	}
	testenv.Eventually(t, soon, func() bool { return p.State().Shards[0].Entries <= 1 }) // it pins nothing
	p.end(t)
}

func metrics(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	text, err := testutil.CollectAndFormat(c, expfmt.TypeTextPlain, names...)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMetricsAndStateHaveTheirNames pins the names, labels and helps, and the shape of
// the state's document, with every number a 0.
func TestMetricsAndStateHaveTheirNames(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server: the embedded one knows no lag in entries")
	}
	to := &scripted{before: func(_ context.Context, b sink.Batch) error {
		if b.Records[0].Path == "/n/0" {
			to := b.Records[0]
			return &sink.Reject{Records: []sink.Rejected{{Index: 0, Reason: to.Path}}}
		}
		return nil
	}}
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	o := quick(s.Client(), "pump", Sink{Name: "a", Type: "scripted", Required: true, To: to})
	o.Shards = 1
	p := start(t, o).ready(t)
	g.send(10)
	g.p.Lose("api-1", 5)
	g.send(10)
	testenv.Eventually(t, soon, func() bool {
		return p.SinkState("a").Missing == 5 && p.SinkState("a").Rejected == 1 && len(p.State().Shards) == 1 && p.SinkState("a").Pending == 0
	})
	testenv.Eventually(t, soon, func() bool { return strings.Contains(metrics(t, p), "sequence_gap") })
	text := metrics(t, p)
	if problems, err := testutil.CollectAndLint(p); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	text = regexp.MustCompile(`(?m) [0-9.e+-]+$`).ReplaceAllString(text, " 0")
	text = regexp.MustCompile(`start="[0-9a-f]{16}"`).ReplaceAllString(text, `start="0"`)
	testenv.Golden(t, "metrics.txt", []byte(text))

	p.sinks[0].writing.set(0, errors.New("no route to the store"))
	doc, err := json.MarshalIndent(p.State(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	doc = regexp.MustCompile(`"20[0-9T:.Z-]+"`).ReplaceAll(doc, []byte(`"0"`))
	doc = regexp.MustCompile(`"[0-9a-f]{16}"`).ReplaceAll(doc, []byte(`"0"`))
	doc = regexp.MustCompile(`: [0-9.e+-]+`).ReplaceAll(doc, []byte(`: 0`))
	testenv.Golden(t, "state.json", append(doc, '\n'))
	p.end(t)
}
