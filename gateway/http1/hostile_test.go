package http1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// hostile is one input of a client that ends in a refusal by the engine.
type hostile struct {
	name, in string
	status   int // 0: any of 4xx, 5xx
}

const (
	get  = "GET / HTTP/1.1\r\nHost: h\r\n"
	post = "POST / HTTP/1.1\r\nHost: h\r\n"
)

func framingCases() []hostile {
	cs := []hostile{
		{"A01 length and chunked", post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400},
		{"A01 chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX", 400},
		{"A02 chunked on HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"A03 two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
		{"A04 two equal lengths", post + "Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc", 400},
		{"A08 length before unknown coding", post + "Content-Length: 3\r\nTransfer-Encoding: blegh\r\n\r\nabc", 400},
		{"A10 two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"A11 space before colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		{"A11 tab first", "POST / HTTP/1.1\r\n\tTransfer-Encoding: chunked\r\nHost: h\r\n\r\n0\r\n\r\n", 400},
		{"A11 hidden by CR", post + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"A11 hidden by LF", post + "X: y\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"A12 obs-fold", get + "X: a\r\n b\r\n\r\n", 400},
		{"A12 obs-fold by tab", get + "X: a\r\n\tb\r\n\r\n", 400},
		{"A12 obs-fold after the request line", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
		{"A13 no colon", get + "XY\r\n\r\n", 400},
		{"A13 split name", get + "X\r\nY: z\r\n\r\n", 400},
		{"A13 empty name", get + ": x\r\n\r\n", 400},
		{"A15 NUL in value", get + "X: a\x00b\r\n\r\n", 400},
		{"A15 CR in value", get + "X: a\rb\r\n\r\n", 400},
		{"A15 DEL in value", get + "X: a\x7fb\r\n\r\n", 400},
		{"A15 NUL in a long value", get + "X: 0123456789abcde\x00f0123456789\r\n\r\n", 400},
		{"A16 LF line ends", "GET / HTTP/1.1\nHost: h\n\n", 400},
		{"A16 LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
		{"A16 one LF", "GET / HTTP/1.1\r\nX: y\nHost: h\r\n\r\n", 400},
		{"A17 CR line ends", "GET / HTTP/1.1\rHost: h\r\r", 400},
		{"A17 CR at the end", "GET / HTTP/1.1\r\nHost: h\r\n\r\r\n", 400},
		{"A24 other expectation", post + "Expect: garbage\r\nContent-Length: 3\r\n\r\nabc", 417},
		{"A24 two expectations", post + "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 400},
		{"A25 HTTP/0.9", "GET /\r\n\r\n", 400},
		{"A25 HTTP/1.32", "GET / HTTP/1.32\r\nHost: h\r\n\r\n", 400},
		{"A25 HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
		{"A25 HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
		{"A25 big version", "GET / HTTP/4294967297.1\r\nHost: h\r\n\r\n", 400},
		{"A25 lower case", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 two spaces behind", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 space behind", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
		{"A25 tab", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 leading space", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 LF in the line", "GET /\nHTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A25 two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A26 empty method", " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A26 quote in method", "G\"ET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A26 control in method", "G\x01ET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A26 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"A26 PRI", "PRI * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"A28 long line", "GET /" + strings.Repeat("a", 16<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
		{"A28 endless line", "GET /" + strings.Repeat("a", 64<<10), 414},
		{"A26 long method", strings.Repeat("A", 9<<10) + " / HTTP/1.1\r\nHost: h\r\n\r\n", 414},
		{"A28 long value", get + "X: " + strings.Repeat("v", 64<<10) + "\r\n\r\n", 431},
		{"A28 1 MB of head", get + "X: " + strings.Repeat("v", 1<<20) + "\r\n\r\n", 431},
		{"A28 10 000 fields", get + strings.Repeat("X: y\r\n", 10000) + "\r\n", 431},
		{"A28 101 fields", get + strings.Repeat("X: y\r\n", 100) + "\r\n", 431},
		{"A31 CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405},
		{"A31 TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
	}
	for _, v := range []string{
		"", "5, 5", "+5", "-5", "0x5", "5_0", "5a", "1e1", "5 5", "5,", "5;", "9223372036854775808",
		"18446744073709551621", "99999999999999999999999", "٥", "5.0",
	} {
		cs = append(cs, hostile{"A05-A07 length " + v, post + "Content-Length: " + v + "\r\n\r\nabcde", 400})
	}
	for _, v := range []string{
		",chunked", "chunked, chunked", "chunked,identity", "identity", "xchunked", "chunkedx", `"chunked"`,
		"\x0bchunked", "\xa0chunked\xa0", "\xffchunked", "", "chunked;q=1", "gzip, chunked", "chunked,", "\x00chunked", "chun ked",
	} {
		cs = append(cs, hostile{fmt.Sprintf("A09 coding %q", v), post + "Transfer-Encoding: " + v + "\r\n\r\n0\r\n\r\n", 400})
	}
	for c := range 256 {
		b := byte(c)
		if strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' {
			continue
		}
		if b == ':' {
			continue // "X:Y" is name and value
		}
		cs = append(cs, hostile{fmt.Sprintf("A14 %#02x in a name", c), get + "X" + string([]byte{b}) + "Y: z\r\n\r\n", 400})
	}
	return cs
}

func targetCases() []hostile {
	cs := []hostile{
		{"B01 no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"B01 two Hosts", get + "Host: h\r\n\r\n", 400},
		{"B01 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"B03 absolute-form and Host differ", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
		{"B03 absolute-form and port differ", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"B03 absolute-form without Host", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
		{"B03 absolute-form with userinfo", "GET http://h@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"B10 asterisk for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"B10 asterisk and more", "OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"B10 authority-form", "GET h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", 400},
	}
	for _, h := range []string{
		"a@b", "a/b", "a\x01b", "a\x00b", "a,b", "a b", "[::1", "[::1]x", "[::g]", "[::1%25eth0]", "::1", "h:99999",
		"h:0", "h:text", "h:", "h:+1", "h:1:2", "h\xc3\xa9", "h%41", ".", ".h", "a..b", "a?b", "a#b", `a\b`, "[1.2.3.4]", strings.Repeat("a", 256),
	} {
		cs = append(cs, hostile{fmt.Sprintf("B02, B07 Host %q", h), "GET / HTTP/1.1\r\nHost: " + h + "\r\n\r\n", 400})
	}
	for _, p := range []string{
		"/a#frag", "/a?b#frag", `/a\b`, "/\xc3\xa9", "/a b", "http:/x", "http:x", "ftp://h/", "http://", "http:///x",
		"x", "/a\x7f", "/a\x01", "?a", "/a?\xff",
	} {
		cs = append(cs, hostile{fmt.Sprintf("B11 target %q", p), "GET " + p + " HTTP/1.1\r\nHost: h\r\n\r\n", 400})
	}
	return cs
}

// refused runs one hostile input: the client gets the status and the end of the
// connection, with no answer to the probe behind it; the origin gets nothing.
func refused(t *testing.T, r *rig, o *http1test.Origin, h hostile) {
	t.Helper()
	before := len(o.Requests())
	c := http1test.Dial(t, r.addr)
	c.Send(h.in)
	c.Send("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n")
	got, err := c.Read("GET")
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if h.status != 0 && got.Status != h.status || got.Status < 400 {
		t.Errorf("status %d, want %d", got.Status, h.status)
	}
	if !got.Close || !strings.HasPrefix(got.Body, `{"status":`) {
		t.Errorf("close %v, body %q", got.Close, got.Body)
	}
	if rest, ended := c.Rest(); !ended || rest != "" {
		t.Errorf("after the refusal came %q, ended %v", rest, ended)
	}
	if n := len(o.Requests()) - before; n != 0 {
		t.Errorf("the origin got %d requests: %q", n, o.Requests()[before].Raw)
	}
}

func TestHostileHeadsAreRefused(t *testing.T) {
	r, o := echoRig(t)
	for _, h := range append(framingCases(), targetCases()...) {
		t.Run(h.name, func(t *testing.T) { refused(t, r, o, h) })
	}
	// The same behind a good request on the same connection, and in small pieces.
	for _, h := range append(framingCases()[:20], targetCases()[:8]...) {
		t.Run("kept alive "+h.name, func(t *testing.T) {
			c := http1test.Dial(t, r.addr)
			c.Send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
			if got := c.MustRead("GET"); got.Body != "GET /first" {
				t.Fatalf("got %+v", got)
			}
			for i := 0; i < len(h.in); i += 7 {
				c.Send(h.in[i:min(i+7, len(h.in))])
			}
			if got := c.MustRead("GET"); got.Status != h.status || !got.Close {
				t.Errorf("status %d, want %d", got.Status, h.status)
			}
		})
	}
	if f := o.Faults(); len(f) > 0 {
		t.Errorf("the origin got bytes that are not canonical: %q", f)
	}
	probe(t, r)
}

// probe checks that the engine still works and nobody else's answer comes.
func probe(t *testing.T, r *rig) {
	t.Helper()
	c := http1test.Dial(t, r.addr)
	path := fmt.Sprintf("/probe-%d", time.Now().UnixNano())
	c.Send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.MustRead("GET"); got.Body != "GET "+path {
		t.Errorf("the probe got %+v", got)
	}
}

// TestMalformedBodies sends bodies that go wrong behind a good head: the origin
// never gets a whole request, and its connection is not used again.
func TestMalformedBodies(t *testing.T) {
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
	cases := map[string]string{
		"A18 empty size":         chunked + "\r\nabc\r\n0\r\n\r\n",
		"A18 plus":               chunked + "+1\r\na\r\n0\r\n\r\n",
		"A18 minus":              chunked + "-1\r\na\r\n0\r\n\r\n",
		"A18 0x":                 chunked + "0x1\r\na\r\n0\r\n\r\n",
		"A18 underscore":         chunked + "1_0\r\na\r\n0\r\n\r\n",
		"A18 g":                  chunked + "g\r\na\r\n0\r\n\r\n",
		"A18 17 digits":          chunked + "10000000000000001\r\na\r\n0\r\n\r\n",
		"A18 16 digits":          chunked + "ffffffffffffffff\r\na\r\n0\r\n\r\n",
		"A18 leading space":      chunked + " 1\r\na\r\n0\r\n\r\n",
		"A18 trailing space":     chunked + "1 \r\na\r\n0\r\n\r\n",
		"A18 trailing junk":      chunked + "1x\r\na\r\n0\r\n\r\n",
		"A18 CR CR":              chunked + "1;\r\r\na\r\n0\r\n\r\n",
		"A18 bare CR in ext":     chunked + "1;e\rxt\r\na\r\n0\r\n\r\n",
		"A18 20 KB ext":          chunked + "1;" + strings.Repeat("e", 20<<10) + "\r\na\r\n0\r\n\r\n",
		"A18 many exts":          chunked + strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\na\r\n", 20) + "0\r\n\r\n",
		"A18 LF":                 chunked + "1\na\r\n0\r\n\r\n",
		"A19 data longer":        chunked + "1\r\nab\r\n0\r\n\r\n",
		"A19 data shorter":       chunked + "3\r\nab\r\n0\r\n\r\n",
		"A19 no CRLF":            chunked + "1\r\na0\r\n\r\n",
		"A19 CR X":               chunked + "1\r\na\rX0\r\n\r\n",
		"A19 LF after data":      chunked + "1\r\na\n0\r\n\r\n",
		"A19 LF in last chunk":   chunked + "1\r\na\r\n0\n\n",
		"A19 LF ends trailers":   chunked + "1\r\na\r\n0\r\n\n",
		"A20 trailer length":     chunked + "1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n",
		"A20 trailer coding":     chunked + "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"A20 trailer Host":       chunked + "1\r\na\r\n0\r\nHost: x\r\n\r\n",
		"A20 trailer credential": chunked + "1\r\na\r\n0\r\nAuthorization: x\r\n\r\n",
		"A20 trailer address":    chunked + "1\r\na\r\n0\r\nX-Forwarded-For: x\r\n\r\n",
		"A20 trailer malformed":  chunked + "1\r\na\r\n0\r\nx y: x\r\n\r\n",
		"A20 trailer too large":  chunked + "1\r\na\r\n0\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n",
	}
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{BodyGrace: time.Second}, http1.PoolConfig{})
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			before := len(o.Requests())
			c := http1test.Dial(t, r.addr)
			c.Send(in)
			c.Send("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n")
			if got, err := c.Read("POST"); err == nil && (got.Status != 400 && got.Status != 408 || !got.Close) {
				t.Errorf("got %+v", got)
			}
			if rest, ended := c.Rest(); !ended || rest != "" {
				t.Errorf("then came %q, ended %v", rest, ended)
			}
			if n := len(o.Requests()) - before; n != 0 {
				t.Errorf("the origin got %d whole requests: %q", n, o.Requests()[before].Raw)
			}
		})
	}
	if n := r.pool.Stats().Idle; n > 1 {
		t.Errorf("%d idle connections", n)
	}
	if f := o.Faults(); len(f) > 0 {
		t.Errorf("the origin got bytes that are not canonical: %q", f)
	}
	probe(t, r)
}

func TestBodyShorterThanItsLength(t *testing.T) { // A23
	r, o := echoRig(t)
	c := http1test.Dial(t, r.addr)
	c.Send(post + "Content-Length: 10\r\n\r\nabc")
	eventually(t, "the origin has a connection", func() bool { return o.Open() == 1 })
	c.CloseWrite()
	if got, err := c.Read("POST"); err == nil && got.Status != 400 {
		t.Errorf("got %+v", got)
	}
	eventually(t, "the origin's request broke off", func() bool { return o.Partial() == 1 && o.Open() == 0 })
	if n := len(o.Requests()); n != 0 {
		t.Errorf("the origin got %d requests", n)
	}
	if n := r.pool.Stats().Idle; n != 0 {
		t.Errorf("%d idle connections", n)
	}
}

func TestAwkwardRequestsThatAreGood(t *testing.T) {
	cases := []struct{ name, in, method, want string }{
		{"A07 zeros first", post + "Content-Length: 003\r\n\r\nabc", "POST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
		{"A22 GET with body", get + "Content-Length: 3\r\n\r\nabc", "GET", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
		{
			"A22 DELETE with body", "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "DELETE",
			"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		},
		{"A22 HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"POST without body", post + "Content-Length: 0\r\n\r\n", "POST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
		{"A25 one empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"A26 case of the method", "gEt / HTTP/1.1\r\nHost: h\r\n\r\n", "gEt", "gEt / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"A24 expectation without body", get + "Expect: 100-continue\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{
			"A30 h2c", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n", "GET",
			"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		},
		{"A30 HTTP2-Settings that nobody names", get + "HTTP2-Settings: AAA\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"B03 absolute-form", "GET http://H/a?b HTTP/1.1\r\nHost: h:80\r\n\r\n", "GET", "GET /a?b HTTP/1.1\r\nHost: h:80\r\n\r\n"},
		{"B03 absolute-form, no path", "GET http://h?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "GET /?b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"B02 IPv6", "GET / HTTP/1.1\r\nHost: [::A]:8080\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: [::a]:8080\r\n\r\n"},
		{"B07 A-label", "GET / HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n\r\n"},
		{"B10 asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"B11 two slashes", "GET //evil/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "GET //evil/x HTTP/1.1\r\nHost: h\r\n\r\n"},
		{
			"D01 nominated fields", get + "X-Forwarded-For: 1\r\nAuthorization: a\r\nCookie: c\r\nX-Inject: i\r\nX-Mine: m\r\nX-Other: o\r\n" +
				"Connection: X-Mine, Host, Authorization, Cookie, Content-Length, X-Forwarded-For, x-inject\r\n\r\n", "GET",
			"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\nAuthorization: a\r\nCookie: c\r\nX-Inject: i\r\nX-Other: o\r\n\r\n",
		},
		{"D02 hop-by-hop fields", get + "Keep-Alive: 5\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nTE: trailers\r\nTrailer: x\r\n" +
			"Upgrade: websocket\r\nConnection: keep-alive\r\nX: y\r\n\r\n", "GET", "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"},
		{
			"A20 good trailer", post + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "POST",
			"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
		},
		{"100 fields", get + strings.Repeat("X: y\r\n", 99) + "\r\n", "GET", get + strings.Repeat("X: y\r\n", 99) + "\r\n"},
	}
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{Protected: []string{"X-Inject"}}, http1.PoolConfig{})
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := http1test.Dial(t, r.addr)
			c.Send(tc.in + "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n")
			if got := c.MustRead(tc.method); got.Status != 200 {
				t.Fatalf("got %+v", got)
			}
			if got := c.MustRead("GET"); got.Body != "GET /probe" {
				t.Errorf("the probe got %+v", got)
			}
			q := o.Requests()
			if got := string(q[len(q)-2].Raw); got != tc.want {
				t.Errorf("the origin got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}
