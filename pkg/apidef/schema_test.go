package apidef

import (
	"fmt"
	"strings"
	"testing"
)

const optionsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false, "required": ["mode"],
  "properties": {
    "mode": {"type": "string", "enum": ["enforce", "shadow"], "description": "What to do."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "ratio": {"type": "number", "minimum": 0, "maximum": 0.5},
    "wait": {"type": "string", "format": "duration", "default": "1s"},
    "size": {"type": "string", "format": "size"},
    "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
    "list": {"type": "array", "items": {"$ref": "#/$defs/place"}, "minItems": 1, "maxItems": 2, "uniqueItems": true},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
    "either": {"type": ["string", "null"]},
    "on": {"type": "boolean"},
    "tree": {"$ref": "#/$defs/tree"},
    "fixed": {"const": 1},
    "any": true, "none": false
  },
  "$defs": {
    "place": {"type": "object", "additionalProperties": false, "properties": {"header": {"type": "string"}}},
    "tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/tree"}, "leaf": {"type": "boolean"}}, "additionalProperties": false}
  }
}`

func TestSchemaCheck(t *testing.T) {
	s, err := ParseSchema([]byte(optionsSchema))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"mode":"enforce","limit":1000,"ratio":0.5,"wait":"2s","size":"1MiB","name":"abc","list":[{"header":"a"}],"map":{"x":"y"},"either":null,"on":true,"tree":{"below":{"below":{"leaf":true}}},"fixed":1,"any":[1],"x-a":1}`: "",
		`[]`:                                    " wrong_type",
		`null`:                                  " wrong_type",
		`{}`:                                    " required",
		`{"mode":"enforc"}`:                     "/mode not_in_list=enforce",
		`{"mode":1}`:                            "/mode wrong_type",
		`{"mode":"shadow","mod":1}`:             "/mod unknown_field=mode",
		`{"mode":"shadow","limit":0}`:           "/limit out_of_range",
		`{"mode":"shadow","limit":1001}`:        "/limit out_of_range",
		`{"mode":"shadow","limit":1.5}`:         "/limit wrong_type",
		`{"mode":"shadow","ratio":0.50001}`:     "/ratio out_of_range",
		`{"mode":"shadow","ratio":1e999999999}`: "/ratio out_of_range",
		`{"mode":"shadow","wait":"2"}`:          "/wait invalid_value",
		`{"mode":"shadow","size":"2"}`:          "/size invalid_value",
		`{"mode":"shadow","name":"a"}`:          "/name length",
		`{"mode":"shadow","name":"abcde"}`:      "/name length",
		`{"mode":"shadow","name":"가나"}`:         "/name pattern_mismatch",
		`{"mode":"shadow","list":[]}`:           "/list length",
		`{"mode":"shadow","list":[{},{"header":"a"},{"header":"b"}]}`: "/list length",
		`{"mode":"shadow","list":[{},{}]}`:                            "/list/1 duplicate_item",
		`{"mode":"shadow","list":[{"heder":1}]}`:                      "/list/0/heder unknown_field=header",
		`{"mode":"shadow","list":[{"header":1}]}`:                     "/list/0/header wrong_type",
		`{"mode":"shadow","map":{"a/b":1}}`:                           "/map/a~1b wrong_type",
		`{"mode":"shadow","either":1}`:                                "/either wrong_type",
		`{"mode":"shadow","on":"true"}`:                               "/on wrong_type",
		`{"mode":"shadow","tree":{"below":{"leaf":1}}}`:               "/tree/below/leaf wrong_type",
		`{"mode":"shadow","fixed":2}`:                                 "/fixed not_in_list",
		`{"mode":"shadow","mode":"shadow"}`:                           "/mode duplicate_field",
		`{`:                                                           " syntax",
	} {
		var got []string
		for _, p := range s.Check([]byte(text), "/at") {
			line := fmt.Sprint(strings.TrimPrefix(p.Path, "/at"), " ", p.Code)
			if p.Fix != "" {
				line += "=" + p.Fix
			}
			got = append(got, line)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, strings.Join(got, ", "), want)
		}
	}
}

func TestSchemasThatCannotBeCheckedAreRefused(t *testing.T) {
	for _, text := range []string{``, `1`, `{"oneOf":[]}`, `{"type":1}`, `{"pattern":"("}`, `{"$ref":"#/$defs/no"}`, `{"$ref":"http://x"}`, `{"minimum":"1"}`,
		`{"minimum":1e400}`, `{"properties":{"a":{"if":{}}}}`, `{"properties":[]}`, `{"items":3}`} {
		if _, err := ParseSchema([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSchemaWithACircleOfReferencesEnds(t *testing.T) {
	s, err := ParseSchema([]byte(`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s.Check([]byte(`{"x":1}`), "")
}

func FuzzSchemaCheck(f *testing.F) {
	for _, s := range []string{`{"mode":"enforce","list":[{"header":"a"}]}`, `{"tree":{"below":{}}}`, `{"ratio":1e-400}`, `[]`} {
		f.Add(optionsSchema, s)
	}
	f.Fuzz(func(t *testing.T, schema, text string) {
		s, err := ParseSchema([]byte(schema))
		if err != nil {
			return
		}
		for _, p := range s.Check([]byte(text), "") {
			if p.Code == "" || p.Message == "" {
				t.Fatalf("incomplete: %+v", p)
			}
		}
	})
}

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
