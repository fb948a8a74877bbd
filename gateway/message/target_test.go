package message

import (
	"strings"
	"testing"
)

func TestHostsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"a.example": "a.example", "A.Example": "a.example", "a.example.": "a.example", "A.example.:8080": "a.example:8080", "a:443": "a:443", "127.0.0.1": "127.0.0.1",
		"a_b-c.example": "a_b-c.example", "xn--bcher-kva.example": "xn--bcher-kva.example", "[::1]": "[::1]", "[2001:DB8::1]:80": "[2001:db8::1]:80", "[::ffff:1.2.3.4]": "[::ffff:1.2.3.4]",
		strings.Repeat("a", 255): strings.Repeat("a", 255),
		"":                       "", ".": "", "..": "", ".a": "", "a..b": "", "a..": "", "a:": "", ":80": "", "a:0": "", "a:65536": "", "a:99999": "", "a:+80": "", "a:8 0": "", "a:http": "", "a:80:80": "", "a@b": "", "a/b": "", "a,b": "", "a b": "",
		"a%41": "", "é": "", "a\x00": "", "[::1": "", "::1": "", "[]": "", "[::1]x": "", "[1.2.3.4]": "", "[fe80::1%eth0]": "", "[fe80::1%25eth0]": "", "[::g]": "", strings.Repeat("a", 256): "",
	} {
		got, ok := CanonicalHost(in)
		if ok != (want != "") || got != want {
			t.Errorf("%q is %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestTargetsAreReadAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		name          string
		r             Request
		target, wrong string
		path, query   string
		has           bool
	}{
		{name: "a path", target: "/a/../%2e", path: "/a/../%2e"},
		{name: "a query", target: "/a?b?c", path: "/a", query: "b?c", has: true},
		{name: "an empty query", target: "/?", path: "/", has: true},
		{name: "two slashes are a path", target: "//evil/x", path: "//evil/x"},
		{name: "a backslash in a query", target: `/?\`, path: "/", query: `\`, has: true},
		{name: "absolute", target: "HTTP://H.example.:80/a", path: "/a"},
		{name: "absolute without a path", target: "http://h.example?x", path: "/", query: "x", has: true},
		{name: "absolute by https", target: "https://h.example:443", path: "/"},
		{name: "nothing", target: "", wrong: "is empty"},
		{name: "another host", target: "http://other/a", wrong: "different hosts"},
		{name: "the port of the other scheme", target: "http://h.example:443/", wrong: "different hosts"},
		{name: "userinfo", target: "http://u@h.example/", wrong: "no valid authority"},
		{name: "no authority", target: "http:///a", wrong: "no valid authority"},
		{name: "one slash", target: "http:/a", wrong: "neither a path"},
		{name: "another scheme", target: "ftp://h.example/", wrong: "neither a path"},
		{name: "authority-form", target: "h.example:80", wrong: "neither a path"},
		{name: "a fragment", target: "/a#b", wrong: "the path has"},
		{name: "a fragment behind a query", target: "/a?b#c", wrong: "the query has"},
		{name: "a backslash", target: `/a\b`, wrong: "the path has"},
		{name: "a byte beyond ASCII", target: "/\xc3\xa9", wrong: "the path has"},
		{name: "a control", target: "/a\x7f", wrong: "the path has"},
		{name: "a space in a query", target: "/?a b", wrong: "the query has"},
		{name: "* for GET", target: "*", wrong: "OPTIONS only"},
		{name: "* for OPTIONS", r: Request{Method: "OPTIONS"}, target: "*", path: "*"},
		{name: "more than *", r: Request{Method: "OPTIONS"}, target: "*/a", wrong: "OPTIONS only"},
		{name: "absolute with HTTP/2", r: Request{Major: 2}, target: "http://h.example/", wrong: "does not begin with /"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.r
			r.Host = "h.example"
			if r.Major == 0 {
				r.Major, r.Minor = 1, 1
			}
			r.Query, r.HasQuery = "before", true
			wrong := r.SetTarget(c.target)
			if c.wrong != "" || wrong != "" {
				if c.wrong == "" || !strings.Contains(wrong, c.wrong) {
					t.Errorf("%q: %q, want %q", c.target, wrong, c.wrong)
				}
				return
			}
			if r.Target != c.target || r.Path != c.path || r.Query != c.query || r.HasQuery != c.has {
				t.Errorf("%q is %q, %q, %v", r.Target, r.Path, r.Query, r.HasQuery)
			}
		})
	}
	old := Request{Method: "GET", Major: 1}
	if wrong := old.SetTarget("http://H.example:8080/a"); wrong != "" || old.Host != "h.example:8080" {
		t.Errorf("HTTP/1.0 without Host: %q, %q", old.Host, wrong)
	}
}
