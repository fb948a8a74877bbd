package record

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressSaysNoMoreThanAsked(t *testing.T) {
	hash := func(b []byte) string { return "h" + string(rune('0'+len(b)%10)) }
	for _, c := range []struct {
		address string
		mode    AddressMode
		want    string
	}{
		{"192.0.2.77", FullAddress, "192.0.2.77"},
		{"::ffff:192.0.2.77", FullAddress, "192.0.2.77"},
		{"192.0.2.77", TruncatedAddress, "192.0.2.0"},
		{"2001:db8:1:2:3::4", TruncatedAddress, "2001:db8:1::"},
		{"fe80::1%eth0", FullAddress, "fe80::1"},
		{"fe80::1%eth0", TruncatedAddress, "fe80::"},
		{"192.0.2.77", HashedAddress, "h4"},
		{"192.0.2.77", "unheard-of", "192.0.2.0"},
	} {
		if got := Address(netip.MustParseAddr(c.address), c.mode, hash); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.address, c.mode, got, c.want)
		}
	}
	if got := Address(netip.MustParseAddr("192.0.2.77"), HashedAddress, nil); got != "192.0.2.0" {
		t.Errorf("without a hash: %q", got)
	}
	if got := Address(netip.Addr{}, FullAddress, nil); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func TestMask(t *testing.T) {
	m, err := NewMask([]string{"header:X-Secret", "query:token", "$.password", "$.user.pin", "$.cards[*].number", "$..ssn"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, kind, in, want string }{
		{"member", "application/json", `{"password":"p","a":1}`, `{"password":"***","a":1}`},
		{"spaces stay", "application/json", "{ \"a\" : [ 1 , 2 ] ,\n \"password\" :  true }", "{ \"a\" : [ 1 , 2 ] ,\n \"password\" :\"***\" }"},
		{"nested", "application/json", `{"user":{"pin":123,"n":"x"},"pin":5}`, `{"user":{"pin":"***","n":"x"},"pin":5}`},
		{"in a list", "application/json; charset=utf-8", `{"cards":[{"number":"1"},{"number":{"a":[1]}}]}`, `{"cards":[{"number":"***"},{"number":"***"}]}`},
		{"any depth", "application/problem+json", `[{"x":{"ssn":"1"}},{"ssn":[1,2]}]`, `[{"x":{"ssn":"***"}},{"ssn":"***"}]`},
		{"escaped name", "application/json", `{"p\u0061ssword":"p"}`, `{"p\u0061ssword":"***"}`},
		{"cut inside the secret", "application/json", `{"a":1,"password":"secr`, `{"a":1,"password":"***"`},
		{"cut elsewhere", "application/json", `{"a":"some te`, `{"a":"some te`},
		{"not JSON after a while", "application/json", `{"a":1} {"password":"p"}`, `{"a":1}`},
		{"garbage inside", "application/json", `{"a":1;"password":"p"}`, `{"a":1`},
		{"JSON that does not say so", "", ` {"password":"p"}`, ` {"password":"***"}`},
		{"form", "application/x-www-form-urlencoded", "a=1&pass%77ord=x&token=y&tokens=z", "a=1&pass%77ord=***&token=***&tokens=z"},
		{"text, of which nobody knows what it holds", "text/plain", "password: p", ""},
		{"parts", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\np\r\n--b--", ""},
		{"scalar", "application/json", "17", "17"},
		{"ends with a backslash", "application/json", `{"a":"\`, `{"a":"\`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(m.Body(c.kind, []byte(c.in))); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
	places, err := NewMask([]string{"query:token"})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"text/plain": "token: t", "multipart/form-data; boundary=b": "", "application/x-www-form-urlencoded": "token: t"} {
		if got := string(places.Body(kind, []byte("token: t"))); got != want {
			t.Errorf("without paths, %s: %q", kind, got)
		}
	}
	if got := m.Query("token=a&x=b&token"); got != "token=***&x=b&token" {
		t.Error(got)
	}
	for name, want := range map[string]string{"authorization": Masked, "Set-Cookie": Masked, "x-SECRET": Masked, "Accept": "v"} {
		if got := m.Header(name, "v"); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestBadMasksAreNamed(t *testing.T) {
	for _, rule := range []string{"", "header:", "password", "$", "$.", "$.a..b", "$.a[0]", "$..", "$..a.b", "cookie:x"} {
		if _, err := NewMask([]string{"$.ok", rule}); err == nil || !strings.Contains(err.Error(), `"`+rule+`"`) {
			t.Errorf("%q: %v", rule, err)
		}
	}
}

func TestShrinkGivesUpTheLeastFirst(t *testing.T) {
	big := func() *Record {
		r := full()
		r.Request.Body, r.Response.Body = []byte(strings.Repeat("q", 3000)), []byte(strings.Repeat("s", 3000))
		r.Path = "/" + strings.Repeat("p", 4000)
		return r
	}
	r := big()
	if !r.Shrink(1<<20) || r.Flags.Has(Shrunk) || len(r.Response.Body) != 3000 {
		t.Error("a record that fits was changed")
	}
	if r = big(); !r.Shrink(8500) || r.Response.Body != nil || !r.Response.Truncated || len(r.Request.Body) != 3000 || !r.Flags.Has(Shrunk) {
		t.Errorf("%+v %+v", r.Request, r.Response)
	}
	if r = big(); !r.Shrink(2000) || r.Request != nil || len(r.Path) != 1024 || r.Method != "POST" {
		t.Errorf("%+v", r)
	}
	if r = big(); r.Shrink(50) {
		t.Error("50 bytes cannot be enough")
	}
}

// FuzzMask looks for a secret that comes through, and for output that is no
// JSON although the input was.
func FuzzMask(f *testing.F) {
	m, err := NewMask([]string{"$..k", "$.a[*].b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"a":[{"b":1}],"k":{"x":[1,"2"]}}`)
	f.Add(`{"k":"cut`)
	f.Fuzz(func(t *testing.T, text string) {
		got := m.Body("application/json", []byte(text))
		var in any
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		var out any
		if err := json.Unmarshal(got, &out); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		var look func(v any)
		look = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for name, below := range v {
					if name == "k" && below != Masked {
						t.Fatalf("%q became %q", text, got)
					}
					look(below)
				}
			case []any:
				for _, below := range v {
					look(below)
				}
			}
		}
		look(out)
	})
}
