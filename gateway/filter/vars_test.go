package filter_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func full() *filter.Exchange {
	x := filtertest.Get("/v1/orders?a=1&q=x%20y&q=2").Host("shop.example.com:8443").
		Header("X-Trace", "t1").Header("Cookie", `a=1; sid="s 1"`).Param("id", "42").
		Session(&access.Session{
			Org: "default", KeyID: "k_1", Alias: "shop", Owner: "kim", Subject: "kim",
			Policies: []string{"gold", "beta"}, Metadata: map[string]string{"grade": "A", "bad": "a\r\nX: y"},
		}).
		Exchange()
	x.ID = "r1"
	return x
}

func TestVariablesAreFilledIn(t *testing.T) {
	for value, want := range map[string]string{
		"plain":                            "plain",
		"":                                 "",
		"{subject}":                        "kim",
		"u={subject};g={meta.grade}":       "u=kim;g=A",
		"{key.id} {key.alias} {key.owner}": "k_1 shop kim",
		"{policy}":                         "gold,beta",
		"{client.ip}":                      "192.0.2.10",
		"{request.id} {request.method} {request.host} {request.path}": "r1 GET shop.example.com:8443 /v1/orders",
		"{request.query.q}":        "x y",
		"{request.header.x-trace}": "t1",
		"{request.cookie.sid}":     "s 1",
		"{route.param.id}":         "42",
		"{api.id} {api.name}":      "orders Orders",
		"{node.id} {node.group}":   "node-1 public",
		"[{meta.none}{request.query.none}{request.header.none}{request.cookie.none}{route.param.none}]": "[]",
		"{{literal}} }":       "{literal} }",
		`{{"a":"{subject}"}}`: `{"a":"kim"}`,
	} {
		v, err := filter.ParseValue(value)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if got, err := v.Expand(full()); err != nil || got != want {
			t.Errorf("%q gives %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestVariablesWithoutCallerOrAPIAreEmpty(t *testing.T) {
	v, err := filter.ParseValue("<{subject}{meta.a}{key.id}{key.alias}{key.owner}{policy}{api.id}{api.name}{node.id}{node.group}{request.id}>")
	if err != nil {
		t.Fatal(err)
	}
	x := filtertest.Get("/").Exchange()
	x.API, x.Node = nil, nil
	if got, err := v.Expand(x); err != nil || got != "<>" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWrongVariablesAreRefusedWhenBuilt(t *testing.T) {
	for value, want := range map[string]struct {
		code fault.Code
		fix  string
	}{
		"{subjekt}":                            {"value.unknown_variable", "{subject}"},
		"{key.aliass}":                         {"value.unknown_variable", "{key.alias}"},
		"{metadata.grade}":                     {"value.unknown_variable", "{meta.NAME}"},
		"{request.hdr.X-A}":                    {"value.unknown_variable", "{request.header.NAME}"},
		"{meta.}":                              {"value.unknown_variable", "{meta.NAME}"},
		"{}":                                   {"value.unknown_variable", ""},
		"{request.header.a b}":                 {"value.unknown_variable", ""},
		"{open":                                {"value.braces", ""},
		"a\r\nX: y":                            {"value.control", ""},
		"a\x00":                                {"value.control", ""},
		"{claim.sub}":                          {"not_available", ""},
		"{client.country}":                     {"not_available", ""},
		"{api.version}":                        {"not_available", ""},
		"{secret:db}":                          {"not_available", ""},
		"{" + strings.Repeat("x", 1<<16) + "}": {"value.unknown_variable", ""},
	} {
		_, err := filter.ParseValue(value)
		f := fault.As(err)
		if f == nil || f.Code != want.code || want.fix != "" && f.Problems[0].Fix != want.fix {
			t.Errorf("%.40q: got %v, want %s with the fix %s", value, err, want.code, want.fix)
		}
	}
}

func TestControlCharactersInValuesAreRefused(t *testing.T) {
	crlf := filtertest.Get("/?q=a%0d%0aX:%20y&n=a%00").Param("p", "a\nb").Session(full().Session).Exchange()
	for value, status := range map[string]int{
		"{request.query.q}": 400, "x{request.query.n}": 400, "{route.param.p}": 400, "{meta.bad}": 500, "a {meta.bad} b": 500,
	} {
		v, err := filter.ParseValue(value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Expand(crlf)
		r, ok := err.(*filter.Reject)
		if !ok || r.Status != status || got != "" {
			t.Errorf("%q: got %q, %v, want %d", value, got, err, status)
		}
		if ok && strings.ContainsAny(r.Message, "\r\n\x00") {
			t.Errorf("%q: the message repeats the control characters: %q", value, r.Message)
		}
	}
}

func TestExpandAllocatesOnlyForJoining(t *testing.T) {
	x := full()
	one, _ := filter.ParseValue("{subject}")
	two, _ := filter.ParseValue("{subject}/{meta.grade}")
	if n := testing.AllocsPerRun(100, func() { _, _ = one.Expand(x) }); n != 0 {
		t.Errorf("one variable allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = two.Expand(x) }); n > 2 {
		t.Errorf("two variables allocate %v times", n)
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"", "a", "{subject}", "{{x}}", "{meta.a}{", "}{", "{request.query.a b}", "{secret:x}", "{{{subject}}}"} {
		f.Add(s, "q=%0d")
	}
	f.Fuzz(func(t *testing.T, s, query string) {
		v, err := filter.ParseValue(s)
		if err != nil {
			if fault.As(err) == nil {
				t.Fatalf("%q: an error without a code: %v", s, err)
			}
			return
		}
		x := filtertest.Get("/?" + query).Exchange()
		x.Request.Query = query
		got, err := v.Expand(x)
		if err == nil && !message.ValidValue(got) {
			t.Fatalf("%q with %q gives %q, which may not be written", s, query, got)
		}
		if lit, ok := v.Literal(); ok && lit != got {
			t.Fatalf("the literal %q is not what it expands to: %q", lit, got)
		}
	})
}
