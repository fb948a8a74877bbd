package route

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// rack is a Certificates that notes what is in use.
type rack struct {
	next, used map[string]string
	settled    int
}

func (r *rack) Take(org, id string, chain, key []byte) error {
	if string(chain) == "bad" {
		return fmt.Errorf("no certificate in PEM was found in it")
	}
	r.next[org+"/"+id] = string(chain) + " " + string(key)
	return nil
}

func (r *rack) Drop(org, id string) { delete(r.next, org+"/"+id) }

func (r *rack) Settle() {
	r.used = map[string]string{}
	for k, v := range r.next {
		r.used[k] = v
	}
	r.settled++
}

func (r *rack) Pair(org, name string) (*tls.Certificate, error) {
	if r.used[org+"/"+name] == "" {
		return nil, fmt.Errorf("there is no usable certificate")
	}
	return &tls.Certificate{}, nil
}

// workshop compiles with secrets. Its filters note what they were given; "note" refuses
// texts that begin with "!", quoting them, and panics at "panic".
type workshop struct {
	*Compiler
	keys   *trust.Keys
	rack   *rack
	lender *lender
	t      *testing.T
	tab    *Table
	given  map[string]string // by "id" of the options, what was in "text"
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w := &workshop{keys: keys, rack: &rack{next: map[string]string{}}, lender: &lender{out: map[*lent]bool{}}, t: t, tab: &Table{}, given: map[string]string{}}
	auth := filter.Define("auth", func(struct {
		Open bool `json:"open"`
	},
	) (any, error) {
		return nil, nil
	}).In(filter.Identify).ForAPI()
	note := filter.Define("note", func(o struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	},
	) (any, error) {
		switch {
		case strings.HasPrefix(o.Text, "!"):
			return nil, filter.Problem("/text", "note.refused", "The text %q is refused.", o.Text)
		case strings.HasPrefix(o.Text, "panic"):
			panic(o.Text)
		}
		w.given[o.ID] = o.Text
		return nil, nil
	}).In(filter.Shape)
	w.Compiler = NewCompiler([]filter.Spec{auth, note}, w.lender)
	w.UseMaterial(keys, w.rack)
	return w
}

// sealed makes the value of an object as it is stored.
func (w *workshop) sealed(kind, id, plain string) string {
	w.t.Helper()
	b, err := w.keys.Seal(material.Domain("default", kind, id), []byte(plain))
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal(material.Value{Sealed: b})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *workshop) secret(id, plain string) Item {
	w.t.Helper()
	text := fmt.Sprintf(`{"id":%q,"name":"n","value":%s}`, id, w.sealed(material.KindSecret, id, plain))
	return Item{Org: "default", Kind: material.KindSecret, ID: id, SHA: text, Text: []byte(text)}
}

func (w *workshop) certificate(id, chain, key string) Item {
	w.t.Helper()
	text := fmt.Sprintf(`{"id":%q,"name":"n","chain":%q,"key":%s}`, id, chain, w.sealed(material.KindCertificate, id, key))
	return Item{Org: "default", Kind: material.KindCertificate, ID: id, SHA: text, Text: []byte(text)}
}

// noting is an API whose filter notes text, with a version in its description.
func noting(id, text, version string) Item {
	it := api(id, path("/"+id), fmt.Sprintf(`,"description":%q,"endpoints":[{"path":"/e","filters":{"note":{"id":"%s-e","text":%q}}}]`, version, id, "e "+text))
	it.Text = []byte(strings.Replace(string(it.Text), `"auth":{`, fmt.Sprintf(`"note":{"id":%q,"text":%q},"auth":{`, id, text), 1))
	it.SHA = string(it.Text)
	return it
}

// apply takes an update and returns what is rejected, "kind/id code kept".
func (w *workshop) apply(u Update) string {
	w.t.Helper()
	next, retired := w.Compiler.apply(w.tab, &u)
	w.tab = next
	for _, f := range retired {
		w.lender.Release(f)
	}
	if len(w.lender.out) != next.apis.len() {
		w.t.Errorf("%d forwarders are out for %d APIs", len(w.lender.out), next.apis.len())
	}
	var out []string
	for _, r := range next.rejections() {
		out = append(out, fmt.Sprintf("%s/%s %s %v", r.Kind, r.ID, r.Code, r.Kept))
		if strings.Contains(r.Message, "s3cret") {
			w.t.Errorf("a secret is in %s", r.Message)
		}
	}
	return strings.Join(out, ", ")
}

func TestSecretsAreFilledIn(t *testing.T) {
	w := newWorkshop(t)
	if got := w.apply(Update{Full: true, Set: []Item{noting("a", "x ${secret:one}", "1"), noting("b", "plain", "1"), w.secret("one", "s3cret-1")}}); got != "" {
		t.Fatal(got)
	}
	if w.given["a"] != "x s3cret-1" || w.given["a-e"] != "e x s3cret-1" || w.given["b"] != "plain" {
		t.Errorf("got %v", w.given)
	}
	api, _ := w.tab.apis.get(key("default", kindAPI, "a"))
	if text, err := json.Marshal(api.Definition); err != nil || !strings.Contains(string(text), "${secret:one}") || strings.Contains(string(text), "s3cret") {
		t.Errorf("the definition holds the secret: %s, %v", text, err)
	}
	clear(w.given)
	if got := w.apply(Update{Set: []Item{w.secret("one", "s3cret-2"), w.secret("two", "other")}}); got != "" {
		t.Fatal(got)
	}
	if len(w.given) != 2 || w.given["a"] != "x s3cret-2" || w.given["a-e"] != "e x s3cret-2" {
		t.Errorf("only what uses the secret is compiled again: %v", w.given)
	}
	if got := w.Check("default", kindAPI, "c", noting("c", "${secret:one}", "1").Text); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	if got := w.Check("default", kindAPI, "c", noting("c", "${secret:none}", "1").Text); len(got) != 1 || got[0].Code != "secret.unknown" || got[0].Path != "/filters/note/text" {
		t.Errorf("got %+v", got)
	}
}

func TestTheVersionBeforeServesWhileASecretIsMissing(t *testing.T) {
	w := newWorkshop(t)
	w.apply(Update{Full: true, Set: []Item{noting("a", "old ${secret:one}", "1"), w.secret("one", "s3cret-1")}})
	for _, c := range []struct {
		name   string
		update Update
		want   string
		given  string
	}{
		{"a new version wants another", Update{Set: []Item{noting("a", "new ${secret:two}", "2")}}, "api/a secret.unknown true", "old s3cret-1"},
		{"the old one's secret changes meanwhile", Update{Set: []Item{w.secret("one", "s3cret-3")}}, "api/a secret.unknown true", "old s3cret-3"},
		{"what is wanted comes", Update{Set: []Item{w.secret("two", "s3cret-2")}}, "", "new s3cret-2"},
		{"the secret goes", Update{Gone: []Key{{"default", material.KindSecret, "two"}}}, "api/a secret.unknown true", "new s3cret-2"},
		{"and is back", Update{Set: []Item{w.secret("two", "s3cret-4")}}, "", "new s3cret-4"},
		{"one that the filter refuses", Update{Set: []Item{w.secret("two", "!s3cret")}}, "", "new !s3cret"},
		{"with words before it", Update{Set: []Item{noting("a", "${secret:two}", "3")}}, "api/a secret.refused true", "new !s3cret"},
		{"mended", Update{Set: []Item{w.secret("two", "s3cret-5")}}, "", "s3cret-5"},
		{"a panic", Update{Set: []Item{w.secret("two", "panic s3cret")}}, "api/a compile.failed true", "s3cret-5"},
		{"deleted with its secret", Update{Gone: []Key{{"default", kindAPI, "a"}, {"default", material.KindSecret, "two"}}}, "", "s3cret-5"},
	} {
		if got := w.apply(c.update); got != c.want || w.given["a"] != c.given {
			t.Errorf("%s: rejected %q, want %q; given %q", c.name, got, c.want, w.given["a"])
		}
	}
}

func TestMaterialThatCannotBeOpened(t *testing.T) {
	w := newWorkshop(t)
	if got := w.apply(Update{Full: true, Set: []Item{w.secret("one", "s3cret-1"), w.certificate("c", "chain", "key"), noting("a", "${secret:one}", "1")}}); got != "" {
		t.Fatal(got)
	}
	foreign := newWorkshop(t)
	moved := w.secret("two", "x")
	moved.ID, moved.SHA = "one", "moved"
	for name, it := range map[string]Item{
		"another key": foreign.secret("one", "s3cret"), "the value of another secret": moved,
		"no value": {Org: "default", Kind: material.KindSecret, ID: "one", SHA: "x", Text: []byte(`{"name":"n"}`)},
		"plain":    {Org: "default", Kind: material.KindSecret, ID: "one", SHA: "y", Text: []byte(`{"name":"n","value":"s3cret"}`)},
	} {
		if got := w.apply(Update{Set: []Item{it}}); got != "secret/one secret.sealed true" || w.given["a"] != "s3cret-1" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := w.apply(Update{Set: []Item{w.secret("one", "s3cret-2"), foreign.certificate("c", "chain", "key"), w.certificate("d", "bad", "key")}}); w.given["a"] != "s3cret-2" ||
		!strings.Contains(got, "certificate/c secret.sealed true") || !strings.Contains(got, "certificate/d certificate.chain_invalid false") {
		t.Errorf("got %q", got)
	}
}

func TestCertificatesComeBeforeTheAPIsThatNameThem(t *testing.T) {
	w := newWorkshop(t)
	listening := api("a", `{"path":"/a","certificates":["c"]}`, "")
	if got := w.apply(Update{Full: true, Set: []Item{listening}}); got != "api/a certificate.missing false" {
		t.Errorf("got %q", got)
	}
	if got := w.apply(Update{Set: []Item{w.certificate("c", "chain", "key")}}); got != "" || w.rack.used["default/c"] != "chain key" {
		t.Errorf("got %q, %v", got, w.rack.used)
	}
	if got := w.apply(Update{Full: true, Set: []Item{api("a", path("/a"), "")}}); got != "" || len(w.rack.used) != 0 {
		t.Errorf("got %q, %v", got, w.rack.used)
	}
}

func TestQuotedSecretsAreLiteral(t *testing.T) {
	for name, want := range map[string]string{"requestHeaders": "a{{subject}}}}", "errors": `a{{"{{"}}`, "note": "a{subject}}"} {
		value := "a{subject}}"
		if name == "errors" {
			value = "a{{"
		}
		if got := quote(name, value); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	v, err := filter.ParseValue(quote("identity", "a{b}}{{c"))
	if got, literal := v.Literal(); err != nil || !literal || got != "a{b}}{{c" {
		t.Errorf("got %s, %v", got, err)
	}
}
