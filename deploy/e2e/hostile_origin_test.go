package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// answerCase is one hostile answer of an origin. The client must get one of the statuses; with 200 the
// body must be exactly the one given, or the answer must visibly break off.
type answerCase struct {
	name, send string
	method     string // default GET
	statuses   []int
	body       string
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
		{name: "a flood of 1xx", send: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + ok + "Content-Length: 0\r\n\r\n", statuses: []int{502, 200}},
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
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
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

// TestHostileAnswers is A32: what a malicious origin says reaches nobody but its own caller, and no
// byte of it is taken for the answer to another request.
func TestHostileAnswers(t *testing.T) {
	cases := answers()
	p := platform.For(t, platform.Options{})
	def := definition("Malicious", "/m/", hostileOrigin(t, cases), map[string]any{"open": true})
	upstream, _ := def["upstream"].(map[string]any)
	upstream["timeouts"] = map[string]string{"firstByte": "2s", "idle": "2s"}
	saved := must(p.Client(0).Create(t.Context(), "apis", def))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	gw := p.Gateways[0]
	for n, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			resp, body, err := exchange(gw.Addr(), c.method, fmt.Sprintf("%s /m/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", c.method, n))
			switch {
			case resp == nil && c.body == "-": // cut with a reset, which the client sees
			case resp == nil:
				t.Errorf("no answer: %v", err)
			case !slices.Contains(c.statuses, resp.StatusCode):
				t.Errorf("answered %d %.200s, want %v", resp.StatusCode, body, c.statuses)
			case resp.StatusCode != 200:
				if strings.Contains(string(body), "evil") {
					t.Errorf("the answer holds %q", body)
				}
			case c.body == "-" && err == nil:
				t.Errorf("the answer looks whole: %q", body)
			case c.body != "-" && string(body) != c.body:
				t.Errorf("body %.200q, want %q", body, c.body)
			}
			for i := range 3 {
				target := fmt.Sprintf("/probe-%d-%d", n, i)
				_, body, err := exchange(gw.Addr(), "GET", "GET /m"+target+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
				if err != nil || string(body) != target {
					t.Errorf("the next request got %q, %v", body, err)
				}
			}
		})
	}
}
