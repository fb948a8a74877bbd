package apidef

import (
	"fmt"
	"strings"
	"testing"
)

func testCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := ParseCatalog([]byte(`{"filters":[
		{"name":"requestHeaders","stage":"shape","order":20,"scope":["api","endpoint"],"schema":{"type":"object","additionalProperties":false,"properties":{"set":{"type":"object","additionalProperties":{"type":"string"}}}},"summary":{"en":"x","ko":"y"},"statusCodes":[]},
		{"name":"auth","stage":"identify","order":10,"scope":["api","endpoint"],"schema":{"type":"object","additionalProperties":false,"properties":{"open":{"type":"boolean"}}},"summary":{"en":"x","ko":"y"},"statusCodes":[401]},
		{"name":"block","stage":"protect","order":5,"scope":["endpoint"],"schema":{"type":"object"},"summary":{},"statusCodes":[403]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValidateFilters(t *testing.T) {
	c := testCatalog(t)
	for patch, want := range map[string]string{
		`{}`:                                   "",
		`{"filters":{"auth":"off"}}`:           "/filters/auth filter.off={\"open\": true}",
		`{"filters":{"auth":{"opn":true}}}`:    "/filters/auth/opn unknown_field=open",
		`{"filters":{"auth":{"open":"yes"}}}`:  "/filters/auth/open wrong_type",
		`{"filters":{"auht":{}}}`:              "/filters/auht unknown_field=auth",
		`{"filters":{"waf":{}}}`:               "/filters/waf not_available",
		`{"filters":{"x-old":{"a":1}}}`:        "",
		`{"filters":{"block":{}}}`:             "/filters/block filter.scope",
		`{"filters":{"requestHeaders":"off"}}`: "",
		`{"endpoints":[{"path":"/","filters":{"auth":"off","block":{}}}]}`:          "",
		`{"endpoints":[{"path":"/","filters":{"requestHeaders":{"set":{"a":1}}}}]}`: "/endpoints/0/filters/requestHeaders/set/a wrong_type",
		`{"endpoints":[{"path":"/","filters":{"cors":"off"}}]}`:                     "/endpoints/0/filters/cors not_available",
	} {
		var got []string
		for _, p := range ValidateFilters(with(t, patch), c) {
			line := fmt.Sprint(p.Path, " ", p.Code)
			if p.Fix != "" {
				line += "=" + p.Fix
			}
			got = append(got, line)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", patch, strings.Join(got, ", "), want)
		}
	}
	if got := ValidateFilters(with(t, `{"filters":{"anything":{}}}`), &Catalog{}); len(got) != 0 {
		t.Error("an empty catalog knows names:", got)
	}
}

func TestPlannedOptionsAreNotAvailable(t *testing.T) {
	c, err := DefaultCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for filters, want := range map[string]string{
		`{"auth":{"any":[{"key":{}},{"jwt":{"issuer":"https://id.example.com"}},{"basic":{}}]}}`: "/auth/any/1/jwt not_available, /auth/any/2/basic not_available",
		`{"auth":{"all":[{"mtls":{}},{"signature":{}},{"introspection":{}},{"external":{}}]}}`:   "/auth/all/0/mtls not_available, /auth/all/1/signature not_available, /auth/all/2/introspection not_available, /auth/all/3/external not_available",
		`{"identity":{"headers":{},"jwt":{"header":"X-Identity"}}}`:                              "/identity/jwt not_available",
		`{"auth":{"jwt":{}}}`:                     "/auth/jwt unknown_field",
		`{"auth":{"any":[{"jwtt":{}}]}}`:          "/auth/any/0/jwtt unknown_field, /auth/any/0 required",
		`{"auth":{"any":[{"key":{"jwt":true}}]}}`: "/auth/any/0/key/jwt unknown_field",
	} {
		var got []string
		for _, p := range ValidateFilters(with(t, `{"filters":`+filters+`}`), c) {
			got = append(got, fmt.Sprint(strings.TrimPrefix(p.Path, "/filters"), " ", p.Code))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", filters, strings.Join(got, ", "), want)
		}
	}
}

func TestMergedFilters(t *testing.T) {
	d := with(t, `{"filters":{"requestHeaders":{"set":{}},"x-a":1},"endpoints":[{"path":"/","filters":{"auth":"off","requestHeaders":{"set":{"a":"b"}}}}]}`)
	got := d.Merged(d.Endpoints[0])
	if len(got) != 1 || string(got["requestHeaders"]) != `{"set":{"a":"b"}}` {
		t.Errorf("%s", got)
	}
}

func TestCatalog(t *testing.T) {
	c := testCatalog(t)
	if got := strings.Join(c.Names(), " "); got != "block auth requestHeaders" {
		t.Error("not in the order of execution:", got)
	}
	if e, ok := c.Entry("auth"); !ok || e.Stage != "identify" || c.Schema("auth") == nil || c.Schema("no") != nil || len(c.Entries()) != 3 {
		t.Error(e)
	}
	for _, text := range []string{`x`, `{"filters":[{"name":"a","schema":{"oneOf":[]}}]}`, `{"filters":[{"name":"a","schema":true},{"name":"a","schema":true}]}`} {
		if _, err := ParseCatalog([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestEmbeddedFilesAreUsable(t *testing.T) {
	c, err := DefaultCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries() {
		if e.Stage == "" || len(e.Scope) == 0 || e.Summary["en"] == "" || e.Summary["ko"] == "" {
			t.Errorf("incomplete entry %+v", e)
		}
	}
	s, err := ParseSchema(SchemaJSON())
	if err != nil {
		t.Fatal(err)
	}
	if problems := s.Check([]byte(minimal), ""); problems != nil {
		t.Error(problems)
	}
	if copied := CatalogJSON(); len(copied) == 0 || &copied[0] == &catalogJSON[0] {
		t.Error("the embedded catalog is handed out")
	}
}

func TestFormatsOfTheLanguage(t *testing.T) {
	s, err := ParseSchema([]byte(`{"properties":{"wait":{"format":"duration"},"max":{"format":"size"},"until":{"format":"date-time"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if problems := s.Check([]byte(`{"wait":"30s","max":"1MiB","until":"2026-12-01T00:00:00Z"}`), ""); problems != nil {
		t.Error(problems)
	}
	if problems := s.Check([]byte(`{"wait":"30","max":"1","until":"soon"}`), ""); len(problems) != 3 {
		t.Error(problems)
	}
}
