package errorbody

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
)

func rendererFor(t *testing.T, options string, status int) (filter.ErrorRenderer, bool) {
	t.Helper()
	v, err := Spec().Value([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	return v.(filter.ErrorBodies).ErrorBody(status)
}

func TestTheFirstRuleThatFitsIsTaken(t *testing.T) {
	const options = `[{"status":"404","body":"exact"},{"status":"4xx","body":"class"},{"status":"503","body":"down"}]`
	for status, want := range map[int]string{404: "exact", 401: "class", 499: "class", 503: "down", 500: "", 200: "", 40: "", 4000: ""} {
		r, ok := rendererFor(t, options, status)
		if ok != (want != "") {
			t.Errorf("%d: found %v", status, ok)
			continue
		}
		if !ok {
			continue
		}
		got, _, text, err := r.RenderError(filter.ErrorData{Status: status})
		if err != nil || string(text) != want || got != status {
			t.Errorf("%d: %d %q %v", status, got, text, err)
		}
	}
}

func TestBodiesAreRendered(t *testing.T) {
	hostile := filter.ErrorData{Status: 404, Code: "route.not_found", Message: `say "no"`, RequestID: "r1", API: "Orders", Path: `/"><script>`}
	for _, c := range []struct{ rule, contentType, text string }{
		{`{"status":"4xx","body":"{\"c\":{{json .Code}},\"m\":{{json .Message}},\"p\":{{json .Path}}}"}`, "application/json", `{"c":"route.not_found","m":"say \"no\"","p":"/\"\u003e\u003cscript\u003e"}`},
		{`{"status":"4xx","body":"<p>{{html .Path}}</p>"}`, "text/html; charset=utf-8", "<p>/&#34;&gt;&lt;script&gt;</p>"},
		{`{"status":"4xx","body":"{{.Status}} {{.RequestID}} {{.API}}"}`, "text/plain; charset=utf-8", "404 r1 Orders"},
		{`{"status":"4xx","body":"{{if eq .Status 404}}none{{else}}other{{end}}","contentType":"text/x; a=b"}`, "text/x; a=b", "none"},
		{`{"status":"4xx","body":"{{with .API}}in {{.}}{{end}}{{with $x := .Code}} {{$x | urlquery}}{{end}}"}`, "text/plain; charset=utf-8", "in Orders route.not_found"},
	} {
		r, _ := rendererFor(t, "["+c.rule+"]", 404)
		status, contentType, text, err := r.RenderError(hostile)
		if err != nil || status != 404 || contentType != c.contentType || string(text) != c.text {
			t.Errorf("%s\ngives %d %q %s %v", c.rule, status, contentType, text, err)
		}
		if contentType == "application/json" && !json.Valid(text) {
			t.Errorf("not JSON: %s", text)
		}
	}
}

func TestTheStatusCanBeChanged(t *testing.T) {
	r, _ := rendererFor(t, `[{"status":"5xx","body":"x","setStatus":200}]`, 502)
	if status, _, _, err := r.RenderError(filter.ErrorData{Status: 502}); status != 200 || err != nil {
		t.Errorf("got %d, %v", status, err)
	}
}

func TestResultsAreBounded(t *testing.T) {
	long := strings.Repeat(`"`, 40<<10)
	for _, body := range []string{`{{.Path}}{{.Path}}`, `{{json .Path}}`, `{{html .Path}}`, `{{urlquery .Path}}`} {
		r, _ := rendererFor(t, `[{"status":"4xx","body":"`+body+`"}]`, 404)
		if _, _, _, err := r.RenderError(filter.ErrorData{Status: 404, Path: long}); !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for o, want := range map[string]string{
		`[{"status":"4x","body":"a"}]`:                                    "/0/status errors.status",
		`[{"status":"200","body":"a"}]`:                                   "/0/status errors.status",
		`[{"status":"404"}]`:                                              "/0/body errors.body",
		`[{"status":"404","body":"a","from":"upstream"}]`:                 "/0/from errors.from",
		`[{"status":"404","body":"a","setStatus":204}]`:                   "/0/setStatus errors.set_status",
		`[{"status":"404","body":"a","setStatus":99}]`:                    "/0/setStatus errors.set_status",
		`[{"status":"404","body":"a","contentType":"x"}]`:                 "/0/contentType errors.content_type",
		`[{"status":"404","body":"a","contentType":"a/b\r\nX: y"}]`:       "/0/contentType errors.content_type",
		`[{"status":"404","body":"a"},{"status":"404","body":"{{"}]`:      "/1/body errors.template",
		`[{"status":"404","body":"{{.Secret}}"}]`:                         "/0/body errors.template",
		`[{"status":"404","body":"{{range 1000000000}}{{end}}"}]`:         "/0/body errors.template",
		`[{"status":"404","body":"{{define \"a\"}}x{{end}}"}]`:            "/0/body errors.template",
		`[{"status":"404","body":"{{template \"body\" .}}"}]`:             "/0/body errors.template",
		`[{"status":"404","body":"{{block \"a\" .}}{{end}}"}]`:            "/0/body errors.template",
		`[{"status":"404","body":"{{printf \"%1000000d\" 1}}"}]`:          "/0/body errors.template",
		`[{"status":"404","body":"{{js .Path}}"}]`:                        "/0/body errors.template",
		`[{"status":"404","body":"{{if (len .Path)}}x{{end}}"}]`:          "/0/body errors.template",
		`[{"status":"404","body":"{{with (print .Path)}}x{{end}}"}]`:      "/0/body errors.template",
		`[{"status":"404","body":"` + strings.Repeat("a", 17<<10) + `"}]`: "/0/body errors.body",
		`{"status":"404"}`: " wrong_type",
		`[]`:               "",
	} {
		if got := filtertest.BuildFault(t, Spec(), o); got != want {
			t.Errorf("%.80s: got %q, want %q", o, got, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{{json .Message}}`, "/a")
	f.Add(`{{if eq .Status 404}}{{.Path | html | json}}{{end}}`, `"`)
	f.Add(`{{with $a := .}}{{$a.Code}}{{end}}`, "")
	f.Fuzz(func(t *testing.T, body, path string) {
		b, err := compile(Rule{Status: "404", Body: body})
		if err != nil {
			return
		}
		_, _, text, err := b.RenderError(filter.ErrorData{Status: 404, Path: path})
		if err == nil && len(text) > maxBody {
			t.Fatalf("%d bytes", len(text))
		}
	})
}
