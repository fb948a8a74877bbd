package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

func TestMerge(t *testing.T) {
	policies := map[string]Policy{
		"gold":   {ID: "gold", Rights: []Right{{API: "orders"}, {API: "shop", Endpoints: []EndpointRight{{Methods: []string{"GET"}, Path: "/a"}}}}, Metadata: map[string]string{"grade": "gold", "a": "1"}},
		"silver": {ID: "silver", Rights: []Right{{API: "shop", Endpoints: []EndpointRight{{Path: "/b/**"}}}}, Metadata: map[string]string{"grade": "silver", "b": "2"}},
		"off":    {ID: "off", State: "disabled", Rights: []Right{{API: "*"}}, Metadata: map[string]string{"off": "yes"}},
	}
	key := Key{
		ID: "k_1", Org: "o", Alias: "test", Owner: "kim", State: KeyActive, ExpiresAt: time.Unix(1e9, 0),
		Policies: []string{"gold", "off", "silver", "gone", "gold"}, Rights: []Right{{API: "orders", Endpoints: []EndpointRight{{Path: "/x"}}}, {API: "own"}}, Metadata: map[string]string{"b": "3"},
	}
	s := Merge(key, policies)
	if s.Refused || s.Subject != "kim" || !slices.Equal(s.Policies, []string{"gold", "silver"}) || !slices.Equal(s.Skipped, []string{"off", "gone"}) {
		t.Errorf("%+v", s)
	}
	want := []Right{{API: "orders"}, {API: "shop", Endpoints: []EndpointRight{{Methods: []string{"GET"}, Path: "/a"}, {Path: "/b/**"}}}, {API: "own"}}
	if !reflect.DeepEqual(s.Rights, want) {
		t.Errorf("rights %+v", s.Rights)
	}
	if !maps.Equal(s.Metadata, map[string]string{"grade": "silver", "a": "1", "b": "3"}) {
		t.Error(s.Metadata)
	}
	origins := map[string]string{
		"/rights/orders": "policy:gold, key", "/rights/shop": "policy:gold, policy:silver", "/rights/own": "key",
		"/metadata/grade": "policy:silver", "/metadata/a": "policy:gold", "/metadata/b": "key", "/expiresAt": "key",
	}
	if !maps.Equal(s.Origins, origins) {
		t.Errorf("origins %v", s.Origins)
	}
	if len(policies["gold"].Rights[1].Endpoints) != 1 {
		t.Error("merging changed a policy")
	}
}

func TestAKeyWhosePoliciesAreAllDisabledMayDoNothing(t *testing.T) {
	off := map[string]Policy{"off": {ID: "off", State: "disabled", Rights: []Right{{API: "*"}}}}
	for _, policies := range [][]string{{"off"}, {"off", "gone"}} {
		s := Merge(Key{ID: "k_1", Policies: policies, Rights: []Right{{API: "*"}}}, off)
		if !s.Refused || s.Allows("any", "GET", "/") || len(s.Rights) != 0 || len(s.Skipped) != len(policies) {
			t.Errorf("%+v", s)
		}
	}
	s := Merge(Key{ID: "k_1", Rights: []Right{{API: "a"}}}, nil)
	if s.Refused || !s.Allows("a", "GET", "/") || s.Subject != "k_1" {
		t.Errorf("a key without policies: %+v", s)
	}
}

func TestAllows(t *testing.T) {
	s := Merge(Key{Rights: []Right{
		{API: "all"},
		{API: "some", Endpoints: []EndpointRight{
			{Methods: []string{"GET", "HEAD"}, Path: "/orders/{id}"}, {Path: "/files/**"}, {Methods: []string{"*"}, Path: "/slash/"}, {Methods: []string{"PUT"}, Path: "/"}, {Path: "/caf%c3%a9"}, {Path: "/주문"}, {Path: "/%61%2Db"}, {Path: "/n/{n:[0-9]+}"},
		}},
		{API: "broken", Endpoints: []EndpointRight{{Path: "no"}}},
		{API: "empty", Endpoints: []EndpointRight{}},
	}}, nil)
	for _, c := range []struct {
		call string
		want bool
	}{
		{"all GET /", true},
		{"all DELETE /any/thing", true},
		{"other GET /", false},
		{"some GET /orders/1", true},
		{"some HEAD /orders/1", true},
		{"some POST /orders/1", false},
		{"some get /orders/1", false},
		{"some GET /orders/", false},
		{"some GET /orders", false},
		{"some GET /orders/1/", false},
		{"some GET /orders/1/2", false},
		{"some GET /ordersx/1", false},
		{"some GET /orders/%2F", true},
		{"some GET /files", true},
		{"some GET /files/", true},
		{"some PUT /files/a/b/", true},
		{"some GET /filesx", false},
		{"some GET /slash/", true},
		{"some GET /slash", false},
		{"some PUT /", true},
		{"some GET /", false},
		{"some GET /caf%C3%A9", true},
		{"some GET /%EC%A3%BC%EB%AC%B8", true},
		{"some GET /a-b", true},
		{"some GET /n/12", true},
		{"some GET /n/x", false},
		{"broken GET /no", false},
		{"empty GET /", false},
	} {
		w := strings.Fields(c.call)
		if got := s.Allows(w[0], w[1], w[2]); got != c.want {
			t.Errorf("%s: %v", c.call, got)
		}
	}
	if !s.Allows("some", "PUT", "") || (*Session)(nil).Allows("all", "GET", "/") || (&Session{}).Allows("all", "GET", "/") {
		t.Error("the empty path, or no session")
	}
	if every := Merge(Key{Rights: []Right{{API: "*", Endpoints: []EndpointRight{{Path: "/hello"}}}}}, nil); !every.Allows("x", "GET", "/hello") || every.Allows("x", "GET", "/") {
		t.Error("the right to every API")
	}
	if n := testing.AllocsPerRun(100, func() { s.Allows("some", "GET", "/files/a/b/c"); s.Allows("some", "GET", "/n/12") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAnEmptyListOfEndpointsStaysEmpty(t *testing.T) {
	text, err := json.Marshal(Right{API: "a", Endpoints: []EndpointRight{}})
	if err != nil || string(text) != `{"api":"a","endpoints":[]}` {
		t.Errorf("%s, %v: reading it back would allow every endpoint", text, err)
	}
}

func TestDecodeAndValidatePolicy(t *testing.T) {
	long := strings.Repeat("x", 201)
	for text, want := range map[string]string{
		`{"name":"Gold","rights":[{"api":"*"},{"api":"orders","endpoints":[{"methods":["GET"],"path":"/{id}"}]}],"metadata":{"grade":"gold"},"tags":["a"],"keyTtl":"720h","x-a":1}`: "",
		`{"nmae":"Gold"}`:                                    "/nmae unknown_field",
		`{"name":"x","rateLimit":{}}`:                        "/rateLimit not_available",
		`{"name":"x","quota":{}}`:                            "/quota not_available",
		`{"name":"x","rights":[{"api":"a","versions":[]}]}`:  "/rights/0/versions not_available",
		`{"name":"x","name":"y"}`:                            "/name duplicate_field",
		`{"name":"x","metadata":{"a":1}}`:                    "/metadata/a wrong_type",
		`{}`:                                                 "/name required",
		`{"name":"` + long + `"}`:                            "/name length",
		`{"name":"a\u0007"}`:                                 "/name access.text_invalid",
		`{"name":"x","id":"A"}`:                              "/id access.id_invalid",
		`{"name":"x","state":"on"}`:                          "/state not_in_list",
		`{"name":"x","rights":[{"api":""}]}`:                 "/rights/0/api required",
		`{"name":"x","rights":[{"api":"A b"}]}`:              "/rights/0/api access.id_invalid",
		`{"name":"x","rights":[{"api":"a","endpoints":[]}]}`: "/rights/0/endpoints length",
		`{"name":"x","rights":[{"api":"a","endpoints":[{"path":"a"},{"path":"/{x:(}"},{"path":"/a//b"},{"path":"/../a"},{"path":"/*"},{"path":"/a%2fb"},{"path":"/%zz"},{"path":"/%1"},{"path":"/a?b"},{"path":"/{}"}]}]}`: strings.Join([]string{
			"/rights/0/endpoints/0/path access.path_invalid", "/rights/0/endpoints/1/path access.path_invalid", "/rights/0/endpoints/2/path access.path_invalid", "/rights/0/endpoints/3/path access.path_invalid", "/rights/0/endpoints/4/path access.path_invalid",
			"/rights/0/endpoints/5/path access.path_invalid", "/rights/0/endpoints/6/path access.path_invalid", "/rights/0/endpoints/7/path access.path_invalid", "/rights/0/endpoints/8/path access.path_invalid", "/rights/0/endpoints/9/path access.path_invalid",
		}, ", "),
		`{"name":"x","rights":[{"api":"a","endpoints":[{"path":"/","methods":["get","GET","GET"]}]}]}`: "/rights/0/endpoints/0/methods/0 access.method_invalid, /rights/0/endpoints/0/methods/2 duplicate_item",
		`{"name":"x","metadata":{"a b":"c"}}`:    "/metadata/a b access.text_invalid",
		`{"name":"x","metadata":{"a":"b\r\nc"}}`: "/metadata/a access.text_invalid",
		`{"name":"x","tags":["a","a"]}`:          "/tags/1 duplicate_item",
		`{"name":"x","keyTtl":"30"}`:             "/keyTtl access.ttl_invalid",
		`{"name":"x","keyTtl":"-1h"}`:            "/keyTtl access.ttl_invalid",
	} {
		p, problems := DecodePolicy([]byte(text))
		if problems == nil {
			problems = ValidatePolicy(p)
		}
		if got := lines(problems); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	p := Policy{KeyTTL: "720h"}
	if p.TTL() != 720*time.Hour || (&Policy{}).TTL() != 0 || (&Policy{KeyTTL: "x"}).TTL() != 0 || !p.IsActive() || (&Policy{State: "disabled"}).IsActive() {
		t.Error("defaults of a policy")
	}
}

func lines(problems []fault.Problem) string {
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprint(p.Path, " ", p.Code))
	}
	return strings.Join(got, ", ")
}

func TestValidateKey(t *testing.T) {
	good := Key{Alias: "Kim's phone", Owner: "kim", Policies: []string{"gold"}, Rights: []Right{{API: "*"}}, Metadata: map[string]string{"a": "b"}, State: KeyActive}
	for want, change := range map[string]func(k *Key){
		"":                               func(*Key) {},
		"/alias required":                func(k *Key) { k.Alias = "" },
		"/alias access.text_invalid":     func(k *Key) { k.Alias = "a\n" },
		"/owner length":                  func(k *Key) { k.Owner = strings.Repeat("x", 201) },
		"/policies/0 access.id_invalid":  func(k *Key) { k.Policies = []string{"Gold"} },
		"/policies/1 duplicate_item":     func(k *Key) { k.Policies = []string{"a", "a"} },
		"/policies length":               func(k *Key) { k.Policies = make([]string, 101) },
		"/rights/0/api required":         func(k *Key) { k.Rights = []Right{{}} },
		"/rights length":                 func(k *Key) { k.Rights = make([]Right, 1001) },
		"/metadata/ access.text_invalid": func(k *Key) { k.Metadata = map[string]string{"": "x"} },
		"/tags/0 required":               func(k *Key) { k.Tags = []string{""} },
		"/state not_in_list":             func(k *Key) { k.State = "on" },
	} {
		k := good
		change(&k)
		if got := lines(ValidateKey(k)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	now := time.Unix(100, 0)
	if good.Expired(now) || !(Key{ExpiresAt: now}).Expired(now) || (Key{ExpiresAt: now.Add(1)}).Expired(now) {
		t.Error("expiry")
	}
}

func TestSecrets(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret, prefix, err := NewSecret()
		if err != nil || len(secret) != 42 || len(prefix) != 8 || !strings.HasPrefix(secret, prefix) || seen[secret] {
			t.Fatal(secret, prefix, err)
		}
		seen[secret] = true
		if ours, ok := ValidSecret(secret); !ours || !ok {
			t.Fatal("a new secret is not valid")
		}
		for i := len("slc_"); i < len(secret); i++ {
			wrong := secret[:i] + string(base62[(strings.IndexByte(base62, secret[i])+1)%62]) + secret[i+1:]
			if ours, ok := ValidSecret(wrong); !ours || ok || ValidCustom(wrong) {
				t.Fatalf("character %d is not guarded", i)
			}
		}
		if Mask(secret) != prefix+"…" || !ValidCustom(secret) {
			t.Fatal(Mask(secret))
		}
		id, err := NewKeyID()
		if err != nil || len(id) != 22 || !strings.HasPrefix(id, "k_") || seen[id] {
			t.Fatal(id, err)
		}
		seen[id] = true
	}
	// The format is a contract: a secret of today is valid for ever.
	if ours, ok := ValidSecret("slc_0123456789ABCDEFGHIJKLMNOPQRSTUV4LgkA2"); !ours || !ok {
		t.Error("the format of secrets has changed")
	}
	for _, s := range []string{"", "slc_", "slc_" + strings.Repeat("-", 38), "SLC_" + strings.Repeat("a", 38), strings.Repeat("a", 42)} {
		if ours, _ := ValidSecret(s); ours {
			t.Errorf("%q counts as ours", s)
		}
	}
	for s, want := range map[string]bool{"12345678": true, "1234567": false, strings.Repeat("x", 512): true, strings.Repeat("x", 513): false, "with a space": false, "with\x00nul!": false, "유니코드유니코드": false, "{*}$ne-glob": true} {
		if ValidCustom(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	for s, want := range map[string]string{"": "…", "12345678": "…", "0123456789abcdef": "0123…", "유니코드유니코드유니코드": "…"} {
		if got := Mask(s); got != want {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func TestRandomCharactersAreEven(t *testing.T) {
	text, err := random62(62_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range base62 {
		if n := strings.Count(text, string(c)); n < 800 || n > 1200 {
			t.Errorf("%c stands %d times, not about 1000", c, n)
		}
	}
}

func FuzzDecodePolicy(f *testing.F) {
	for _, s := range []string{`{"name":"Gold","rights":[{"api":"*"}]}`, `{"rights":[{"api":"a","endpoints":[{"path":"/{x}/**","methods":["GET"]}]}]}`, `{"metadata":{"a":"\u0000"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, problems := DecodePolicy(text)
		if problems != nil {
			return
		}
		ValidatePolicy(p)
		Merge(Key{Policies: []string{"p"}}, map[string]Policy{"p": *p}).Allows("a", "GET", "/x")
	})
}
