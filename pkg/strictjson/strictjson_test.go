package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

type inner struct {
	Count *int     `json:"count,omitempty"`
	Tags  []string `json:"tags"`
}

type sample struct {
	Name  string                     `json:"name"`
	Small int8                       `json:"small"`
	Whole uint16                     `json:"whole"`
	Ratio float64                    `json:"ratio"`
	On    bool                       `json:"on"`
	At    time.Time                  `json:"at"`
	Any   any                        `json:"any"`
	Raw   json.RawMessage            `json:"raw"`
	Inner inner                      `json:"inner"`
	List  []inner                    `json:"list"`
	Named map[string]inner           `json:"named"`
	Bag   map[string]json.RawMessage `json:"bag"`
	Skip  string                     `json:"-"`
}

func TestDecodeFillsEveryKindOfField(t *testing.T) {
	got, problems := Decode[sample]([]byte(` {"name":"a\u00e9\ud83d\ude00\n","small":-128,"whole":65535,"ratio":1.5e3,"on":true,
		"at":"2026-12-01T00:00:00Z","any":{"x":[1]},"raw": {"k" : 1},"inner":{"count":0,"tags":["x","y"]},
		"list":[{"count":7}],"named":{"one":{"tags":[]}},"bag":{"f":"off"}} `), Options{})
	if problems != nil {
		t.Fatal(problems)
	}
	zero, seven := 0, 7
	want := &sample{
		Name: "aé😀\n", Small: -128, Whole: 65535, Ratio: 1500, On: true,
		At: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Any: map[string]any{"x": []any{1.0}},
		Raw: json.RawMessage(`{"k" : 1}`), Inner: inner{&zero, []string{"x", "y"}}, List: []inner{{Count: &seven}},
		Named: map[string]inner{"one": {Tags: []string{}}}, Bag: map[string]json.RawMessage{"f": json.RawMessage(`"off"`)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for _, c := range []struct{ name, text, want string }{
		{"unknown with a near name", `{"nmae":"x"}`, `/nmae unknown_field fix=name`},
		{"unknown by case", `{"Name":"x"}`, `/Name unknown_field fix=name`},
		{"unknown without a near one", `{"zzzzzz":1}`, `/zzzzzz unknown_field fix=`},
		{"unknown within a list", `{"list":[{},{"tgas":[]}]}`, `/list/1/tgas unknown_field fix=tags`},
		{"pointer is escaped", `{"named":{"a/b~c":{"q":1}}}`, `/named/a~1b~0c/q unknown_field fix=`},
		{"field hidden by a dash", `{"Skip":"x"}`, `/Skip unknown_field fix=`},
		{"extension without the option", `{"x-a":1}`, `/x-a unknown_field fix=`},
		{"planned", `{"inner":{"later":1}}`, `/inner/later not_available fix=`},
		{"planned within a list", `{"list":[{"later":1}]}`, `/list/0/later not_available fix=`},
		{"duplicate", `{"name":"a","name":"b"}`, `/name duplicate_field fix=`},
		{"duplicate by escape", `{"name":"a","n\u0061me":"b"}`, `/name duplicate_field fix=`},
		{"duplicate within raw", `{"raw":{"k":1,"k":1}}`, `/raw/k duplicate_field fix=`},
		{"wrong type", `{"name":1}`, `/name wrong_type fix=`},
		{"null is no string", `{"name":null}`, `/name wrong_type fix=`},
		{"object for a list", `{"list":{}}`, `/list wrong_type fix=`},
		{"list for an object", `{"inner":[]}`, `/inner wrong_type fix=`},
		{"root", `[]`, ` wrong_type fix=`},
		{"fraction for a whole number", `{"small":1.0}`, `/small wrong_type fix=`},
		{"too large a number", `{"small":128}`, `/small out_of_range fix=`},
		{"negative for unsigned", `{"whole":-1}`, `/whole out_of_range fix=`},
		{"float overflow", `{"ratio":1e999}`, `/ratio out_of_range fix=`},
		{"instant", `{"at":"tomorrow"}`, `/at invalid_value fix=`},
		{"boolean as text", `{"on":"true"}`, `/on wrong_type fix=`},
		{"empty", ``, ` syntax fix=`},
		{"trailing comma", `{"name":"x",}`, ` syntax fix=`},
		{"trailing data", `{} {}`, ` trailing_data fix=`},
		{"comment", `{/*c*/}`, ` syntax fix=`},
		{"single quotes", `{'name':1}`, ` syntax fix=`},
		{"leading zero", `{"small":01}`, `/small syntax fix=`},
		{"bare point", `{"ratio":1.}`, `/ratio syntax fix=`},
		{"plus", `{"ratio":+1}`, `/ratio syntax fix=`},
		{"NaN", `{"ratio":NaN}`, `/ratio syntax fix=`},
		{"control in a string", "{\"name\":\"a\nb\"}", `/name syntax fix=`},
		{"bad escape", `{"name":"\x41"}`, `/name syntax fix=`},
		{"half a pair", `{"name":"\ud800"}`, `/name encoding fix=`},
		{"pair the wrong way", `{"name":"\udc00\ud800"}`, `/name encoding fix=`},
		{"cut escape", `{"name":"\u12"}`, `/name encoding fix=`},
		{"open string", `{"name":"a`, `/name syntax fix=`},
		{"open object", `{"inner":{`, `/inner syntax fix=`},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", ` encoding fix=`},
		{"overlong UTF-8", "{\"name\":\"\xc0\xaf\"}", ` encoding fix=`},
		{"byte order mark", "\ufeff{}", ` encoding fix=`},
		{"too deep", `{"any":` + deep + `}`, `/any` + strings.Repeat("/0", 63) + ` too_deep fix=`},
		{"too large", `{"name":"` + strings.Repeat("a", DefaultMaxSize) + `"}`, ` too_large fix=`},
		{"too many values", `{"any":[` + strings.Repeat("1,", maxNodes) + `1]}`, `/any/499998 too_large fix=`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Planned: func(p string) bool { return p == "/inner/later" || p == "/list/*/later" }}
			v, problems := Decode[sample]([]byte(c.text), o)
			if v != nil || len(problems) == 0 {
				t.Fatal("was taken")
			}
			p := problems[0]
			if got := fmt.Sprintf("%s %s fix=%s", p.Path, p.Code, p.Fix); got != c.want {
				t.Errorf("got  %s (%s)\nwant %s", got, p.Message, c.want)
			}
			if p.Message == "" || p.Severity != fault.Error {
				t.Errorf("incomplete problem %+v", p)
			}
		})
	}
}

func TestDecodeReportsEveryProblemAtOnce(t *testing.T) {
	_, problems := Decode[sample]([]byte(`{"name":1,"zzzzzz":2,"inner":{"tags":[3]}}`), Options{})
	if len(problems) != 3 {
		t.Fatalf("got %v", problems)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `"unknown%d":1,`, i)
	}
	if _, problems = Decode[sample]([]byte("{"+many.String()+`"name":"x"}`), Options{}); len(problems) != maxProblems {
		t.Fatalf("%d problems", len(problems))
	}
}

func TestDecodeOptions(t *testing.T) {
	if _, problems := Decode[sample]([]byte(`{"x-a":{"b":1},"inner":{"x-c":null}}`), Options{Extensions: true}); problems != nil {
		t.Error("extensions:", problems)
	}
	got, problems := Decode[sample]([]byte(`{"name":null,"list":null,"at":null,"inner":{"count":null}}`), Options{NullAbsent: true})
	if problems != nil || got.Inner.Count != nil || got.List != nil {
		t.Error("null as absent:", got, problems)
	}
	if _, problems := Decode[sample]([]byte(`{"name":"x"}`), Options{MaxSize: 5}); len(problems) != 1 || problems[0].Code != CodeTooLarge {
		t.Error("size:", problems)
	}
	if _, problems := Decode[sample]([]byte(`{"inner":{}}`), Options{MaxDepth: 1}); len(problems) != 1 || problems[0].Code != CodeTooDeep {
		t.Error("depth:", problems)
	}
}

func TestSyntaxProblemsNameLineAndColumn(t *testing.T) {
	_, problems := Parse([]byte("{\n  \"é\": ]\n}"), Options{})
	if len(problems) != 1 || problems[0].Params["line"] != 2 || problems[0].Params["column"] != 8 {
		t.Fatalf("%+v", problems)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"timeouts", "targets", "path", "preserveHost"}
	for name, want := range map[string]string{
		"timeout": "timeouts", "Targets": "targets", "tragets": "targets", "paht": "path",
		"preserve_host": "preserveHost", "upstream": "", "": "", strings.Repeat("p", 100): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// The reader must agree with encoding/json wherever both take a text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"name":"x"}`, `[1,-0.5e+3,true,null,"\u00e9\ud83d\ude00"]`, `{"a":{"a":[]}}`, "\ufeff1", `{"a":1,"a":2}`, `"\ud800"`, `1 2`, ` {"inner":{"tags":["a"]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, problems := Parse(text, Options{})
		Decode[sample](text, Options{Extensions: true})
		if problems != nil {
			return
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // beyond float64
			}
			t.Fatalf("taken, but encoding/json says %v", err)
		}
		if got := toAny(root, text); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func toAny(n *Node, text []byte) any {
	switch n.Kind {
	case Object:
		m := map[string]any{}
		for i := range n.Children {
			m[n.Children[i].Name] = toAny(&n.Children[i], text)
		}
		return m
	case Array:
		l := make([]any, len(n.Children))
		for i := range n.Children {
			l[i] = toAny(&n.Children[i], text)
		}
		return l
	case String:
		return n.Text(text)
	}
	var v any
	if err := json.Unmarshal(n.Raw(text), &v); err != nil {
		return err
	}
	return v
}

func TestAnUnknownNameIsAnsweredWithTheKnownOnes(t *testing.T) {
	type small struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	_, problems := Decode[small]([]byte(`{"current":"x"}`), Options{})
	if want := `"current" is not known here; remove it, or take one of old, new`; len(problems) != 1 || problems[0].Message != want {
		t.Errorf("got %v", problems)
	}
	_, problems = Decode[small]([]byte(`{"current":"x"}`), Options{Extensions: true})
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "x-…") {
		t.Errorf("got %v", problems)
	}
}
