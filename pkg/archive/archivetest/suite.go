// Package archivetest is the contract of records at rest: what every adapter of
// package archive must do.
package archivetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Archive is an adapter under test.
type Archive interface {
	Insert(ctx context.Context, entries []record.Entry) ([]archive.Rejected, error)
	Retain(ctx context.Context, now time.Time) (dropped []string, err error)
	Find(ctx context.Context, f archive.Filter, after archive.Cursor, limit int) (archive.Page[record.Entry], error)
	Get(ctx context.Context, id string) (record.Entry, error)
}

// Options are what a test wants of an adapter.
type Options struct {
	Retention time.Duration
	Now       func() time.Time
}

// New makes an empty archive: as the pump has it, and as a dashboard, which is
// another process, has the same one. Both go with the test.
type New func(t *testing.T, o Options) (writer, reader Archive)

// noon is the clock of all tests.
func noon() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

type suite struct{ create New }

// Run runs the contract suite.
func Run(t *testing.T, create New) {
	s := suite{create}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"empty", s.empty},
		{"nothing of a record is lost", s.roundTrip},
		{"hostile text", s.hostile},
		{"records are stored once", s.once},
		{"records that cannot be stored are named", s.rejects},
		{"pages are complete and in order", s.pages},
		{"pages are stable while records arrive", s.stable},
		{"records of one microsecond", s.sameMicrosecond},
		{"limits", s.limits},
		{"totals", s.totals},
		{"times are exact", s.times},
		{"filters", s.filters},
		{"retention drops whole days", s.retention},
		{"writers at the same time", s.concurrent},
		{"a reader notices days that come and go", s.notices},
		{"a cancelled question", s.cancelled},
	} {
		t.Run(test.name, test.run)
	}
}

func (s suite) new(t *testing.T, retention time.Duration) (w, r Archive) {
	t.Helper()
	return s.create(t, Options{Retention: retention, Now: noon})
}

func (s suite) empty(t *testing.T) {
	_, r := s.new(t, time.Hour)
	page, err := r.Find(t.Context(), archive.Filter{API: "a"}, archive.Cursor{}, 10)
	if err != nil || len(page.Entries) != 0 || page.Next != (archive.Cursor{}) || page.Total != 0 || !page.TotalExact || page.Skipped != nil {
		t.Errorf("got %+v, %v", page, err)
	}
	if e, err := r.Get(t.Context(), "x"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, %v", e, err)
	}
	w, _ := s.new(t, time.Hour)
	if dropped, err := w.Retain(t.Context(), noon()); err != nil || len(dropped) != 0 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if rejected, err := w.Insert(t.Context(), nil); err != nil || rejected != nil {
		t.Errorf("no records: %v, %v", rejected, err)
	}
}

// full has a value in every field.
func full() record.Entry {
	return record.Entry{ID: "0123456789abcdef-3-17-42", Node: "node-1", Group: "default", Record: record.Record{
		At: noon().Add(-123456789 * time.Microsecond), Total: 1234567 * time.Microsecond, Upstream: 999 * time.Microsecond, Status: 503,
		Method: "POST", Scheme: "https", Host: "api.example.com:8443", Path: "/orders/17", Query: "a=1&b=***",
		Org: "default", API: "api-1", Version: "v2", Endpoint: "ep-1", Route: "/orders/{id}",
		Key: "key-1", KeyAlias: "mobile 앱", OAuthClient: "client-1", Policies: []string{"p1", "p2"}, Tags: []string{"team:a", ""},
		Client: "192.0.2.7", Country: "KR", UserAgent: "curl/8", Protocol: "2", RequestID: "req-1", TraceID: "0af7651916cd43dd8448eb211c80319c",
		BytesIn: 1 << 40, BytesOut: 3, Target: "http://10.0.0.1:80", Attempts: 2, Refusal: "upstream.timeout", Error: "no answer within 3s",
		Generation: 129, Flags: record.Retried | record.UpstreamTo, Sample: 0.25,
		Request:  &record.Capture{Header: []record.Field{{Name: "Content-Type", Value: "text/plain"}, {Name: "X.$a", Value: ""}}, Body: []byte("a\x00\xff"), Size: 9, Truncated: true},
		Response: &record.Capture{},
	}}
}

func (s suite) roundTrip(t *testing.T) {
	w, r := s.new(t, 0)
	bare := record.Entry{ID: "bare", Record: record.Record{At: noon()}}
	big := record.Entry{ID: "big", Record: record.Record{At: noon(), Response: &record.Capture{Body: slices.Repeat([]byte("body "), 40_000), Size: 1 << 20}}}
	in := []record.Entry{full(), bare, big}
	insert(t, w, in...)
	for _, want := range in {
		got, err := r.Get(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
	if e, err := r.Get(t.Context(), "bar"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, %v", e, err)
	}
	for _, got := range all(t, r, archive.Filter{API: "api-1"}) {
		same(t, got, in[0])
	}
}

// nasty are texts that a store may take for something else.
func nasty() []string {
	return []string{
		"/a\x00b", "/\xff\xfe", "/caf\xc3", "/%", "/_", "/'; DROP TABLE records; --", `/"x"`, "/$where", `/\`, "/.*", "/[a-z]+", "/(?i)x",
		"/a|b", "/{$gt: 1}", "/^$", "/한글/É", "/\n\r\t", "/\u2028", "/?x=1", "/**", "/" + strings.Repeat("long", 2560), "null", "NaN", "-1",
	}
}

func (s suite) hostile(t *testing.T) {
	w, r := s.new(t, 0)
	var in []record.Entry
	for i, text := range nasty() {
		e := full()
		e.ID = fmt.Sprint("n", i)
		e.At = noon().Add(time.Duration(i) * time.Second)
		e.Path, e.Host, e.API, e.Key, e.Route, e.RequestID, e.UserAgent = text, text, text, text, text, text, text
		e.Method, e.Target, e.Client, e.Refusal, e.Org = text, text, text, text, text
		e.Tags = []string{text}
		e.Request.Header[0].Value = text
		in = append(in, e)
	}
	insert(t, w, in...)
	for i, text := range nasty() {
		get, err := r.Get(t.Context(), in[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, get, in[i])
		for name, f := range map[string]archive.Filter{
			"path": {Path: text}, "path beginning": {Path: text + "*"}, "text": {Text: text}, "host": {Host: text}, "api": {API: text}, "key": {Key: text},
			"route": {Route: text}, "request": {RequestID: text}, "method": {Method: text}, "target": {Target: text},
			"client": {Client: text}, "refusal": {Refusal: text}, "org": {Org: text},
		} {
			// "/**" asks for a beginning; all others find themselves, and what they are a part of.
			if got := ids(all(t, r, f)); !slices.Contains(got, in[i].ID) || len(got) > 1 && !strings.HasPrefix(name, "path") && name != "text" {
				t.Errorf("%s %.40q found %v, want %s", name, text, got, in[i].ID)
			}
		}
	}
	// What a pattern language would match is not found.
	for _, f := range []archive.Filter{{Text: "."}, {Path: "/.%*"}, {Text: "[a-z]"}, {Path: "/a.b"}, {Text: "%%"}, {Path: "_*"}} {
		for _, e := range all(t, r, f) {
			if !matches(f, e) {
				t.Errorf("%+v found %q", f, e.Path)
			}
		}
	}
}

func (s suite) once(t *testing.T) {
	w, r := s.new(t, 0)
	in := batch(0, 300)
	insert(t, w, in...)
	insert(t, w, in...)
	overlap := append(batch(200, 400), batch(250, 260)...) // old, new, and new twice
	slices.Reverse(overlap)
	insert(t, w, overlap...)
	late := in[7]
	late.Path = "/changed" // the first one stays
	insert(t, w, late)
	equal(t, r, archive.Filter{}, batch(0, 400))
	if got, err := r.Get(t.Context(), late.ID); err != nil || got.Path != in[7].Path {
		t.Errorf("got %q, %v", got.Path, err)
	}
}

func (s suite) rejects(t *testing.T) {
	const day = 24 * time.Hour
	w, r := s.new(t, 2*day)
	at := func(id string, at time.Time) record.Entry {
		return record.Entry{ID: id, Record: record.Record{At: at}}
	}
	in := []record.Entry{
		at("ok1", noon()),
		at("", noon()),
		at("no time", time.Time{}),
		at("before 1970", time.Unix(-5, 0)),
		at("tomorrow", noon().Add(day)),
		at("too far ahead", noon().Add(day+time.Second)),
		at("oldest day", noon().Add(-2*day-11*time.Hour)),
		at("too old", noon().Add(-3*day)),
		at("\xff", noon()),
		at("ok2", noon()),
	}
	rejected, err := w.Insert(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, x := range rejected {
		got = append(got, x.Index)
		if x.Reason == "" {
			t.Errorf("%d has no reason", x.Index)
		}
	}
	if want := []int{1, 2, 3, 5, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("rejected %v, want %v: %+v", got, want, rejected)
	}
	equal(t, r, archive.Filter{}, []record.Entry{in[0], in[4], in[6], in[9]})
}

// insert stores records, all of which can be.
func insert(t *testing.T, w Archive, entries ...record.Entry) {
	t.Helper()
	rejected, err := w.Insert(t.Context(), entries)
	if err != nil || len(rejected) > 0 {
		t.Fatalf("rejected %v, error %v", rejected, err)
	}
}

// same compares two records; lists and bodies without elements are alike.
func same(t *testing.T, got, want record.Entry) {
	t.Helper()
	if g, w := string(got.Append(nil)), string(want.Append(nil)); g != w || got.ID != want.ID || got.Node != want.Node || got.Group != want.Group {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !got.At.Equal(want.At) || !reflect.DeepEqual(got.Policies, want.Policies) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// batch is records from one number up to another, each a quarter of an hour
// before the one with the number above it, so that they lie in several days.
func batch(from, to int) (entries []record.Entry) {
	for i := from; i < to; i++ {
		entries = append(entries, record.Entry{ID: fmt.Sprintf("s-0-%04d", i), Node: "n1", Record: record.Record{
			At: noon().Add(-time.Duration(500-i) * 15 * time.Minute), Status: 200, API: "a", Path: fmt.Sprintf("/p/%d", i),
		}})
	}
	return entries
}

func ids(entries []record.Entry) (list []string) {
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}
