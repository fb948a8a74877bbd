package prometheus

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// BenchmarkWrite reports the time of one record, in batches of 500 with 200 APIs.
func BenchmarkWrite(b *testing.B) {
	for name, c := range map[string]Config{"default labels": {}, "overflowing": {MaxSeries: 10}, "all labels": {Labels: labelNames()}} {
		b.Run(name, func(b *testing.B) {
			s, _ := counting(b, c)
			records := make([]record.Record, 500)
			for i := range records {
				d := time.Duration(rand.ExpFloat64() * float64(50*time.Millisecond))
				records[i] = call(fmt.Sprintf("api-%d", rand.IntN(200)), "GET", []int{200, 200, 200, 404, 500}[i%5], d)
				records[i].Route, records[i].Org, records[i].KeyAlias = "/pets/{id}", "acme", "shop"
			}
			batches := batch(records...)
			write(b, s, batches)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%len(records) == 0 {
					clear(s.counted.last.bits) // the same records as if they were new
					write(b, s, batches)
				}
			}
		})
	}
}

// BenchmarkScrape is one scrape's cost with all 2000 series in use.
func BenchmarkScrape(b *testing.B) {
	s, _ := counting(b, Config{})
	for range 20 {
		var records []record.Record
		for i := range 2000 {
			records = append(records, call(fmt.Sprintf("api-%d", i), "GET", 200, time.Duration(rand.ExpFloat64()*float64(50*time.Millisecond))))
		}
		write(b, s, batch(records...))
	}
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			s.snapshot()
		}
	})
	b.Run("gather", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Gather(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
