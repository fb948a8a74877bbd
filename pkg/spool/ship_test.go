package spool

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestALostReplyRepeatsNothing sends the same frames again, as after a reply that
// never came.
func TestALostReplyRepeatsNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
		addAll(t, p, 0, 50)
		sh := p.shards[0]
		if n := p.load(sh); n != 5 {
			t.Fatalf("%d frames", n)
		}
		for range 3 {
			if n, err := p.send(t.Context(), sh); n != 5 || err != nil {
				t.Fatal(n, err)
			}
		}
		p.settle(sh, 5)
		if st := p.Stats(); st.Sent != 50 || st.Repeated != 10 || rdb.XLen(t.Context(), StreamKey(0)).Val() != 5 {
			t.Errorf("%+v", st)
		}
	})
}

// TestRepeatedFramesAreNoLag: Redis' own count of what a group did not get includes
// entries that were deleted before anybody read them.
func TestRepeatedFramesAreNoLag(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
		to := newSink(t, rdb, 1, ReaderOptions{Group: "g", Batches: 1})
		sh := p.shards[0]
		lag := func(want int64) {
			t.Helper()
			pos, err := Locate(t.Context(), rdb, 0, "g")
			if err != nil || pos.Entries != want || (pos.Lag > 0) != (want > 0) || (pos.Bytes > 0) != (want > 0) {
				t.Errorf("%+v, %v; want %d entries", pos, err, want)
			}
		}
		for round := range 3 {
			addAll(t, p, round*50, round*50+50)
			if n := p.load(sh); n != 5 {
				t.Fatalf("%d frames", n)
			}
			for range 2 {
				if n, err := p.send(t.Context(), sh); n != 5 || err != nil {
					t.Fatal(n, err)
				}
			}
			p.settle(sh, 5)
			if round == 0 {
				to.drain()
				lag(0)
				continue
			}
			read, err := to.readers[0].Read(t.Context())
			if err != nil || len(read) != 1 {
				t.Fatal(read, err)
			}
			lag(5)
			if err := to.readers[0].Ack(t.Context(), read...); err != nil {
				t.Fatal(err)
			}
			to.write(read)
			to.drain()
			lag(0)
		}
		if to.repeats != 0 || len(to.got) != 150 {
			t.Errorf("%d records, %d twice", len(to.got), to.repeats)
		}
	})
}

// TestABatchDoesNotOvertakeOneThatWasRefused would lose the refused one for ever,
// since a number below the last is taken for a repetition.
func TestABatchDoesNotOvertakeOneThatWasRefused(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, Budget: 1400, FlushRecords: 10})
		addAll(t, p, 0, 10)
		addAll(t, p, 10, 12) // the third, small batch would fit where the second does not
		p.flush(time.Now())
		ship := func() (int, error) { return p.ship(t.Context(), p.shards[0]) }
		if n, err := ship(); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		addAll(t, p, 12, 72) // six whole batches, of which one or two fit
		addAll(t, p, 72, 73)
		p.flush(time.Now())
		total := 2
		for range 3 {
			n, err := ship()
			total += n
			if err != errFull {
				t.Fatal(n, err)
			}
		}
		to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
		for rounds := 0; len(to.got) < 73; rounds++ {
			if rounds > 20 {
				t.Fatalf("%d records, %+v", len(to.got), p.Stats())
			}
			to.drain()
			if _, err := Trim(t.Context(), rdb, 0, TrimOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := ship(); err != nil && err != errFull {
				t.Fatal(err)
			}
		}
		to.expect(73, 0)
		if total == 9 {
			t.Error("all fitted at once: the test tests nothing")
		}
	})
}

// inStream is what the entries of a shard's stream take of the budget.
func inStream(t *testing.T, rdb redis.UniversalClient, shard int) (size int64) {
	t.Helper()
	entries, err := rdb.XRange(t.Context(), StreamKey(shard), "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f, _ := e.Values["f"].(string)
		size += entrySize([]byte(f))
	}
	return size
}

// TestProducersShareABudgetExactly lets two write that each believe there is room: what
// goes beyond is taken away again before anybody sees it, and no batch overtakes.
func TestProducersShareABudgetExactly(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		const budget = 1500
		to := newSink(t, rdb, 1, ReaderOptions{Group: "g", Batches: 2})
		to.drain()
		var producers []*Producer
		for range 2 {
			p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, Budget: budget, FlushRecords: 10})
			addAll(t, p, 0, 100)
			p.load(p.shards[0])
			producers = append(producers, p)
		}
		left, refused := 200, 0
		for round := 0; left > 0; round++ {
			if round > 100 {
				t.Fatalf("%d records did not arrive", left)
			}
			for _, p := range producers {
				sh := p.shards[0]
				sh.bytes.Store(0) // as if nobody else wrote
				if p.load(sh) == 0 {
					continue
				}
				n, err := p.send(t.Context(), sh)
				if err != nil && err != errFull {
					t.Fatal(err)
				}
				if n < len(sh.frames) {
					refused++
				}
				p.settle(sh, n)
				if used := sh.bytes.Load(); used != inStream(t, rdb, 0) || used > budget {
					t.Fatalf("%d bytes are said to be there, %d are, %d may", used, inStream(t, rdb, 0), budget)
				}
			}
			batches, err := to.readers[0].Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			to.write(batches)
			if err := to.readers[0].Ack(t.Context(), batches...); err != nil {
				t.Fatal(err)
			}
			left = 200 - len(to.got)
			trimmed, err := Trim(t.Context(), rdb, 0, TrimOptions{Budget: budget})
			if err != nil || trimmed.Bytes != inStream(t, rdb, 0) {
				t.Fatalf("%+v, %v: %d bytes are in the stream", trimmed, err, inStream(t, rdb, 0))
			}
		}
		if to.missing() != 0 || to.repeats != 0 {
			t.Errorf("%d missing, %d repeats", to.missing(), to.repeats)
		}
		if sizes := rdb.XLen(t.Context(), sizesKey(0)).Val(); sizes != rdb.XLen(t.Context(), StreamKey(0)).Val() {
			t.Errorf("%d sizes are left", sizes)
		}
		if refused < 10 {
			t.Errorf("only %d times there was no room: the test tests nothing", refused)
		}
	})
}

// TestAFullStreamIsNotWrittenTo looks at the stream's last id, which moves with every
// entry, also with one that is taken away again.
func TestAFullStreamIsNotWrittenTo(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, Budget: 2000, FlushRecords: 10})
		addAll(t, p, 0, 100)
		sh := p.shards[0]
		last := func() string { return rdb.XInfoStream(t.Context(), StreamKey(0)).Val().LastGeneratedID }
		if n, err := p.ship(t.Context(), sh); n == 0 || err != errFull {
			t.Fatal(n, err)
		}
		before, refused := last(), p.Stats().Refused
		for range 3 {
			if n, err := p.ship(t.Context(), sh); n != 0 || err != errFull {
				t.Fatal(n, err)
			}
		}
		if after := last(); after != before {
			t.Errorf("the last id went from %s to %s", before, after)
		}
		if st := p.Stats(); st.Refused != refused+3 || st.StreamBytes != inStream(t, rdb, 0) || st.StreamBytes > 2000 {
			t.Errorf("%+v", st)
		}
	})
}

// TestACountThatWasLostGoesOn loses the hash, and the sizes stay.
func TestACountThatWasLostGoesOn(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
		for from := 0; from < 60; from += 20 {
			addAll(t, p, from, from+20)
			if n, err := p.ship(t.Context(), p.shards[0]); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			if said, is := p.Stats().StreamBytes, inStream(t, rdb, 0); said != is {
				t.Errorf("%d bytes are said to be there, %d are", said, is)
			}
			if err := rdb.Del(t.Context(), startsKey(0)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestARedisWithoutMemory refuses whole transactions; nothing is appended twice.
func TestARedisWithoutMemory(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one knows no limit of memory")
	}
	rdb := s.Client()
	p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
	addAll(t, p, 0, 50)
	memory := func(limit string) {
		if err := rdb.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	memory("1")
	for range 3 {
		if n, err := p.ship(t.Context(), p.shards[0]); n != 0 || err == nil {
			t.Fatal(n, err)
		}
	}
	memory("0")
	if n, err := p.ship(t.Context(), p.shards[0]); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
	to.drain()
	to.expect(50, 0)
	if to.repeats != 0 || p.Stats().Repeated != 0 {
		t.Errorf("%d repeats, %+v", to.repeats, p.Stats())
	}
}

// TestAScriptThatFailsDoesNotFillTheStream puts something else where a key of the
// script should be: frames go in before the script fails.
func TestAScriptThatFailsDoesNotFillTheStream(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		for _, key := range []string{startsKey(0), sizesKey(0)} {
			s.Flush()
			rdb := s.Client()
			p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
			addAll(t, p, 0, 50)
			if err := rdb.Set(t.Context(), key, "x", 0).Err(); err != nil {
				t.Fatal(err)
			}
			sh := p.shards[0]
			for range 5 {
				if n, err := p.ship(t.Context(), sh); n != 0 && key == startsKey(0) || n == 0 && err == nil {
					t.Fatal(n, err)
				}
			}
			if n := rdb.XLen(t.Context(), StreamKey(0)).Val(); n > 5 {
				t.Errorf("%d entries of 5 frames", n)
			}
			if err := rdb.Del(t.Context(), key).Err(); err != nil {
				t.Fatal(err)
			}
			if n, err := p.ship(t.Context(), sh); n != 5 || err != nil {
				t.Fatal(n, err)
			}
			to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
			to.drain()
			to.expect(50, 0)
		}
	})
}

// TestTheClockOfRedisWentBack leaves an id of the future in the sizes, and no hash.
func TestTheClockOfRedisWentBack(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		ahead := fmt.Sprintf("%d-1", time.Now().Add(time.Hour).UnixMilli())
		if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: sizesKey(0), ID: ahead, Values: []string{"s", "1"}}).Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.XDel(t.Context(), sizesKey(0), ahead).Err(); err != nil {
			t.Fatal(err)
		}
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
		addAll(t, p, 0, 50)
		if n, err := p.ship(t.Context(), p.shards[0]); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if said, is := p.Stats().StreamBytes, inStream(t, rdb, 0); said != is {
			t.Errorf("%d bytes are said to be there, %d are", said, is)
		}
	})
}

// TestAPausedRedis answers nothing for a while, and then everything.
func TestAPausedRedis(t *testing.T) {
	server := testenv.RedisServer(t)
	if !server.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one cannot pause")
	}
	rdb := server.Client()
	p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 2, Slots: 400, FlushRecords: 10})
	stop := running(t, p)
	addAll(t, p, 0, 500)
	testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Sent == 500 })
	if err := rdb.Do(t.Context(), "CLIENT", "PAUSE", 4000, "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := 500; i < 6500; i++ {
		testenv.Eventually(t, 10*time.Second, p.hasRoom)
		addAll(t, p, i, i+1)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("callers waited %s", took)
	}
	stop(20 * time.Second)
	to := newSink(t, rdb, 2, ReaderOptions{Group: "g"})
	to.drain()
	to.expect(6500, 0)
	if st := p.Stats(); st.Spilled == 0 || st.DiskBytes != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	p := opened(t, testenv.Redis(t), Options{Dir: t.TempDir(), Slots: 200})
	list := traffic(100)
	n := 0
	if allocs := testing.AllocsPerRun(10_000, func() {
		if n++; !p.Add(&list[n%len(list)]) {
			t.Fatal("full")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for one record", allocs)
	}
}
