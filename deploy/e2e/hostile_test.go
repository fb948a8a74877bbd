package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// The numbers of the cases are those of the list of hostile inputs that the product answers for. Each
// case is sent on its own connection with a probe behind it: whatever happens to the case, the probe
// gets its own answer or the connection is closed, and what reaches the origin is exactly what is
// expected. Then a probe on a new connection shows that no pooled connection was spoilt.

const (
	hostileHost = "hostile.test"
	hostLine    = "Host: " + hostileHost + "\r\n"
)

// attackCase is one hostile request.
type attackCase struct {
	id, name string
	send     string
	statuses []int                                  // of the first answer, one of these
	arrive   []string                               // what the origin gets: "METHOD TARGET BODY"
	maybe    bool                                   // it arrives where it is answered 200, and does not where it is refused
	any      bool                                   // whatever arrives is for check to judge
	partial  bool                                   // a request may reach the origin in part, never whole
	silence  bool                                   // the connection may be closed without an answer
	check    func(got []platform.Arrived) error     // further, on what arrived
	answer   func(r *http.Response, b []byte) error // further, on the first answer
}

func (c attackCase) title() string {
	return strings.ReplaceAll(strings.TrimSpace(c.id+" "+c.name), "/", "_")
}

// refused is a case that must be refused with one of the statuses, with nothing to the origin.
func refused(id, name, send string, statuses ...int) attackCase {
	return attackCase{id: id, name: name, send: send, statuses: statuses}
}

// passed is a case that must reach the origin as said.
func passed(id, name, send string, arrive ...string) attackCase {
	return attackCase{id: id, name: name, send: send, statuses: []int{200}, arrive: arrive}
}

// arena is a gateway with a raw origin behind it.
type arena struct {
	gw     *platform.Service
	origin *platform.Origin
	probes atomic.Int64
}

func newArena(t *testing.T) *arena {
	t.Helper()
	p := platform.For(t, platform.Options{Env: map[string]string{"SLUICE_GATEWAY_LISTEN_HEADER_TIMEOUT": "2s"}})
	origin := must(platform.NewOrigin())(t)
	t.Cleanup(origin.Close)
	a := &arena{gw: p.Gateways[0], origin: origin}
	def := definition("Hostile", "/", origin.URL, map[string]any{"open": true})
	def["listen"] = map[string]any{"domains": []string{hostileHost}, "path": "/"}
	def["endpoints"] = []any{map[string]any{"id": "admin", "path": "/admin/**", "filters": map[string]any{"auth": byKey}}}
	filters, _ := def["filters"].(map[string]any)
	filters["identity"] = map[string]any{"headers": map[string]string{"X-User-Id": "{subject}"}}
	filters["requestHeaders"] = map[string]any{"set": map[string]string{"X-Env": "prod"}}
	saved := must(p.Client(0).Create(t.Context(), "apis", def))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	return a
}

func (a *arena) run(t *testing.T, cases []attackCase) {
	for _, c := range cases {
		t.Run(c.title(), func(t *testing.T) { a.mount(t, c) })
	}
}

func (a *arena) probe() (request, want string) {
	target := fmt.Sprintf("/probe-%d", a.probes.Add(1))
	return "GET " + target + " HTTP/1.1\r\n" + hostLine + "\r\n", "GET " + target
}

// said is one answer of the gateway.
type said struct {
	resp *http.Response
	body []byte
}

func (a *arena) mount(t *testing.T, c attackCase) {
	a.origin.Take()
	probe, want := a.probe()
	answers := a.talk(t, c.send+probe, strings.HasPrefix(c.send, "HEAD "))
	arrived, _, faults := a.origin.Take()
	fresh, wantFresh := a.probe()
	if _, body, err := exchange(a.gw.Addr(), "GET", fresh); err != nil || string(body) != wantFresh {
		t.Errorf("a probe on a new connection got %q, %v", body, err)
	}
	if len(answers) == 0 {
		if !c.silence {
			t.Errorf("no answer, want %v", c.statuses)
		}
	} else {
		first := answers[0]
		if !slices.Contains(c.statuses, first.resp.StatusCode) {
			t.Errorf("answered %d %.200s, want %v", first.resp.StatusCode, first.body, c.statuses)
		}
		if c.answer != nil {
			if err := c.answer(first.resp, first.body); err != nil {
				t.Error(err)
			}
		}
	}
	probed := false
	if n := len(arrived); n > 0 && arrived[n-1].Method+" "+arrived[n-1].Target == want {
		arrived, probed = arrived[:n-1], true
		if len(answers) < 2 || string(answers[len(answers)-1].body) != want {
			t.Errorf("the probe did not get its own answer: %d answers", len(answers))
		}
	}
	var got []string
	for _, r := range arrived {
		got = append(got, strings.TrimSpace(r.Method+" "+r.Target+" "+string(r.Body)))
	}
	expected := c.arrive
	if c.maybe && (len(answers) == 0 || answers[0].resp.StatusCode != 200) {
		expected = nil
	}
	if c.any {
		expected = got
	}
	if !slices.Equal(got, expected) {
		t.Errorf("the origin got %q, want %q", got, expected)
	}
	if wanted := len(expected) + btoi(probed); len(answers) < wanted {
		t.Errorf("%d answers to %d requests", len(answers), wanted)
	}
	if len(faults) > 0 && !c.partial {
		t.Errorf("the origin got what is not canonical, or in part: %s", faults)
	}
	if c.check != nil && len(arrived) > 0 {
		if err := c.check(arrived); err != nil {
			t.Error(err)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// talk sends bytes, ends its side, and reads all answers to the end of the connection.
func (a *arena) talk(t *testing.T, send string, head bool) (answers []said) {
	t.Helper()
	c, err := net.DialTimeout("tcp", a.gw.Addr(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	go func() {
		_, _ = io.WriteString(c, send)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	in := bufio.NewReader(c)
	for {
		method := http.MethodGet
		if head && len(answers) == 0 {
			method = http.MethodHead
		}
		resp, body, err := readAnswer(in, method)
		if err != nil {
			return answers
		}
		answers = append(answers, said{resp, body})
	}
}

// TestHostileFraming is section A: what a request ends with, and where the next one begins.
func TestHostileFraming(t *testing.T) {
	a := newArena(t)
	a.run(t, framing())
	a.run(t, chunks())
	a.run(t, names())
	t.Run("A29 a head that comes slowly", a.slowHead)
}

func framing() []attackCase {
	get := func(lines string) string { return "GET /a HTTP/1.1\r\n" + hostLine + lines + "\r\n" }
	post := func(lines, body string) string { return "POST /a HTTP/1.1\r\n" + hostLine + lines + "\r\n" + body }
	smuggled := "GET /smuggled HTTP/1.1\r\n" + hostLine + "\r\n"
	cases := []attackCase{
		refused("A01", "CL and TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), 400),
		refused("A01", "TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"+smuggled+"0\r\n\r\n"), 400),
		refused("A02", "TE on HTTP-1.0", "POST /a HTTP/1.0\r\n"+hostLine+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
		refused("A03", "two different CL", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400),
		refused("A04", "two equal CL", post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"), 400),
		refused("A05", "a list as CL", post("Content-Length: 5, 5\r\n", "abcde"), 400),
		refused("A06", "an empty CL", post("Content-Length:\r\n", ""), 400),
		refused("A08", "CL before an unknown TE", post("Content-Length: 2\r\nTransfer-Encoding: blegh\r\n", "ab"), 400, 501),
		refused("A10", "TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A10", "TE twice, one unknown", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400),
		refused("A11", "space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400),
		refused("A11", "a tab before the first field", "POST /a HTTP/1.1\r\n\tTransfer-Encoding: chunked\r\n"+hostLine+"\r\n0\r\n\r\n", 400),
		refused("A11", "a bare CR within a value", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A11", "a bare LF within a value", post("X: y\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A12", "obs-fold", get("X: a\r\n b\r\n"), 400),
		refused("A12", "obs-fold of TE", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400),
		refused("A13", "a line without a colon", get("nonsense\r\n"), 400),
		refused("A13", "an empty name", get(": x\r\n"), 400),
		refused("A13", "a name split over lines", get("Transfer-\r\n Encoding: chunked\r\n"), 400),
		refused("A16", "bare LF as line end", "GET /a HTTP/1.1\nHost: "+hostileHost+"\n\n", 400),
		refused("A16", "one bare LF", "GET /a HTTP/1.1\r\nHost: "+hostileHost+"\nX: y\r\n\r\n", 400),
		refused("A17", "bare CR as line end", "GET /a HTTP/1.1\rHost: "+hostileHost+"\r\r", 400),
		passed("A21", "a pipelined request behind a body", post("Content-Length: 2\r\n", "ab")+"GET /b HTTP/1.1\r\n"+hostLine+"\r\n", "POST /a ab", "GET /b"),
		passed("A22", "GET with a body", "GET /a HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", "GET /a abc"),
		passed("A22", "DELETE with a body", "DELETE /a HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", "DELETE /a abc"),
		refused("A24", "an unknown expectation", post("Expect: garbage\r\nContent-Length: 2\r\n", "ab"), 417, 400),
		passed("A24", "100-continue with the body at once", post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab"), "POST /a ab"),
		refused("A25", "HTTP-0.9", "GET /a\r\n\r\n", 400, 505),
		refused("A25", "HTTP-1.32", "GET /a HTTP/1.32\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "HTTP-2.0 in a line", "GET /a HTTP/2.0\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "an overflowing version", "GET /a HTTP/4294967297.1\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "lower-case http", "GET /a http/1.1\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "two spaces", "GET  /a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A25", "a tab", "GET\t/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A25", "space behind the version", "GET /a HTTP/1.1 \r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "LF before the version", "GET /a\nHTTP/1.1\r\n"+hostLine+"\r\n", 400),
		passed("A25", "one empty line before", "\r\nGET /a HTTP/1.1\r\n"+hostLine+"\r\n", "GET /a"),
		refused("A25", "many empty lines before", strings.Repeat("\r\n", 20)+get(""), 400),
		refused("A26", "a quote in the method", "GE\"T /a HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A26", "no method", " /a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A26", "8 KB of method", strings.Repeat("A", 8192)+" /a HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 414, 501),
		refused("A26", "the preface of HTTP-2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 405, 501, 505),
		refused("A28", "16 KB of request line", "GET /"+strings.Repeat("a", 16<<10)+" HTTP/1.1\r\n"+hostLine+"\r\n", 414),
		refused("A28", "a value of 64 KB", get("X: "+strings.Repeat("a", 64<<10)+"\r\n"), 431),
		refused("A28", "a header of 1 MB", get("X: "+strings.Repeat("a", 1<<20)+"\r\n"), 431),
		refused("A28", "10 000 fields", get(strings.Repeat("X: y\r\n", 10000)), 431),
		refused("A31", "CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A31", "TRACE", "TRACE /a HTTP/1.1\r\n"+hostLine+"\r\n", 405, 501),
	}
	for _, v := range []string{
		"+5", "-5", "0x5", "5_0", "5a", "1e1", "5 5", "9223372036854775808", "99999999999999999999999", "\x0b5", "5\x00", "５", "5.0",
	} {
		cases = append(cases, refused("A07", fmt.Sprintf("CL %q", v), post("Content-Length: "+v+"\r\n", "abcde"), 400, 413))
	}
	cases = append(cases, attackCase{
		id: "A07", name: "CL 010 is ten or refused", maybe: true, arrive: []string{"POST /a 0123456789"}, send: post("Content-Length: 010\r\n", "0123456789"), statuses: []int{200, 400},
	})
	for _, v := range []string{
		",chunked", "chunked, chunked", "chunked,identity", "identity", "xchunked", "chunkedx", `"chunked"`, "\x0bchunked", "\xa0chunked\xa0", "\xffchunked", "", "chunked;q=1", "gzip, chunked",
	} {
		cases = append(cases, refused("A09", fmt.Sprintf("TE %q", v), post("Transfer-Encoding: "+v+"\r\n", "0\r\n\r\n"), 400, 501))
	}
	pipeline := attackCase{id: "A27", name: "100 pipelined requests", statuses: []int{200}}
	for i := range 100 {
		pipeline.send += fmt.Sprintf("GET /p%d HTTP/1.1\r\n%s\r\n", i, hostLine)
		pipeline.arrive = append(pipeline.arrive, fmt.Sprintf("GET /p%d", i))
	}
	short := attackCase{id: "A23", name: "a body that is shorter than its CL", send: post("Content-Length: 100000\r\n", "abc"), statuses: []int{400, 408, 499, 502}, partial: true, silence: true}
	lower := passed("A26", "the method's case is kept", "get /a HTTP/1.1\r\n"+hostLine+"\r\n", "get /a")
	h2c := passed("A30", "h2c is not upgraded", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), "GET /a")
	h2c.check = lacks("Upgrade", "HTTP2-Settings")
	socket := passed("A30", "a websocket answered by 200 is no tunnel",
		get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "GET /a")
	return append(cases, pipeline, short, lower, h2c, socket)
}

// lacks checks that header fields did not arrive.
func lacks(fields ...string) func([]platform.Arrived) error {
	return func(got []platform.Arrived) error {
		for _, f := range fields {
			if v := got[0].Field(f); v != "" {
				return fmt.Errorf("%s arrived as %q", f, v)
			}
		}
		return nil
	}
}

func chunks() []attackCase {
	chunked := func(body string) string {
		return "POST /a HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n" + body
	}
	var cases []attackCase
	for name, body := range map[string]string{
		"an empty size": "\r\nabc\r\n0\r\n\r\n", "a signed size": "+3\r\nabc\r\n0\r\n\r\n", "a negative size": "-3\r\nabc\r\n0\r\n\r\n",
		"0x": "0x3\r\nabc\r\n0\r\n\r\n", "an underscore": "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", "no hex digit": "g\r\nabc\r\n0\r\n\r\n",
		"an overflowing size": "10000000000000003\r\nabc\r\n0\r\n\r\n", "leading spaces": "  3\r\nabc\r\n0\r\n\r\n", "trailing junk": "3 x\r\nabc\r\n0\r\n\r\n",
		"CR CR behind a semicolon": "3;\r\rabc\r\n0\r\n\r\n", "a bare CR in an extension": "3;a\rb\r\nabc\r\n0\r\n\r\n", "a bare LF in an extension": "3;a\nabc\r\n0\r\n\r\n",
		"an extension of 20 KB": "3;" + strings.Repeat("a", 20<<10) + "\r\nabc\r\n0\r\n\r\n", "a size with a bare LF": "3\nabc\r\n0\r\n\r\n",
		"data longer than its size": "2\r\nabc\r\n0\r\n\r\n", "data shorter than its size": "5\r\nabc\r\n0\r\n\r\n",
		"no CRLF behind the data": "3\r\nabc0\r\n\r\n", "CR X behind the data": "3\r\nabc\rX0\r\n\r\n", "a bare LF behind the data": "3\r\nabc\n0\r\n\r\n",
		"a bare LF at the end": "3\r\nabc\r\n0\n\n", "a trailer with a bare LF": "3\r\nabc\r\n0\r\nX: y\n\r\n",
	} {
		id := "A18"
		if strings.Contains(name, "data") {
			id = "A19"
		}
		cases = append(cases, attackCase{id: id, name: name, send: chunked(body), statuses: []int{400, 502}, partial: true, silence: true})
	}
	for _, f := range []string{"Content-Length: 3", "Transfer-Encoding: chunked", "Host: evil", "Authorization: x", "X-Forwarded-For: 1.2.3.4"} {
		cases = append(cases, attackCase{
			id: "A20", name: "trailer " + f, send: chunked("3\r\nabc\r\n0\r\n" + f + "\r\n\r\n"), statuses: []int{200, 400}, partial: true, silence: true,
			check: func(got []platform.Arrived) error {
				if strings.Contains(string(got[0].Raw), "0\r\n"+f) {
					return fmt.Errorf("the trailer arrived: %q", got[0].Raw)
				}
				return nil
			}, maybe: true, arrive: []string{"POST /a abc"},
		})
	}
	slices.SortFunc(cases, func(a, b attackCase) int { return strings.Compare(a.id+a.name, b.id+b.name) })
	return append(cases,
		passed("A18", "hex sizes and an extension", chunked("a;x=y\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "POST /a 01234567890123456789"),
		passed("A21", "a request behind the last chunk", chunked("3\r\nabc\r\n0\r\n\r\n")+"GET /b HTTP/1.1\r\n"+hostLine+"\r\n", "POST /a abc", "GET /b"))
}

// names tries every byte that may not stand in a header's name, and those that may not in a value.
func names() []attackCase {
	var cases []attackCase
	for b := range 256 {
		if b > 0x20 && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b)) {
			continue
		}
		if b == ':' { // "X:Y: z" is the field X
			continue
		}
		cases = append(cases, refused("A14", fmt.Sprintf("byte %02x in a name", b), "GET /a HTTP/1.1\r\n"+hostLine+"X"+string([]byte{byte(b)})+"Y: z\r\n\r\n", 400))
	}
	for _, b := range []byte{0, '\r', '\n', 1, 0x0b, 0x1f, 0x7f} {
		cases = append(cases, refused("A15", fmt.Sprintf("byte %02x in a value", b), "GET /a HTTP/1.1\r\n"+hostLine+"X: y"+string([]byte{b})+"z\r\n\r\n", 400))
	}
	return cases
}

// slowHead sends a head byte by byte, and nothing at all: both are ended by the header timeout (2 s
// here), and neither keeps others waiting.
func (a *arena) slowHead(t *testing.T) {
	for _, start := range []string{"", "GET /a HT"} {
		c := must(net.Dial("tcp", a.gw.Addr()))(t)
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, start); err != nil {
			t.Fatal(err)
		}
		probe, want := a.probe()
		if _, body, err := exchange(a.gw.Addr(), "GET", probe); err != nil || string(body) != want {
			t.Errorf("beside a slow head a probe got %q, %v", body, err)
		}
		if start == "" {
			continue // an idle connection lives as long as idle_timeout says
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		began := time.Now()
		resp, _, err := readAnswer(bufio.NewReader(c), "GET")
		if err == nil && resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("a head that does not end was answered %d", resp.StatusCode)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("a head that does not end was ended after %s", took)
		}
	}
}
