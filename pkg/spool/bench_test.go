package spool

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool/disk"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// traffic is like real one: 50 APIs, 600 routes, 5000 keys, unique paths, ids and
// trace ids, no bodies.
func traffic(n int) []record.Record {
	list := make([]record.Record, n)
	random := uint64(1)
	next := func(n uint64) uint64 { // xorshift: the same records in every run
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		return random % n
	}
	for i := range list {
		api, route := next(50), next(12)
		key := next(5000) * next(5000) / 5000
		list[i] = record.Record{
			At: time.UnixMicro(1_795_000_000_000_000 + int64(i)*97), Total: time.Duration(900+next(90_000)) * time.Microsecond,
			Upstream: time.Duration(800+next(80_000)) * time.Microsecond, Status: []int{200, 200, 200, 201, 304, 404, 500}[next(7)],
			Method: []string{"GET", "GET", "GET", "POST"}[next(4)], Scheme: "https", Host: "api.example.com", Org: "default",
			API: fmt.Sprintf("api-%d", api), Endpoint: fmt.Sprintf("ep-%d", route), Route: fmt.Sprintf("/v1/resource%d/{id}", route),
			Path: fmt.Sprintf("/v1/resource%d/%d", route, next(1_000_000)), Key: fmt.Sprintf("key-%04d", key), KeyAlias: fmt.Sprintf("client %d", key),
			Client: fmt.Sprintf("203.0.%d.%d", next(256), next(256)), Country: "KR", UserAgent: "okhttp/4.12.0", Protocol: "1.1",
			RequestID: fmt.Sprintf("%016x", next(1<<62)), TraceID: fmt.Sprintf("%016x%016x", next(1<<62), next(1<<62)),
			BytesOut: int64(200 + next(4000)), Target: "http://10.0.0.1:8080", Attempts: 1, Generation: 129,
		}
	}
	return list
}

const benchNode = "0199a1b2-0000-4000-8000-000000000000"

// BenchmarkEncode is a batch of 500 records from the record to the frame; the time
// is of one record.
func BenchmarkEncode(b *testing.B) {
	list := traffic(5000)
	folder, err := disk.Open(disk.Options{
		Dir: b.TempDir(), Node: benchNode, Group: "default", Slots: 1, Budget: 1, Dropped: func(int64) {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = folder.Close() }()
	batch := folder.Batches.Take(0)
	var out, scratch []byte
	n, bytes, batches := 0, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		if !batch.Add(&list[n%len(list)]) {
			b.Fatal("full")
		}
		if n++; batch.Count() == 500 || batch.Size() >= 120<<10 {
			folder.Batches.Number(batch)
			out, scratch = batch.Frame(out[:0], scratch)
			bytes, batches = bytes+len(out), batches+1
			folder.Batches.Release(batch)
			batch = folder.Batches.Take(0)
		}
	}
	if batches > 0 {
		b.ReportMetric(float64(bytes)/float64(n-batch.Count()), "B/record")
		b.ReportMetric(float64(n-batch.Count())/float64(batches), "records/batch")
	}
}

// BenchmarkAdd is what a request pays, with all CPUs at it: encoding a record into a
// batch. Batches are thrown away as soon as they are closed.
func BenchmarkAdd(b *testing.B) {
	p := opened(b, redis.NewClient(&redis.Options{Addr: deadAddress}), Options{Dir: b.TempDir(), Slots: 200})
	ctx, cancel := context.WithCancel(b.Context())
	var wait sync.WaitGroup
	for _, sh := range p.shards {
		wait.Go(func() {
			for {
				for closed := sh.pop(); closed != nil; closed = sh.pop() {
					p.batches.Release(closed)
				}
				select {
				case <-sh.wake:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	list := traffic(10_000)
	var workers atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := int(workers.Add(1)) * 1000; pb.Next(); n++ {
			if !p.Add(&list[n%len(list)]) {
				for p.batches.Free() == 0 {
					runtime.Gosched()
				}
			}
		}
	})
	b.StopTimer()
	cancel()
	wait.Wait()
	b.ReportMetric(100*float64(p.Stats().Dropped["busy"])/float64(b.N), "%dropped")
}

// BenchmarkThroughRedis sends records from several goroutines, as a gateway does, and
// reads them to a sink that does nothing. CPU times are of the whole process and of
// Redis.
//
// What was tried, with Redis 7.0, pipelines of 8 frames and the records of traffic, as
// CPU of Redis in ns per record (two shared cores; ratios are good, absolute values vary
// by half with what else runs):
//
//	frame of                                   28 KiB   56 KiB
//	XADD alone, uncounted: the floor              144      144
//	a script that gets the frame and XADDs it     389      395
//	the same, frame cut into 2 to 12 KiB fields   a fifth to a third more
//	XADD and a script of numbers, each frame      220      178
//
// What send does, XADDs and one script of numbers for the pipeline, takes end to end 194
// and 149 at FlushBytes of 64 and 120 KiB (reading and acknowledging 172 and 110); on a
// busy machine within one minute 619 and 604 before it, 326 and 275 with it.
func BenchmarkThroughRedis(b *testing.B) {
	for _, flush := range []int{64 << 10, 120 << 10} {
		b.Run(fmt.Sprintf("flush=%dKiB", flush>>10), func(b *testing.B) {
			server := testenv.RedisServer(b)
			if !server.Real() {
				testenv.Missing(b, "redis", "install redis-server: this measures its memory and CPU")
			}
			rdb := server.Client()
			list := traffic(10_000)
			p := opened(b, rdb, Options{Dir: b.TempDir(), FlushBytes: flush, Slots: 800, Budget: 8 << 30, DiskBudget: 8 << 30, Node: benchNode, Group: "default"})
			stop := running(b, p)
			var at atomic.Int64
			memory, cpu, own := info(b, rdb, "memory", "used_memory:"), redisCPU(b, rdb), processCPU(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := at.Add(1)
					for n%16 == 0 && p.batches.Free() < 100 {
						runtime.Gosched() // faster than two shared cores can send: wait, and lose nothing
					}
					if !p.Add(&list[int(n)%len(list)]) {
						b.Error("dropped")
					}
				}
			})
			stop(time.Minute)
			b.StopTimer()
			n := float64(b.N)
			b.ReportMetric(float64(processCPU(b)-own)/n, "gateway-cpu-ns/record")
			b.ReportMetric(1e9*(redisCPU(b, rdb)-cpu)/n, "redis-cpu-ns/record")
			b.ReportMetric((info(b, rdb, "memory", "used_memory:")-memory)/n, "redis-B/record")

			cpu, own = redisCPU(b, rdb), processCPU(b)
			count, began := 0, time.Now()
			for shard := range DefaultShards {
				r, err := NewReader(rdb, shard, ReaderOptions{Group: "null", Consumer: "c", Block: -1})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batches, err := r.Read(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if err := r.Ack(b.Context(), batches...); err != nil {
						b.Fatal(err)
					}
					if len(batches) == 0 {
						break
					}
					for _, batch := range batches {
						count += len(batch.Records)
					}
				}
			}
			if count != b.N {
				b.Errorf("%d of %d records: %+v", count, b.N, p.Stats())
			}
			b.ReportMetric(n/time.Since(began).Seconds(), "read-records/s")
			b.ReportMetric(float64(processCPU(b)-own)/n, "read-cpu-ns/record")
			b.ReportMetric(1e9*(redisCPU(b, rdb)-cpu)/n, "read-redis-cpu-ns/record")
		})
	}
}

func info(b *testing.B, rdb redis.UniversalClient, section, field string) float64 {
	b.Helper()
	text, err := rdb.Info(b.Context(), section).Result()
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + field + `([0-9.]+)`).FindStringSubmatch(text)
	if m == nil {
		b.Fatalf("no %s in %s", field, text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func redisCPU(b *testing.B, rdb redis.UniversalClient) float64 {
	b.Helper()
	return info(b, rdb, "cpu", "used_cpu_sys:") + info(b, rdb, "cpu", "used_cpu_user:")
}

func processCPU(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
