package apidef

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

const minimal = `{"name":"Orders","listen":{"path":"/orders/"},"upstream":{"targets":[{"url":"http://10.0.0.5:3000"}]},"filters":{"auth":{"open":true}}}`

// with decodes the minimal definition after a merge patch.
func with(t *testing.T, patch string) *Definition {
	t.Helper()
	text, err := MergePatch([]byte(minimal), []byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	d, problems := Decode(text)
	if problems != nil {
		t.Fatal(problems)
	}
	return d
}

func TestDecodeTakesTheLanguageAndRefusesTheRest(t *testing.T) {
	text, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	d, problems := Decode(text)
	if problems != nil || len(Validate(d)) != 0 {
		t.Fatal(problems, Validate(d))
	}
	if len(d.Endpoints) != 2 || *d.Upstream.Targets[1].Weight != 3 || time.Duration(d.Upstream.Timeouts.FirstByte) != 30*time.Second {
		t.Fatalf("%+v", d)
	}
	for patch, want := range map[string]string{
		`{"lisen":{}}`:                                                "/lisen unknown_field listen",
		`{"listen":{"domain":[]}}`:                                    "/listen/domain unknown_field domains",
		`{"upstream":{"timeout":{}}}`:                                 "/upstream/timeout unknown_field timeouts",
		`{"listen":{"protocols":["http"]}}`:                           "/listen/protocols not_available ",
		`{"upstream":{"retry":{}}}`:                                   "/upstream/retry not_available ",
		`{"upstream":{"targets":[{"url":"http://a","backup":true}]}}`: "/upstream/targets/0/backup not_available ",
		`{"pools":{}}`:                                                "/pools not_available ",
		`{"openapi":{"document":"d"}}`:                                "/openapi not_available ",
		`{"listen":{"strip":"yes"}}`:                                  "/listen/strip wrong_type ",
		`{"upstream":{"timeouts":{"connect":5}}}`:                     "/upstream/timeouts/connect invalid_value ",
		`{"upstream":{"timeouts":{"connect":"-5s"}}}`:                 "/upstream/timeouts/connect invalid_value ",
		`{"endpoints":[{"path":"/a","method":"GET"}]}`:                "/endpoints/0/method unknown_field methods",
	} {
		text, err := MergePatch([]byte(minimal), []byte(patch))
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Decode(text)
		if len(problems) != 1 || fmt.Sprint(problems[0].Path, " ", problems[0].Code, " ", problems[0].Fix) != want {
			t.Errorf("%s: %+v", patch, problems)
		}
	}
	if _, problems := Decode([]byte(`{"x-imported":{"a":1},"listen":{"x-b":2}}`)); problems != nil {
		t.Error(problems)
	}
}

func TestValidateRules(t *testing.T) {
	long := strings.Repeat("가", 201)
	for _, c := range []struct{ name, patch, want string }{
		{"nothing wrong", `{}`, ""},
		{"no name", `{"name":""}`, "/name required"},
		{"long name", `{"name":"` + long + `"}`, "/name length"},
		{"200 Korean characters", `{"name":"` + long[:600] + `"}`, ""},
		{"control in a name", `{"name":"a\u0000"}`, "/name api.name_invalid"},
		{"direction override in a name", `{"name":"a\u202eb"}`, "/name api.name_invalid"},
		{"space around a name", `{"name":" a"}`, "/name api.name_invalid"},
		{"id", `{"id":"Orders"}`, "/id api.id_invalid"},
		{"state", `{"state":"activ"}`, "/state not_in_list"},
		{"group", `{"groups":["ok","Not OK"]}`, "/groups/1 api.group_invalid"},
		{"group twice", `{"groups":["a","a"]}`, "/groups/1 duplicate_item"},
		{"tag", `{"tags":[""]}`, "/tags/0 api.tag_invalid"},
		{"domains", `{"listen":{"domains":["api.example.com","*.shop.example.com","127.0.0.1","::1","[2001:DB8::1]","localhost","xn--9n2bp8q.kr","_a.b"]}}`, ""},
		{"domain with a port", `{"listen":{"domains":["a.b:8080"]}}`, "/listen/domains/0 listen.domain_invalid"},
		{"address with a port", `{"listen":{"domains":["127.0.0.1:80"]}}`, "/listen/domains/0 listen.domain_invalid"},
		{"domain twice", `{"listen":{"domains":["A.b","a.B."]}}`, "/listen/domains/1 duplicate_item"},
		{"unicode domain", `{"listen":{"domains":["주문.kr"]}}`, "/listen/domains/0 listen.domain_invalid"},
		{"no listen path", `{"listen":{"path":""}}`, "/listen/path required"},
		{"relative listen path", `{"listen":{"path":"orders"}}`, "/listen/path listen.path_invalid"},
		{"dot segments", `{"listen":{"path":"/a/../b"}}`, "/listen/path listen.path_invalid"},
		{"match", `{"listen":{"match":"regex"}}`, "/listen/match not_in_list"},
		{"slash", `{"listen":{"trailingSlash":"x","encodedSlash":"y"}}`, "/listen/trailingSlash not_in_list, /listen/encodedSlash not_in_list"},
		{"no targets", `{"upstream":{"targets":[]}}`, "/upstream/targets upstream.targets_missing"},
		{"weights of zero", `{"upstream":{"targets":[{"url":"http://a","weight":0}]}}`, "/upstream/targets upstream.targets_missing"},
		{"weight", `{"upstream":{"targets":[{"url":"http://a","weight":1001}]}}`, "/upstream/targets/0/weight out_of_range"},
		{"target twice", `{"upstream":{"targets":[{"url":"http://a"},{"url":"http://a"}]}}`, "/upstream/targets/1/url duplicate_item"},
		{"https", `{"upstream":{"targets":[{"url":"https://a"}]}}`, "/upstream/targets/0/url not_available"},
		{"upstream path", `{"upstream":{"path":"v1"}}`, "/upstream/path upstream.path_invalid"},
		{"upstream path with parameter", `{"upstream":{"path":"/{v}"}}`, "/upstream/path upstream.path_invalid"},
		{"timeouts", `{"upstream":{"timeouts":{"connect":"1ns","total":"25h"}}}`, "/upstream/timeouts/connect out_of_range, /upstream/timeouts/total out_of_range"},
		{"connections", `{"upstream":{"connections":{"max":-1,"idleTimeout":"1ms"}}}`, "/upstream/connections/max out_of_range, /upstream/connections/idleTimeout out_of_range"},
		{"idle above max", `{"upstream":{"connections":{"max":8,"idle":9}}}`, "/upstream/connections/idle out_of_range"},
		{"endpoint path", `{"endpoints":[{"path":"/{a:(}"}]}`, "/endpoints/0/path endpoint.path_invalid"},
		{"endpoint method", `{"endpoints":[{"path":"/","methods":["get"]}]}`, "/endpoints/0/methods/0 endpoint.method_invalid"},
		{"every method and one", `{"endpoints":[{"path":"/","methods":["GET","*"]}]}`, "/endpoints/0/methods/1 endpoint.method_invalid"},
		{"CONNECT", `{"endpoints":[{"path":"/","methods":["CONNECT"]}]}`, "/endpoints/0/methods/0 endpoint.method_invalid"},
		{"endpoint id", `{"endpoints":[{"path":"/","id":"A b"}]}`, "/endpoints/0/id api.id_invalid"},
		{"endpoint id twice", `{"endpoints":[{"path":"/a","id":"x"},{"path":"/b","id":"x"}]}`, "/endpoints/1/id endpoint.id_taken"},
		{"made ids that meet", `{"endpoints":[{"path":"/a-b"},{"path":"/a/b"}]}`, "/endpoints/1/id endpoint.id_taken"},
		{"endpoint twice", `{"endpoints":[{"path":"/{a}","id":"x","methods":["GET","PUT"]},{"path":"/{b}","id":"y","methods":["POST","PUT"]}]}`, "/endpoints/1 endpoint.duplicate"},
		{"same path, other methods", `{"endpoints":[{"path":"/{a}","methods":["GET"]},{"path":"/{a}","methods":["PUT"]},{"path":"/{a}"}]}`, ""},
		{"slash that counts", `{"endpoints":[{"path":"/a","id":"x"},{"path":"/a/","id":"y"}]}`, ""},
		{"slash that does not count", `{"listen":{"trailingSlash":"ignore"},"endpoints":[{"path":"/a","id":"x"},{"path":"/a/","id":"y"}]}`, "/endpoints/1 endpoint.duplicate"},
		{"no auth", `{"filters":{"auth":null}}`, "/filters auth.undecided"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, p := range Validate(with(t, c.patch)) {
				got = append(got, p.Path+" "+string(p.Code))
				if p.Message == "" || p.Severity != fault.Error {
					t.Errorf("incomplete: %+v", p)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), c.want)
			}
		})
	}
}

func TestTargetsThatCannotBeCalled(t *testing.T) {
	for _, url := range []string{
		"", "10.0.0.5:3000", "ftp://a", "http://", "http:///x", "http://a:0", "http://a:99999", "http://a:x", "http://a:", "http://u:p@a",
		"http://a/?q", "http://a?", "http://a#f", "http://a#", " http://a", "http://a b", "http://a/../b", "http://*.a", "http://a_b..c", "http://[::1", "http:a", "http://a/{x}", "http://a\n", "http://주문.kr", "http://256.1.1.1",
	} {
		if checkTarget(url) == nil {
			t.Errorf("%q was taken", url)
		}
	}
	for _, url := range []string{"http://a", "http://A.example.com:65535/v1/", "http://127.0.0.1:3000", "http://[::1]:8080", "http://my_service:80/%EC%A3%BC"} {
		if err := checkTarget(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestNormalizeDomain(t *testing.T) {
	for in, want := range map[string]string{"API.Example.COM.": "api.example.com", "*.A.b": "*.a.b", "[::0001]": "::1", "10.0.0.1": "10.0.0.1", "a": "a"} {
		if got, err := NormalizeDomain(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "*", "*.", "a.*.b", "a*.b", "**.b", "a..b", "-a.b", "a-.b", "a b", "http://a", "a/b", "u@a", "::ffff:1.2.3.4", "fe80::1%eth0", "[::1]:80", "1.2.3", "1.2.3.256", "a%41", strings.Repeat("a", 64) + ".b", strings.Repeat("a.", 130) + "b", "a\x00"} {
		if got, err := NormalizeDomain(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestListenPathsAreOneWithAndWithoutSlash(t *testing.T) {
	for path, want := range map[string]string{"/orders/": "/orders", "/orders": "/orders", "/": "/", "/{t}/": "/{t}", "bad": "bad"} {
		if got := NormalizePath(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if _, err := ParseListenPath("/a/**"); err == nil {
		t.Error("a listen path with /** was taken")
	}
}

func TestDefaults(t *testing.T) {
	d := with(t, `{}`)
	c, to := d.Upstream.Connections.WithDefaults(), d.Upstream.Timeouts.WithDefaults()
	if !d.Listen.StripPath() || d.Listen.Match.OrDefault() != Prefix || d.Listen.TrailingSlash.OrDefault() != SlashKeep ||
		d.Listen.EncodedSlash.OrDefault() != EncodedReject || d.State.OrDefault() != Active || !d.IsActive() || !d.InGroup("any") ||
		d.Upstream.Targets[0].EffectiveWeight() != 1 || c.Max != 512 || c.Idle != 128 || c.Queue != 256 || time.Duration(c.IdleTimeout) != 90*time.Second ||
		time.Duration(to.Connect) != 2*time.Second || time.Duration(to.FirstByte) != 30*time.Second || time.Duration(to.Idle) != time.Minute || to.Total != 0 {
		t.Errorf("%+v %+v", c, to)
	}
	d = with(t, `{"groups":["a"],"state":"disabled","listen":{"strip":false},"upstream":{"connections":{"max":5}}}`)
	if d.InGroup("b") || !d.InGroup("a") || d.IsActive() || d.Listen.StripPath() || d.Upstream.Connections.WithDefaults().Idle != 5 {
		t.Error("stated values are not kept")
	}
}

func TestEffectiveIDs(t *testing.T) {
	for want, e := range map[string]Endpoint{
		"get-orders-id": {Methods: []string{"GET", "PUT"}, Path: "/orders/{id:[0-9]+}"}, "any-root": {Path: "/"}, "any-admin-all": {Methods: []string{"*"}, Path: "/admin/**"},
		"mine": {ID: "mine", Path: "/"}, "post-a-b": {Methods: []string{"POST"}, Path: "/a/b/"},
	} {
		if got := e.EffectiveID(); got != want || !ValidID(got) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if (Endpoint{Methods: []string{"*"}}).EffectiveMethods() != nil || !slices.Equal(Endpoint{Methods: []string{"PUT"}}.EffectiveMethods(), []string{"PUT"}) {
		t.Error("methods")
	}
}

func TestMakeID(t *testing.T) {
	for name, want := range map[string]string{"Orders": "orders", "  My API (v2)! ": "my-api-v2", "주문 orders": "orders", "a--b": "a-b", strings.Repeat("ab", 50): strings.Repeat("ab", 32), "Ünïcode": "n-code"} {
		if got := MakeID(name); got != want || !ValidID(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, name := range []string{"주문", "", "123", "---"} {
		if got := MakeID(name); len(got) != 10 || !strings.HasPrefix(got, "api-") || !ValidID(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if one, two := MakeID("주문"), MakeID("주문"); one == two {
		t.Error("random ids repeat")
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]int64{"0s": 0, "250ms": 250e6, "1h30m": 5400e9, "180d": 180 * 86400e9} {
		if got, err := ParseDuration(in); err != nil || int64(got) != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
	for in, want := range map[string]int64{"0B": 0, "500B": 500, "64KiB": 64 << 10, "1MiB": 1 << 20, "2GiB": 2 << 30, "1KB": 1000, "3MB": 3e6, "1GB": 1e9} {
		if got, err := ParseSize(in); err != nil || int64(got) != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "5", "s", "-5s", "+5s", "5 s", "d", "-1d", "99999999999h", "1e3s"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("duration %q was taken as %d", in, got)
		}
	}
	for _, in := range []string{"", "5", "KiB", "-5B", "+5B", "1.5MiB", "5kb", "99999999999999999999B", "9999999999GiB", "5BB"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("size %q was taken as %d", in, got)
		}
	}
	for _, z := range []Size{0, 1, 1000, 1024, 64 << 10, 3 << 20, 1<<30 + 1} {
		b, _ := json.Marshal(z)
		var back Size
		if err := json.Unmarshal(b, &back); err != nil || back != z {
			t.Errorf("%d: %s, %v", z, b, err)
		}
	}
	for _, text := range []string{"null", "5", "{}"} {
		var d Duration
		var z Size
		if json.Unmarshal([]byte(text), &d) == nil && text != "null" || json.Unmarshal([]byte(text), &z) == nil && text != "null" {
			t.Errorf("%s was taken", text)
		}
	}
}

// Whatever comes in, decoding and validating end without a panic, and what is
// taken is taken again after a merge patch that changes nothing.
func FuzzDecode(f *testing.F) {
	full, err := os.ReadFile("testdata/full.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	for _, s := range []string{minimal, `{}`, `[]`, `{"listen":{"domains":["*.","[::1]"],"path":"/{a:(}"}}`, `{"upstream":{"targets":[{"url":"http://[::1"}],"timeouts":{"idle":"9999999h"}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, problems := Decode(text)
		if problems != nil {
			return
		}
		Validate(d)
		ValidateFilters(d, &Catalog{})
		x := NewIndex()
		x.Put("o", 1, d)
		x.Conflicts("p", d)
		x.Delete("o", d.ID)
		if len(x.roots) != 0 || x.Len() != 0 {
			t.Fatal("the index keeps a deleted definition")
		}
		same, err := MergePatch(text, []byte(`{}`))
		if err != nil || string(same) != string(text) {
			t.Fatalf("an empty patch gives %q, %v", same, err)
		}
	})
}
