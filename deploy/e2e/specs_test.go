package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// spec is one file of specs/: what is defined, what comes in, what goes out. In all texts {{host}} is a
// host name of this spec's own, {{upstream}} and {{upstream2}} its two backends, {{key.NAME}} the secret
// of a key; what stands for backends with TLS and HTTP/2, which all specs share, is in secure_test.go.
type spec struct {
	Name     string                     `json:"name"`
	Define   []json.RawMessage          `json:"define"`             // API definitions
	Policies []json.RawMessage          `json:"policies,omitempty"` // documents
	Keys     map[string]json.RawMessage `json:"keys,omitempty"`     // by name; the body of POST /keys
	Steps    []step                     `json:"steps"`
}

type step struct {
	In  in  `json:"in"`
	Out out `json:"out"`
}

// in is a request; the host is {{host}} and the method GET where nothing else is said.
type in struct {
	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path"`
	Host    string            `json:"host,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Times   int               `json:"times,omitempty"` // how often it is sent; all answers must fit
}

// out is what must be seen. A header's value is exact, a pattern between slashes, or null for absent.
type out struct {
	Status   int                `json:"status"`
	Headers  map[string]*string `json:"headers,omitempty"`
	Body     json.RawMessage    `json:"body,omitempty"` // members that the JSON body must have
	Text     string             `json:"text,omitempty"` // exact body, or a pattern between slashes
	Upstream *upstreamSaw       `json:"upstream,omitempty"`
	Silent   bool               `json:"silent,omitempty"` // nothing may reach an upstream
	Shares   map[string]int     `json:"shares,omitempty"` // with times: how many requests each upstream got
	Within   string             `json:"within,omitempty"` // the longest time that the answer may take
}

type upstreamSaw struct {
	Method  string             `json:"method,omitempty"`
	Target  string             `json:"target,omitempty"`
	Host    string             `json:"host,omitempty"`
	Headers map[string]*string `json:"headers,omitempty"`
	Body    *string            `json:"body,omitempty"`
}

func TestSpecs(t *testing.T) {
	files, err := filepath.Glob("specs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no specs: %v", err)
	}
	others := newSecureUpstreams(t)
	p := platform.For(t, platform.Options{Env: map[string]string{"SLUICE_GATEWAY_CERTIFICATES_DIR": others.certificates}})
	var newest int64
	runs := make([]*specRun, 0, len(files))
	for _, file := range files {
		r := &specRun{name: strings.TrimSuffix(filepath.Base(file), ".json"), gateway: p.Gateways[0], others: others}
		newest = max(newest, r.prepare(t, p, file))
		runs = append(runs, r)
	}
	p.Live(t, newest, 10*time.Second)
	for _, r := range runs {
		t.Run(r.name, r.run)
	}
}

// specRun is one spec with what was made for it.
type specRun struct {
	name    string
	spec    spec
	gateway *platform.Service
	ups     [2]*platform.Upstream
	others  secureUpstreams
}

// prepare makes everything that a spec defines and returns the newest revision.
func (r *specRun) prepare(t *testing.T, p *platform.Platform, file string) (newest int64) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r.ups = [2]*platform.Upstream{platform.NewUpstream("one"), platform.NewUpstream("two")}
	for _, u := range r.ups {
		t.Cleanup(u.Close)
	}
	tokens := maps.Clone(r.others.tokens)
	tokens["{{host}}"] = strings.ReplaceAll(r.name, "_", "-") + ".test"
	tokens["{{upstream}}"], tokens["{{upstream2}}"] = r.ups[0].URL, r.ups[1].URL
	for token, value := range tokens {
		text = bytes.ReplaceAll(text, []byte(token), []byte(value))
	}
	// keys name what is defined before them, and steps use their secrets
	var draft spec
	decode(t, file, text, &draft)
	c := p.Client(0)
	for kind, objects := range map[string][]json.RawMessage{"policies": draft.Policies, "apis": draft.Define} {
		for _, o := range objects {
			saved, err := c.Create(t.Context(), kind, []byte(o))
			if err != nil {
				t.Fatalf("%s: %s: %v", file, kind, err)
			}
			newest = max(newest, saved.Revision)
		}
	}
	for name, body := range draft.Keys {
		k, err := c.CreateKey(t.Context(), []byte(body))
		if err != nil {
			t.Fatalf("%s: key %s: %v", file, name, err)
		}
		text = bytes.ReplaceAll(text, []byte("{{key."+name+"}}"), []byte(k.Secret))
	}
	decode(t, file, text, &r.spec)
	return newest
}

func decode(t *testing.T, file string, text []byte, into *spec) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func (r *specRun) run(t *testing.T) {
	t.Log(r.spec.Name)
	for i, s := range r.spec.Steps {
		where := fmt.Sprintf("step %d, %s %s", i+1, s.In.Method, s.In.Path)
		before := len(r.ups[0].Seen()) + len(r.ups[1].Seen())
		shares := map[string]int{}
		for range max(s.In.Times, 1) {
			seen := [2]int{len(r.ups[0].Seen()), len(r.ups[1].Seen())}
			began := time.Now()
			resp, body := r.send(t, s.In)
			if w, err := time.ParseDuration(s.Out.Within); err == nil && time.Since(began) > w {
				t.Errorf("%s: the answer took %s, more than %s", where, time.Since(began), w)
			}
			for _, complaint := range s.Out.judge(resp, body) {
				t.Errorf("%s: %s", where, complaint)
			}
			for n, u := range r.ups {
				for _, saw := range u.Seen()[seen[n]:] {
					shares[saw.Name]++
					if s.Out.Upstream != nil {
						s.Out.Upstream.judge(t, where, saw)
					}
				}
			}
		}
		after := len(r.ups[0].Seen()) + len(r.ups[1].Seen())
		if s.Out.Silent && after != before {
			t.Errorf("%s: %d requests reached an upstream, want none", where, after-before)
		}
		if s.Out.Upstream != nil && after == before {
			t.Errorf("%s: no request reached an upstream", where)
		}
		if s.Out.Shares != nil && !reflect.DeepEqual(shares, s.Out.Shares) {
			t.Errorf("%s: the upstreams got %v, want %v", where, shares, s.Out.Shares)
		}
	}
}

// send sends a request with the path as it is written: the client of the standard library would
// escape and clean it.
func (r *specRun) send(t *testing.T, q in) (*http.Response, []byte) {
	t.Helper()
	method, host := q.Method, q.Host
	if method == "" {
		method = http.MethodGet
	}
	if host == "" {
		host = strings.ReplaceAll(r.name, "_", "-") + ".test"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, q.Path, host)
	for name, value := range q.Headers {
		for v := range strings.SplitSeq(value, "\n") { // a field that stands several times
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	if q.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.Body))
	}
	b.WriteString("\r\n" + q.Body)
	resp, body, err := exchange(r.gateway.Addr(), method, b.String())
	if err != nil {
		t.Fatalf("%s %s: %v", method, q.Path, err)
	}
	return resp, body
}

// judge tells what is not as it must be.
func (o out) judge(resp *http.Response, body []byte) (complaints []string) {
	say := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	if resp.StatusCode != o.Status {
		say("status %d, want %d: %.300s", resp.StatusCode, o.Status, body)
	}
	complaints = append(complaints, judgeHeaders(resp.Header, o.Headers)...)
	if o.Text != "" && !fits(o.Text, string(body)) {
		say("body %.300q, want %q", body, o.Text)
	}
	if o.Body != nil {
		var got, want any
		if err := json.Unmarshal(body, &got); err != nil {
			say("body %.300q is no JSON", body)
		} else if err := json.Unmarshal(o.Body, &want); err != nil {
			say("the spec's body: %v", err)
		} else if !contains(got, want) {
			say("body %.500s, want at least %s", body, o.Body)
		}
	}
	return complaints
}

func (u upstreamSaw) judge(t *testing.T, where string, saw platform.Seen) {
	t.Helper()
	if u.Method != "" && saw.Method != u.Method {
		t.Errorf("%s: the upstream got method %s, want %s", where, saw.Method, u.Method)
	}
	if u.Target != "" && saw.Target != u.Target {
		t.Errorf("%s: the upstream got target %s, want %s", where, saw.Target, u.Target)
	}
	if u.Host != "" && !fits(u.Host, saw.Host) {
		t.Errorf("%s: the upstream got host %s, want %s", where, saw.Host, u.Host)
	}
	if u.Body != nil && saw.Body != *u.Body {
		t.Errorf("%s: the upstream got body %q, want %q", where, saw.Body, *u.Body)
	}
	for _, complaint := range judgeHeaders(saw.Header, u.Headers) {
		t.Errorf("%s: the upstream got %s", where, complaint)
	}
}

func judgeHeaders(got http.Header, want map[string]*string) (complaints []string) {
	for name, value := range want {
		all := strings.Join(got.Values(name), ", ")
		switch {
		case value == nil && got.Values(name) != nil:
			complaints = append(complaints, fmt.Sprintf("header %s: %q, want none", name, all))
		case value != nil && (got.Values(name) == nil || !fits(*value, all)):
			complaints = append(complaints, fmt.Sprintf("header %s: %q, want %q", name, all, *value))
		}
	}
	slices.Sort(complaints)
	return complaints
}

// fits compares a text with a wanted one, or with a pattern between slashes.
func fits(want, got string) bool {
	if len(want) > 2 && want[0] == '/' && want[len(want)-1] == '/' {
		return regexp.MustCompile(want[1 : len(want)-1]).MatchString(got)
	}
	return want == got
}

// contains tells whether got has every member of want, at any depth; texts may be patterns.
func contains(got, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, value := range w {
			if have, there := g[name]; !there || !contains(have, value) {
				return false
			}
		}
		return ok
	case string:
		g, ok := got.(string)
		return ok && fits(w, g)
	default:
		return reflect.DeepEqual(got, want)
	}
}
