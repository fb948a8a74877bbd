package chain

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestOrder pins the order: a change of it is a reviewed diff.
func TestOrder(t *testing.T) {
	var b strings.Builder
	for _, s := range Order(Deps{}) {
		b.WriteString(string(s.Stage) + " " + s.Name + "\n")
	}
	testenv.Golden(t, "order.txt", []byte(b.String()))
}

// TestStagesAreInOrder compares with gateway.md's table. Filters with only a
// response phase stand first, so that they are always entered. Those of the stage
// record decide nothing about a request: they stand where they see what they need.
func TestStagesAreInOrder(t *testing.T) {
	stages := []filter.Stage{
		filter.RespondStage, filter.Receive, filter.Protect, filter.CORS, filter.Identify,
		filter.Authorise, filter.Limit, filter.Check, filter.Shape, filter.Answer, filter.Record,
	}
	at := 0
	seen := map[string]bool{}
	for _, s := range Order(Deps{}) {
		if s.Stage == filter.Record {
			continue
		}
		i := slices.Index(stages, s.Stage)
		if i < at {
			t.Errorf("%s of stage %q stands behind stage %q", s.Name, s.Stage, stages[at])
		}
		at = i
		if seen[s.Name] {
			t.Errorf("%s stands twice", s.Name)
		}
		seen[s.Name] = true
	}
}

func TestEveryFilterIsDocumented(t *testing.T) {
	for _, s := range Order(Deps{}) {
		t.Run(s.Name, func(t *testing.T) {
			if s.Summary.EN == "" || s.Summary.KO == "" {
				t.Error("a summary is missing")
			}
			text, err := os.ReadFile(filepath.Join("..", "filter", folder(s.Name), "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "<!-- options -->\n") || !strings.Contains(string(text), "<!-- /options -->") {
				t.Error("the README has no place for the table of options")
			}
			checkSchema(t, s.Config, s.Name)
			if n := examples(t, s, string(text)); n == 0 && !s.Hidden {
				t.Error("the README has no example")
			}
		})
	}
}

// folder is where a filter lives: its name in lower case, with two exceptions.
func folder(name string) string {
	switch name {
	case "requestHeaders", "responseHeaders":
		return "headers"
	case "errors":
		return "errorbody"
	}
	return strings.ToLower(name)
}

// examples decodes and builds each JSON example of a README that is about the filter.
func examples(t *testing.T, s filter.Spec, text string) int {
	n := 0
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var options map[string]json.RawMessage
		if err := json.Unmarshal([]byte(m[1]), &options); err != nil {
			t.Fatalf("an example is not JSON: %v\n%s", err, m[1])
		}
		raw, ok := options[s.Name]
		if !ok {
			continue
		}
		n++
		if _, err := s.Value(raw); err != nil {
			t.Errorf("an example does not build: %v\n%s", err, m[1])
		}
	}
	return n
}

// checkSchema walks an options' struct as the generator of schemas does: plain
// kinds, each field with a camelCase JSON name and known rules.
func checkSchema(t *testing.T, c reflect.Type, at string) {
	switch c.Kind() {
	case reflect.Pointer, reflect.Slice:
		checkSchema(t, c.Elem(), at)
	case reflect.Map:
		if c.Key().Kind() != reflect.String {
			t.Errorf("%s: a map needs strings as keys", at)
		}
		checkSchema(t, c.Elem(), at)
	case reflect.Struct:
		for i := range c.NumField() {
			f := c.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`).MatchString(name) {
				t.Errorf("%s.%s: the JSON name %q is not camelCase", at, f.Name, name)
			}
			for rule := range strings.SplitSeq(f.Tag.Get("schema"), ",") {
				if !regexp.MustCompile(`^$|^required$|^(enum|min|max|minLength|maxLength|pattern|minItems|maxItems|format)=.+$`).MatchString(rule) {
					t.Errorf("%s.%s: no such rule: %q", at, f.Name, rule)
				}
			}
			checkSchema(t, f.Type, at+"."+f.Name)
		}
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
	default:
		t.Errorf("%s: the generator of schemas does not know %s", at, c)
	}
}

func TestTheWholeOrderBuilds(t *testing.T) {
	order := Order(Deps{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	api := apidef.Filters{
		"auth":            json.RawMessage(`{"any":[{"key":{}}]}`),
		"identity":        json.RawMessage(`{"headers":{"X-User-Id":"{subject}"}}`),
		"requestHeaders":  json.RawMessage(`{"set":{"X-Env":"prod"}}`),
		"responseHeaders": json.RawMessage(`{"remove":["Server"]}`),
		"errors":          json.RawMessage(`[{"status":"4xx","body":"no"}]`),
		"record":          json.RawMessage(`{"bodies":{"until":"2026-12-01T00:00:00Z"}}`),
	}
	c, problems := Build(order, api)
	if problems != nil {
		t.Fatal(problems)
	}
	want := []string{"responseHeaders", "requestId", "record", "clientIp", "auth", "identity", "rights", "requestHeaders", "identity"}
	if got := c.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, ok := c.ErrorBody(401); !ok {
		t.Error("the body of errors is not found")
	}
	if c.Recording() == nil || c.Recording().Off() {
		t.Error("the recording is not found")
	}
	u, problems := Unmatched(order)
	if problems != nil || !slices.Equal(u.Names(), []string{"requestId", "clientIp"}) {
		t.Errorf("for requests without an API: %v, %v", u, problems)
	}
	if u.Recording() == nil {
		t.Error("requests without an API are not recorded")
	}
}
