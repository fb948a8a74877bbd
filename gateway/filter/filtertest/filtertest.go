// Package filtertest runs one filter on one exchange: options and a request in,
// what became of them out. Tests of filters read as tables with it.
package filtertest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Builder makes an Exchange step by step. Its zero state is a GET to the API
// "orders" from 192.0.2.10 by plain HTTP.
type Builder struct{ x *filter.Exchange }

// Request begins an exchange. target is a path with or without a query.
func Request(method, target string) *Builder {
	path, query, has := strings.Cut(target, "?")
	return &Builder{&filter.Exchange{
		Request: &message.Request{
			Method: method, Target: target, Path: path, Query: query, HasQuery: has,
			Host: "api.example.com", Scheme: "http", Major: 1, Minor: 1,
			Body: message.NoBody, Context: context.Background(),
			Remote: netip.MustParseAddrPort("192.0.2.10:40000"),
			Local:  netip.MustParseAddrPort("192.0.2.1:8080"),
		},
		API:    &filter.API{Org: "default", ID: "orders", Name: "Orders", ListenPath: "/", Strip: true},
		Node:   &filter.Node{ID: "node-1", Name: "gw1", Group: "public"},
		Rest:   path,
		Start:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Client: netip.MustParseAddr("192.0.2.10"),
	}}
}

// Get is Request with the method GET.
func Get(target string) *Builder { return Request("GET", target) }

// Header adds a header line; it may be called several times for one name.
func (b *Builder) Header(name, value string) *Builder {
	b.x.Request.Header.Add(name, value)
	return b
}

// Host sets the authority.
func (b *Builder) Host(h string) *Builder { b.x.Request.Host = h; return b }

// Peer sets the address of the connection's other end.
func (b *Builder) Peer(addr string) *Builder {
	b.x.Request.Remote = netip.AddrPortFrom(netip.MustParseAddr(addr), 40000)
	return b
}

// Scheme sets the scheme of the client's connection.
func (b *Builder) Scheme(s string) *Builder { b.x.Request.Scheme = s; return b }

// Session makes the caller known.
func (b *Builder) Session(s *access.Session) *Builder { b.x.Session = s; return b }

// Param adds a path parameter.
func (b *Builder) Param(name, value string) *Builder {
	b.x.Params = append(b.x.Params, filter.Param{Name: name, Value: value})
	return b
}

// Context sets the request's context.
func (b *Builder) Context(ctx context.Context) *Builder { b.x.Request.Context = ctx; return b }

// With changes the exchange by hand.
func (b *Builder) With(f func(*filter.Exchange)) *Builder { f(b.x); return b }

// Exchange is what was built.
func (b *Builder) Exchange() *filter.Exchange { return b.x }

// Outcome is what a filter made of an exchange.
type Outcome struct {
	*filter.Exchange
	Err    error          // of the request half, or else of the response half
	Reject *filter.Reject // Err, where it is an answer
}

// Run builds the filter from options (JSON, "" for none) and takes the exchange
// through both halves. Where the request half lets it pass, the upstream answers
// 200 with "ok"; a refusal becomes a response with its status and headers.
func Run(t testing.TB, s filter.Spec, options string, b *Builder) *Outcome {
	t.Helper()
	req, resp, err := s.Build(json.RawMessage(options))
	if err != nil {
		t.Fatalf("building %s with %s: %v", s.Name, options, err)
	}
	o := &Outcome{Exchange: b.x}
	if req != nil {
		o.fail(req.Request(b.x))
	}
	if b.x.Response == nil {
		b.x.Response = upstream()
		if o.Reject != nil {
			b.x.Response = filter.Respond(o.Reject.Status, "text/plain", nil)
			for _, h := range o.Reject.Header {
				b.x.Response.Header.Add(h[0], h[1])
			}
		}
	}
	if resp != nil {
		o.fail(resp.Response(b.x))
	}
	return o
}

func upstream() *message.Response {
	r := &message.Response{Status: 200, ContentLength: 2, Body: io.NopCloser(strings.NewReader("ok"))}
	r.Header.Add("Content-Type", "text/plain")
	r.Header.Add("Server", "upstream")
	return r
}

func (o *Outcome) fail(err error) {
	if err == nil || o.Err != nil {
		return
	}
	o.Err = err
	errors.As(err, &o.Reject)
}

// Passed fails the test if the exchange was stopped.
func (o *Outcome) Passed(t testing.TB) *Outcome {
	t.Helper()
	if o.Err != nil {
		t.Fatalf("the filter stopped the exchange: %v", o.Err)
	}
	return o
}

// Refused fails the test if the exchange was not refused so.
func (o *Outcome) Refused(t testing.TB, status int, code fault.Code) *Outcome {
	t.Helper()
	switch {
	case o.Reject == nil:
		t.Fatalf("got %v, want a refusal with %d %s", o.Err, status, code)
	case o.Reject.Status != status || o.Reject.Code != code:
		t.Fatalf("refused with %d %s, want %d %s", o.Reject.Status, o.Reject.Code, status, code)
	}
	return o
}

// Sent is the header that the upstream would get, one "Name: value" per line.
func (o *Outcome) Sent() string { return Lines(&o.Request.Header) }

// Lines writes a header as text, one "Name: value" per line.
func Lines(h *message.Header) string {
	var b strings.Builder
	for f := range h.Fields() {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

// BuildFault builds the filter and returns the problems of its options, "" if
// there is none, else one "path code" per line.
func BuildFault(t testing.TB, s filter.Spec, options string) string {
	t.Helper()
	_, err := s.Value(json.RawMessage(options))
	if err == nil {
		return ""
	}
	var lines []string
	for _, p := range filter.ProblemsOf("", err) {
		lines = append(lines, p.Path+" "+string(p.Code))
	}
	return strings.Join(lines, "\n")
}
