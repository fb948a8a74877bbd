package line_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/line"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

// full has every field set.
func full() record.Entry {
	return record.Entry{
		ID: "00000000000000aa-0-1-0", Node: "0199a1b2-0000-4000-8000-000000000000", Group: "default",
		Record: record.Record{
			At: time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC), Total: 12345 * time.Microsecond, Upstream: 12 * time.Millisecond, Status: 404,
			Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/v1/orders/7", Query: "a=1", Org: "default", API: "orders", Version: "v1",
			Endpoint: "ep-1", Route: "/v1/orders/{id}", Key: "key-1", KeyAlias: "shop", OAuthClient: "app", Policies: []string{"gold", "eu"}, Tags: []string{"team:a"},
			Client: "203.0.113.7", Country: "KR", UserAgent: "okhttp/4.12.0", Protocol: "2", RequestID: "r-1", TraceID: "t-1", BytesIn: 1, BytesOut: 2,
			Target: "http://10.0.0.1:8080", Attempts: 2, Refusal: "quota", Error: "connection reset", Generation: 129,
			Flags: 1<<11 - 1, Sample: 0.1,
			Request:  &record.Capture{Header: []record.Field{{Name: "Accept", Value: "*/*"}, {Name: "X", Value: ""}}, Body: []byte(`{"a":"b"}`), Size: 9},
			Response: &record.Capture{Body: []byte{0xff, 0x00}, Size: 7, Truncated: true},
		},
	}
}

func TestEveryFieldHasItsName(t *testing.T) {
	e := full()
	v := reflect.ValueOf(e.Record)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("%s is not set in this test", v.Type().Field(i).Name)
		}
	}
	testenv.Golden(t, "full.jsonl", line.Append(nil, &e))
	testenv.Golden(t, "empty.jsonl", line.Append(nil, &record.Entry{ID: "x", Record: record.Record{At: time.Unix(0, 0)}}))
}

// TestNamesThatCanBeLeftOutAreThoseOfTheLine clears each field and looks whether it
// is gone from the line, and nothing else.
func TestNamesThatCanBeLeftOutAreThoseOfTheLine(t *testing.T) {
	names := map[string]bool{}
	for _, f := range line.Fields() {
		names[f.Name] = true
		e := full()
		f.Clear(&e.Record)
		var before, after map[string]any
		fe := full()
		if err := json.Unmarshal(line.Append(nil, &fe), &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line.Append(nil, &e), &after); err != nil {
			t.Fatal(err)
		}
		top, part, inner := strings.Cut(f.Name, ".")
		if inner {
			was, is := before[top].(map[string]any), after[top].(map[string]any)
			for _, key := range []string{part, part + "Base64"} {
				if _, still := is[key]; still {
					t.Errorf("%s is still there: %v", f.Name, is)
				}
				delete(was, key)
			}
			delete(was, "truncated")
			delete(is, "truncated")
		} else {
			delete(before, top)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("without %s:\n%v\n%v", f.Name, before, after)
		}
	}
	var all map[string]any
	e := full()
	if err := json.Unmarshal(line.Append(nil, &e), &all); err != nil {
		t.Fatal(err)
	}
	for _, always := range []string{"id", "node", "group", "at", "status", "totalMs", "flags", "sample"} {
		delete(all, always)
	}
	for name := range all {
		if !names[name] {
			t.Errorf("%s cannot be left out", name)
		}
	}
}

func TestHostileTextStaysInItsLine(t *testing.T) {
	for _, e := range sinktest.Hostile(0) {
		check(t, &e)
	}
}

// check reads a line back with the standard library.
func check(t *testing.T, e *record.Entry) {
	t.Helper()
	text := string(line.Append(nil, e))
	if strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) || !strings.HasSuffix(text, "}\n") {
		t.Fatalf("more than one line, for some readers: %q", text)
	}
	var got struct {
		ID, Path, Host string
		Policies       []string
		Request        struct {
			Body       string
			BodyBase64 []byte
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if valid := utf8.ValidString(e.Path); (valid && got.Path != e.Path) || (!valid && !strings.Contains(got.Path, "\ufffd")) {
		t.Errorf("%q became %q", e.Path, got.Path)
	}
	if e.Request != nil && string(e.Request.Body) != got.Request.Body+string(got.Request.BodyBase64) {
		t.Errorf("the body %q became %+v", e.Request.Body, got.Request)
	}
}

func FuzzAppend(f *testing.F) {
	for _, e := range sinktest.Hostile(0) {
		f.Add(e.Path, e.Request.Body)
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		e := record.Entry{ID: "x", Record: record.Record{Path: text, Host: text, Tags: []string{text}, Request: &record.Capture{Body: body}}}
		check(t, &e)
	})
}
