package e2e

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// TestHostileTargets is sections B and C: whom a request is for, and what it is allowed to reach.
func TestHostileTargets(t *testing.T) {
	a := newArena(t)
	a.run(t, hosts())
	a.run(t, bypasses())
}

func hosts() []attackCase {
	with := func(lines string) string { return "GET /a HTTP/1.1\r\n" + lines + "\r\n" }
	target := func(s string) string { return "GET " + s + " HTTP/1.1\r\n" + hostLine + "\r\n" }
	cases := []attackCase{
		refused("B01", "no Host", with(""), 400),
		refused("B01", "two Hosts", with(hostLine+hostLine), 400),
		refused("B01", "two different Hosts", with(hostLine+"Host: other.test\r\n"), 400),
		refused("B01", "an empty Host", with("Host:\r\n"), 400, 404),
		refused("B03", "absolute-form that disagrees with Host", "GET http://other.test/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		passed("B03", "absolute-form that agrees", "GET http://"+hostileHost+"/a HTTP/1.1\r\n"+hostLine+"\r\n", "GET /a"),
		passed("B04", "upper case", with("Host: HOSTILE.test\r\n"), "GET /a"),
		passed("B04", "a dot at the end", with("Host: "+hostileHost+".\r\n"), "GET /a"),
		passed("B04", "a port", with("Host: "+hostileHost+":443\r\n"), "GET /a"),
		passed("B04", "a dot and a port", with("Host: "+hostileHost+".:8080\r\n"), "GET /a"),
		refused("B06", "X-Forwarded-Host does not route", with("Host: other.test\r\nX-Forwarded-Host: "+hostileHost+"\r\n"), 404),
		refused("B10", "asterisk-form", "OPTIONS * HTTP/1.1\r\n"+hostLine+"\r\n", 400, 404, 405, 200),
		refused("B10", "asterisk-form with GET", "GET * HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("B10", "authority-form with GET", "GET "+hostileHost+":80 HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("B11", "a fragment", target("/a#frag"), 400),
		refused("B11", "a backslash", target(`/a\b`), 400),
		refused("B11", "raw bytes beyond ASCII", target("/\xc3\xa9"), 400),
		refused("B11", "a space", target("/a b"), 400),
		refused("B11", "http with one slash", target("http:/x"), 400),
		refused("B11", "another scheme", target("ftp://"+hostileHost+"/a"), 400),
		refused("B11", "no leading slash", target("a"), 400),
		passed("B11", "two slashes are no authority", target("//evil/x"), "GET /evil/x"),
	}
	for _, h := range []string{
		"a@" + hostileHost, hostileHost + "/b", hostileHost + "\x01", hostileHost + "\x00", hostileHost + ",other.test", hostileHost + " x", "[::1", hostileHost + ":99999",
		hostileHost + ":http", hostileHost + ":", "h\xc3\xb6stile.test", "host%69le.test", hostileHost + ":80:80", "[::1]x", hostileHost + "?a", hostileHost + "#a", `hostile.test\x`,
	} {
		id := "B02"
		if strings.Contains(h, "%") || strings.Contains(h, "\xc3") {
			id = "B07"
		}
		c := refused(id, fmt.Sprintf("Host %q", h), with("Host: "+h+"\r\n"), 400)
		if strings.HasSuffix(h, ":") { // RFC 3986, 3.2.3 allows an empty port
			c.statuses, c.maybe, c.arrive = []int{400, 200}, true, []string{"GET /a"}
		}
		cases = append(cases, c)
	}
	return cases
}

// bypasses are other spellings of a protected path. Each must be refused, or reach the origin as what
// no backend takes for the protected one.
func bypasses() []attackCase {
	var cases []attackCase
	add := func(name, send string) {
		cases = append(cases, attackCase{id: "C", name: name, send: send, statuses: []int{200, 400, 401, 403, 404, 405, 414}, any: true, check: protected})
	}
	for _, p := range []string{
		"/admin", "/admin/", "/admin//", "//admin", "/./admin", "/x/../admin", "/x/..;/admin", "/admin;a=b", "/;/admin", "/x;/../admin", "/%61dmin", "/admin%2f", "/admin%2F..%2Fx", "/x%2f..%2fadmin",
		"/%2e/admin", "/x/%2e%2e/admin", "/x/.%2e/admin", "/%252e%252e/admin", "/x/%252e%252e/admin", "/admin%00", "/admin%20", "/admin%09", "/admin?", "/admin#", `/admin\`, `/x\..\admin`, "/x/..%5cadmin",
		"/%c0%af../admin", "/%c0%af..%c0%afadmin", "/%e0%80%afadmin", "/x/%c0%ae%c0%ae/admin", "/admin%zz", "/admin%", "/admin%1", "/a%0d%0aX:", "/admin%0a", "/admin/.", "/admin/x/..", "/.%00/admin", "/x/...;/../admin", "/%61%64%6d%69%6e/x",
		"/admin/%2e%2e/admin", "/..%2fadmin", "/%2fadmin", "/x/%2e%2e%2fadmin", "/..;/admin", "/.;/admin", "/admin;/x", "/admin%3b/x", "/%3b/../admin", "/ admin", "/admin%E3%80%80", "/admin%u002f",
	} {
		add(p, "GET "+p+" HTTP/1.1\r\n"+hostLine+"\r\n")
	}
	for _, h := range []string{"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Forwarded-Prefix: /admin", "X_Original_URL: /admin"} {
		c := passed("C", h, "GET /a HTTP/1.1\r\n"+hostLine+h+"\r\n\r\n", "GET /a")
		name, _, _ := strings.Cut(h, ":")
		c.check = lacks(name)
		cases = append(cases, c)
	}
	for _, m := range []string{"HEAD", "OPTIONS", "PROPFIND", "get", "POST", "X"} {
		cases = append(cases, refused("C", "method "+m, m+" /admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 403, 405, 501))
	}
	override := passed("C", "X-HTTP-Method-Override does not change the method", "GET /a HTTP/1.1\r\n"+hostLine+"X-HTTP-Method-Override: DELETE\r\n\r\n", "GET /a")
	return append(cases, override,
		refused("C", "8 KB of path", "GET /"+strings.Repeat("a", 8<<10)+"/../admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 414),
		refused("C", "2 000 segments", "GET "+strings.Repeat("/a", 2000)+strings.Repeat("/..", 2000)+"/admin HTTP/1.1\r\n"+hostLine+"\r\n", 400, 401, 414))
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
		segments[i] = strings.Trim(s, " \t\r\n")
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
