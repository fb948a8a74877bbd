package diff

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares pairs of documents, KIND-NAME.before.json and .after.json, with
// what was said of them before.
func TestGolden(t *testing.T) {
	pairs, err := filepath.Glob("testdata/*.before.json")
	if err != nil || len(pairs) < 5 {
		t.Fatalf("only %d pairs, %v", len(pairs), err)
	}
	for _, file := range pairs {
		stem := strings.TrimSuffix(file, ".before.json")
		t.Run(filepath.Base(stem), func(t *testing.T) {
			before, after := readFile(t, file), readFile(t, stem+".after.json")
			kind, _, _ := strings.Cut(filepath.Base(stem), "-")
			all := Texts(kind, before, after)
			got, err := json.MarshalIndent(all, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := stem + ".diff.json"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := strings.TrimSuffix(string(readFile(t, golden)), "\n"); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(string(got), "hunter2") {
				t.Error("a secret is shown")
			}
		})
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ name, kind, before, after, want string }{
		{"white space and order", "api", `{"a":1,"b":[1, 2]}`, "{ \"b\" : [1,2],\n\"a\":1 }", ""},
		{"the spelling of numbers", "api", `{"a":1,"b":-20}`, `{"a":1.0,"b":-2E1}`, ""},
		{"escapes", "api", `{"a":"\u0041/"}`, `{"a":"A\/"}`, ""},
		{"a default written out", "api", `{"listen":{"path":"/a"}}`, `{"state":"active","groups":[],"listen":{"path":"/a","match":"prefix","strip":true}}`, ""},
		{"the spelling of a duration", "api", `{"upstream":{"timeouts":{"connect":"1500ms"}}}`, `{"upstream":{"timeouts":{"connect":"1.5s"}}}`, ""},
		{"a default in another spelling", "api", `{"upstream":{}}`, `{"upstream":{"timeouts":{"idle":"1m","connect":"2000ms"}}}`, ""},
		{"a filter's default", "api", `{"filters":{"auth":{"open":true}}}`, `{"filters":{"auth":{"open":true,"strip":true}}}`, ""},
		{"an endpoint's filter's default", "api", `{"endpoints":[{"path":"/","filters":{"record":{}}}]}`, `{"endpoints":[{"path":"/","methods":["*"],"filters":{"record":{"sample":1}}}]}`, ""},
		{"a default that follows another value", "api", `{"upstream":{"connections":{"max":64}}}`, `{"upstream":{"connections":{"max":64,"idle":64}}}`, ""},
		{
			"no default where it follows another value", "api", `{"upstream":{"connections":{"max":64}}}`, `{"upstream":{"connections":{"max":64,"idle":32}}}`,
			"upstream › connections › idle: 64 → 32",
		},
		{"a set in another order", "api", `{"tags":["a","b"]}`, `{"tags":["b","a"]}`, ""},
		{"a set with another item", "api", `{"tags":["a","b"]}`, `{"tags":["c","a"]}`, "tags › b: removed b; tags › c: added c"},
		{"against a default", "api", `{"upstream":{}}`, `{"upstream":{"timeouts":{"firstByte":"5s"}}}`, "upstream › timeouts › first byte: 30s → 5s"},
		{
			"back to a default", "api", `{"upstream":{"targets":[{"url":"http://a","weight":3}]}}`, `{"upstream":{"targets":[{"url":"http://a"}]}}`,
			"upstream › targets › http://a › weight: 3 → 1",
		},
		{"disabled", "api", `{}`, `{"state":"disabled"}`, "disabled"},
		{"enabled", "policy", `{"state":"disabled"}`, `{}`, "enabled"},
		{"a filter turned on", "api", `{"filters":{}}`, `{"filters":{"cache":{"ttl":"60s"}}}`, `filters › cache: turned on, {"ttl":"60s"}`},
		{"a filter turned off", "api", `{"filters":{"cache":{"ttl":"60s"}}}`, `{}`, "filters › cache: turned off"},
		{
			"a filter turned off at an endpoint", "api", `{"endpoints":[{"path":"/a"}]}`, `{"endpoints":[{"path":"/a","filters":{"cache":"off"}}]}`,
			"endpoints › /a › filters › cache: turned off",
		},
		{
			"an endpoint by its methods and path", "api", `{"endpoints":[{"methods":["GET"],"path":"/a","summary":"x"},{"path":"/b"}]}`,
			`{"endpoints":[{"path":"/c"},{"methods":["GET"],"path":"/a","summary":"y"}]}`,
			`endpoints › /b: removed {"path":"/b"}; endpoints › /c: added {"path":"/c"}; endpoints › GET /a › summary: x → y`,
		},
		{"an endpoint by its id", "api", `{"endpoints":[{"id":"e","path":"/a"}]}`, `{"endpoints":[{"id":"e","path":"/b"}]}`, "endpoints › /a › path: /a → /b"},
		{
			"a move", "api", `{"routing":[{"name":"a"},{"name":"b"},{"name":"c"}]}`, `{"routing":[{"name":"c"},{"name":"a"},{"name":"b"}]}`,
			"routing › c: moved from place 3 to 1",
		},
		{
			"pools", "api", `{"pools":{"p":{"targets":[{"url":"http://a"}]}}}`, `{"pools":{"p":{"targets":[{"url":"http://a","backup":true}]}}}`,
			"pools › p › targets › http://a › backup: added true",
		},
		{"rights", "policy", `{"rights":[{"api":"a"},{"api":"b"}]}`, `{"rights":[{"api":"b"},{"api":"a"}]}`, ""},
		{"a right that allows nothing", "policy", `{"rights":[{"api":"a"}]}`, `{"rights":[{"api":"a","endpoints":[]}]}`, "rights › a › endpoints: added []"},
		{
			"a kind that is not known", "gadget", `{"list":[{"id":"x","v":1},{"id":"y"}]}`, `{"list":[{"id":"y"},{"id":"x","v":2}]}`,
			"list › y: moved from place 2 to 1; list › x › v: 1 → 2",
		},
		{"a list without names", "gadget", `[1,2,3,4]`, `[2,3,5,4,6]`, "number 1: removed 1; number 3: added 5; number 5: added 6"},
		{"created", "api", "", `{"name":"Orders"}`, "created Orders"},
		{"deleted", "api", `{"name":"Orders"}`, "", "deleted Orders"},
		{"a sealed value", "secret", `{"id":"s","value":{"sealed":"hunter2"}}`, `{"id":"s","value":{"sealed":"hunter2b"}}`, "value: a secret was replaced"},
		{"a certificate's key", "certificate", `{}`, `{"key":"hunter2"}`, "key: a secret was set"},
		{
			"a credential in a header", "api", `{"filters":{"requestHeaders":{"set":{"Authorization":"Bearer hunter2"}}}}`,
			`{"filters":{"requestHeaders":{"set":{"Authorization":"Bearer ${secret:up}"}}}}`, "filters › request headers › set › Authorization: a secret was replaced",
		},
		{"a reference is no secret", "api", `{"x":{"clientSecret":"${secret:a}"}}`, `{"x":{"clientSecret":"${secret:b}"}}`, "x › client secret: ${secret:a} → ${secret:b}"},
		{"a secret inside what is added", "gadget", `{}`, `{"x":{"password":"hunter2","n":1}}`, `x: added {"password":"***","n":1}`},
		{"no JSON", "api", `{`, `{}`, "the documents differ, but one of them cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range Texts(c.kind, text(c.before), text(c.after)) {
				got = append(got, d.Message)
				if d.Code == "" || strings.Contains(string(d.Before)+string(d.After), "hunter2") {
					t.Errorf("%+v", d)
				}
			}
			if all := strings.Join(got, "; "); all != c.want {
				t.Errorf("got  %s\nwant %s", all, c.want)
			}
		})
	}
}

func text(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// FuzzTexts: a document does not differ from itself, and what is said of two leads
// from the one to the other.
func FuzzTexts(f *testing.F) {
	pairs, err := filepath.Glob("testdata/*.before.json")
	if err != nil {
		f.Fatal(err)
	}
	for i, file := range pairs {
		before, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		after, err := os.ReadFile(strings.Replace(file, ".before.", ".after.", 1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), before, after)
	}
	f.Add(uint8(2), []byte(`[1,[2],2,{"id":"x"},{"id":"y"}]`), []byte(`[{"id":"y"},2,[3],1,1]`))
	f.Add(uint8(0), []byte(`{"endpoints":[{"path":"/a"},{"path":"/a"},{"id":"e","path":"/b"}]}`), []byte(`{"endpoints":[{"id":"e","path":"/a"},{"path":"/a"}],"upstream":{"connections":{"idle":1}}}`))
	f.Add(uint8(1), []byte(`{"rights":[{"api":"a"},{"api":"b"}]}`), []byte(`{"rights":[{"api":"b","endpoints":[]},{"api":"a","endpoints":[{"path":"/x"}]}]}`))
	rules := NewRules()
	f.Fuzz(func(t *testing.T, which uint8, before, after []byte) {
		kind := []string{"api", "policy", "gadget"}[which%3]
		b, ok := rules.tree(kind, before)
		a, also := rules.tree(kind, after)
		if !ok || !also || before == nil || after == nil {
			return
		}
		if same := rules.Texts(kind, before, append([]byte(" "), before...)); len(same) > 0 {
			t.Fatalf("a document differs from itself: %+v", same)
		}
		all := rules.Texts(kind, before, after)
		if len(all) == 0 != (b.sum == a.sum) {
			t.Fatalf("%d differences", len(all))
		}
		for _, d := range all {
			if d.Message == "" || d.Code == "" || d.Op == "" {
				t.Fatalf("%+v", d)
			}
		}
		if b.hides || a.hides {
			return
		}
		outcome := applied(before, all)
		if got, ok := rules.tree(kind, outcome); !ok || got.sum != a.sum {
			t.Fatalf("from %s\nto   %s\nled  %s\nby   %+v", before, after, outcome, all)
		}
	})
}
