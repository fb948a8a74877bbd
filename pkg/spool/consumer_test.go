package spool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// filled has so many batches of ten records in one shard, and no end mark.
func filled(t *testing.T, rdb redis.UniversalClient, batches int) (p *Producer, more func(batches int)) {
	t.Helper()
	p = opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10, Slots: 400})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	n := 0
	more = func(batches int) {
		t.Helper()
		addAll(t, p, n, n+10*batches)
		n += 10 * batches
		testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Sent == uint64(n) })
	}
	more(batches)
	return p, more
}

func read(t *testing.T, r *Reader, want int) []*Batch {
	t.Helper()
	batches, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(batches) != want {
		t.Fatalf("%d batches, want %d", len(batches), want)
	}
	return batches
}

func reader(t *testing.T, rdb redis.UniversalClient, o ReaderOptions) *Reader {
	t.Helper()
	return newSink(t, rdb, 1, o).readers[0]
}

func locate(t *testing.T, rdb redis.UniversalClient, group string) Position {
	t.Helper()
	p, err := Locate(t.Context(), rdb, 0, group)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestZombieChangesNothing lets a reader sleep with its batches until another one
// has taken them over, and wakes it.
func TestZombieChangesNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		filled(t, rdb, 3)
		const idle = 200 * time.Millisecond
		dead := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "zombie", ClaimAfter: idle})
		held := read(t, dead, 3)
		heir := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "heir", ClaimAfter: idle})
		read(t, heir, 0)
		var got []*Batch
		testenv.EventuallyNoError(t, 10*time.Second, func() error {
			more, err := heir.Read(t.Context())
			if got = append(got, more...); err == nil && len(got) < 3 {
				err = fmt.Errorf("%d batches", len(got))
			}
			return err
		})
		if got[0].Deliveries != 2 || got[0].RecordID(0) != held[0].RecordID(0) {
			t.Errorf("%+v", got[0])
		}
		if err := heir.Ack(t.Context(), got[0]); err != nil {
			t.Fatal(err)
		}
		// The zombie wakes: one of its batches is settled, two are in work elsewhere.
		if err := dead.Keep(t.Context(), held...); !errors.Is(err, ErrLost) {
			t.Errorf("keep: %v", err)
		}
		for _, b := range held {
			if err := dead.Ack(t.Context(), b); !errors.Is(err, ErrLost) {
				t.Errorf("ack: %v", err)
			}
			if err := dead.Park(t.Context(), b, "zombie"); !errors.Is(err, ErrLost) {
				t.Errorf("park: %v", err)
			}
		}
		if p := locate(t, rdb, "g"); p.Pending != 2 || p.Dead != 0 || len(p.Gaps) != 0 {
			t.Errorf("%+v", p)
		}
		if n := rdb.XLen(t.Context(), DeadKey(0)).Val(); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		if err := heir.Ack(t.Context(), got[1:]...); err != nil {
			t.Fatal(err)
		}
		if p := locate(t, rdb, "g"); p.Pending != 0 || p.Lag != 0 || p.Bytes != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestSlowWorkIsKept(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		filled(t, rdb, 2)
		const idle = 300 * time.Millisecond
		slow := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "slow", ClaimAfter: idle})
		held := read(t, slow, 2)
		other := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "other", ClaimAfter: idle})
		for end := time.Now().Add(4 * idle); time.Now().Before(end); {
			if err := slow.Keep(t.Context(), held...); err != nil {
				t.Fatal(err)
			}
			read(t, other, 0)
			read(t, slow, 0) // nor does the reader get its own again
		}
		if err := slow.Ack(t.Context(), held...); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARestartedReaderResumes(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 0)
		first := reader(t, rdb, ReaderOptions{Group: "g", Batches: 3})
		read(t, first, 0) // the group is there before the records
		more(5)
		before := read(t, first, 3)
		if err := first.Ack(t.Context(), before[1]); err != nil {
			t.Fatal(err)
		}
		again := reader(t, rdb, ReaderOptions{Group: "g", Batches: 3})
		batches := read(t, again, 2)
		if batches[0].Entry != before[0].Entry || batches[1].Entry != before[2].Entry {
			t.Errorf("%v", batches)
		}
		if p := locate(t, rdb, "g"); len(p.Gaps) != 1 || !p.Gaps[0].Provisional || p.Gaps[0].Records != 10 || p.Lag <= 0 || p.Bytes <= 0 {
			t.Errorf("%+v", p)
		}
		if err := again.Ack(t.Context(), batches...); err != nil {
			t.Fatal(err)
		}
		if err := again.Ack(t.Context(), read(t, again, 2)...); err != nil {
			t.Fatal(err)
		}
		if p := locate(t, rdb, "g"); len(p.Gaps) != 0 || p.Pending != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestHopelessBatchesAreParked(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p, more := filled(t, rdb, 1)
		good, _ := frame.Append(nil, &frame.Header{Start: p.Start(), Seq: 9, Base: 10}, nil, nil)
		newer := append([]byte(nil), good...)
		newer[3] = 99
		other, _ := frame.Append(nil, &frame.Header{Start: p.Start(), Seq: 9, Base: 10, Shard: 3}, nil, nil)
		short, _ := frame.Append(nil, &frame.Header{Start: p.Start(), Seq: 9, Base: 10, Count: 4}, nil, nil)
		torn := append([]byte(nil), good...)
		torn[len(torn)-1]++
		for _, f := range [][]byte{[]byte("{}"), newer, torn, other, short} {
			if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: StreamKey(0), Values: []any{"f", f, "n", 0}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := rdb.Del(t.Context(), startsKey(0)).Err(); err != nil { // the ids above are not ours: producers find their way
			t.Fatal(err)
		}
		more(1)
		r := reader(t, rdb, ReaderOptions{Group: "g"})
		if err := r.Ack(t.Context(), read(t, r, 2)...); err != nil {
			t.Fatal(err)
		}
		if r.Parked() != 5 {
			t.Errorf("%d parked", r.Parked())
		}
		letters, err := rdb.XRange(t.Context(), DeadKey(0), "-", "+").Result()
		if err != nil || len(letters) != 5 {
			t.Fatal(letters, err)
		}
		for i, want := range []string{"not a frame", "version 99", "checksum", "shard 3", "0 records where 4"} {
			if reason, _ := letters[i].Values["reason"].(string); !strings.Contains(reason, want) || letters[i].Values["group"] != "g" {
				t.Errorf("%v, want %q", letters[i].Values, want)
			}
		}
		if letters[0].Values["f"] != "{}" {
			t.Errorf("%v", letters[0].Values)
		}
	})
}

// TestAFullRedisIsDrained has no memory left from the start of a reader on: what frees
// memory must go on, and a new sink must be possible.
func TestAFullRedisIsDrained(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one knows no limit of memory")
	}
	rdb := s.Client()
	p, _ := filled(t, rdb, 3)
	if _, err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: StreamKey(0), Values: []any{"f", "garbage", "n", 0}}).Result(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	r := reader(t, rdb, ReaderOptions{Group: "g"})
	batches := read(t, r, 3)
	if err := r.Keep(t.Context(), batches...); err != nil {
		t.Fatal(err)
	}
	if err := r.Unread(t.Context(), batches...); err != nil {
		t.Fatal(err)
	}
	if err := r.Ack(t.Context(), batches...); err != nil {
		t.Fatal(err)
	}
	if r.Parked() != 1 {
		t.Errorf("%d entries are in the dead letters, want 1", r.Parked())
	}
	trimmed, err := Trim(t.Context(), rdb, 0, TrimOptions{})
	if err != nil || trimmed.Entries != 0 {
		t.Errorf("%+v, %v", trimmed, err)
	}
	if at := locate(t, rdb, "g"); at.Pending != 0 || len(at.Gaps) != 0 {
		t.Errorf("%+v", at)
	}
	if st := p.Stats(); st.Repeated != 0 {
		t.Errorf("%+v", st)
	}
}

func TestABatchThatKillsItsReadersIsParked(t *testing.T) {
	rdb := testenv.RedisServer(t).Client()
	filled(t, rdb, 1)
	o := ReaderOptions{Group: "g", MaxDeliveries: 2}
	read(t, reader(t, rdb, o), 1)
	read(t, reader(t, rdb, o), 1)
	third := reader(t, rdb, o)
	read(t, third, 0)
	if p := locate(t, rdb, "g"); third.Parked() != 1 || p.Dead != 10 || p.Pending != 0 || len(p.Gaps) != 0 {
		t.Errorf("%+v, %d parked", p, third.Parked())
	}
}

func TestRejectedRecordsAreDeadLetters(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		filled(t, rdb, 1)
		r := reader(t, rdb, ReaderOptions{Group: "g"})
		b := read(t, r, 1)[0]
		if err := r.Reject(t.Context(), b, "too large", []int{2, 7}); err != nil {
			t.Fatal(err)
		}
		if err := r.Ack(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		letters, err := rdb.XRange(t.Context(), DeadKey(0), "-", "+").Result()
		if err != nil || len(letters) != 1 || letters[0].Values["records"] != "2,7" || letters[0].Values["entry"] != b.Entry {
			t.Errorf("%v, %v", letters, err)
		}
		if f, _ := letters[0].Values["f"].(string); f != b.raw {
			t.Error("the letter has another frame")
		}
	})
}

func TestANewGroupMissesNothingOfBefore(t *testing.T) {
	for from, want := range map[string]int{FromNow: 2, FromOldest: 3} {
		t.Run(from, func(t *testing.T) {
			testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
				rdb := s.Client()
				_, more := filled(t, rdb, 4)
				old := newSink(t, rdb, 1, ReaderOptions{Group: "old"})
				old.drain()
				if _, err := Trim(t.Context(), rdb, 0, TrimOptions{}); err != nil {
					t.Fatal(err)
				}
				more(1)
				late := reader(t, rdb, ReaderOptions{Group: "late", From: from})
				_, err := late.Read(t.Context()) // makes the group
				if err != nil {
					t.Fatal(err)
				}
				more(2)
				to := newSink(t, rdb, 1, ReaderOptions{Group: "late", From: from})
				to.drain()
				to.expect(10*want, 0)
			})
		})
	}
}

// TestADeadSinkCostsOnlyItself keeps one group still while another one reads on: the
// stream stays within its budget, and the dead group's loss is exact.
func TestADeadSinkCostsOnlyItself(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 1)
		fast := newSink(t, rdb, 1, ReaderOptions{Group: "fast"})
		dead := newSink(t, rdb, 1, ReaderOptions{Group: "dead"})
		fast.drain()
		dead.drain()
		more(2)
		hold := read(t, dead.readers[0], 2) // in work for the whole time
		const budget = 10_000
		var evicted int64
		for range 30 {
			more(5)
			fast.drain()
			for {
				trimmed, err := Trim(t.Context(), rdb, 0, TrimOptions{Budget: budget})
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range trimmed.Groups {
					if g.Name == "fast" && g.Records > 0 || !g.Protected {
						t.Fatalf("%+v", g)
					}
					if g.Name == "dead" {
						evicted += g.Records
					}
				}
				if trimmed.Evicted == 0 {
					if trimmed.Bytes > budget {
						t.Fatalf("%+v", trimmed)
					}
					break
				}
			}
		}
		fast.expect(10+20+30*50, 0)
		if evicted == 0 {
			t.Fatal("nothing was evicted: the test tests nothing")
		}
		// The dead one comes back, with what it held and with what the stream still has.
		dead.write(hold)
		if err := dead.readers[0].Ack(t.Context(), hold...); err != nil {
			t.Fatal(err)
		}
		dead.drain()
		if got := int64(len(dead.got)); got+int64(dead.missing()) != 1530 || int64(dead.missing()) != evicted-20 {
			t.Errorf("%d got, %d missing, %d evicted", got, dead.missing(), evicted)
		}
	})
}

func TestAGroupWithoutReadersIsNotProtectedForEver(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 1)
		gone, here := newSink(t, rdb, 1, ReaderOptions{Group: "gone"}), newSink(t, rdb, 1, ReaderOptions{Group: "here", ClaimAfter: 40 * time.Millisecond})
		gone.drain()
		const patience = 300 * time.Millisecond
		more(3)
		testenv.Eventually(t, 10*time.Second, func() bool {
			here.drain()
			trimmed, err := Trim(t.Context(), rdb, 0, TrimOptions{Unprotected: patience})
			if err != nil {
				t.Fatal(err)
			}
			return trimmed.Entries == 0 && trimmed.Groups[0].Name == "gone" && !trimmed.Groups[0].Protected && trimmed.Groups[1].Protected
		})
		here.expect(40, 0)
	})
}

func TestALateBatchFillsItsGap(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		filled(t, rdb, 4)
		r := reader(t, rdb, ReaderOptions{Group: "g"})
		b := read(t, r, 4)
		for i, want := range []struct {
			batch int
			gaps  string
		}{{0, ""}, {3, "10+20"}, {2, "10+10"}, {1, ""}} {
			if err := r.Ack(t.Context(), b[want.batch]); err != nil {
				t.Fatal(err)
			}
			gaps := ""
			for _, g := range locate(t, rdb, "g").Gaps {
				gaps += fmt.Sprintf("%d+%d", g.From, g.Records)
			}
			if gaps != want.gaps {
				t.Errorf("step %d: gaps %q, want %q", i, gaps, want.gaps)
			}
		}
	})
}

func TestSilentStartsAreForgotten(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p, _ := filled(t, rdb, 1)
		newSink(t, rdb, 1, ReaderOptions{Group: "g"}).drain()
		known := func() bool {
			return rdb.HExists(t.Context(), startsKey(0), p.Start().String()).Val() || rdb.HExists(t.Context(), positionsKey(0), "g/"+p.Start().String()).Val()
		}
		if _, err := Trim(t.Context(), rdb, 0, TrimOptions{}); err != nil || !known() {
			t.Fatal(err, known())
		}
		testenv.Eventually(t, 5*time.Second, func() bool {
			if _, err := Trim(t.Context(), rdb, 0, TrimOptions{Forget: time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			return !known()
		})
	})
}

func TestReadersSayWhatTheyNeed(t *testing.T) {
	rdb := testenv.Redis(t)
	for _, o := range []ReaderOptions{{Group: "g"}, {Consumer: "c"}, {Group: "a/b", Consumer: "c"}} {
		if _, err := NewReader(rdb, 0, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := NewReader(rdb, MaxShards, ReaderOptions{Group: "g", Consumer: "c"}); err == nil {
		t.Error("a shard that does not exist was taken")
	}
	if _, err := Locate(t.Context(), rdb, 0, "nobody"); err == nil {
		t.Error("a group that does not exist has a position")
	}
}

func TestWhatNobodyReadIsNotEvicted(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 0)
		slow := reader(t, rdb, ReaderOptions{Group: "slow"})
		read(t, slow, 0)
		more(20)
		read(t, slow, 8) // in work
		trimmed, err := Trim(t.Context(), rdb, 0, TrimOptions{Budget: 1000})
		if err != nil || trimmed.Evicted != 0 || trimmed.Entries != 20 || trimmed.Bytes < 1000 {
			t.Errorf("%+v, %v", trimmed, err)
		}
	})
}

// TestADeliveryThatDoesNotCount has a reader restart more often than a batch may be
// delivered, each time before it could do anything.
func TestADeliveryThatDoesNotCount(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		filled(t, rdb, 2)
		o := ReaderOptions{Group: "g", Consumer: "c", MaxDeliveries: 2}
		for range 6 {
			r := reader(t, rdb, o)
			if err := r.Unread(t.Context(), read(t, r, 2)...); err != nil {
				t.Fatal(err)
			}
		}
		last := reader(t, rdb, o)
		held := read(t, last, 2)
		if held[0].Deliveries != 1 {
			t.Errorf("%d deliveries", held[0].Deliveries)
		}
		if err := last.Ack(t.Context(), held...); err != nil {
			t.Fatal(err)
		}
		if err := last.Unread(t.Context(), held...); err != nil { // settled: nothing to do
			t.Fatal(err)
		}
		if p := locate(t, rdb, "g"); p.Pending != 0 || p.Dead != 0 {
			t.Errorf("%+v", p)
		}
	})
}
