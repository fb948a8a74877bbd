package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/spool/frame"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// letters are the reasons of a shard's dead letters, with their records.
func letters(t *testing.T, rdb redis.UniversalClient, shard int) (list []string) {
	t.Helper()
	entries, err := rdb.XRange(t.Context(), spool.DeadKey(shard), "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%v [%v]", e.Values["reason"], e.Values["records"]))
	}
	return list
}

// TestAPoisonBatchIsFoundAmongOthers has a sink that panics on one record: the batch
// that holds it goes to the dead letters, alone, and the pump lives on.
func TestAPoisonBatchIsFoundAmongOthers(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := &scripted{before: func(_ context.Context, b sink.Batch) error {
			for _, e := range b.Records {
				if e.Path == "/poison" {
					panic("a field that nobody thought of")
				}
			}
			return nil
		}}
		g := newGateway(t, rdb, spool.Options{Shards: 1, Lanes: 1})
		g.send(100, func(i int, r *record.Record) {
			if i == 42 {
				r.Path = "/poison"
			}
		})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
		o.Shards = 1
		p := start(t, o)
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Parked > 0 })
		testenv.Eventually(t, soon, func() bool { x := p.SinkState("a"); return x.Pending == 0 && x.LagSeconds == 0 && x.Dead > 0 })
		x, dead := p.SinkState("a"), letters(t, rdb, 0)
		n, _ := to.has()
		if n != 100-int(x.Parked) || x.Parked > 10 || x.Parked != x.Dead || x.Failing {
			t.Errorf("%d records arrived: %+v", n, x)
		}
		if len(dead) != 1 || !strings.Contains(dead[0], "the sink panicked: a field that nobody thought of") {
			t.Errorf("%q", dead)
		}
		if slices.Contains(to.requests(), call(42).RequestID) {
			t.Error("the poison arrived")
		}
		p.end(t)
	})
}

// TestWhatCannotBeReadGoesToTheDeadLetters has entries that are no frames, that are
// corrupt, and that are from a newer version.
func TestWhatCannotBeReadGoesToTheDeadLetters(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := &scripted{}
		g := newGateway(t, rdb, spool.Options{Shards: 1})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
		o.Shards = 1
		p := start(t, o).ready(t)
		g.send(20)
		good := rdb.XRange(t.Context(), spool.StreamKey(0), "-", "+").Val()
		if len(good) == 0 { // trimmed already
			h := frame.Header{Start: frame.NewStartID(), Seq: 1, Count: 0}
			f, _ := frame.Append(nil, &h, nil, nil)
			good = []redis.XMessage{{Values: map[string]any{"f": string(f)}}}
		}
		text := good[0].Values["f"].(string)
		newer := []byte(text)
		newer[3] = 9
		flipped := []byte(text)
		flipped[len(flipped)-1] ^= 1
		for _, bad := range []string{"junk", "", string(newer), string(flipped)} {
			if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: spool.StreamKey(0), ID: "9999999999999-*", Values: []any{"f", bad, "n", 1}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Unreadable == 4 })
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Pending == 0 })
		if dead := letters(t, rdb, 0); len(dead) != 4 || !slices.ContainsFunc(dead, func(s string) bool { return strings.Contains(s, "update the pump first") }) {
			t.Errorf("%q", dead)
		}
		if got := to.requests(); !slices.Equal(got, calls(20)) {
			t.Errorf("%d records", len(got))
		}
		p.end(t)
	})
}

// TestUnknownFieldsOfANewerVersionAreSkipped writes a record with a field that this
// version does not know.
func TestUnknownFieldsOfANewerVersionAreSkipped(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb := s.Client()
	to := &scripted{}
	o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
	o.Shards = 1
	start(t, o).ready(t)
	one := call(7).Append(nil)
	one = append(binary.AppendUvarint(one, 1000<<3|2), 5, 'h', 'e', 'l', 'l', 'o')
	body := binary.AppendUvarint([]byte{3<<3 | 2}, uint64(len(one)))
	body = append(body, one...)
	h := frame.Header{Start: frame.NewStartID(), Seq: 1, Count: 1, First: time.Now(), Last: time.Now()}
	f, _ := frame.Append(nil, &h, body, nil)
	if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: spool.StreamKey(0), Values: []any{"f", f, "n", 1}}).Err(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, soon, func() bool { n, _ := to.has(); return n == 1 })
	if got := to.requests(); got[0] != call(7).RequestID {
		t.Errorf("%q", got)
	}
}

func TestRejectedRecordsGoToTheDeadLettersAndTheOthersStay(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := &scripted{}
		to.before = func(_ context.Context, b sink.Batch) error {
			var reject sink.Reject
			for i, e := range b.Records {
				if e.Status == 500 {
					reject.Records = append(reject.Records, sink.Rejected{Index: i, Reason: "too large for " + e.Path[:2]})
				} else {
					to.keep(b.Shard, b.Records[i:i+1])
				}
			}
			if len(reject.Records) == 0 {
				return errors.New("this test rejects something in each batch")
			}
			reject.Records = append(reject.Records, sink.Rejected{Index: 1 << 20, Reason: "a mistake of the sink"})
			return fmt.Errorf("wrapped: %w", &reject)
		}
		g := newGateway(t, rdb, spool.Options{Shards: 1, Lanes: 1})
		g.send(60, func(i int, r *record.Record) {
			if i%5 == 3 {
				r.Status = 500
			}
			if i%2 == 0 {
				r.Flags |= record.CountOnly // so that indexes in the batch and in the stream differ
			}
		})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
		o.Shards = 1
		p := start(t, o)
		testenv.Eventually(t, soon, func() bool { x := p.SinkState("a"); return x.Written+x.Skipped+x.Rejected == 60 && x.Pending == 0 })
		x := p.SinkState("a")
		if n, _ := to.has(); n != 24 || x.Rejected != 6 || x.Written != 24 || x.Skipped != 30 || x.Failing {
			t.Errorf("%d records: %+v", n, x)
		}
		// records 3, 13, .. of the run are 3 of each batch of ten
		total := 0
		for _, letter := range letters(t, rdb, 0) {
			reason, records, _ := strings.Cut(letter, " [")
			if reason != "too large for /n" {
				t.Errorf("%q", letter)
			}
			total += len(strings.Split(records, ","))
			for n := range strings.SplitSeq(strings.TrimSuffix(records, "]"), ",") {
				if n != "3" {
					t.Errorf("%q: a record of another index", letter)
				}
			}
		}
		if total != 6 {
			t.Errorf("%d records in dead letters", total)
		}
		p.end(t)
	})
}

// TestAZombieChangesNothing lets a pump hang in a Write until another has taken its
// batch over and stored it, and wakes it.
func TestAZombieChangesNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		const timeout = 300 * time.Millisecond
		var entered, cancelled atomic.Bool
		zombie := &scripted{}
		zombie.before = func(ctx context.Context, _ sink.Batch) error {
			entered.Store(true)
			<-ctx.Done()
			cancelled.Store(true)
			return ctx.Err()
		}
		g := newGateway(t, rdb, spool.Options{Shards: 1})
		o := quick(s.Client(), "zombie", Sink{Name: "a", To: zombie, WriteTimeout: time.Hour})
		o.Shards = 1
		asleep := start(t, o)
		g.send(10)
		testenv.Eventually(t, soon, entered.Load)

		// The heir takes what was silent for twice its timeout; the zombie's keeper is set
		// to an hour, as if the process were stopped.
		heir := &scripted{}
		o = quick(s.Client(), "heir", Sink{Name: "a", To: heir, WriteTimeout: timeout})
		o.Shards = 1
		awake := start(t, o)
		complete(t, awake, "a", heir, 10)
		if cancelled.Load() {
			t.Fatal("the zombie woke too early")
		}
		// It wakes: its next Keep would say so; here its Write is cut by the stop.
		if err := asleep.stop(); err != nil {
			t.Error(err)
		}
		if n, _ := zombie.has(); n != 0 || len(letters(t, rdb, 0)) != 0 {
			t.Errorf("%d records, letters %q", n, letters(t, rdb, 0))
		}
		if n := pending(t, rdb, "a"); n != 0 {
			t.Errorf("%d pending", n)
		}
		g.send(10)
		complete(t, awake, "a", heir, 20)
		awake.end(t)
	})
}

// TestAWriteIsCancelledWhenItsBatchIsTaken has another consumer claim what is in a
// long Write: the next Keep finds out.
func TestAWriteIsCancelledWhenItsBatchIsTaken(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		var writes atomic.Int64
		to := &scripted{}
		to.before = func(ctx context.Context, _ sink.Batch) error {
			if writes.Add(1) > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		g := newGateway(t, rdb, spool.Options{Shards: 1})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to, WriteTimeout: 2 * time.Second})
		o.Shards = 1
		p := start(t, o)
		g.send(10)
		testenv.Eventually(t, soon, func() bool { return writes.Load() == 1 })
		entries := rdb.XPendingExt(t.Context(), &redis.XPendingExtArgs{Stream: spool.StreamKey(0), Group: "a", Start: "-", End: "+", Count: 10}).Val()
		if len(entries) == 0 {
			t.Fatal("nothing is pending")
		}
		for _, e := range entries {
			if err := rdb.XClaimJustID(t.Context(), &redis.XClaimArgs{Stream: spool.StreamKey(0), Group: "a", Consumer: "other", Messages: []string{e.ID}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Taken > 0 })
		if x := p.SinkState("a"); x.Written != 0 || x.Failed != 0 || x.LastError != "" {
			t.Errorf("it did not end because others have the batch: %+v", x)
		}
		g.send(10)
		complete(t, p, "a", to, 20) // the lane goes on; the other consumer lets its batch lie
		p.end(t)
	})
}

func TestLongWritesAreKeptFromOthers(t *testing.T) {
	s := testenv.RedisServer(t)
	const timeout = 400 * time.Millisecond
	release := make(chan struct{})
	slow := &scripted{}
	var failures atomic.Int64
	slow.before = func(context.Context, sink.Batch) error {
		select {
		case <-release:
			return nil
		default:
			failures.Add(1)
			return errors.New("not yet")
		}
	}
	g := newGateway(t, s.Client(), spool.Options{Shards: 1})
	o := quick(s.Client(), "slow", Sink{Name: "a", To: slow, WriteTimeout: timeout})
	o.Shards, o.pause = 1, bounds{100 * time.Millisecond, 100 * time.Millisecond}
	p := start(t, o).ready(t)
	g.send(10)
	testenv.Eventually(t, soon, func() bool { return failures.Load() > 0 })
	other := &scripted{}
	o = quick(s.Client(), "other", Sink{Name: "a", To: other, WriteTimeout: timeout})
	o.Shards = 1
	q := start(t, o)
	began := time.Now()
	testenv.Eventually(t, soon, func() bool { return time.Since(began) > 4*timeout }) // twice as long as others wait
	close(release)
	complete(t, p, "a", slow, 10)
	if n, _ := other.has(); n != 0 {
		t.Errorf("the other pump got %d records", n)
	}
	q.end(t)
	p.end(t)
}

func TestTwoPumpsShareShards(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		g := newGateway(t, s.Client(), spool.Options{Shards: 2})
		to := &scripted{}
		a := start(t, quick(s.Client(), "one", Sink{Name: "a", To: to})).ready(t)
		b := start(t, quick(s.Client(), "two", Sink{Name: "a", To: to})).ready(t)
		testenv.Eventually(t, soon, func() bool {
			g.send(100)
			return a.SinkState("a").Written > 0 && b.SinkState("a").Written > 0
		})
		complete(t, a, "a", to, g.sent)
		if _, repeats := to.has(); repeats != 0 || a.SinkState("a").Written+b.SinkState("a").Written != uint64(g.sent) {
			t.Errorf("%d repeats", repeats)
		}
		testenv.Eventually(t, soon, func() bool { return len(a.State().Shards)+len(b.State().Shards) == 2 }) // one trims each
		a.end(t)
		g.send(100)
		complete(t, b, "a", to, g.sent)
		testenv.Eventually(t, soon, func() bool { return len(b.State().Shards) == 2 }) // the leases were given back
		b.end(t)
	})
}

// TestRedisComesBackWithItsDataOrWithout needs redis-server: the embedded one answers
// no blocking command any more when it was restarted.
func TestRedisComesBackWithItsDataOrWithout(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server, version 6.2 or newer")
	}
	for name, keep := range map[string]bool{"with": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s.Flush()
			to := &scripted{}
			var j journal
			g := newGateway(t, s.Client(), spool.Options{Shards: 2})
			o := quick(s.Client(), "pump", Sink{Name: "a", To: to})
			o.Log = j.log()
			p := start(t, o)
			g.send(100)
			complete(t, p, "a", to, 100)
			s.Stop()
			testenv.Eventually(t, soon, func() bool { return j.count("cannot be read") > 0 })
			s.Start(keep)
			g.send(100)
			complete(t, p, "a", to, 200)
			if n := j.count("cannot be read"); n != 1 {
				t.Errorf("%d lines where one says it", n)
			}
			p.end(t)
		})
	}
}

// TestRestartsWhileASinkIsDownCostNothing stops and starts a pump more often than a
// batch may be delivered.
func TestRestartsWhileASinkIsDownCostNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		var down atomic.Bool
		down.Store(true)
		to := &scripted{before: func(context.Context, sink.Batch) error {
			if down.Load() {
				return errors.New("no route to the store")
			}
			return nil
		}}
		g := newGateway(t, s.Client(), spool.Options{Shards: 2})
		g.send(200)
		for range 8 {
			p := start(t, quick(s.Client(), "pump", Sink{Name: "a", To: to}))
			testenv.Eventually(t, soon, func() bool { return p.SinkState("a").Failing })
			p.end(t)
		}
		down.Store(false)
		p := start(t, quick(s.Client(), "pump", Sink{Name: "a", To: to}))
		complete(t, p, "a", to, 200)
		p.end(t)
		if n := len(letters(t, s.Client(), 0)) + len(letters(t, s.Client(), 1)); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// TestWhatAPumpHasInHandOutlivesAnEmptiedRedis empties Redis while a batch waits for
// its sink.
func TestWhatAPumpHasInHandOutlivesAnEmptiedRedis(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		release := make(chan struct{})
		var entered atomic.Bool
		to := &scripted{before: func(ctx context.Context, _ sink.Batch) error {
			entered.Store(true)
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		g := newGateway(t, s.Client(), spool.Options{Shards: 1})
		o := quick(s.Client(), "pump", Sink{Name: "a", To: to, WriteTimeout: time.Minute})
		o.Shards = 1
		p := start(t, o)
		g.send(1)
		testenv.Eventually(t, soon, entered.Load)
		s.Flush()
		close(release)
		testenv.Eventually(t, soon, func() bool { n, _ := to.has(); return n == 1 })
		g.send(20)
		testenv.Eventually(t, soon, func() bool { n, _ := to.has(); return n == 21 })
		p.end(t)
	})
}
