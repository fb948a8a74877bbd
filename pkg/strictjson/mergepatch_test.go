package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// The table of RFC 7396, appendix A.
func TestMergePatchOfTheRFC(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := MergePatch([]byte(c[0]), []byte(c[1]))
		if err != nil || string(got) != c[2] {
			t.Errorf("%s with %s: got %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
}

const document = `
{
  "name" : "Orders",
  "weight": 1.0,  "big": 12345678901234567890,
	"text": "caf\u00e9",
  "listen": { "path": "/orders/" },
  "list": [ 1,2 ]
}
`

func TestMergePatchKeepsUntouchedBytes(t *testing.T) {
	for _, c := range []struct{ name, patch, old, new string }{
		{"nothing", `{}`, ``, ``},
		{"the same value in another spelling", `{"text":"café","list":[1, 2],"listen":{"path":"\/orders\/"}}`, ``, ``},
		{"the removal of what is not there", `{"nothing":null}`, ``, ``},
		{"a value", `{"name":"Shop"}`, `"Orders"`, `"Shop"`},
		{"an inner value", `{"listen":{"path":"/x"}}`, `"/orders/"`, `"/x"`},
		{"an added member", `{"state":"disabled"}`, "[ 1,2 ]", "[ 1,2 ],\n  \"state\" : \"disabled\""},
		{"an added inner member", `{"listen":{"strip":false}}`, `"/orders/" }`, `"/orders/", "strip": false }`},
		{"the removal of the first", `{"name":null}`, "\"name\" : \"Orders\",\n  ", ``},
		{"the removal of one between", `{"big":null}`, `  "big": 12345678901234567890,`, `,`},
		{"the removal of the last", `{"list":null}`, ",\n  \"list\": [ 1,2 ]", ``},
		{"the removal of all within", `{"listen":{"path":null}}`, `{ "path": "/orders/" }`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := MergePatch([]byte(document), []byte(c.patch))
			if err != nil {
				t.Fatal(err)
			}
			want := document
			if c.old != "" {
				want = string(bytes.Replace([]byte(document), []byte(c.old), []byte(c.new), 1))
			}
			if c.name == "the removal of one between" {
				want = string(bytes.Replace([]byte(document), []byte(`  "big": 12345678901234567890,`+"\n\t"), []byte("\n\t"), 1))
			}
			if string(got) != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestMergePatchRefusesBrokenTexts(t *testing.T) {
	if _, err := MergePatch([]byte(`{"a":1,"a":2}`), []byte(`{}`)); !fault.Is(err, "document.invalid") {
		t.Error(err)
	}
	if _, err := MergePatch([]byte(`{}`), []byte(`{`)); !fault.Is(err, "patch.invalid") {
		t.Error(err)
	}
}

func TestEqualAndValid(t *testing.T) {
	if !Equal([]byte(`{"a":1,"b":[true,"\u00e9"]}`), []byte(` {"b":[true,"é"], "a":1} `)) {
		t.Error("equal texts differ")
	}
	for _, other := range []string{`{"a":1}`, `{"a":1,"b":[true]}`, `{"a":1,"c":[true,"é"]}`, `{"a":1.0,"b":[true,"é"]}`, `x`} {
		if Equal([]byte(`{"a":1,"b":[true,"é"]}`), []byte(other)) {
			t.Error("counts as equal:", other)
		}
	}
	if Valid([]byte(`{`)) || !Valid([]byte(`{}`)) {
		t.Error("validity")
	}
}

// FuzzMergePatch compares with the pseudo code of RFC 7396, section 2, on maps.
func FuzzMergePatch(f *testing.F) {
	f.Add([]byte(document), []byte(`{"name":null,"listen":{"path":{"x":null}},"new":{"a":[null]}}`))
	f.Add([]byte(`{"a":"b","b":{"c":1}}`), []byte(`{"b":{"c":null},"a":null}`))
	f.Add([]byte(`[1]`), []byte(`{"a":null}`))
	f.Fuzz(func(t *testing.T, text, patch []byte) {
		got, err := MergePatch(text, patch)
		if err != nil {
			return
		}
		var target, change, result any
		if decode(text, &target) != nil || decode(patch, &change) != nil {
			t.Fatal("taken, but encoding/json refuses it")
		}
		if err := decode(got, &result); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if want := naive(target, change); !reflect.DeepEqual(result, want) {
			t.Fatalf("got %v, want %v", result, want)
		}
		if again, err := MergePatch(got, []byte(`{}`)); err == nil && reflect.TypeOf(result) == reflect.TypeOf(map[string]any{}) && !bytes.Equal(again, got) {
			t.Fatalf("an empty patch changed %q to %q", got, again)
		}
	})
}

func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

func naive(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range change {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = naive(object[name], value)
		}
	}
	return object
}
