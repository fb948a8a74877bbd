package pipeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// null counts.
type null struct{ records atomic.Int64 }

func (n *null) Write(_ context.Context, b sink.Batch) error {
	n.records.Add(int64(len(b.Records)))
	return nil
}
func (*null) Close() error { return nil }

// traffic is like real one, without bodies.
func traffic(n int) []record.Record {
	list := make([]record.Record, n)
	for i := range list {
		list[i] = record.Record{
			At: time.UnixMicro(1_795_000_000_000_000 + int64(i)*97), Total: time.Duration(900+i%90_000) * time.Microsecond,
			Upstream: time.Duration(800+i%80_000) * time.Microsecond, Status: []int{200, 200, 200, 201, 304, 404, 500}[i%7],
			Method: []string{"GET", "GET", "GET", "POST"}[i%4], Scheme: "https", Host: "api.example.com", Org: "default",
			API: fmt.Sprintf("api-%d", i%50), Endpoint: fmt.Sprintf("ep-%d", i%12), Route: fmt.Sprintf("/v1/resource%d/{id}", i%12),
			Path: fmt.Sprintf("/v1/resource%d/%d", i%12, i*7919), Key: fmt.Sprintf("key-%04d", i%5000), KeyAlias: fmt.Sprintf("client %d", i%5000),
			Client: fmt.Sprintf("203.0.%d.%d", i%256, i/256%256), Country: "KR", UserAgent: "okhttp/4.12.0", Protocol: "1.1",
			RequestID: fmt.Sprintf("%016x", i*104729), TraceID: fmt.Sprintf("%032x", i*1299709), BytesOut: int64(200 + i%4000),
			Target: "http://10.0.0.1:8080", Attempts: 1, Generation: 129,
		}
	}
	return list
}

// BenchmarkPipelineNull drains what lies in Redis into a sink that counts: reading,
// decoding, staging, acknowledging. CPU is of this process, all goroutines together.
func BenchmarkPipelineNull(b *testing.B) {
	for name, rules := range map[string]Rules{
		"all":      {},
		"filtered": {Filter: Filter{SkipStatuses: []string{"5xx"}, SkipAPIs: []string{"api-7"}}, IgnoreFields: []string{"client", "userAgent"}, Sample: 0.5},
	} {
		b.Run(name, func(b *testing.B) {
			server := testenv.RedisServer(b)
			if !server.Real() {
				testenv.Missing(b, "redis", "install redis-server: this measures the way through it")
			}
			rdb := server.Client()
			n := max(b.N, 1000)
			g := newGateway(b, rdb, spool.Options{FlushRecords: 500, FlushEvery: time.Second, Slots: 800, Budget: 8 << 30, DiskBudget: 8 << 30})
			list := traffic(10_000)
			for i := range n {
				for !g.p.Add(&list[i%len(list)]) {
					continue // faster than two shared cores can send
				}
			}
			g.stop()
			to := &null{}
			p, err := New(Options{Consumer: "pump", Streams: wire{rdb, "pump"}, Sinks: []Sink{{Name: "null", To: to, Rules: rules}}})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			done := make(chan error, 1)
			cpu := processCPU(b)
			b.ReportAllocs()
			b.ResetTimer()
			began := time.Now()
			go func() { done <- p.Run(ctx) }()
			testenv.Eventually(b, 10*time.Minute, func() bool {
				s := p.SinkState("null")
				return s.Written+s.Skipped+s.Sampled >= uint64(n)
			})
			took, used := time.Since(began), processCPU(b)-cpu
			b.StopTimer()
			b.ReportMetric(float64(n)/took.Seconds(), "records/s")
			b.ReportMetric(float64(used)/float64(n), "cpu-ns/record")
			b.ReportMetric(float64(n)*1e9/float64(used), "records/s/core")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

func processCPU(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
