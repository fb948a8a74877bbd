package hostile

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// headers is section D: what a client may say about itself, and about the connection.
func headers() []attackCase {
	sends := func(id, name, lines string, check func(platform.Arrived) error) attackCase {
		c := passed(id, name, "GET /a HTTP/1.1\r\n"+hostLine+lines+"\r\n", "GET /a")
		c.check = func(got []platform.Arrived) error { return check(got[0]) }
		return c
	}
	is := func(fields ...string) func(platform.Arrived) error {
		return func(r platform.Arrived) error {
			for i := 0; i < len(fields); i += 2 {
				if got := r.Field(fields[i]); got != fields[i+1] {
					return fmt.Errorf("%s arrived as %q, want %q in\n%s", fields[i], got, fields[i+1], r.Head)
				}
			}
			return nil
		}
	}
	once := func(r platform.Arrived) error {
		if n := strings.Count(strings.ToLower(r.Head), "x-forwarded-for:"); n != 1 {
			return fmt.Errorf("%d X-Forwarded-For lines in\n%s", n, r.Head)
		}
		return is("X-Forwarded-For", "127.0.0.1", "X-Real-IP", "127.0.0.1")(r)
	}
	cases := []attackCase{
		sends("D01", "Connection cannot drop what the gateway adds", "Connection: X-User-Id, X-Forwarded-For, X-Env, X-Request-Id, Host, Via, Forwarded\r\n", func(r platform.Arrived) error {
			if r.Field("X-Request-Id") == "" || r.Field("Host") == "" || r.Field("Via") == "" || r.Field("Forwarded") == "" {
				return fmt.Errorf("something is missing in\n%s", r.Head)
			}
			return is("X-Forwarded-For", "127.0.0.1", "X-Env", "prod")(r)
		}),
		sends("D01", "Connection cannot drop Authorization and Cookie", "Connection: Authorization, Cookie\r\nAuthorization: Basic eDp5\r\nCookie: a=1\r\n", is("Authorization", "Basic eDp5", "Cookie", "a=1")),
		sends("D01", "Connection drops what it names", "Connection: X-Hop\r\nX-Hop: 1\r\n", is("X-Hop", "", "Connection", "")),
		sends("D02", "hop-by-hop fields", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nProxy-Authenticate: x\r\nTE: gzip\r\nTrailer: X\r\nUpgrade: x\r\n",
			is("Keep-Alive", "", "Proxy-Connection", "", "Proxy-Authorization", "", "Proxy-Authenticate", "", "TE", "", "Trailer", "", "Upgrade", "", "Connection", "")),
		sends("D08", "two Cookie lines", "Cookie: a=1\r\nCookie: b=2\r\n", func(r platform.Arrived) error {
			if !strings.Contains(r.Head, "a=1") || !strings.Contains(r.Head, "b=2") {
				return fmt.Errorf("a cookie is missing in\n%s", r.Head)
			}
			return nil
		}),
	}
	for _, name := range []string{"X-User-Id", "x-user-id", "X_User_Id", "X.User.Id", "X-USER_ID", "x_user-id"} {
		cases = append(cases, sends("D03", "identity header "+name, name+": root\r\n"+name+": admin\r\n", func(r platform.Arrived) error {
			for line := range strings.SplitSeq(r.Head, "\r\n") {
				n, _, _ := strings.Cut(line, ":")
				if strings.EqualFold(strings.NewReplacer("_", "-", ".", "-").Replace(n), "X-User-Id") {
					return fmt.Errorf("%q arrived", line)
				}
			}
			return nil
		}))
	}
	for _, v := range []string{"127.0.0.1", "10.0.0.1, 10.0.0.2", strings.Repeat("1.1.1.1,", 4000) + "1.1.1.1", "fe80::1%eth0", "1.2.3.4:80", "garbage", "unknown", "", "[::1]"} {
		cases = append(cases, sends("D04", fmt.Sprintf("X-Forwarded-For %.30q", v), "X-Forwarded-For: "+v+"\r\n", once))
	}
	for _, f := range []string{
		"Forwarded: for=1.2.3.4;host=evil;proto=https", "X-Real-IP: 1.2.3.4", "True-Client-IP: 1.2.3.4", "CF-Connecting-IP: 1.2.3.4", "X-Client-IP: 1.2.3.4", "X-Cluster-Client-IP: 1.2.3.4",
		"X-Forwarded-Proto: https", "X-Forwarded-Port: 8443", "X-Forwarded-Host: evil.test", "X_Forwarded_For: 1.2.3.4", "x_real_ip: 1.2.3.4",
	} {
		name, value, _ := strings.Cut(f, ": ")
		cases = append(cases, sends("D05", name, f+"\r\n", func(r platform.Arrived) error {
			if strings.Contains(r.Head, "1.2.3.4") || strings.Contains(r.Head, "evil") || r.Field(name) == value && name != "X-Forwarded-Proto" { // the scheme is looked at with every request
				return fmt.Errorf("it is believed:\n%s", r.Head)
			}
			return nil
		}))
	}
	length := passed("D01", "Connection cannot drop the length", post("Connection: Content-Length, Transfer-Encoding\r\nContent-Length: 3\r\n", "abc"), "POST /a abc")
	chunked := passed("D01", "Connection cannot drop the coding", post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "POST /a abc")
	cases = append(cases, length, chunked,
		refused("D03", "an identity header with a space", get("X-User-Id : root\r\n"), 400), refused("D03", "an identity header behind a space", get(" X-User-Id: root\r\n"), 400),
		refused("D04", "a list of 10 000", get("X-Forwarded-For: "+strings.Repeat("1.1.1.1,", 10000)+"1.1.1.1\r\n"), 431), refused("D08", "more Cookie lines than fields are allowed", get(strings.Repeat("Cookie: a=1\r\n", 101)), 431),
		refused("D08", "64 KB of cookies", get("Cookie: "+strings.Repeat("a=1; ", 16<<10)+"\r\n"), 431))
	for name, lines := range map[string]string{
		"two keys": "X-Api-Key: slc_a\r\nX-Api-Key: slc_b\r\n", "a key and a token": "X-Api-Key: slc_a\r\nAuthorization: Bearer slc_b\r\n", "a key twice": "X-Api-Key: slc_a\r\nX-Api-Key: slc_a\r\n", "two in one": "X-Api-Key: slc_a, slc_b\r\n",
	} {
		cases = append(cases, refused("D07", name, "GET /admin HTTP/1.1\r\n"+hostLine+lines+"\r\n", 400, 401),
			refused("D07", name+" and one in the query", "GET /admin?api_key=slc_c&api_key=slc_d HTTP/1.1\r\n"+hostLine+lines+"\r\n", 400, 401))
	}
	two := refused("D07", "two credentials", "GET /admin HTTP/1.1\r\n"+hostLine+"Authorization: Bearer slc_a\r\nAuthorization: Bearer slc_b\r\n\r\n", 400, 401)
	page := refused("D10", "an error page leaks nothing", "GET /admin HTTP/1.1\r\n"+hostLine+"Authorization: Bearer slc_x\r\n\r\n", 401)
	page.answer = func(r *http.Response, body []byte) error {
		for _, word := range []string{"goroutine", ".go:", "127.0.0.1", "redis", "panic"} {
			if strings.Contains(string(body), word) {
				return fmt.Errorf("the answer says %q: %s", word, body)
			}
		}
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Date") == "" {
			return fmt.Errorf("headers of an error page: %v", r.Header)
		}
		return nil
	}
	return append(cases, two, page)
}
