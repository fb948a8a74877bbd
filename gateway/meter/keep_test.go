package meter_test

import (
	"errors"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/meter"
	"github.com/sluice-gateway/sluice/pkg/record"
)

func TestATunnelIsRecordedAtItsEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		options string
		end     meter.Outcome
		want    func(*record.Record)
	}{
		"well":      {`{}`, meter.Outcome{Status: 101, Bytes: 5, Received: 6, Duration: time.Hour}, func(*record.Record) {}},
		"refused":   {`{}`, meter.Outcome{Status: 101, Duration: time.Hour, Aborted: true}, func(r *record.Record) { r.BytesIn, r.BytesOut = 0, 0; r.Flags |= record.Aborted }},
		"broken":    {`{}`, meter.Outcome{Status: 101, Bytes: 5, Received: 6, Duration: time.Hour, Err: errors.New("why\nnot")}, func(r *record.Record) { r.Error = "why" }},
		"truncated": {`{"clientAddress":"truncated"}`, meter.Outcome{Status: 101, Bytes: 5, Received: 6, Duration: time.Hour}, func(r *record.Record) { r.Client = "192.0.2.0" }},
		"off":       {`"off"`, meter.Outcome{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{t: t}
			m := meter.New(meter.Options{Spool: k})
			x := exchange()
			// every text lies in memory that is somebody else's after the exchange
			buffer := []byte("/orders/7")
			x.ClientPath = unsafe.String(&buffer[0], len(buffer))
			begin := outcome(build(t, options(tc.options)))
			begin.Status = 101
			end := m.Keep(x, begin)
			copy(buffer, "overwritten")
			x.Session.Policies[0] = "changed"
			*x = filter.Exchange{}
			if len(k.list) != 0 {
				t.Fatalf("recorded before the end: %+v", k.list)
			}
			if tc.want == nil {
				if end != nil {
					t.Error("something is kept")
				}
				return
			}
			end(tc.end)
			want := record.Record{
				At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Total: time.Hour, Upstream: 40 * time.Millisecond, Status: 101,
				Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/orders/7", Query: "a=1&api_key=***",
				Org: "default", API: "orders", Endpoint: "get-order", Route: "/{id}", Key: "k_1", KeyAlias: "shop", Policies: []string{"gold", "beta"},
				Client: "192.0.2.10", UserAgent: "curl/8", Protocol: "1.1", RequestID: "id-1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
				BytesIn: 6, BytesOut: 5, Target: "http://10.0.0.5:3000", Attempts: 1, Generation: 129, Flags: record.Upgraded,
			}
			tc.want(&want)
			if len(k.list) != 1 || !reflect.DeepEqual(normal(k.list[0]), normal(want)) {
				t.Errorf("got\n%+v\nwant\n%+v", k.list, want)
			}
		})
	}
}
