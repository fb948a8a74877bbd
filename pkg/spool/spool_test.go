package spool

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func call(i int) *record.Record {
	return &record.Record{
		At: time.UnixMicro(1_795_000_000_000_000 + int64(i)), Status: 200, Method: "GET", API: fmt.Sprint("api-", i%7), Org: "default",
		Path: fmt.Sprintf("/n/%d", i), RequestID: fmt.Sprintf("r-%d", i), Total: time.Duration(i%1000) * time.Microsecond,
	}
}

// opened is a producer that is closed with the test, unless it was before.
func opened(t testing.TB, rdb redis.UniversalClient, o Options) *Producer {
	t.Helper()
	p, err := Open(rdb, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = p.Close(ctx)
	})
	return p
}

// running runs a producer; stop ends and closes it within the given time.
func running(t testing.TB, p *Producer) (stop func(within time.Duration)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	var once sync.Once
	stop = func(within time.Duration) {
		once.Do(func() {
			cancel()
			<-done
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
			defer cancel()
			if err := p.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	t.Cleanup(func() { stop(0) })
	return stop
}

// sink is what a group got, by record id.
type sink struct {
	t       testing.TB
	rdb     redis.UniversalClient
	readers []*Reader
	got     map[string]string // id -> request id
	repeats int
}

func newSink(t testing.TB, rdb redis.UniversalClient, shards int, o ReaderOptions) *sink {
	t.Helper()
	s := &sink{t: t, rdb: rdb, got: map[string]string{}}
	if o.Block == 0 {
		o.Block = -1
	}
	if o.Consumer == "" {
		o.Consumer = "c1"
	}
	for shard := range shards {
		r, err := NewReader(rdb, shard, o)
		if err != nil {
			t.Fatal(err)
		}
		s.readers = append(s.readers, r)
	}
	return s
}

// drain reads each shard until it is empty.
func (s *sink) drain() {
	s.t.Helper()
	for _, r := range s.readers {
		for range 10_000 {
			batches, err := r.Read(s.t.Context())
			if err != nil {
				s.t.Fatal(err)
			}
			if len(batches) == 0 && r.made {
				break
			}
			s.write(batches)
			if err := r.Ack(s.t.Context(), batches...); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *sink) write(batches []*Batch) {
	for _, b := range batches {
		for i := range b.Records {
			id := b.RecordID(i)
			if _, there := s.got[id]; there {
				s.repeats++
			}
			s.got[id] = strings.Clone(b.Records[i].RequestID)
		}
	}
}

// distinct counts the request ids; fewer than records means that one call has two
// record ids.
func (s *sink) distinct() int {
	seen := map[string]bool{}
	for _, id := range s.got {
		seen[id] = true
	}
	return len(seen)
}

func (s *sink) missing() (n uint64) {
	s.t.Helper()
	for _, r := range s.readers {
		p, err := Locate(s.t.Context(), s.rdb, r.shard, r.o.Group)
		if err != nil {
			s.t.Fatal(err)
		}
		n += p.Forgotten
		for _, g := range p.Gaps {
			n += g.Records
		}
	}
	return n
}

func (s *sink) expect(records int, missing uint64) {
	s.t.Helper()
	if len(s.got) != records || s.distinct() != records || s.missing() != missing {
		s.t.Errorf("%d records, %d different calls, %d missing; want %d and %d missing", len(s.got), s.distinct(), s.missing(), records, missing)
	}
}

func addAll(t testing.TB, p *Producer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if !p.Add(call(i)) {
			t.Fatalf("record %d was dropped: %+v", i, p.Stats())
		}
	}
}

func TestEveryRecordArrivesOnceInEveryGroup(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Node: "node-1", Group: "eu", Slots: 200, FlushRecords: 50})
		stop := running(t, p)
		const n = 5000
		addAll(t, p, 0, n)
		stop(10 * time.Second)
		if st := p.Stats(); st.Sent != n || st.Records != n || st.Spilled != 0 {
			t.Errorf("%+v", st)
		}
		for _, group := range []string{"mongo", "jsonl"} {
			to := newSink(t, rdb, DefaultShards, ReaderOptions{Group: group})
			to.drain()
			to.expect(n, 0)
			if to.repeats != 0 {
				t.Errorf("%d repeats", to.repeats)
			}
		}
		for shard := range DefaultShards {
			trimmed, err := Trim(t.Context(), rdb, shard, TrimOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if trimmed.Entries != 0 || trimmed.Bytes != 0 || trimmed.Evicted != 0 || trimmed.Passed == 0 || len(trimmed.Groups) != 2 {
				t.Errorf("shard %d: %+v", shard, trimmed)
			}
		}
	})
}

func TestABatchSaysWhoWroteItAndWhen(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p := opened(t, rdb, Options{Dir: t.TempDir(), Node: "node-1", Group: "eu", Shards: 1})
		stop := running(t, p)
		addAll(t, p, 10, 13)
		stop(5 * time.Second)
		r := newSink(t, rdb, 1, ReaderOptions{Group: "g"}).readers[0]
		batches, err := r.Read(t.Context())
		if err != nil || len(batches) != 2 {
			t.Fatal(len(batches), err)
		}
		b, end := batches[0], batches[1]
		if b.Node != "node-1" || b.Group != "eu" || b.Count != 3 || b.Seq != 1 || b.Base != 0 || b.End || b.Start != p.Start() ||
			!b.First.Equal(call(10).At) || !b.Last.Equal(call(12).At) || b.Records[2].Path != "/n/12" {
			t.Errorf("%+v", b.Header)
		}
		if want := p.Start().String() + "-0-1-2"; b.RecordID(2) != want {
			t.Errorf("%s, want %s", b.RecordID(2), want)
		}
		if !end.End || end.Count != 0 || end.Seq != 2 || end.Base != 3 {
			t.Errorf("%+v", end.Header)
		}
	})
}

func TestOldBatchesLeaveByThemselves(t *testing.T) {
	rdb := testenv.Redis(t)
	p := opened(t, rdb, Options{Dir: t.TempDir(), FlushEvery: 20 * time.Millisecond})
	running(t, p)
	addAll(t, p, 0, 3)
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Sent == 3 })
}

func TestRedisAwayForAWhileLosesNothing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := newSink(t, rdb, 2, ReaderOptions{Group: "g"})
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 2, Slots: 120, FlushRecords: 20, FlushEvery: 20 * time.Millisecond})
		stop := running(t, p)
		addAll(t, p, 0, 1000)
		testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Sent == 1000 })
		to.drain()
		s.Stop()
		for i := 1000; i < 3000; i++ {
			testenv.Eventually(t, 10*time.Second, p.hasRoom) // the machine may be slow; this test is not about that
			addAll(t, p, i, i+1)
		}
		testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Spilled > 0 && !p.Stats().RedisOK })
		if !p.Pressed() {
			t.Error("nobody is told to be thrifty")
		}
		s.Start(true)
		testenv.Eventually(t, 20*time.Second, func() bool { return p.Stats().Sent == 3000 })
		addAll(t, p, 3000, 3100)
		stop(10 * time.Second)
		to.drain()
		to.expect(3100, 0)
		if p.Stats().DiskBytes != 0 {
			t.Errorf("%+v", p.Stats())
		}
	})
}

func TestRedisThatComesBackEmptyIsAGapOfWhatItHad(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 10})
		stop := running(t, p)
		sent := func(n uint64) { testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Sent == n }) }
		addAll(t, p, 0, 100)
		sent(100)
		to.drain()
		addAll(t, p, 100, 130)
		sent(130)
		s.Flush()
		addAll(t, p, 130, 200)
		sent(200)
		stop(10 * time.Second)
		testenv.Eventually(t, 10*time.Second, func() bool { to.drain(); return len(to.got) == 170 })
		to.expect(170, 30)
		pos, err := Locate(t.Context(), rdb, 0, "g")
		if err != nil {
			t.Fatal(err)
		}
		if len(pos.Gaps) != 1 || pos.Gaps[0].From != 100 || pos.Gaps[0].Records != 30 || pos.Gaps[0].Provisional ||
			!pos.Gaps[0].After.Equal(call(99).At) || !pos.Gaps[0].Before.Equal(call(130).At) {
			t.Errorf("%+v", pos.Gaps)
		}
	})
}

// TestBudgetHoldsWithoutAReader fills a stream that nobody reads: Redis keeps to its
// budget, the disk to its own, the rest is dropped, oldest first, and counted.
func TestBudgetHoldsWithoutAReader(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		const budget, disk = 40_000, 128 << 10
		p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, Budget: budget, DiskBudget: disk, FlushRecords: 50, Slots: 20})
		stop := running(t, p)
		const n = 30_000
		for i := range n {
			r := call(i)
			testenv.Eventually(t, 20*time.Second, p.hasRoom)
			p.Add(r)
		}
		testenv.Eventually(t, 10*time.Second, func() bool { return p.Stats().Dropped["disk"] > 0 && p.Stats().Refused > 0 })
		st := p.Stats()
		size := int64(0)
		entries, err := rdb.XRange(t.Context(), StreamKey(0), "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			f, _ := e.Values["f"].(string)
			size += int64(len(f))
		}
		if size > budget || size < budget/2 || st.StreamBytes > budget || st.DiskBytes > disk {
			t.Errorf("%d bytes in the stream, %+v", size, st)
		}
		// A reader comes at last, and everything left flows.
		to := newSink(t, rdb, 1, ReaderOptions{Group: "late"})
		testenv.Eventually(t, 30*time.Second, func() bool {
			to.drain()
			if _, err := Trim(t.Context(), rdb, 0, TrimOptions{Budget: budget}); err != nil {
				t.Fatal(err)
			}
			return p.Stats().DiskBytes == 0
		})
		stop(10 * time.Second)
		to.drain()
		st = p.Stats()
		lost := st.Dropped["disk"] + st.Dropped["busy"]
		if len(to.got)+int(lost) != n || to.missing() != lost || to.distinct() != len(to.got) {
			t.Errorf("%d arrived (%d different), %d missing, dropped %v", len(to.got), to.distinct(), to.missing(), st.Dropped)
		}
		if to.got[slices.Sorted(maps.Keys(to.got))[0]] == "" || to.got[p.Start().String()+"-0-1-0"] != "r-0" {
			t.Error("what was in the stream first is not there")
		}
	})
}

func (p *Producer) hasRoom() bool { return p.batches.Free() > 0 }

func TestLossesWithoutLaterRecordsAreTold(t *testing.T) {
	rdb := testenv.Redis(t)
	p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1, FlushEvery: 10 * time.Millisecond})
	running(t, p)
	to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
	addAll(t, p, 0, 5)
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Sent == 5 })
	p.Lose("api-1", 7)
	testenv.Eventually(t, 5*time.Second, func() bool { to.drain(); return to.missing() == 7 })
	to.expect(5, 7)
	if p.Stats().Dropped["meter"] != 7 {
		t.Errorf("%+v", p.Stats())
	}
}

func TestARecordLargerThanABatchIsShrunk(t *testing.T) {
	const batchSize = 128 << 10
	rdb := testenv.Redis(t)
	p := opened(t, rdb, Options{Dir: t.TempDir(), Shards: 1})
	stop := running(t, p)
	addAll(t, p, 0, 1)
	big := call(1)
	big.Response = &record.Capture{Body: make([]byte, 2*batchSize), Size: 2 * batchSize}
	if !p.Add(big) || big.Response.Body == nil {
		t.Error("dropped, or the caller's record was changed")
	}
	huge := call(2)
	huge.Request = &record.Capture{Header: []record.Field{{Name: "X", Value: strings.Repeat("v", batchSize)}}}
	huge.Key = strings.Repeat("k", batchSize)
	if !p.Add(huge) {
		t.Error("dropped although texts can be cut")
	}
	stop(5 * time.Second)
	to := newSink(t, rdb, 1, ReaderOptions{Group: "g"})
	batches, err := to.readers[0].Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var flags []record.Flags
	for _, b := range batches {
		for i := range b.Records {
			flags = append(flags, b.Records[i].Flags)
		}
	}
	if !slices.Equal(flags, []record.Flags{0, record.Shrunk, record.Shrunk}) {
		t.Errorf("%v", flags)
	}
}

func TestOneProcessPerFolder(t *testing.T) {
	rdb, dir := testenv.Redis(t), t.TempDir()
	opened(t, rdb, Options{Dir: dir})
	if _, err := Open(rdb, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
	if _, err := Open(rdb, Options{Dir: t.TempDir(), Shards: MaxShards + 1}); err == nil {
		t.Error("too many shards were taken")
	}
}

func TestStopWithRedisAwayKeepsRecordsForTheNextStart(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb, dir := s.Client(), t.TempDir()
		s.Stop()
		o := Options{Dir: dir, Shards: 2, FlushRecords: 10}
		p := opened(t, rdb, o)
		stop := running(t, p)
		addAll(t, p, 0, 95)
		stop(100 * time.Millisecond)
		if left, err := filepath.Glob(filepath.Join(dir, "batches-*")); err != nil || len(left) != 0 {
			t.Errorf("%v, %v", left, err)
		}
		s.Start(true)
		p = opened(t, rdb, o)
		stop = running(t, p)
		addAll(t, p, 95, 100)
		stop(10 * time.Second)
		to := newSink(t, rdb, 2, ReaderOptions{Group: "g"})
		to.drain()
		to.expect(100, 0)
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 { // the lock
			t.Errorf("%v, %v", left, err)
		}
	})
}
