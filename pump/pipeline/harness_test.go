package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/pkg/lease"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// soon bounds every wait of these tests: they wait for conditions, never for time.
const soon = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is pkg/spool as app wires it.
type wire struct {
	rdb  redis.UniversalClient
	node string
}

func (w wire) Reader(shard int, o spool.ReaderOptions) (*spool.Reader, error) {
	return spool.NewReader(w.rdb, shard, o)
}

func (w wire) Locate(ctx context.Context, shard int, group string) (spool.Position, error) {
	return spool.Locate(ctx, w.rdb, shard, group)
}

func (w wire) Trim(ctx context.Context, shard int, o spool.TrimOptions) (spool.Trimmed, error) {
	return spool.Trim(ctx, w.rdb, shard, o)
}

func (w wire) Lease(shard int) Lease {
	return lease.New(w.rdb, spool.LeaseKey(shard, "trim"), w.node, 5*time.Second)
}

// scripted is a sink that keeps what it gets, and does before what it is told.
type scripted struct {
	// before is asked ahead of each Write, and after when the records are kept; their
	// errors are the Write's.
	before, after func(ctx context.Context, b sink.Batch) error

	mu     sync.Mutex
	count  map[string]int
	order  map[int][]string // per shard
	all    []record.Entry
	writes int
	closed bool
}

func (s *scripted) Write(ctx context.Context, b sink.Batch) error {
	s.mu.Lock()
	s.writes++
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, b); err != nil {
			return err
		}
	}
	s.keep(b.Shard, b.Records)
	if s.after != nil {
		return s.after(ctx, b)
	}
	return nil
}

func (s *scripted) keep(shard int, records []record.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count, s.order = map[string]int{}, map[int][]string{}
	}
	for _, e := range records {
		if s.count[e.ID]++; s.count[e.ID] == 1 {
			e.ID = strings.Clone(e.ID)
			s.all = append(s.all, e)
			s.order[shard] = append(s.order[shard], e.RequestID)
		}
	}
}

func (s *scripted) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// has is how many different records the sink has, and how many came again.
func (s *scripted) has() (records, repeats int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.count {
		repeats += n - 1
	}
	return len(s.count), repeats
}

func (s *scripted) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, e := range s.all {
		list = append(list, e.RequestID)
	}
	slices.Sort(list)
	return list
}

func call(i int) *record.Record {
	return &record.Record{
		At: time.Now(), Status: 200, Method: "GET", API: fmt.Sprint("api-", i%7), Org: "default", Path: fmt.Sprintf("/n/%d", i),
		RequestID: fmt.Sprintf("r-%06d", i), Total: time.Duration(i%1000) * time.Microsecond,
	}
}

// calls are the request ids of the first n.
func calls(n int) (list []string) {
	for i := range n {
		list = append(list, call(i).RequestID)
	}
	return list
}

// gateway sends records through a real producer.
type gateway struct {
	t    testing.TB
	p    *spool.Producer
	sent int
	stop func()
}

func newGateway(t testing.TB, rdb redis.UniversalClient, o spool.Options) *gateway {
	t.Helper()
	o.Dir, o.Node, o.Group = t.TempDir(), "0199a1b2-0000-4000-8000-000000000000", "default"
	if o.Slots == 0 {
		o.Slots = 300
	}
	if o.FlushRecords == 0 {
		o.FlushRecords, o.FlushEvery = 10, 20*time.Millisecond
	}
	p, err := spool.Open(rdb, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	g := &gateway{t: t, p: p}
	g.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		end, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), soon)
		defer cancel()
		_ = p.Close(end)
	})
	t.Cleanup(g.stop)
	return g
}

// send adds n records and waits until Redis has them.
func (g *gateway) send(n int, change ...func(i int, r *record.Record)) {
	g.t.Helper()
	for range n {
		r := call(g.sent)
		for _, f := range change {
			f(g.sent, r)
		}
		testenv.Eventually(g.t, soon, func() bool { return g.p.Add(r) })
		g.sent++
	}
	testenv.Eventually(g.t, soon, func() bool { return g.p.Stats().Sent == uint64(g.sent) })
}

// quick are options for tests in a hurry.
func quick(rdb redis.UniversalClient, node string, sinks ...Sink) Options {
	for i := range sinks {
		if sinks[i].WriteTimeout == 0 {
			sinks[i].WriteTimeout = 5 * time.Second
		}
	}
	return Options{
		Consumer: node, Shards: 2, Streams: wire{rdb, node}, Sinks: sinks, Drain: 2 * time.Second,
		survey: 20 * time.Millisecond, trim: 20 * time.Millisecond, pause: bounds{time.Millisecond, 20 * time.Millisecond}, block: 50 * time.Millisecond,
	}
}

// running is a pump at work.
type running struct {
	*Pipeline
	stop func() error // once; the error of Run
}

func start(t testing.TB, o Options) *running {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r := &running{p, sync.OnceValue(func() error { cancel(); return <-done })}
	t.Cleanup(func() { _ = r.stop() })
	return r
}

// ready waits until the groups of all sinks are there: what is sent from now on is
// theirs.
func (r *running) ready(t testing.TB) *running {
	t.Helper()
	testenv.Eventually(t, soon, func() bool {
		for _, s := range r.State().Sinks {
			for _, l := range s.Shards {
				if l.LocatedAt.IsZero() {
					return false
				}
			}
		}
		return true
	})
	return r
}

func (r *running) end(t testing.TB) {
	t.Helper()
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// complete waits until a sink has the first n records, and nothing is pending.
func complete(t testing.TB, r *running, name string, s *scripted, n int) {
	t.Helper()
	testenv.Eventually(t, soon, func() bool { got, _ := s.has(); return got >= n })
	testenv.Eventually(t, soon, func() bool { x := r.SinkState(name); return x.Pending == 0 && x.LagSeconds == 0 })
	if got := s.requests(); !slices.Equal(got, calls(n)) {
		t.Fatalf("%d records, want %d", len(got), n)
	}
	if x := r.SinkState(name); x.Missing != 0 {
		t.Errorf("%d records are missing: %+v", x.Missing, x.Shards)
	}
}

// journal is a log that tests read.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}
