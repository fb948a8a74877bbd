package jsonschema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func formats(name string) func(string) error {
	switch name {
	case "duration":
		return func(s string) error { _, err := time.ParseDuration(s); return err }
	case "size":
		return func(s string) error {
			if !strings.HasSuffix(s, "B") {
				return errors.New("not a size")
			}
			return nil
		}
	}
	return nil
}

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
	s, err := Parse([]byte(optionsSchema), formats)
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
	for _, text := range []string{
		``, `1`, `{"oneOf":[]}`, `{"type":1}`, `{"pattern":"("}`, `{"$ref":"#/$defs/no"}`, `{"$ref":"http://x"}`, `{"minimum":"1"}`,
		`{"minimum":1e400}`, `{"properties":{"a":{"if":{}}}}`, `{"properties":[]}`, `{"items":3}`, `{"format":"email"}`, `{"format":1}`,
	} {
		if _, err := Parse([]byte(text), formats); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestSchemaWithACircleOfReferencesEnds(t *testing.T) {
	s, err := Parse([]byte(`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), formats)
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
		s, err := Parse([]byte(schema), formats)
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

func TestPlannedMembers(t *testing.T) {
	s, err := Parse([]byte(optionsSchema), formats)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	planned := func(pattern string) bool {
		asked = append(asked, pattern)
		return pattern != "/mod"
	}
	for text, want := range map[string]string{
		`{"later":1}`: "/at/later not_available",
		`{"mod":1}`:   "/at/mod unknown_field, /at required",
		`{"mode":"shadow","list":[{},{"later":1}]}`:          "/at/list/1/later not_available",
		`{"mode":"shadow","tree":{"below":{"a/b":1},"c":1}}`: "/at/tree/below/a~1b not_available, /at/tree/c not_available",
	} {
		var got []string
		for _, p := range s.CheckPlanned([]byte(text), "/at", planned) {
			got = append(got, fmt.Sprint(p.Path, " ", p.Code))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, strings.Join(got, ", "), want)
		}
	}
	for _, pattern := range []string{"/later", "/mod", "/list/*/later", "/tree/below/a~1b", "/tree/c"} {
		if !slices.Contains(asked, pattern) {
			t.Errorf("%s was not asked for, but %v", pattern, asked)
		}
	}
}
