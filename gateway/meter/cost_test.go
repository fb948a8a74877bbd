//go:build !race

package meter_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway/meter"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// encoder is a spool that encodes each record, as a batch does, and drops it.
type encoder struct {
	buf  []byte
	size int
}

func (e *encoder) Add(r *record.Record) bool {
	e.buf = r.Append(e.buf[:0])
	e.size = len(e.buf)
	return true
}
func (*encoder) Lose(string, int) {}
func (*encoder) Pressed() bool    { return false }

func TestARecordCostsNoAllocation(t *testing.T) {
	for _, o := range []string{`{}`, `{"only":"errors"}`} {
		x, out := exchange(), outcome(build(t, options(o)))
		x.ClientQuery = "" // one that may hold a key is copied
		m := meter.New(meter.Options{Spool: &encoder{}})
		if n := testing.AllocsPerRun(2000, func() { m.Observe(x, out) }); n > 0.05 {
			t.Errorf("%s: %v allocations", o, n)
		}
		x.API = nil
		x.ClientQuery = "a=1&b=2"
		if n := testing.AllocsPerRun(2000, func() { m.Observe(x, out) }); n > 0.05 {
			t.Errorf("%s, without an API: %v allocations", o, n)
		}
	}
}

// BenchmarkObserve is a record from an exchange to bytes.
func BenchmarkObserve(b *testing.B) {
	for name, o := range map[string]string{"whole": `{}`, "counted": `{"only":"errors"}`} {
		b.Run(name, func(b *testing.B) {
			x, out, e := exchange(), outcome(build(b, options(o))), &encoder{}
			x.ClientQuery = ""
			m := meter.New(meter.Options{Spool: e})
			b.ReportAllocs()
			for b.Loop() {
				m.Observe(x, out)
			}
			b.ReportMetric(float64(e.size), "B/record")
		})
	}
}
