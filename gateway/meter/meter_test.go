package meter_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/meter"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// kept is a spool that keeps records as a reader gets them.
type kept struct {
	t    testing.TB
	list []record.Record
	lost map[string]int
}

func (k *kept) Add(r *record.Record) bool {
	if r.Error == "panic" {
		panic("the spool fails")
	}
	var got record.Record
	if err := got.Decode(r.Append(nil)); err != nil {
		k.t.Error(err)
	}
	k.list = append(k.list, got)
	return true
}

func (k *kept) Lose(api string, n int) { k.lost[api] += n }
func (k *kept) Pressed() bool          { return false }

func build(t testing.TB, levels ...apidef.Filters) *chain.Chain {
	t.Helper()
	c, problems := chain.Build(chain.Order(chain.Deps{}), levels...)
	if problems != nil {
		t.Fatal(problems)
	}
	return c
}

func options(record string) apidef.Filters {
	return apidef.Filters{"auth": json.RawMessage(`{"any":[{"key":{"in":[{"query":"api_key"},{"header":"X-Key"}]}}]}`), "record": json.RawMessage(record)}
}

// exchange is a call that went well, as serve leaves it.
func exchange() *filter.Exchange {
	return filtertest.Get("/orders/7?a=1").Header("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").
		Session(&access.Session{KeyID: "k_1", Alias: "shop", Policies: []string{"gold", "beta"}}).
		With(func(x *filter.Exchange) {
			x.ID, x.ClientText, x.ClientScheme, x.ClientHost = "id-1", "192.0.2.10", "https", "api.example.com"
			x.ClientMethod, x.ClientPath, x.ClientQuery, x.ClientAgent = "GET", "/orders/7", "a=1&api_key=s3cret", "curl/8"
			x.Endpoint = &filter.Endpoint{ID: "get-order", Path: "/{id}"}
			x.Target, x.UpstreamTime, x.Attempts = "http://10.0.0.5:3000", 40*time.Millisecond, 1
		}).Exchange()
}

func outcome(c *chain.Chain) meter.Outcome {
	return meter.Outcome{Status: 200, Bytes: 1024, Received: 7, Duration: 50 * time.Millisecond, Generation: 129, Chain: c}
}

func TestWhatIsRecordedOfACall(t *testing.T) {
	whole := record.Record{
		At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Total: 50 * time.Millisecond, Upstream: 40 * time.Millisecond, Status: 200,
		Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/orders/7", Query: "a=1&api_key=***",
		Org: "default", API: "orders", Endpoint: "get-order", Route: "/{id}", Key: "k_1", KeyAlias: "shop", Policies: []string{"gold", "beta"},
		Client: "192.0.2.10", UserAgent: "curl/8", Protocol: "1.1", RequestID: "id-1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		BytesIn: 7, BytesOut: 1024, Target: "http://10.0.0.5:3000", Attempts: 1, Generation: 129,
	}
	counted := whole
	counted.Scheme, counted.Host, counted.Path, counted.Query, counted.Client, counted.UserAgent = "", "", "", "", "", ""
	counted.Protocol, counted.RequestID, counted.TraceID, counted.Target, counted.Generation, counted.Flags = "", "", "", "", 0, record.CountOnly
	refused := func(status int, code fault.Code, cause error) func(*filter.Exchange, *meter.Outcome) {
		return func(x *filter.Exchange, o *meter.Outcome) {
			x.Refusal, o.Status = filter.Refuse(status, code, "no").Because(cause), status
		}
	}
	for name, tc := range map[string]struct {
		options string
		change  func(*filter.Exchange, *meter.Outcome)
		want    func(*record.Record)
	}{
		"a call":      {`{}`, nil, func(*record.Record) {}},
		"disabled":    {`{"enabled":false}`, nil, nil},
		"off":         {`"off"`, nil, nil},
		"truncated":   {`{"clientAddress":"truncated"}`, nil, func(r *record.Record) { r.Client = "192.0.2.0" }},
		"hashed":      {`{"clientAddress":"hashed"}`, nil, func(r *record.Record) { r.Client = "h(192.0.2.10)" }},
		"only errors": {`{"only":"errors"}`, nil, func(r *record.Record) { *r = counted }},
		"an error":    {`{"only":"errors"}`, refused(404, "route.no_endpoint", nil), func(r *record.Record) { r.Status, r.Refusal = 404, "route.no_endpoint" }},
		"sampled out": {`{"sample":0.0001}`, nil, func(r *record.Record) { *r = counted; r.Sample = 0.0001 }},
		"sampled":     {`{"sample":0.9999}`, nil, func(r *record.Record) { r.Sample = 0.9999 }},
		"a refused key": {
			`{}`, refused(401, "auth.key_refused", fault.New(fault.Unauthenticated, "auth.key_expired", "the key is expired")),
			func(r *record.Record) { r.Status, r.Refusal, r.Error = 401, "auth.key_refused", "auth.key_expired" },
		},
		"too many": {`{}`, refused(429, "limit.rate", nil), func(r *record.Record) { r.Status, r.Refusal, r.Flags = 429, "limit.rate", record.Limited }},
		"an upstream that is slow": {
			`{}`, func(x *filter.Exchange, o *meter.Outcome) {
				_ = errors.As(upstream.Refusal(&message.Failure{Kind: message.ErrFirstByteTimeout, Sent: true, Err: errors.New("i/o timeout")}), &x.Refusal)
				x.Attempts, o.Status = 2, x.Refusal.Status
			},
			func(r *record.Record) {
				r.Status, r.Refusal, r.Attempts, r.Flags = 504, "upstream.timeout", 2, record.UpstreamTo|record.Retried
				r.Error = "upstream exchange: first_byte_timeout: i/o timeout"
			},
		},
		"a full queue is no timeout of the upstream": {
			`{}`, refused(503, "upstream.busy", &message.Failure{Kind: message.ErrQueueTimeout}),
			func(r *record.Record) {
				r.Status, r.Refusal, r.Error = 503, "upstream.busy", "upstream exchange: queue_timeout"
			},
		},
		"a client that went away": {
			`{}`, func(x *filter.Exchange, o *meter.Outcome) {
				x.Refusal, o.Status, o.Aborted, o.Bytes = filter.Refuse(499, "client.closed", "gone"), 499, true, 0
			},
			func(r *record.Record) {
				r.Status, r.Refusal, r.Flags, r.BytesOut = 499, "client.closed", record.Aborted, 0
			},
		},
		"an upstream that broke in the body": {
			`{}`, func(x *filter.Exchange, o *meter.Outcome) {
				o.Aborted, o.Err = true, &message.Failure{Kind: message.ErrBodyTimeout, Sent: true}
			},
			func(r *record.Record) { r.Flags, r.Error = record.UpstreamTo, "upstream exchange: body_timeout" },
		},
		"a panic": {
			`{}`, refused(500, "internal", errors.New("filter x panicked: no\ngoroutine 1 [running]:\n\tsecret.go")),
			func(r *record.Record) { r.Status, r.Refusal, r.Error = 500, "internal", "filter x panicked: no" },
		},
		"an upgrade": {`{}`, func(_ *filter.Exchange, o *meter.Outcome) { o.Status = 101 }, func(r *record.Record) { r.Status, r.Flags = 101, record.Upgraded }},
		"a target with a password": {
			`{}`, func(x *filter.Exchange, _ *meter.Outcome) { x.Target = "http://u:s3cret@10.0.0.5:3000/p" },
			func(r *record.Record) { r.Target = "http://10.0.0.5:3000/p" },
		},
		"no identity": {
			`{}`, func(x *filter.Exchange, _ *meter.Outcome) { x.Session, x.Endpoint = nil, nil },
			func(r *record.Record) { r.Key, r.KeyAlias, r.Policies, r.Endpoint, r.Route = "", "", nil, "", "" },
		},
		"old HTTP": {`{}`, func(x *filter.Exchange, _ *meter.Outcome) { x.Request.Minor = 0 }, func(r *record.Record) { r.Protocol = "1.0" }},
		"HTTP/2":   {`{}`, func(x *filter.Exchange, _ *meter.Outcome) { x.Request.Major = 2 }, func(r *record.Record) { r.Protocol = "2" }},
		"a key in a place where nobody looks": {
			`{}`, func(x *filter.Exchange, _ *meter.Outcome) { x.ClientQuery = "k=slc_abcdef&b=2" },
			func(r *record.Record) { r.Query = "k=***&b=***" },
		},
		"long texts": {
			`{}`, func(x *filter.Exchange, _ *meter.Outcome) {
				x.ClientPath, x.ClientAgent = "/"+strings.Repeat("p", 4<<10), strings.Repeat("u", 4<<10)
			},
			func(r *record.Record) {
				r.Path, r.UserAgent, r.Flags = "/"+strings.Repeat("p", 2<<10-1), strings.Repeat("u", 512), record.Shrunk
			},
		},
		"a trace context that is none": {
			`{}`, func(x *filter.Exchange, _ *meter.Outcome) {
				x.Request.Header.Set("traceparent", strings.Repeat("0", 55))
			},
			func(r *record.Record) { r.TraceID = "" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{t: t}
			m := meter.New(meter.Options{Spool: k, Hash: func(b []byte) string { a, _ := netip.AddrFromSlice(b); return "h(" + a.String() + ")" }})
			x := exchange()
			o := outcome(build(t, options(tc.options)))
			if tc.change != nil {
				tc.change(x, &o)
			}
			m.Observe(x, o)
			if tc.want == nil {
				if len(k.list) != 0 {
					t.Errorf("recorded %+v", k.list[0])
				}
				return
			}
			want := whole
			tc.want(&want)
			if len(k.list) != 1 {
				t.Fatalf("%d records", len(k.list))
			}
			if got := k.list[0]; !reflect.DeepEqual(normal(got), normal(want)) {
				t.Errorf("got\n%+v\nwant\n%+v", normal(got), normal(want))
			}
		})
	}
}

// normal makes records comparable.
func normal(r record.Record) record.Record {
	r.At = r.At.UTC()
	if len(r.Policies) == 0 {
		r.Policies = nil
	}
	if len(r.Tags) == 0 {
		r.Tags = nil
	}
	return r
}

// TestACallThatBelongsToNoAPI: nobody knows which part of its query is a key.
func TestACallThatBelongsToNoAPI(t *testing.T) {
	unmatched, problems := chain.Unmatched(chain.Order(chain.Deps{}))
	if problems != nil {
		t.Fatal(problems)
	}
	for _, c := range []*chain.Chain{unmatched, nil} { // nil: after a panic
		k := &kept{t: t}
		m := meter.New(meter.Options{Spool: k, Address: record.TruncatedAddress})
		x := exchange()
		x.API, x.Endpoint, x.Session = nil, nil, nil
		x.ClientQuery = "api_key=s3cret&flag&x=&=v"
		x.Refusal = filter.Refuse(http.StatusNotFound, "route.no_api", "none")
		m.Observe(x, meter.Outcome{Status: 404, Chain: c})
		r := k.list[0]
		if r.Org != "default" || !r.NoAPI() || r.Query != "api_key=***&flag&x=***&=***" || r.Refusal != "route.no_api" || r.Client != "192.0.2.0" {
			t.Errorf("%+v", r)
		}
	}
}

func TestALongQueryIsCutAfterItWasHidden(t *testing.T) {
	k := &kept{t: t}
	x := exchange()
	x.API, x.ClientQuery = nil, strings.Repeat("a=s3cret&", 5000)
	meter.New(meter.Options{Spool: k}).Observe(x, outcome(nil))
	if r := k.list[0]; len(r.Query) != 2<<10 || strings.Contains(r.Query, "s3") || !r.Flags.Has(record.Shrunk) {
		t.Errorf("%d bytes, %v", len(r.Query), r.Flags)
	}
}

// TestTheKeysOfAllLevelsAreHidden: a caller may send a key to an endpoint that
// wants none, or another one.
func TestTheKeysOfAllLevelsAreHidden(t *testing.T) {
	k := &kept{t: t}
	c := build(t, options(`{}`), apidef.Filters{"auth": json.RawMessage(`"off"`)})
	meter.New(meter.Options{Spool: k}).Observe(exchange(), outcome(c))
	if q := k.list[0].Query; q != "a=1&api_key=***" {
		t.Error(q)
	}
}

func TestWhatTheEngineRefusesIsRecorded(t *testing.T) {
	k := &kept{t: t}
	before := time.Now().Add(-time.Second)
	meter.New(meter.Options{Spool: k}).Refused(400, "request.malformed", "id-9", netip.MustParseAddr("192.0.2.10"))
	if r := k.list[0]; r.Status != 400 || r.Refusal != "request.malformed" || r.RequestID != "id-9" || r.Client != "192.0.2.10" || r.Org != "default" || r.At.Before(before) {
		t.Errorf("%+v", r)
	}
}

// TestAFaultOfTheMeterIsCountedAndNoMore: the client has its answer.
func TestAFaultOfTheMeterIsCountedAndNoMore(t *testing.T) {
	k := &kept{t: t, lost: map[string]int{}}
	m := meter.New(meter.Options{Spool: k})
	x := exchange()
	o := outcome(build(t, options(`{}`)))
	o.Err = errors.New("panic")
	m.Observe(x, o)
	if k.lost["orders"] != 1 || len(k.list) != 0 {
		t.Errorf("lost %v, recorded %d", k.lost, len(k.list))
	}
}

func TestTagsAndBodiesAreInTheRecord(t *testing.T) {
	k := &kept{t: t}
	m := meter.New(meter.Options{Spool: k})
	for _, o := range []string{
		`{"tags":["header:X-Channel"],"bodies":{"until":"2126-01-01T00:00:00Z"}}`,
		`{"tags":["header:X-Channel"],"bodies":{"until":"2126-01-01T00:00:00Z"},"only":"errors"}`,
	} {
		c := build(t, apidef.Filters{"auth": json.RawMessage(`{"open":true}`), "record": json.RawMessage(o)})
		x := exchange()
		x.Session = nil
		x.Request.Header.Add("X-Channel", "web")
		if err := c.Run(x); err != nil {
			t.Fatal(err)
		}
		x.Response = filter.Respond(200, "text/plain", []byte("ok"))
		if err := c.Unwind(x); err != nil {
			t.Fatal(err)
		}
		m.Observe(x, outcome(c))
	}
	first, second := k.list[0], k.list[1]
	if len(first.Tags) != 1 || first.Tags[0] != "x-channel:web" || first.Request == nil || first.Response == nil {
		t.Errorf("%+v", first)
	}
	if len(second.Tags) != 1 || second.Request != nil || second.Response != nil || !second.Flags.Has(record.CountOnly) {
		t.Errorf("counted only: %+v", second)
	}
}
