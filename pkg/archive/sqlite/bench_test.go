package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// traffic makes records as a busy installation does: 50 APIs, 600 routes, 5 000 keys
// of which few are busy, request ids without order, one in thirty an error.
type traffic struct {
	r     *rand.Rand
	keys  *rand.Zipf
	at    time.Time
	step  time.Duration
	n     int
	start string
}

func newTraffic(at time.Time, step time.Duration) *traffic {
	r := rand.New(rand.NewPCG(1, 2))
	return &traffic{r: r, keys: rand.NewZipf(r, 1.1, 8, 4999), at: at, step: step, start: "9f86d081884c7d65"}
}

func (g *traffic) batch(n int) []record.Entry {
	entries := make([]record.Entry, n)
	for i := range entries {
		g.n++
		g.at = g.at.Add(g.step)
		api := g.r.IntN(50)
		route := g.r.IntN(12)
		status, refusal := 200, ""
		if g.r.IntN(30) == 0 {
			status, refusal = []int{401, 404, 429, 500, 503}[g.r.IntN(5)], "upstream.unreachable"
		}
		entries[i] = record.Entry{ID: fmt.Sprintf("%s-%d-%d-%d", g.start, api%4, g.n/500, g.n%500), Node: "5f0c3a9e-6c5e-4a6e-9f57-0d9f6f0c1a11", Group: "default", Record: record.Record{
			At: g.at, Total: time.Duration(g.r.ExpFloat64() * float64(30*time.Millisecond)), Upstream: 12 * time.Millisecond, Status: status,
			Method: "GET", Scheme: "https", Host: "api.example.com", Path: fmt.Sprintf("/service-%d/orders/%d/items/%d", api, g.r.IntN(1e6), route),
			Query: "page=1&sort=desc", Org: "default", API: fmt.Sprintf("api_01j9zk4q8w7r6t5y4u3i2o%02d", api), Route: fmt.Sprintf("/orders/{order}/items/%d", route), Endpoint: fmt.Sprintf("ep_%d_%d", api, route),
			Key: fmt.Sprintf("key_01j9zk4q8w7r6t5y4u3i%04d", g.keys.Uint64()), KeyAlias: "mobile app", Policies: []string{"pol_gold"},
			Client: fmt.Sprintf("10.%d.%d.%d", g.r.IntN(4), g.r.IntN(256), g.r.IntN(256)), UserAgent: "okhttp/4.12.0", Protocol: "2",
			RequestID: fmt.Sprintf("%016x%016x", g.r.Uint64(), g.r.Uint64()), TraceID: fmt.Sprintf("%016x%016x", g.r.Uint64(), g.r.Uint64()),
			BytesIn: 0, BytesOut: int64(g.r.IntN(9000)), Target: fmt.Sprintf("http://10.9.0.%d:8080", api), Attempts: 1, Refusal: refusal, Generation: 1290,
		}}
	}
	return entries
}

// cpu is the processor time that this process took; on a busy machine it says more
// than the clock.
func cpu(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func size(b testing.TB, dir string) (total int64) {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range names {
		if info, err := os.Stat(n); err == nil {
			total += info.Size()
		}
	}
	return total
}

// BenchmarkInsert inserts batches into one growing day; ns/op is for a batch.
func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{100, 500, 2000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			a := open(b, sqlite.Options{Dir: dir})
			g := newTraffic(time.Now().UTC().Truncate(24*time.Hour), 50*time.Microsecond)
			var batches [][]record.Entry
			for range 64 {
				batches = append(batches, g.batch(n))
			}
			day := g.at.Truncate(24 * time.Hour)
			i, rows, before := 0, 0, cpu(b)
			for b.Loop() {
				entries := batches[i%64]
				for j := range entries {
					if i >= 64 { // the same records as new ones
						entries[j].ID = fmt.Sprintf("%s-%d-%d-%d", "9f86d081884c7d66", j%4, rows/500, rows%500)
						entries[j].At = day.Add(time.Duration(rows) * 50 * time.Microsecond)
					}
					rows++
				}
				i++
				if _, err := a.Insert(b.Context(), entries); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(rows)/1000, "cpu-us/record")
			b.StopTimer()
			if err := a.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(size(b, dir))/float64(rows), "B/record")
		})
	}
}
