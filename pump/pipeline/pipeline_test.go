package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

func TestEverySinkGetsEveryRecordOnceAndInOrder(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		a, b := &scripted{}, &scripted{}
		g := newGateway(t, rdb, spool.Options{Shards: 2, Lanes: 1})
		p := start(t, quick(s.Client(), "pump", Sink{Name: "a", To: a}, Sink{Name: "b", To: b}))
		g.send(1000)
		for name, one := range map[string]*scripted{"a": a, "b": b} {
			complete(t, p, name, one, 1000)
			if _, repeats := one.has(); repeats != 0 {
				t.Errorf("%s: %d repeats", name, repeats)
			}
			for shard, order := range one.order {
				if !slices.IsSorted(order) {
					t.Errorf("%s, shard %d: out of order", name, shard)
				}
			}
		}
		p.end(t)
		if !a.closed || !b.closed {
			t.Error("the sinks were not closed")
		}
		if x := p.SinkState("a"); x.Read != 1000 || x.Written != 1000 || x.Failing || x.Unreadable+x.Parked+x.Rejected+x.Taken != 0 {
			t.Errorf("%+v", x)
		}
	})
}

// TestACrashAtAnyPointLosesNothing cuts a pump off from Redis within a Write, which
// is what a crash looks like from outside, and goes on with its next life.
func TestACrashAtAnyPointLosesNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		for name, crash := range map[string]func(to *scripted, f func() error){
			"before the write": func(to *scripted, f func() error) { to.before = func(context.Context, sink.Batch) error { return f() } },
			"after the write, before the ack": func(to *scripted, f func() error) {
				to.after = func(context.Context, sink.Batch) error { _ = f(); return nil }
			},
			"half of the write, before an ack": func(to *scripted, f func() error) {
				to.before = func(_ context.Context, b sink.Batch) error {
					err := f()
					if err != nil {
						to.keep(b.Shard, b.Records[:len(b.Records)/2])
					}
					return err
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				s.Flush()
				to := &scripted{}
				g := newGateway(t, s.Client(), spool.Options{Shards: 2})
				const lives = 4 // a batch may come five times
				for life := range lives + 1 {
					rdb := s.Client()
					var writes, crashed atomic.Int64
					crash(to, func() error {
						if crashed.Load() == 1 || (life < lives && writes.Add(1) > 3) {
							crashed.Store(1)
							_ = rdb.Close()
							return errors.New("crash")
						}
						return nil
					})
					o := quick(rdb, "pump", Sink{Name: "a", To: to})
					if life < lives {
						o.Drain = 50 * time.Millisecond // a crash takes no time
					}
					p := start(t, o)
					g.send(200)
					if life < lives {
						testenv.Eventually(t, soon, func() bool { return crashed.Load() == 1 })
						_ = p.stop()
						continue
					}
					complete(t, p, "a", to, g.sent)
					p.end(t)
				}
				_, repeats := to.has()
				if name != "before the write" && repeats == 0 {
					t.Error("nothing came again: nothing was cut off")
				}
			})
		}
	})
}

func TestASlowSinkDelaysOnlyItself(t *testing.T) {
	s := testenv.RedisServer(t)
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
	g := newGateway(t, s.Client(), spool.Options{Shards: 2})
	o := quick(s.Client(), "pump", Sink{Name: "slow", To: slow, WriteTimeout: time.Minute}, Sink{Name: "fast", To: fast})
	p := start(t, o).ready(t)
	for range 5 {
		g.send(100)
		complete(t, p, "fast", fast, g.sent)
	}
	testenv.Eventually(t, soon, func() bool { x := p.SinkState("slow"); return x.Pending > 0 && x.LagSeconds > 0 && x.LagBytes > 0 })
	if got, _ := slow.has(); got != 0 {
		t.Errorf("the slow sink has %d records", got)
	}
	close(release)
	complete(t, p, "slow", slow, g.sent)
	p.end(t)
}

func TestASinkThatIsDownLeavesItsBacklogInRedis(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		var down atomic.Bool
		down.Store(true)
		to := &scripted{before: func(context.Context, sink.Batch) error {
			if down.Load() {
				return errors.New("no route to the store")
			}
			return nil
		}}
		var j journal
		g := newGateway(t, s.Client(), spool.Options{Shards: 2})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
		o.Log = j.log()
		p := start(t, o)
		g.send(400)
		testenv.Eventually(t, soon, func() bool { x := p.SinkState("a"); return x.Failing && x.Failed > 400 })
		x := p.SinkState("a")
		if x.LastError != "no route to the store" || x.FailingSince.IsZero() || x.Read > 2*8*10 {
			t.Errorf("it reads on while the sink is down, or does not say why: %+v", x)
		}
		down.Store(false)
		complete(t, p, "a", to, 400)
		if p.SinkState("a").Failing {
			t.Error("it still fails")
		}
		p.end(t)
		if n, m := j.count("does not take records"), j.count("takes records again"); n != 1 || m != 1 {
			t.Errorf("%d and %d lines where one each says it", n, m)
		}
	})
}

func TestAWaitOfTheSinkIsHonoured(t *testing.T) {
	s := testenv.RedisServer(t)
	var writes atomic.Int64
	to := &scripted{before: func(context.Context, sink.Batch) error {
		if writes.Add(1) == 1 {
			return &sink.Wait{For: 400 * time.Millisecond, Err: errors.New("quota")}
		}
		return nil
	}}
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
	o.Shards = 1
	p := start(t, o)
	g.send(1)
	testenv.Eventually(t, soon, func() bool { return writes.Load() == 1 })
	began := time.Now()
	complete(t, p, "a", to, 1)
	if took := time.Since(began); took < 300*time.Millisecond { // 400 ms less the time in which it was noticed
		t.Errorf("tried again after %s", took)
	}
}

func TestAWriteHasADeadline(t *testing.T) {
	s := testenv.RedisServer(t)
	var writes atomic.Int64
	to := &scripted{before: func(ctx context.Context, _ sink.Batch) error {
		if writes.Add(1) > 1 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	o := quick(s.Client(), "pump", Sink{Name: "a", To: to, WriteTimeout: 100 * time.Millisecond})
	o.Shards = 1
	p := start(t, o)
	g.send(10)
	complete(t, p, "a", to, 10)
	if x := p.SinkState("a"); !strings.Contains(x.LastError, "no answer within 100ms") {
		t.Errorf("%+v", x)
	}
}

func TestARunningWriteMayFinishAtAStop(t *testing.T) {
	s := testenv.RedisServer(t)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	to := &scripted{before: func(ctx context.Context, _ sink.Batch) error {
		entered <- struct{}{}
		<-release
		return ctx.Err()
	}}
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
	o.Shards = 1
	p := start(t, o)
	g.send(10)
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	testenv.Eventually(t, soon, func() bool { return s.Client().XLen(t.Context(), spool.StreamKey(0)).Val() >= 1 })
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if n, _ := to.has(); n != 10 || pending(t, s.Client(), "a") != 0 {
		t.Errorf("%d records, %d pending", n, pending(t, s.Client(), "a"))
	}
}

func pending(t *testing.T, rdb redis.UniversalClient, group string) int64 {
	t.Helper()
	x, err := rdb.XPending(t.Context(), spool.StreamKey(0), group).Result()
	if err != nil {
		t.Fatal(err)
	}
	return x.Count
}

func TestAStopTakesItsTimeAndNoMore(t *testing.T) {
	s := testenv.RedisServer(t)
	for name, c := range map[string]struct {
		obeys bool
		want  string
	}{"a write that ends when cancelled": {true, ""}, "a write that never ends": {false, "sink a: its Write did not end"}} {
		t.Run(name, func(t *testing.T) {
			s.Flush()
			entered, release := make(chan struct{}, 1), make(chan struct{})
			to := &scripted{before: func(ctx context.Context, _ sink.Batch) error {
				entered <- struct{}{}
				select {
				case <-release:
				case <-ctx.Done():
					if !c.obeys {
						<-release
					}
				}
				return errors.New("cut off")
			}}
			other := &scripted{}
			g := newGateway(t, s.Client(), spool.Options{Shards: 1})
			o := quick(s.Client(), "pump", Sink{Name: "a", To: to}, Sink{Name: "b", To: other})
			o.Shards, o.Drain = 1, 300*time.Millisecond
			p := start(t, o)
			g.send(10)
			<-entered
			began := time.Now()
			err := p.stop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the stop took %s", took)
			}
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v", err)
			}
			if to.closed != c.obeys || !other.closed {
				t.Errorf("closed: %v and %v", to.closed, other.closed)
			}
			close(release)
			if n := pending(t, s.Client(), "a"); n != 1 {
				t.Errorf("%d batches are pending", n)
			}
			// the same consumer resumes what was not written, at once
			next := &scripted{}
			again := start(t, quick(s.Client(), "pump", Sink{Name: "a", To: next}))
			complete(t, again, "a", next, 10)
			again.end(t)
		})
	}
}

type worker struct {
	scripted
	err error
}

func (w *worker) Work(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	<-ctx.Done()
	if _, repeats := w.has(); repeats > 0 {
		return errors.New("never")
	}
	return nil
}

func TestASinksOwnWorkEndsAfterTheLanesOrEndsThePump(t *testing.T) {
	s := testenv.RedisServer(t)
	good := &worker{}
	p := start(t, quick(s.Client(), "pump", Sink{Name: "a", To: good})).ready(t)
	p.end(t)
	if !good.closed {
		t.Error("not closed")
	}
	bad, err := New(quick(s.Client(), "pump", Sink{Name: "a", To: &worker{err: errors.New("the port is gone")}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "sink a: the port is gone") {
		t.Errorf("got %v", err)
	}
}

func TestAPipelineThatDoesNotRunClosesItsSinks(t *testing.T) {
	to := &scripted{}
	p, err := New(quick(testenv.Redis(t), "pump", Sink{Name: "a", To: to}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil || !to.closed {
		t.Errorf("%v %v", err, to.closed)
	}
}
