package hostile

import (
	"fmt"
	"strings"
)

// hosts is section B: whom a request is for.
func hosts() []attackCase {
	req := func(lines string) string { return "GET /a HTTP/1.1\r\n" + lines + "\r\n" }
	target := func(s string) string { return "GET " + s + " HTTP/1.1\r\n" + hostLine + "\r\n" }
	cases := []attackCase{
		refused("B01", "no Host", req(""), 400),
		refused("B01", "two Hosts", req(hostLine+hostLine), 400),
		refused("B01", "two different Hosts", req(hostLine+"Host: other.test\r\n"), 400),
		refused("B01", "an empty Host", req("Host:\r\n"), 400, 404),
		refused("B03", "absolute-form that disagrees with Host", "GET http://other.test/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		passed("B03", "absolute-form that agrees", "GET http://"+hostileHost+"/a HTTP/1.1\r\n"+hostLine+"\r\n", "GET /a"),
		passed("B04", "upper case", req("Host: HOSTILE.test\r\n"), "GET /a"),
		passed("B04", "a dot at the end", req("Host: "+hostileHost+".\r\n"), "GET /a"),
		passed("B04", "a port", req("Host: "+hostileHost+":443\r\n"), "GET /a"),
		passed("B04", "a dot and a port", req("Host: "+hostileHost+".:8080\r\n"), "GET /a"),
		refused("B06", "X-Forwarded-Host does not route", req("Host: other.test\r\nX-Forwarded-Host: "+hostileHost+"\r\n"), 404),
		passed("B07", "an A-label", "GET /a HTTP/1.1\r\nHost: xn--bcher-kva.hostile.test\r\n\r\n", "GET /wild/a"),
		refused("B06", "Forwarded does not route", req("Host: other.test\r\nForwarded: host="+hostileHost+"\r\n"), 404),
		passed("B08", "a wildcard", req("Host: any."+hostileHost+"\r\n"), "GET /wild/a"),
		passed("B08", "a name before a wildcard", req("Host: one."+hostileHost+"\r\n"), "GET /exact/a"),
		passed("B08", "the longer wildcard", req("Host: x.deep."+hostileHost+"\r\n"), "GET /closer/a"),
		passed("B08", "a wildcard is not its own parent", req("Host: deep."+hostileHost+"\r\n"), "GET /wild/a"),
		passed("B08", "nor the parent of all", req(hostLine), "GET /a"),
		passed("B08", "upper case, a dot and a port", req("Host: ONE."+hostileHost+".:80\r\n"), "GET /exact/a"),
		refused("B08", "a name that only ends alike", req("Host: x"+hostileHost+"\r\n"), 404),
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
		passed("B03", "absolute-form with an own port", "GET http://"+hostileHost+":80/a HTTP/1.1\r\n"+hostLine+"\r\n", "GET /a"),
		refused("B03", "absolute-form that disagrees in the port", "GET http://"+hostileHost+":81/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("B03", "absolute-form with userinfo", "GET http://u@"+hostileHost+"/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("B03", "absolute-form without a host", "GET http:///a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("B11", "a CR", target("/a\rb"), 400),
		refused("B11", "a NUL", target("/a\x00b"), 400),
		passed("B11", "two slashes are no authority", target("//evil/x"), "GET /evil/x"),
	}
	for _, h := range []string{
		"a@" + hostileHost, hostileHost + "/b", hostileHost + "\x01", hostileHost + "\x00", hostileHost + ",other.test", hostileHost + " x", "[::1", hostileHost + ":99999",
		hostileHost + ":http", hostileHost + ":", "h\xc3\xb6stile.test", "host%69le.test", hostileHost + ":80:80", "[::1]x", hostileHost + "?a", hostileHost + "#a", `hostile.test\x`, "a..b", ".a", "[::g]", "[::1%25eth0]", "hostile.test:0", "hostile.test:-1", "hostile.test:+80", "<hostile.test>", "\"hostile.test\"", "hostile.test;a", strings.Repeat("a", 300),
	} {
		id := "B02"
		if strings.Contains(h, "%") || strings.Contains(h, "\xc3") {
			id = "B07"
		}
		c := refused(id, fmt.Sprintf("Host %q", h), req("Host: "+h+"\r\n"), 400)
		if strings.HasSuffix(h, ":") { // RFC 3986, 3.2.3 allows an empty port
			c.statuses, c.maybe, c.arrive = []int{400, 200}, true, []string{"GET /a"}
		}
		cases = append(cases, c)
	}
	return cases
}
