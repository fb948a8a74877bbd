package hostile

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// bypasses are other spellings of a protected path. Each must be refused, or reach the origin as what
// no backend takes for the protected one.
func bypasses() []attackCase {
	var cases []attackCase
	add := func(id, p string) {
		cases = append(cases, attackCase{
			id: id, name: p, send: "GET " + p + " HTTP/1.1\r\n" + hostLine + "\r\n", statuses: []int{200, 400, 401, 403, 404, 405, 414}, any: true, check: protected,
		})
	}
	for i, p := range listed() {
		add(fmt.Sprintf("C%02d", i+1), p)
	}
	for _, p := range []string{
		"/admin", "/x/%252e%252e/admin", "/;/admin", "/x;/../admin", "/x/..%5cadmin", "/%c0%af../admin", "/%c0%af..%c0%afadmin", "/%e0%80%afadmin", "/x/%c0%ae%c0%ae/admin", "/admin%1", "/admin%0a", "/admin/.", "/admin/x/..",
		"/.%00/admin", "/x/...;/../admin", "/%61%64%6d%69%6e/x", "/admin/%2e%2e/admin", "/..%2fadmin", "/%2fadmin", "/x/%2e%2e%2fadmin", "/..;/admin", "/.;/admin", "/admin;/x", "/admin%3b/x", "/%3b/../admin", "/ admin",
		"/admin%E3%80%80", "/admin%u002f", "/%25%32%65%25%32%65/admin", "/x/%25%32e%252%65/admin", "/x/%25%32%65%25%32%65%25%32%66admin", "/x/%2525252e%2525252e/admin", "/x/.%25%32%65/admin", "/x/..%3b/admin", "/x/..%3B/admin",
		"/admin%2520", "/x/..%09/admin", "/x/.. /admin", "/x/%5c../admin", "/x%5c..%5cadmin", "/%ef%bc%8e%ef%bc%8e/admin", "/admin%c2%a0", "/admin%ef%bb%bf", "/%e2%80%8badmin", "http://hostile.test/admin", "HTTP://hostile.test/x/../admin",
	} {
		add("C01", p)
	}
	for i, h := range []string{"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Forwarded-Prefix: /admin", "X_Original_URL: /admin", "x-original-url: /admin", "X.Rewrite.URL: /admin"} {
		name, _, _ := strings.Cut(h, ":")
		c := passed(fmt.Sprintf("C%02d", 33+i%3), h, get(h+"\r\n"), "GET /a")
		c.check = lacks(name)
		cases = append(cases, c)
	}
	for _, m := range []string{"HEAD", "OPTIONS", "PROPFIND", "get", "POST", "X"} {
		cases = append(cases, refused("C37", "method "+m, m+" /admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 403, 405, 501))
	}
	override := passed("C36", "X-HTTP-Method-Override does not change the method", get("X-HTTP-Method-Override: DELETE\r\n"), "GET /a")
	return append(cases, override,
		refused("C36", "X-HTTP-Method-Override does not open", "POST /admin HTTP/1.1\r\n"+hostLine+"X-HTTP-Method-Override: OPTIONS\r\n\r\n", 401),
		refused("C31", "8 KB of path", "GET /"+strings.Repeat("a", 8<<10)+"/../admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 414),
		refused("C31", "nearly 8 KB of path", "GET /"+strings.Repeat("a", 8000)+"/../admin HTTP/1.1\r\n"+hostLine+"\r\n", 401),
		refused("C32", "1 000 segments and back", "GET "+strings.Repeat("/a", 1000)+strings.Repeat("/..", 1000)+"/admin HTTP/1.1\r\n"+hostLine+"\r\n", 401),
		refused("C32", "2 000 segments", "GET "+strings.Repeat("/a", 2000)+strings.Repeat("/..", 2000)+"/admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 414))
}

// listed are the other spellings of /admin that the list names, in its order: C01 and on.
func listed() []string {
	return []string{
		"/admin/", "/admin//", "//admin", "/./admin", "/x/../admin", "/x/..;/admin", "/admin;a=b", "/%61dmin", "/ADMIN", "/admin%2f", "/admin%2F..%2Fx", "/x%2f..%2fadmin", "/%2e/admin", "/x/%2e%2e/admin", "/x/.%2e/admin",
		"/%252e%252e/admin", "/admin%00", "/admin%20", "/admin%09", "/admin?", "/admin#", `/admin\`, `/x\..\admin`, "/admin.json", "/%c0%af..", "/%e0%80%af..", "/admin%zz", "/admin%", "/%1", "/a%0d%0aX:",
	}
}

// reaches tells whether some backend takes a target for the protected path: decoded as often as it can
// be, with backslashes as slashes, and without path parameters.
func reaches(target string) bool {
	p, _, _ := strings.Cut(target, "?")
	segments := strings.Split(p, "/")
	for i, s := range segments { // parameters are cut off before anything is decoded
		segments[i], _, _ = strings.Cut(s, ";")
	}
	p = strings.Join(segments, "/")
	for range 4 {
		d, err := url.PathUnescape(p)
		if err != nil || d == p {
			break
		}
		p = d
	}
	p = strings.NewReplacer(`\`, "/", "\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xc0\xae", ".").Replace(p)
	segments = strings.Split(p, "/")
	for i, s := range segments {
		s, _, _ = strings.Cut(s, "\x00")
		segments[i] = strings.TrimRight(s, " \t\r\n")
	}
	clean := path.Clean("/" + strings.Join(segments, "/"))
	return clean == "/admin" || strings.HasPrefix(clean, "/admin/")
}

func protected(got []platform.Arrived) error {
	for _, r := range got {
		if reaches(r.Target) {
			return fmt.Errorf("%s %s reached the origin without a credential: a backend may take it for /admin", r.Method, r.Target)
		}
	}
	return nil
}

// places are C40 to C45: where a rule holds, and what becomes of a path on its way.
func places() []attackCase {
	req := func(p string) string { return "GET " + p + " HTTP/1.1\r\n" + hostLine + "\r\n" }
	cases := []attackCase{
		passed("C40", "/app does not match /apple", req("/apple"), "GET /apple"),
		passed("C40", "/app does not match /app-le", req("/app-le"), "GET /app-le"),
		refused("C40", "/app", req("/app"), 401), refused("C40", "/app/", req("/app/"), 401), refused("C40", "/app/x", req("/app/x"), 401), refused("C40", "/app;x", req("/app;x"), 401),
		passed("C41", "/post does not match /post-x", req("/post-x"), "GET /post-x"), passed("C41", "/post does not match /postx", req("/postx"), "GET /postx"),
		passed("C41", "/post does not match /x/post", req("/x/post"), "GET /x/post"), refused("C41", "/post", req("/post"), 401), refused("C41", "/post?x", req("/post?x"), 401), refused("C41", "/post;x", req("/post;x"), 401),
		refused("C42", "a number", req("/number/12"), 401),
		passed("C42", "anchored at the end", req("/number/12x"), "GET /number/12x"), passed("C42", "anchored at the start", req("/number/x12"), "GET /number/x12"),
		refused("C42", "an encoded digit", req("/number/%31"), 401), refused("C42", "a line end in a segment", req("/number/1%0a2"), 400),
		passed("C42", "a pattern that others take exponential time for", req("/slow/"+strings.Repeat("a", 7000)), "GET /slow/"+strings.Repeat("a", 7000)),
		passed("C43", "stripped", req("/strip/x"), "GET /x"), passed("C43", "stripped to nothing", req("/strip/"), "GET /"), passed("C43", "stripped, with two slashes", req("/strip//evil/x"), "GET /evil/x"),
		passed("C43", "stripped, with a query", req("/strip/x?a=/../b&c=//d"), "GET /x?a=/../b&c=//d"), passed("C43", "stripped, with a URL behind", req("/strip/http://evil/x"), "GET /http:/evil/x"),
		passed("C43", "stripped, with parameters", req("/strip/a;b=c/x"), "GET /a;b=c/x"), passed("C43", "dots behind the base", req("/based/x/../../y"), "GET /y"), passed("C43", "with a base", req("/based/x/../y"), "GET /base/y"),
		refused("C43", "out of what is stripped", req("/strip/%2e%2e/admin"), 401), refused("C43", "out of the base", req("/based/..%2f..%2fadmin"), 400), refused("C43", "parameters alone behind what is stripped", req("/strip/;/admin"), 400),
		refused("C43", "CRLF in a captured group", req("/values/a%0d%0aX:%20y"), 400), refused("C43", "LF in a captured group", req("/values/a%0ab"), 400),
	}
	for _, v := range []string{"a%0d%0aX-Evil:%20y", "a%0ab", "a%00b", "a%0d", "%7f"} {
		cases = append(cases, refused("D09", "a value from the query: "+v, req("/values/x?q="+v), 400))
	}
	value := passed("D09", "what may stand in a value", req("/values/a%20b?q=%C3%A9%22%2c"), "GET /values/a%20b?q=%C3%A9%22%2c")
	value.check = func(got []platform.Arrived) error {
		if strings.Count(got[0].Head, "X-V:") != 1 || strings.Count(got[0].Head, "X-Q:") != 1 {
			return fmt.Errorf("the values arrived as\n%s", got[0].Head)
		}
		return nil
	}
	return append(append(cases, value), slashes(req)...)
}

// slashes are redirects to the one spelling of a path: within this host, with the query.
func slashes(req func(string) string) (cases []attackCase) {
	for target, location := range map[string]string{
		"/slash/one/?q=1&r=//x": "/slash/one?q=1&r=//x", "/slash/two": "/slash/two/", "/slash/two?": "/slash/two/?", "//slash/one/": "/slash/one", "//evil.com/%2e%2e/slash/one/": "/slash/one",
		"/slash/any/a/b/": "/slash/any/a/b", "/slash/any//evil.com/b/": "/slash/any/evil.com/b", "/slash/any/%2F%2Fevil.com/b/": "", "/x/..//slash//one/": "/slash/one", "/slash/any/a:b/c@evil.com/": "/slash/any/a:b/c@evil.com",
		"http://hostile.test//evil.com/../slash/one/": "/slash/one", `/slash\one/`: "", "/slash/any/a%0d%0aLocation:%20http:%2f%2fevil/b/": "",
	} {
		c := refused("C45", target, req(target), 308)
		if location == "" {
			c.statuses = []int{400}
		}
		c.answer = func(r *http.Response, _ []byte) error {
			got := r.Header.Get("Location")
			if strings.HasPrefix(got, "//") || strings.Contains(got, "\\") {
				return errors.New("the redirect leaves the host: " + got)
			}
			if got != location && strings.TrimSuffix(location, "?") != got {
				return fmt.Errorf("the redirect leads to %q, not %q", got, location)
			}
			return nil
		}
		cases = append(cases, c)
	}
	return cases
}
