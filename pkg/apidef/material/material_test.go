package material_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

func codes(problems []fault.Problem) string {
	var out []string
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%s %s", p.Path, p.Code))
	}
	return strings.Join(out, ", ")
}

func TestSecretsAreReadStrictly(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", `{"name":"n","value":"v"}`, ""},
		{"without its value", `{"id":"a-1","name":"n","tags":["x"],"description":"d","x-note":1}`, ""},
		{"sealed", `{"name":"n","value":{"sealed":"AAAA","setAt":"2026-01-02T03:04:05Z"}}`, ""},
		{"an empty value", `{"name":"n","value":""}`, "/value invalid_value"},
		{"a number", `{"name":"n","value":7}`, "/value invalid_value"},
		{"null", `{"name":"n","value":null}`, "/value required"},
		{"more than what is sealed", `{"name":"n","value":{"sealed":"AAAA","plain":"s3cret"}}`, "/value invalid_value"},
		{"no base64", `{"name":"n","value":{"sealed":"*"}}`, "/value invalid_value"},
		{"unknown member", `{"name":"n","vlaue":"s3cret"}`, "/vlaue unknown_field"},
		{"twice", `{"name":"n","value":"a","value":"b"}`, "/value duplicate_field"},
		{"bad id, no name", `{"id":"A b","name":""}`, "/id material.id_invalid, /name required"},
		{"bad texts", `{"name":" n","tags":["a","a",""]}`, "/name material.text_invalid, /tags/1 duplicate_item, /tags/2 material.text_invalid"},
		{"long", `{"name":"` + strings.Repeat("n", 201) + `","description":"` + strings.Repeat("d", 10_001) + `","value":"` + strings.Repeat("v", 64<<10+1) + `"}`, "/name length, /description length, /value length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, problems := material.DecodeSecret([]byte(c.text))
			if s != nil {
				problems = append(problems, material.ValidateSecret(s)...)
			}
			if got := codes(problems); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if said := fmt.Sprint(problems); strings.Contains(said, "s3cret") {
				t.Errorf("the value is in %s", said)
			}
		})
	}
}

func TestDocumentsAreOpenAPI3(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"n","openapi":{"openapi":"3.0.3","info":{"title":"x"}}}`: "",
		`{"name":"n","openapi":{"openapi":"3.1.0","info":{},"paths":{}}}`: "",
		`{"name":"n"}`:                                     "/openapi required",
		`{"name":"n","openapi":[]}`:                        "/openapi document.openapi_invalid",
		`{"name":"n","openapi":{"openapi":"2.0"}}`:         "/openapi/openapi document.openapi_invalid",
		`{"name":"n","openapi":{"openapi":"3.0.0"}}`:       "/openapi/info required",
		`{"name":"n","openapi":{"openapi":"3.0.0"},"y":1}`: "/y unknown_field",
	} {
		d, problems := material.DecodeDocument([]byte(text))
		if d != nil {
			problems = append(problems, material.ValidateDocument(d)...)
		}
		if got := codes(problems); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestValuesDoNotSpeak(t *testing.T) {
	v := material.NewValue("s3cret")
	if said := fmt.Sprintf("%v %+v %#v %s", v, *v, v, *v); strings.Contains(said, "s3cret") {
		t.Errorf("got %s", said)
	}
	if _, err := json.Marshal(v); err == nil {
		t.Error("a plain value was written down")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	text, err := json.Marshal(material.Value{Sealed: []byte{0, 1, 2}, SetAt: at})
	if err != nil || string(text) != `{"sealed":"AAEC","setAt":"2026-01-02T03:04:05Z"}` {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestShowTakesPrivatePartsOut(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{material.KindSecret, `{ "id": "a", "value": {"sealed":"AAAA"}, "name": "n" }`, `{ "id": "a", "name": "n" }`},
		{material.KindSecret, `{"name":"n","value":"plain"}`, `{"name":"n"}`},
		{material.KindSecret, `{"name":`, ``},
		{material.KindCertificate, `{"chain":"c","key":{"sealed":"AAAA"}}`, `{"chain":"c"}`},
		{material.KindDocument, `{"value":1,"key":2}`, `{"value":1,"key":2}`},
		{"api", `{"value":1,"key":2}`, `{"value":1,"key":2}`},
	} {
		if got := string(material.Show(c.kind, []byte(c.text))); got != c.want {
			t.Errorf("%s %s: got %s", c.kind, c.text, got)
		}
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	root, other := certstest.NewCA(t, "root"), certstest.NewCA(t, "other")
	chain, key := root.Issue(certstest.Options{}, "a.test", "127.0.0.1")
	_, foreign := root.Issue(certstest.Options{}, "b.test")
	old, oldKey := root.Issue(certstest.Options{NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)}, "a.test")
	early, earlyKey := root.Issue(certstest.Options{NotBefore: time.Now().AddDate(1, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0)}, "a.test")
	rsa, rsaKey := root.Issue(certstest.Options{RSA: true}, "r.test")
	join := func(parts ...[]byte) string { return string(slices.Concat(parts...)) }
	encrypted := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}))
	for _, c := range []struct{ name, chain, key, want string }{
		{"a chain", join(chain, root.PEM), string(key), ""},
		{"one certificate", string(chain), string(key), ""},
		{"RSA", string(rsa), string(rsaKey), ""},
		{"with words between", "subject=/CN=a\n" + join(chain), "words\n" + string(key), ""},
		{"a bundle", join(root.PEM, other.PEM, root.PEM), "", ""},
		{"the wrong order", join(root.PEM, chain), string(key), "/chain certificate.order_mended"},
		{"another's key", string(chain), string(foreign), "/key certificate.key_mismatch"},
		{"a stranger in the chain", join(chain, other.PEM), string(key), "/chain certificate.chain_invalid"},
		{"ended", string(old), string(oldKey), "/chain certificate.expired"},
		{"not begun", string(early), string(earlyKey), "/chain certificate.not_yet"},
		{"no CA in a bundle", string(chain), "", "/chain certificate.not_a_ca"},
		{"a key in the chain", join(chain, key), string(key), "/chain certificate.chain_invalid"},
		{"half a key in the chain", join(chain, key[:40]), string(key), "/chain certificate.chain_invalid"},
		{"no PEM", "hello", string(key), "/chain certificate.chain_invalid"},
		{"another block", string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})), "", "/chain certificate.chain_invalid"},
		{"broken DER", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})), "", "/chain certificate.chain_invalid"},
		{"no key in PEM", string(chain), "hello", "/key certificate.key_invalid"},
		{"two keys", string(chain), join(key, foreign), "/key certificate.key_invalid"},
		{"an encrypted key", string(chain), encrypted, "/key certificate.key_invalid"},
		{"a broken key", string(chain), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}})), "/key certificate.key_invalid"},
		{"a weak key", weakChain, weakKey, "/chain certificate.key_weak"},
		{"too long", strings.Repeat("x", 2<<20+1), "", "/chain length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := material.Inspect(c.chain, c.key, time.Now())
			if codes(problems) != c.want {
				t.Errorf("got %v, want %s", problems, c.want)
			}
			if got == nil {
				return
			}
			again, more := material.Inspect(got.PEM, c.key, time.Now())
			if again == nil || again.PEM != got.PEM || strings.Contains(codes(more), "order") {
				t.Errorf("what was mended is mended again: %v", more)
			}
		})
	}
	good, _ := material.Inspect(join(chain, root.PEM), string(key), time.Now())
	f := good.Facts(true)
	if f.Subject != "CN=a.test" || f.Issuer != "CN=root" || strings.Join(f.Names, " ") != "a.test 127.0.0.1" || f.KeyKind != "ECDSA P-256" || !f.HasKey || f.Count != 2 || len(f.Fingerprint) != 64 {
		t.Errorf("got %+v", f)
	}
	if material.Read("hello") != nil || material.Read(good.PEM).Facts(false).Count != 2 {
		t.Error("a stored chain is read wrongly")
	}
}

// definition is one with references in all places.
func definition(t *testing.T, filters, endpoint string) *apidef.Definition {
	t.Helper()
	d, problems := apidef.Decode([]byte(`{"name":"a","listen":{"path":"/","certificates":["c-1"]},"upstream":{"targets":[{"url":"https://a"}],"tls":{"ca":"c-2","clientCertificate":"c-3"}},
		"filters":` + filters + `,"endpoints":[{"path":"/x","filters":` + endpoint + `}]}`))
	if d == nil {
		t.Fatal(problems)
	}
	return d
}

func TestUsesOfMaterial(t *testing.T) {
	d := definition(t, `{"a":{"set":{"${secret:name}":"x ${secret:s-1}${secret:s-2} y"}},"b":[1,"\u0024{secret:s-3}"],"x-c":"${secret:no}"}`, `{"a/b":"${secret:s-1} ${secret:open"}`)
	var got []string
	for _, u := range material.Uses(d) {
		got = append(got, u.Kind+" "+u.ID+" "+u.Path)
	}
	want := `certificate c-1 /listen/certificates/0
certificate c-2 /upstream/tls/ca
certificate c-3 /upstream/tls/clientCertificate
secret s-1 /filters/a/set/${secret:name}
secret s-2 /filters/a/set/${secret:name}
secret s-3 /filters/b/1
secret s-1 /endpoints/0/filters/a~1b`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestFill(t *testing.T) {
	values := map[string]string{"s-1": `a"{b}`, "s-2": "${secret:s-1}"}
	value := func(id string) (string, bool) { v, ok := values[id]; return v, ok }
	quote := func(filter, v string) string { return filter + "=" + v }
	fs := apidef.Filters{"one": json.RawMessage(`{"n":1.50,"t":"-${secret:s-1}-${secret:s-2}"}`), "two": json.RawMessage(`{ "t" : "plain" }`), "x-n": json.RawMessage(`"${secret:s-1}"`)}
	got, uses, missing := material.Fill("/filters", fs, value, quote)
	if missing != nil || len(uses) != 2 || uses[0].Path != "/filters/one/t" {
		t.Fatalf("got %v, %v", uses, missing)
	}
	if string(got["one"]) != `{"n":1.50,"t":"-one=a\"{b}-one=${secret:s-1}"}` || string(got["two"]) != `{ "t" : "plain" }` || string(got["x-n"]) != `"${secret:s-1}"` {
		t.Errorf("got %s", got)
	}
	if string(fs["one"]) != `{"n":1.50,"t":"-${secret:s-1}-${secret:s-2}"}` {
		t.Error("the filters that were given are changed")
	}
	fs["two"] = json.RawMessage(`["${secret:Nobody}"]`)
	if got, _, missing = material.Fill("/filters", fs, value, nil); got != nil || missing == nil || *missing != (material.Use{Kind: material.KindSecret, ID: "Nobody", Path: "/filters/two/0"}) {
		t.Errorf("got %v, %v", got, missing)
	}
}

func TestSchemasNameEveryMember(t *testing.T) {
	var all map[string]struct{ Properties map[string]any }
	if err := json.Unmarshal(material.SchemaJSON(), &all); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"certificate": "chain id key name tags", "secret": "description id name tags value", "document": "description id name openapi tags"} {
		var got []string
		for name := range all[kind].Properties {
			got = append(got, name)
		}
		if slices.Sort(got); strings.Join(got, " ") != want {
			t.Errorf("%s: got %v", kind, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"n","value":"v","tags":["a"]}`))
	f.Add([]byte(`{"name":"n","chain":"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----","key":{"sealed":"AAAA"}}`))
	f.Add([]byte(`{"name":"n","openapi":{"openapi":"3.0.0","info":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []string{material.KindSecret, material.KindCertificate} {
			shown := material.Show(kind, text)
			if len(shown) == 0 {
				continue
			}
			var m map[string]json.RawMessage
			if json.Unmarshal(shown, &m) == nil && m[material.Private(kind)] != nil {
				t.Fatalf("%s shows its private part: %s", kind, shown)
			}
		}
		if s, _ := material.DecodeSecret(text); s != nil {
			_ = material.ValidateSecret(s)
			if s.Value != nil && s.Value.IsNull() != (!s.Value.IsSealed() && s.Value.Plain() == "") {
				t.Fatal("a value that is neither plain nor sealed")
			}
		}
		if c, _ := material.DecodeCertificate(text); c != nil {
			_ = material.ValidateCertificate(c)
			key := ""
			if c.Key != nil {
				key = c.Key.Plain()
			}
			if got, problems := material.Inspect(c.Chain, key, time.Unix(0, 0)); got == nil && len(problems) == 0 {
				t.Fatalf("got %v, %v", got, problems)
			}
		}
		if d, _ := material.DecodeDocument(text); d != nil {
			_ = material.ValidateDocument(d)
		}
	})
}

func FuzzFill(f *testing.F) {
	f.Add(`{"set":{"a":"${secret:s}"}}`, "v")
	f.Add(`["\u0024{secret:s}","${secret:"]`, "${secret:s}")
	f.Fuzz(func(t *testing.T, raw, secret string) {
		if !strictjson.Valid(json.RawMessage(raw)) {
			return
		}
		fs := apidef.Filters{"f": json.RawMessage(raw)}
		got, uses, missing := material.Fill("/filters", fs, func(id string) (string, bool) { return secret, id == "s" }, nil)
		if missing != nil {
			return
		}
		if len(uses) == 0 && string(got["f"]) != raw {
			t.Fatalf("%s became %s without a reference", raw, got["f"])
		}
		if !json.Valid(got["f"]) {
			t.Fatalf("%s became %s", raw, got["f"])
		}
	})
}
