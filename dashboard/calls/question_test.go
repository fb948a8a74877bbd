package calls

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC)

// asked reads a question from pairs.
func asked(pairs ...string) (Question, error) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return Parse(func(name string) string { return m[name] }, noon)
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func TestEveryParameterIsOneFilter(t *testing.T) {
	base := archive.Filter{From: at("2026-11-20T12:00:00Z"), To: at("2026-11-21T12:05:00Z")}
	for _, v := range []struct {
		name, value string
		want        func(*archive.Filter)
	}{
		{"from", "2026-11-21T00:00:00Z", func(f *archive.Filter) { f.From = at("2026-11-21T00:00:00Z") }},
		{"from", "2026-11-21T09:00:00.1234567+09:00", func(f *archive.Filter) { f.From = at("2026-11-21T00:00:00.123456Z") }},
		{"to", "2026-11-19T00:00:00Z", func(f *archive.Filter) { f.From, f.To = at("2026-11-18T00:00:00Z"), at("2026-11-19T00:00:00Z") }},
		{"api", "orders", func(f *archive.Filter) { f.API = "orders" }},
		{"status", "404", func(f *archive.Filter) { f.StatusMin, f.StatusMax = 404, 404 }},
		{"status", "5xx", func(f *archive.Filter) { f.StatusMin, f.StatusMax = 500, 599 }},
		{"status", "5XX", func(f *archive.Filter) { f.StatusMin, f.StatusMax = 500, 599 }},
		{"status", "400-499", func(f *archive.Filter) { f.StatusMin, f.StatusMax = 400, 499 }},
		{"status", "200-200", func(f *archive.Filter) { f.StatusMin, f.StatusMax = 200, 200 }},
		{"key", "k_1", func(f *archive.Filter) { f.Key = "k_1" }},
		{"method", "PROPFIND", func(f *archive.Filter) { f.Method = "PROPFIND" }},
		{"method", "propfind", func(f *archive.Filter) { f.Method = "propfind" }},
		{"path", "/orders/*", func(f *archive.Filter) { f.Path = "/orders/*" }},
		{"path", "*", func(f *archive.Filter) { f.Path = "*" }},
		{"path", "/주문 1", func(f *archive.Filter) { f.Path = "/%EC%A3%BC%EB%AC%B8%201" }},
		{"route", "/orders/{id}", func(f *archive.Filter) { f.Route = "/orders/{id}" }},
		{"minLatency", "500ms", func(f *archive.Filter) { f.SlowerThan = 500 * time.Millisecond }},
		{"minLatency", "1.5s", func(f *archive.Filter) { f.SlowerThan = 1500 * time.Millisecond }},
		{"client", "192.0.2.7", func(f *archive.Filter) { f.Client = "192.0.2.7" }},
		{"client", "2001:DB8:0::1", func(f *archive.Filter) { f.Client = "2001:db8::1" }},
		{"client", "::ffff:192.0.2.7", func(f *archive.Filter) { f.Client = "192.0.2.7" }},
		{"client", "hTa9", func(f *archive.Filter) { f.Client = "hTa9" }}, // a hash
		{"node", "n1", func(f *archive.Filter) { f.Node = "n1" }},
		{"target", "http://10.0.0.5:3000", func(f *archive.Filter) { f.Target = "http://10.0.0.5:3000" }},
		{"host", "API.example.com.", func(f *archive.Filter) { f.Host = "api.example.com" }},
		{"requestId", "A63D32", func(f *archive.Filter) { f.RequestID = "A63D32" }},
		{"refusal", "auth.required", func(f *archive.Filter) { f.Refusal = "auth.required" }},
		{"noApi", "1", func(f *archive.Filter) { f.NoAPI = true }},
		{"noApi", "true", func(f *archive.Filter) { f.NoAPI = true }},
		{"noApi", "0", func(*archive.Filter) {}},
		{"q", " Cart ", func(f *archive.Filter) { f.Text = "Cart" }},
		{"q", "a\x00b주", func(f *archive.Filter) { f.Text = "a%00b%EC%A3%BC" }},
		{"q", "%' OR 1=1 --{$ne:1}", func(f *archive.Filter) { f.Text = "%'%20OR%201=1%20--{$ne:1}" }},
	} {
		want := base
		v.want(&want)
		got, err := asked(v.name, v.value)
		if err != nil || !reflect.DeepEqual(got.Filter, want) {
			t.Errorf("%s=%s: %v\ngot  %+v\nwant %+v", v.name, v.value, err, got.Filter, want)
		}
	}
	var names []string
	for _, n := range Parameters() {
		if n != "cursor" {
			names = append(names, n)
		}
	}
	for _, n := range names { // each is read at all: none takes a control character beside the ones that are written otherwise
		if _, err := asked(n, "\x01"); err == nil && n != "q" {
			t.Errorf("%s is not read", n)
		}
	}
}

func TestAQuestionThatCannotBeUnderstoodNamesTheMend(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for _, v := range []struct{ name, value, says string }{
		{"from", "yesterday", "RFC 3339"},
		{"from", "2026-11-21", "2026-11-21T09:30:00Z"},
		{"from", "2026-11-21T09:30:00 09:00", "%2B"}, // a + that was not escaped
		{"from", "1969-12-31T23:59:59Z", "since 1970"},
		{"to", "9999-12-31T23:59:59-09:00", "RFC 3339"},
		{"from", "2026-11-21T12:05:00Z", "not before to"},
		{"to", "0001-01-01T00:00:00Z", "since 1970"},
		{"status", "0", "5xx"},
		{"status", "abc", "400-499"},
		{"status", "6x", "404"},
		{"status", "0xx", "404"},
		{"status", "500-400", "400-499"},
		{"status", "4xx-5xx", "400-499"},
		{"status", "+40", "404"},
		{"status", "99", "404"},
		{"status", "1000", "404"},
		{"status", "400-", "404"},
		{"method", "get", "write GET"},
		{"method", "GE\nT", "plain text"},
		{"path", "orders", "begins with /"},
		{"path", "/" + long, "4096 bytes"},
		{"minLatency", "500", "500ms"},
		{"minLatency", ">500ms", "500ms"},
		{"minLatency", "-1s", "500ms"},
		{"minLatency", "0s", "500ms"},
		{"minLatency", "1ns", "500ms"},
		{"minLatency", "25h", "24h"},
		{"minLatency", "NaN", "500ms"},
		{"noApi", "yes", "1 or 0"},
		{"api", long, "4096 bytes"},
		{"key", "\xff", "UTF-8"},
		{"host", "a\x00", "control characters"},
	} {
		_, err := asked(v.name, v.value)
		f := fault.As(err)
		if f == nil || f.Code != "query.invalid" || f.Kind != fault.Invalid || f.Params["name"] != v.name || !strings.Contains(f.Message, v.says) || !strings.Contains(f.Message, v.name) && v.name != "method" {
			t.Errorf("%s=%.40q: got %v", v.name, v.value, err)
		}
	}
	if _, err := asked("noApi", "1", "api", "orders"); err == nil || !strings.Contains(err.Error(), "leave one of them out") {
		t.Errorf("noApi with api: %v", err)
	}
	if _, err := asked("q", strings.Repeat("x", page.MaxQuestion+1)); !fault.Is(err, page.CodeQuestion) {
		t.Errorf("a question that is too long: %v", err)
	}
}

func TestACursorKeepsTheRange(t *testing.T) {
	first, err := asked()
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range []archive.Cursor{{At: at("2026-11-21T11:00:00.123456Z"), ID: "00ff-3-17-499"}, {At: at("2026-11-21T11:00:00Z")}} {
		text := encode(last, first.Filter)
		later, err := Parse(func(name string) string { return map[string]string{"cursor": text}[name] }, noon.Add(time.Hour))
		if err != nil || later.After != last || later.Filter.From != first.Filter.From || later.Filter.To != first.Filter.To {
			t.Errorf("got %+v, %v", later, err)
		}
		from := "2026-11-21T10:00:00Z"
		later, err = asked("cursor", text, "from", from)
		if err != nil || later.Filter.From != at(from) || later.Filter.To != first.Filter.To {
			t.Errorf("with a from of its own: %+v, %v", later, err)
		}
	}
}

func TestACursorOfSomethingElseIsRefused(t *testing.T) {
	good := archive.Filter{From: noon, To: noon.Add(time.Hour)}
	for name, text := range map[string]string{
		"no cursor":          "x",
		"of another list":    page.Cursor{Sort: "name", Key: `{"a":1,"f":1,"t":2}`, ID: listName}.Encode(),
		"no numbers":         page.Cursor{Sort: listName, Key: "{$ne:1}", ID: listName}.Encode(),
		"a range of nothing": encode(archive.Cursor{At: noon, ID: "a"}, archive.Filter{From: noon, To: noon}),
		"a strange id":       encode(archive.Cursor{At: noon, ID: "A'--"}, good),
		"before 1970":        encode(archive.Cursor{At: time.UnixMicro(-1), ID: "a"}, good),
		"after 9999":         encode(archive.Cursor{At: noon, ID: "a"}, archive.Filter{From: noon, To: time.Unix(1<<40, 0)}),
	} {
		if _, err := asked("cursor", text); !fault.Is(err, page.CodeCursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("status", "5xx", "/orders/*", "cart")
	f.Add("minLatency", "1e9h", "/\xff", "%_")
	f.Add("cursor", encode(archive.Cursor{At: noon, ID: "a-1"}, archive.Filter{From: noon, To: noon.Add(1)}), "*", "")
	f.Fuzz(func(t *testing.T, name, value, path, q string) {
		got, err := asked(name, value, "path", path, "q", q)
		if err != nil {
			if fault.As(err) == nil {
				t.Errorf("no fault: %v", err)
			}
			return
		}
		x := got.Filter
		if !x.From.Before(x.To) || x.To.Year() > 9999 || x.From.Year() < 1970 || x.StatusMin > x.StatusMax {
			t.Errorf("got %+v", x)
		}
		for _, s := range []string{x.Path, x.Text} {
			for _, c := range []byte(s) {
				if c <= ' ' || c >= 0x7f {
					t.Errorf("%q holds what no path has", s)
				}
			}
		}
	})
}
