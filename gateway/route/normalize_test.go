package route

import (
	"net/url"
	stdpath "path"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
)

func TestNormalize(t *testing.T) {
	for _, tc := range []struct{ target, path, query string }{
		{"/", "/", ""},
		{"/orders", "/orders", ""},
		{"/orders/", "/orders/", ""},
		{"/orders?a=1&b=%2f..", "/orders", "a=1&b=%2f.."},
		{"/a//b", "/a/b", ""},
		{"//a", "/a", ""},
		{"/./a", "/a", ""},
		{"/a/./b/.", "/a/b/", ""},
		{"/x/../admin", "/admin", ""},
		{"/../../admin", "/admin", ""},
		{"/a/b/..", "/a/", ""},
		{"/%61dmin", "/admin", ""},
		{"/%7euser", "/~user", ""},
		{"/%2e/admin", "/admin", ""},
		{"/x/%2e%2e/admin", "/admin", ""},
		{"/x/.%2e/admin", "/admin", ""},
		{"/a%2fb", "/a%2Fb", ""},
		{"/a%3bb", "/a%3Bb", ""},
		{"/%ec%a3%bc%eb%ac%b8", "/%EC%A3%BC%EB%AC%B8", ""},
		{"/admin;a=b", "/admin;a=b", ""},
		{"/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,=", ""},
		{"/a%20b", "/a%20b", ""},
		{"/100%25", "/100%25", ""},
		{"/100%25%20x", "/100%25%20x", ""},
		{"/a%25zz", "/a%25zz", ""},
		{"/.hidden", "/.hidden", ""},
		{"/...", "/...", ""},
		{"http://example.com/a/../b?q", "/b", "q"},
		{"HTTP://example.com", "/", ""},
		{"/a\"b{}", "/a%22b%7B%7D", ""},
		{"/a%22b", "/a%22b", ""},
	} {
		path, query, has, err := Normalize(tc.target)
		if err != nil || path != tc.path || query != tc.query || has != strings.Contains(tc.target, "?") {
			t.Errorf("Normalize(%q) = %q, %q, %v, %v; want %q, %q", tc.target, path, query, has, err, tc.path, tc.query)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for target, code := range map[string]string{
		"":                    "path.form",
		"*":                   "path.form",
		"admin":               "path.form",
		"http:/x":             "path.form",
		"ftp://h/x":           "path.form",
		`/x\..\admin`:         "path.backslash",
		"/admin%5c":           "path.backslash",
		"/a%5Cb":              "path.backslash",
		"/a#b":                "path.fragment",
		"/a b":                "path.character",
		"/주문":                 "path.character",
		"/admin%00":           "path.control",
		"/a%0d%0aX:":          "path.control",
		"/admin%09":           "path.control",
		"/a%7f":               "path.control",
		"/admin%20":           "path.trailing_space",
		"/admin%20/x":         "path.trailing_space",
		"/admin%20;a":         "path.trailing_space",
		"/%zz":                "path.escape",
		"/%":                  "path.escape",
		"/%1":                 "path.escape",
		"/%252e%252e/admin":   "path.double_encoding",
		"/a%252fb":            "path.double_encoding",
		"/a%255cb":            "path.double_encoding",
		"/a%25252e":           "path.double_encoding",
		"/%25%32%65/admin":    "path.double_encoding",
		"/%25%32e/admin":      "path.double_encoding",
		"/%252%65/admin":      "path.double_encoding",
		"/a%25%32%66b":        "path.double_encoding",
		"/%25%35%63":          "path.double_encoding",
		"/a%25%25%32%65":      "path.double_encoding",
		"/admin%2520":         "path.double_encoding",
		"/admin%2500":         "path.double_encoding",
		"/a%250d%250aX":       "path.double_encoding",
		"/x/..;/admin":        "path.dot_parameters",
		"/x/.;a/admin":        "path.dot_parameters",
		"/;/admin":            "path.dot_parameters",
		"/;a=b/admin":         "path.dot_parameters",
		"/admin%2F..%2Fx":     "path.encoded_slash",
		"/x%2f..%2fadmin":     "path.encoded_slash",
		"/x%2f%2e%2e%2fadmin": "path.encoded_slash",
		"/%c0%af..":           "path.encoding",
		"/%e0%80%af":          "path.encoding",
		"/%ff":                "path.encoding",
	} {
		_, _, _, err := Normalize(target)
		r, ok := err.(*filter.Reject)
		if !ok || r.Status != 400 || string(r.Code) != code {
			t.Errorf("Normalize(%q): %v; want 400 %s", target, err, code)
		}
	}
}

// Normalising twice changes nothing, and the result is always plain.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%61%2f", "//x//", "/a;b/.;", "/%ec%a3%bc", "http://h/x?y", "/..%2f", "/a%20b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, query, has, err := Normalize(target)
		if err != nil {
			return
		}
		if _, q, ok := strings.Cut(target, "?"); q != query || ok != has {
			t.Fatalf("%q has the query %q", target, query)
		}
		again, _, _, err := Normalize(path)
		if err != nil || again != path {
			t.Fatalf("%q -> %q -> %q, %v", target, path, again, err)
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
			t.Fatalf("%q -> %q is not normal", target, path)
		}
		for i := range len(path) {
			if path[i] <= ' ' || path[i] >= 0x7f || path[i] == '\\' || path[i] == '#' || path[i] == '?' {
				t.Fatalf("%q -> %q holds %q", target, path, path[i])
			}
		}
		plain, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q -> %q: %v", target, path, err)
		}
		for part := range strings.FieldsFuncSeq(plain, func(c rune) bool { return c == '/' || c == '\\' }) {
			if part == "." || part == ".." {
				t.Fatalf("%q -> %q hides a dot segment", target, path)
			}
		}
		likeOthers(t, target, path)
	})
}

// likeOthers: an encoded slash is as good as any letter, it never separates; and
// without one the path is what net/url and path.Clean make of it.
func likeOthers(t *testing.T, target, normal string) {
	t.Helper()
	of, _, _ := strings.Cut(target, "?")
	letter := strings.NewReplacer("%2F", "x", "%2f", "x")
	if with := letter.Replace(of); with != of {
		if p, _, _, err := Normalize(with); err != nil || p != letter.Replace(normal) {
			t.Fatalf("%q -> %q, but %q -> %q, %v", target, normal, with, p, err)
		}
		return
	}
	if !strings.HasPrefix(of, "/") {
		return
	}
	theirs, err := url.PathUnescape(of)
	ours, _ := url.PathUnescape(normal)
	if err != nil || stdpath.Clean(theirs) != stdpath.Clean(ours) {
		t.Fatalf("%q -> %q, for path.Clean %q, %v", target, normal, stdpath.Clean(theirs), err)
	}
	if i := strings.LastIndexByte(theirs, '/'); strings.HasSuffix(ours, "/") != (theirs[i+1:] == "" || theirs[i+1:] == "." || theirs[i+1:] == "..") {
		t.Fatalf("%q -> %q: the slash at the end", target, normal)
	}
}

func BenchmarkNormalize(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := Normalize("/orders/12345/lines?page=2"); err != nil {
			b.Fatal(err)
		}
	}
}
