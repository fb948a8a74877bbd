package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
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

// written is how many bytes this process wrote, log and files.
func written(b testing.TB) (n int64) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0 // this system does not tell
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		b.Fatal(err)
	}
	return n
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
			i, rows, before, io := 0, 0, cpu(b), written(b)
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
			b.ReportMetric(float64(written(b)-io)/float64(rows), "written-B/record")
			b.StopTimer()
			if err := a.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(size(b, dir))/float64(rows), "B/record")
		})
	}
}

// BenchmarkFind asks a day of a million records (100 000 with -short) for pages of 50
// with their totals.
func BenchmarkFind(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	dir := b.TempDir()
	w := open(b, sqlite.Options{Dir: dir})
	day := time.Now().UTC().Truncate(24 * time.Hour)
	g := newTraffic(day, 24*time.Hour/time.Duration(n+1))
	var some record.Entry
	for i := range n / 4000 {
		batch := g.batch(4000)
		if i == n/8000 {
			some = batch[17]
		}
		if _, err := w.Insert(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	a := open(b, sqlite.Options{Dir: dir, ReadOnly: true})
	for _, c := range []struct {
		name string
		f    archive.Filter
	}{
		{"newest", archive.Filter{Org: "default"}},
		{"api", archive.Filter{Org: "default", API: some.API}},
		{"busy key", archive.Filter{Key: "key_01j9zk4q8w7r6t5y4u3i0000"}},
		{"rare key", archive.Filter{Key: "key_01j9zk4q8w7r6t5y4u3i4321"}},
		{"5xx", archive.Filter{Org: "default", StatusMin: 500, StatusMax: 599}},
		{"5xx of an api", archive.Filter{Org: "default", API: some.API, StatusMin: 500, StatusMax: 599}},
		{"request id", archive.Filter{RequestID: some.RequestID}},
		{"slower than 100 ms", archive.Filter{SlowerThan: 100 * time.Millisecond}},
		{"path beginning", archive.Filter{Path: "/service-7/orders/1*"}},
		{"text of few paths", archive.Filter{Text: "orders/123456/"}},
		{"text of none", archive.Filter{Text: "no such path"}},
		{"an hour, text of none", archive.Filter{Text: "no such path", From: day.Add(11 * time.Hour), To: day.Add(12 * time.Hour)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var page archive.Page[record.Entry]
			var err error
			before, times := cpu(b), 0
			for b.Loop() {
				times++
				if page, err = a.Find(b.Context(), c.f, archive.Cursor{}, 50); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(times)/1000, "cpu-ms/op")
			b.ReportMetric(float64(len(page.Entries)), "records")
			b.ReportMetric(float64(page.Total), "total")
		})
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.Get(b.Context(), some.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}
