package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// answerCase is one hostile answer of an origin. The client must get one of the statuses; with 200 the
// body must be exactly the one given, or the answer must visibly break off.
type answerCase struct {
	name, send string
	method     string // default GET
	statuses   []int
	body       string
	lacks      []string // header fields that the client must not get
}

func answers() []answerCase {
	ok := "HTTP/1.1 200 OK\r\n"
	bad := []int{502}
	cases := []answerCase{
		{name: "CL and TE", send: ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", statuses: bad},
		{name: "two CL", send: ok + "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", statuses: bad},
		{name: "a signed CL", send: ok + "Content-Length: +3\r\n\r\nabc", statuses: bad},
		{name: "an unknown TE", send: ok + "Transfer-Encoding: blegh\r\n\r\nabc", statuses: bad},
		{name: "status 2000", send: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "status 20", send: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "no status", send: "HTTP/1.1\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "not HTTP", send: "SSH-2.0-OpenSSH_9.0\r\n\r\n", statuses: bad},
		{name: "NUL in a value", send: ok + "X: a\x00b\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "bare LF line ends", send: "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", statuses: bad},
		{name: "obs-fold", send: ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "space before the colon", send: ok + "Content-Length : 3\r\n\r\nabc", statuses: bad},
		{name: "a header of 1 MB", send: ok + "X: " + strings.Repeat("a", 1<<20) + "\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "a flood of 1xx", send: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + ok + "Content-Length: 0\r\n\r\n", statuses: bad},
		{name: "101 that nobody asked for", send: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", statuses: bad},
		{name: "a bad chunk", send: ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", statuses: []int{502, 200}, body: "-"},
		{name: "a body that breaks off", send: ok + "Content-Length: 10\r\n\r\nabc<close>", statuses: []int{502, 200}, body: "-"},
		{name: "chunks that break off", send: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n<close>", statuses: []int{502, 200}, body: "-"},
		{name: "bytes behind the body", send: ok + "Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", statuses: []int{200}, body: "abc"},
		{name: "204 with a body", send: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", statuses: []int{204, 502}},
		{name: "304 with a body", send: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", statuses: []int{304, 502}},
		{name: "HEAD with a body", method: "HEAD", send: ok + "Content-Length: 4\r\n\r\nevil", statuses: []int{200}},
		{name: "Connection close that lies", send: ok + "Connection: close\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", statuses: []int{200}, body: "abc"},
		{name: "a body to the end of the connection", send: ok + "\r\nabc<close>", statuses: []int{200}, body: "abc"},
		{name: "10 000 fields", send: ok + strings.Repeat("X: y\r\n", 10000) + "Content-Length: 0\r\n\r\n", statuses: bad},
		{name: "a status line of 1 MB", send: "HTTP/1.1 200 " + strings.Repeat("a", 1<<20) + "\r\n\r\n", statuses: bad},
		{name: "CR in a value", send: ok + "X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "an empty name", send: ok + ": x\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "HTTP-2.0", send: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "status 099", send: "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", statuses: bad},
		{name: "an overflowing CL", send: ok + "Content-Length: 18446744073709551619\r\n\r\nabc", statuses: bad},
		{name: "TE twice", send: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", statuses: bad},
		{name: "TE on HTTP-1.0", send: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n<close>", statuses: bad},
		{name: "an overflowing chunk", send: ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", statuses: []int{502, 200}, body: "-"},
		{name: "an extension of 20 KB", send: ok + "Transfer-Encoding: chunked\r\n\r\n3;" + strings.Repeat("a", 20<<10) + "\r\nabc\r\n0\r\n\r\n", statuses: []int{502, 200}, body: "-"},
		{name: "a trailer of 1 MB", send: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", statuses: []int{502, 200}, body: "-"},
		{name: "204 with chunks", send: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", statuses: []int{204, 502}},
		{name: "HEAD with chunks", method: "HEAD", send: ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", statuses: []int{200}},
		{name: "an early answer before it is asked", send: ok + "Content-Length: 3\r\n\r\nabc" + ok + "Content-Length: 4\r\n\r\nevil", statuses: []int{200}, body: "abc"},
		{
			name: "hop-by-hop fields", send: ok + "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authenticate: Basic\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nContent-Length: 3\r\n\r\nabc",
			statuses: []int{200}, body: "abc", lacks: []string{"X-Hop", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "TE", "Trailer", "Upgrade", "HTTP2-Settings"},
		},
		{name: "an empty answer", send: "<close>", statuses: bad},
	}
	for i := range cases {
		if cases[i].method == "" {
			cases[i].method = "GET"
		}
	}
	return cases
}

// hostileOrigin answers /N with the Nth case and anything else properly; it goes on with a connection
// after whatever it said.
func hostileOrigin(t *testing.T, cases []answerCase) string {
	t.Helper()
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				for {
					a, err := readHead(in)
					if err != nil {
						return
					}
					text := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(a), a)
					if n, err := strconv.Atoi(strings.TrimPrefix(a, "/")); err == nil && n < len(cases) {
						text = cases[n].send
					}
					text, cut := strings.CutSuffix(text, "<close>")
					if _, err := io.WriteString(c, text); err != nil || cut {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// readHead reads a head and returns the request's target.
func readHead(in *bufio.Reader) (target string, err error) {
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if n == 0 {
			_, target, _ = strings.Cut(strings.TrimSpace(line), " ")
			target, _, _ = strings.Cut(target, " ")
		}
		if line == "\r\n" {
			return target, nil
		}
	}
}

// maliciousOrigins is A32: what a malicious origin says reaches nobody but its own caller, and no byte
// of it is taken for the answer to another request.
func maliciousOrigins(t *testing.T, w *world) {
	cases := answers()
	url := hostileOrigin(t, cases)
	def := func(name string) map[string]any {
		return with(api("Malicious "+name, name+".malicious.test", "/", url, open()), "upstream", "timeouts", map[string]string{"firstByte": "2s", "idle": "2s"})
	}
	bodies := with(def("bodies"), "filters", "record", map[string]any{"bodies": map[string]any{"until": "2126-01-01T00:00:00Z", "max": "16KiB"}})
	w.publish(t, def("plain"), bodies)
	for _, k := range w.kinds() {
		for _, chain := range []string{"plain", "bodies"} {
			t.Run(k.name+" "+chain, func(t *testing.T) {
				for n, c := range cases {
					t.Run(c.name, func(t *testing.T) { c.judge(t, k, w.gates[k.name], chain+".malicious.test", n) })
				}
			})
		}
	}
}

func (c answerCase) judge(t *testing.T, k kind, g gate, host string, n int) {
	s, err := k.exchange(g, c.method, fmt.Sprintf("%s /%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.method, n, host))
	switch {
	case s.resp == nil && c.body == "-": // cut with a reset, which the client sees
	case s.resp == nil:
		t.Errorf("no answer: %v", err)
	case !slices.Contains(c.statuses, s.resp.StatusCode):
		t.Errorf("answered %d %.200s, want %v", s.resp.StatusCode, s.body, c.statuses)
	case s.resp.StatusCode != 200:
		if strings.Contains(string(s.body), "evil") {
			t.Errorf("the answer holds %q", s.body)
		}
	case c.body == "-" && err == nil:
		t.Errorf("the answer looks whole: %q", s.body)
	case c.body != "-" && string(s.body) != c.body:
		t.Errorf("body %.200q, want %q", s.body, c.body)
	}
	for _, f := range c.lacks {
		if s.resp != nil && s.resp.Header.Get(f) != "" {
			t.Errorf("the client got %s: %s", f, s.resp.Header.Get(f))
		}
	}
	for i := range 3 {
		target := fmt.Sprintf("/probe-%d-%d", n, i)
		s, err := k.exchange(g, "GET", "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if err != nil || string(s.body) != target {
			t.Errorf("the next request got %q, %v", s.body, err)
		}
	}
}
