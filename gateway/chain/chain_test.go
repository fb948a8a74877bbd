package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/explain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// probe notes when it runs and does what its options say.
type probe struct {
	Name string `json:"name"`
	In   string `json:"in,omitempty"`
	Out  string `json:"out,omitempty"`
	log  *[]string
}

func (p *probe) Request(x *filter.Exchange) error {
	*p.log = append(*p.log, p.Name+">")
	x.SetState(p.Name)
	return p.do(x, p.In)
}

func (p *probe) Response(x *filter.Exchange) error {
	*p.log = append(*p.log, fmt.Sprintf("<%s(%v)", p.Name, x.State()))
	return p.do(x, p.Out)
}

func (p *probe) do(x *filter.Exchange, what string) error {
	switch what {
	case "refuse":
		return filter.Refuse(403, "test.no", "No.")
	case "answer":
		x.Response = filter.Respond(200, "", nil)
	case "fail":
		return errors.New("broken")
	case "panic":
		panic("secret")
	}
	return nil
}

// probes makes filters a, b, c … whose options are In and Out.
func probes(names string) (order []filter.Spec, log *[]string) {
	log = &[]string{}
	for _, n := range names {
		order = append(order, filter.Define(string(n), func(p probe) (any, error) {
			p.Name, p.log = string(n), log
			return &p, nil
		}).In(filter.Protect))
	}
	return order, log
}

func options(m map[string]string) apidef.Filters {
	f := apidef.Filters{}
	for k, v := range m {
		f[k] = json.RawMessage(v)
	}
	return f
}

func TestFiltersRunForthAndBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		levels []apidef.Filters
		in     string // of Run's error
		out    string // of each Unwind's error
		want   string
	}{
		{"all pass", []apidef.Filters{options(map[string]string{"a": "{}", "b": "{}", "c": "{}"})}, "", "", "a> b> c> <c(c) <b(b) <a(a)"},
		{"only those named", []apidef.Filters{options(map[string]string{"c": "{}", "a": "{}"})}, "", "", "a> c> <c(c) <a(a)"},
		{"a refusal", []apidef.Filters{options(map[string]string{"a": "{}", "b": `{"in":"refuse"}`, "c": "{}"})}, "test.no", "", "a> b> <b(b) <a(a)"},
		{"an answer", []apidef.Filters{options(map[string]string{"a": "{}", "b": `{"in":"answer"}`, "c": "{}"})}, "", "", "a> b> <b(b) <a(a)"},
		{"an error names the filter", []apidef.Filters{options(map[string]string{"a": "{}", "b": `{"in":"fail"}`})}, "filter b: broken", "", "a> b> <b(b) <a(a)"},
		{"a panic", []apidef.Filters{options(map[string]string{"a": "{}", "b": `{"in":"panic"}`})}, "filter b panicked: secret", "", "a> b> <b(b) <a(a)"},
		{"an error on the way back", []apidef.Filters{options(map[string]string{"a": "{}", "b": `{"out":"fail"}`, "c": "{}"})}, "", "filter b: broken", "a> b> c> <c(c) <b(b) <a(a)"},
		{"a panic on the way back", []apidef.Filters{options(map[string]string{"a": "{}", "b": "{}", "c": `{"out":"panic"}`})}, "", "filter c panicked", "a> b> c> <c(c) <b(b) <a(a)"},
		{"an endpoint replaces the whole filter", []apidef.Filters{options(map[string]string{"a": `{"in":"refuse"}`, "b": "{}"}), options(map[string]string{"a": "{}", "c": "{}"})}, "", "", "a> b> c> <c(c) <b(b) <a(a)"},
		{"an endpoint turns it off", []apidef.Filters{options(map[string]string{"a": `{"in":"refuse"}`, "b": "{}"}), options(map[string]string{"a": `"off"`})}, "", "", "b> <b(b)"},
		{"nothing", nil, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			order, log := probes("abc")
			ch, problems := Build(order, c.levels...)
			if problems != nil {
				t.Fatal(problems)
			}
			x := filtertest.Get("/").Exchange()
			contains(t, ch.Run(x), c.in)
			var failed error
			for {
				if x.Response == nil {
					x.Response = filter.Respond(502, "", nil)
				}
				err := ch.Unwind(x)
				if err == nil {
					break
				}
				failed, x.Response = err, nil
			}
			contains(t, failed, c.out)
			if got := strings.Join(*log, " "); got != c.want {
				t.Errorf("ran %s, want %s", got, c.want)
			}
		})
	}
}

func contains(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestARefusalStaysOne(t *testing.T) {
	order, _ := probes("a")
	ch, _ := Build(order, options(map[string]string{"a": `{"in":"refuse"}`}))
	var r *filter.Reject
	if err := ch.Run(filtertest.Get("/").Exchange()); !errors.As(err, &r) || r.Status != 403 {
		t.Errorf("got %v", err)
	}
}

func TestAPanicKeepsItsStackForTheLog(t *testing.T) {
	order, _ := probes("a")
	ch, _ := Build(order, options(map[string]string{"a": `{"in":"panic"}`}))
	var p *Panic
	if err := ch.Run(filtertest.Get("/").Exchange()); !errors.As(err, &p) || !strings.Contains(string(p.Stack), "chain_test.go") {
		t.Errorf("got %v", err)
	}
	if r := (*filter.Reject)(nil); errors.As(error(p), &r) {
		t.Error("a panic would be shown to the client")
	}
}

func TestWrongOptionsAreAllReported(t *testing.T) {
	order := Order(Deps{})
	for _, c := range []struct {
		name   string
		levels []apidef.Filters
		want   string
	}{
		{"no auth", []apidef.Filters{{}}, "/filters/auth auth.undecided"},
		{"auth off for a whole API", []apidef.Filters{options(map[string]string{"auth": `"off"`})}, "/filters/auth filter.required"},
		{
			"several",
			[]apidef.Filters{options(map[string]string{"auth": `{}`, "nope": `{}`, "errors": `[{"status":"1"}]`, "requestHeaders": `{"set":{"Host":"x"}}`})},
			"/filters/nope filter.unknown\n/filters/auth auth.undecided\n/filters/requestHeaders/set/Host header.reserved\n/filters/errors/0/status errors.status\n/filters/errors/0/body errors.body",
		},
		{"a hidden filter", []apidef.Filters{options(map[string]string{"auth": `{"open":true}`, "requestId": `{}`})}, "/filters/requestId filter.unknown"},
		{"a hidden filter off", []apidef.Filters{options(map[string]string{"auth": `{"open":true}`, "rights": `"off"`})}, "/filters/rights filter.unknown"},
		{"a wrong word", []apidef.Filters{options(map[string]string{"auth": `"of"`})}, "/filters/auth wrong_type"},
		{"at an endpoint", []apidef.Filters{options(map[string]string{"auth": `{"open":true}`}), options(map[string]string{"auth": `{"any":[{"key":{"in":[{}]}}]}`})}, "/filters/auth/any/0/key/in/0 auth.source"},
		{"two values", []apidef.Filters{options(map[string]string{"auth": `{"open":true} {}`})}, "/filters/auth malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, problems := Build(order, c.levels...)
			var got []string
			for _, p := range problems {
				got = append(got, p.Path+" "+string(p.Code))
				if p.Message == "" {
					t.Errorf("%s has no sentence", p.Code)
				}
			}
			if ch != nil || strings.Join(got, "\n") != c.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

func TestOpenEndpointsOfAProtectedAPI(t *testing.T) {
	protected := options(map[string]string{"auth": `{"any":[{"key":{}}]}`})
	for _, open := range []string{`"off"`, `{"open":true}`} {
		ch, problems := Build(Order(Deps{}), protected, options(map[string]string{"auth": open}))
		if problems != nil {
			t.Fatal(problems)
		}
		if err := ch.Run(filtertest.Get("/").Exchange()); err != nil {
			t.Errorf("%s: %v", open, err)
		}
	}
	ch, _ := Build(Order(Deps{}), protected)
	if err := ch.Run(filtertest.Get("/").Exchange()); err == nil {
		t.Error("the API itself is open")
	}
}

func TestIdentityHeadersCannotBeForged(t *testing.T) {
	api := options(map[string]string{"auth": `{"open":true}`, "identity": `{"headers":{"X-User-Id":"{subject}"}}`})
	for name, levels := range map[string][]apidef.Filters{
		"the API itself":           {api},
		"an endpoint without it":   {api, options(map[string]string{"identity": `"off"`})},
		"an endpoint with another": {api, options(map[string]string{"identity": `{"headers":{"X-Other":"{subject}"}}`})},
	} {
		ch, problems := Build(Order(Deps{}), levels...)
		if problems != nil {
			t.Fatal(problems)
		}
		b := filtertest.Get("/").Header("X-Kept", "1")
		for _, spoof := range []string{"X-User-Id", "x-user-id", "X_User_Id", "x.user.id", "X-USER_ID", "X-User-Id"} {
			b.Header(spoof, "root")
		}
		x := b.Exchange()
		if err := ch.Run(x); err != nil {
			t.Fatal(err)
		}
		if got := filtertest.Lines(&x.Request.Header); strings.Contains(got, "root") || !strings.Contains(got, "X-Kept: 1") {
			t.Errorf("%s: sent\n%s", name, got)
		}
	}
}

func TestACredentialInAnOwnedHeaderIsReadFirst(t *testing.T) {
	keys := lookup{&access.Session{Org: "default", State: access.KeyActive, Subject: "kim", Metadata: map[string]string{"token": "t1"}}}
	ch, problems := Build(Order(Deps{Keys: keys}), options(map[string]string{
		"auth": `{"any":[{"key":{}}]}`, "identity": `{"headers":{"Authorization":"Token {meta.token}"}}`,
	}))
	if problems != nil {
		t.Fatal(problems)
	}
	x := filtertest.Get("/").Header("Authorization", "Bearer good").Exchange()
	var r *filter.Reject
	// The session has no rights, so the chain ends at rights; what matters is that it was found.
	if err := ch.Run(x); !errors.As(err, &r) || r.Code != "access.denied" || x.Session == nil {
		t.Errorf("got %v", err)
	}
}

func TestExplainRecordsEachStep(t *testing.T) {
	order, _ := probes("abc")
	ch, _ := Build(order, options(map[string]string{"a": "{}", "b": `{"in":"refuse"}`, "c": "{}"}))
	x := filtertest.Get("/").Exchange()
	x.Explain = explain.New(time.Now())
	_ = ch.Run(x)
	x.Response = filter.Respond(403, "", nil)
	_ = ch.Unwind(x)
	var got []string
	for _, s := range x.Explain.Steps {
		got = append(got, fmt.Sprintf("%d %s %s %s %s", s.Seq, s.Stage, s.Filter, s.Decision, s.Code))
	}
	want := []string{"1 protect a pass ", "2 protect b stop test.no", "3 respond b pass ", "4 respond a pass "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTooManyFiltersAreRefused(t *testing.T) {
	names := ""
	m := map[string]string{}
	for i := range filter.MaxFilters + 1 {
		n := string(rune('A' + i))
		names += n
		m[n] = "{}"
	}
	order, _ := probes(names)
	if _, problems := Build(order, options(m)); len(problems) != 1 || problems[0].Code != "filter.too_many" {
		t.Errorf("got %v", problems)
	}
}

func TestAWalkAllocatesNothing(t *testing.T) {
	for _, n := range []int{0, 5, 15} {
		ch, x := idle(n), filtertest.Get("/").Exchange()
		response := filter.Respond(200, "", nil)
		if got := testing.AllocsPerRun(100, func() {
			x.Response = nil
			_ = ch.Run(x)
			x.Response = response
			_ = ch.Unwind(x)
		}); got != 0 {
			t.Errorf("%d filters: %v allocations", n, got)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	for _, n := range []int{0, 5, 15} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ch, x := idle(n), filtertest.Get("/").Exchange()
			response := filter.Respond(200, "", nil)
			b.ReportAllocs()
			for b.Loop() {
				x.Response = nil
				_ = ch.Run(x)
				x.Response = response
				_ = ch.Unwind(x)
			}
		})
	}
}

// BenchmarkOpenAPI is the chain of an API without options: what every request pays.
func BenchmarkOpenAPI(b *testing.B) {
	ch, problems := Build(Order(Deps{}), options(map[string]string{"auth": `{"open":true}`}))
	if problems != nil {
		b.Fatal(problems)
	}
	x := filtertest.Get("/").Header("Accept", "*/*").Header("User-Agent", "x").Exchange()
	var original message.Header
	original.CopyFrom(&x.Request.Header)
	response := filter.Respond(200, "text/plain", nil)
	b.ReportAllocs()
	for b.Loop() {
		x.Request.Header.CopyFrom(&original)
		x.Response = nil
		_ = ch.Run(x)
		x.Response = response
		_ = ch.Unwind(x)
	}
}

type nothing struct{}

func (nothing) Request(*filter.Exchange) error  { return nil }
func (nothing) Response(*filter.Exchange) error { return nil }

func idle(n int) *Chain {
	c := &Chain{}
	for range n {
		c.steps = append(c.steps, step{"x", filter.Protect, nothing{}, nothing{}})
	}
	return c
}

// A request that is refused before its chain runs is received all the same, and
// its answer passes what was entered.
func TestReceiveStopsBeforeAnythingIsDecided(t *testing.T) {
	order, log := probes("abcd")
	order[0].Stage, order[1].Stage, order[2].Stage = filter.RespondStage, filter.Receive, filter.Identify
	c, problems := Build(order, apidef.Filters{"a": json.RawMessage("{}"), "b": json.RawMessage("{}"), "c": json.RawMessage("{}"), "d": json.RawMessage("{}")})
	if c == nil {
		t.Fatal(problems)
	}
	for _, x := range []*filter.Exchange{{}, {Explain: explain.New(time.Now())}} {
		*log = nil
		if err := c.Receive(x); err != nil {
			t.Fatal(err)
		}
		x.Response = filter.Respond(404, "", nil)
		if err := c.Unwind(x); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(*log, " "); got != "a> b> <b(b) <a(a)" {
			t.Errorf("ran %s", got)
		}
	}
}

func TestRecordsOfAnAPICanBeOff(t *testing.T) {
	order := Order(Deps{})
	open := json.RawMessage(`{"open":true}`)
	off := json.RawMessage(`"off"`)
	api := apidef.Filters{"auth": open, "record": off}
	if c, problems := Build(order, api); problems != nil || c.Recording() != nil {
		t.Errorf("%v", problems)
	}
	if c, problems := Build(order, api, apidef.Filters{"record": json.RawMessage(`{}`)}); problems != nil || c.Recording() == nil {
		t.Errorf("on again at an endpoint: %v", problems)
	}
	if c, problems := Build(order, apidef.Filters{"auth": open}); problems != nil || c.Recording() == nil || c.Recording().Off() {
		t.Errorf("by default: %v", problems)
	}
	if c := (*Chain)(nil); c.Recording() != nil || c.Captured(nil) != nil {
		t.Error("no chain records nothing")
	}
}

// TestATagMayNotBeAPlaceOfKeysOfAnyLevel: the key would stand in the record.
func TestATagMayNotBeAPlaceOfKeysOfAnyLevel(t *testing.T) {
	api := apidef.Filters{"auth": json.RawMessage(`{"any":[{"key":{"in":[{"header":"X-Key"},{"cookie":"k"}]}}]}`), "record": json.RawMessage(`{"tags":["meta:a","header:x-key"]}`)}
	for name, levels := range map[string][]apidef.Filters{"API": {api}, "endpoint": {api, {"auth": json.RawMessage(`"off"`)}}} {
		c, problems := Build(Order(Deps{}), levels...)
		if c != nil || len(problems) != 1 || problems[0].Path != "/filters/record/tags/1" || problems[0].Code != "record.tag_secret" {
			t.Errorf("%s: %+v", name, problems)
		}
	}
}
