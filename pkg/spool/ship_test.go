package spool

import (
	"testing"
	"time"

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
