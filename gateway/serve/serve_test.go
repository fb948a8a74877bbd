package serve_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/serve"
)

// refusal is an error answer of the gateway.
type refusal struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

func wantRefusal(t *testing.T, resp *http1test.Response, status int, code string) {
	t.Helper()
	var e refusal
	if err := json.Unmarshal([]byte(resp.Body), &e); err != nil || resp.Status != status || e.Status != status || e.Code != code || e.Message == "" {
		t.Errorf("%d %q, %v; want %d %s", resp.Status, resp.Body, err, status, code)
	}
	id := resp.Header.Get("X-Request-Id")
	if id == "" || id != e.RequestID {
		t.Errorf("request id %q in the head, %q in the body", id, e.RequestID)
	}
	if ct, cc := resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"); ct != "application/json" || cc != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, cc)
	}
}

func TestARequestTakesTheWholePath(t *testing.T) {
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		return "HTTP/1.1 201 Created\r\nX-Origin: yes\r\nContent-Length: 2\r\n\r\nok"
	})
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"filters":{"requestHeaders":{"set":{"X-In":"{api.id}"}},"responseHeaders":{"set":{"X-Out":"{api.id}"}}}`)})
	c := http1test.Dial(t, r.addr)
	c.Send("POST /a//x/../y?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
	resp := c.MustRead("POST")
	if resp.Status != 201 || resp.Body != "ok" || resp.Header.Get("X-Out") != "a" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%+v", resp)
	}
	q := o.Requests()[0]
	if q.Target != "/y?q=1" || string(q.Body) != "hello" || q.Field("X-In") != "a" || q.Field("X-Request-Id") != resp.Header.Get("X-Request-Id") {
		t.Errorf("the origin got %s", q.Raw)
	}
	s := r.seen.wait(t, 0)
	if s.Status != 201 || s.Bytes != 2 || s.Aborted || s.Duration <= 0 || s.api != "a" || s.origin != "yes" {
		t.Errorf("observed %+v", s)
	}
}

func TestMatchErrorsAreAnswersWithARequestID(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	mark := `"filters":{"responseHeaders":{"set":{"X-Out":"seen"}},"errors":[{"status":"4xx","body":"<p>{{.Code}} {{.RequestID}}</p>"}]}`
	r := newRig(t, map[string]string{
		"plain": open("plain", "/plain/", o.Addr(), ""),
		"own":   open("own", "/own/", o.Addr(), mark),
		"list":  strings.Replace(open("list", "/list/", o.Addr(), mark), `"listen"`, `"allowList":true,"endpoints":[{"method":"GET","path":"/there/"}],"listen"`, 1),
	})
	for name, tc := range map[string]struct {
		target string
		status int
		code   string
		own    bool // of an API with its own error body
		api    string
	}{
		"no API":                     {"/nothing", 404, "route.no_api", false, ""},
		"a path read in two ways":    {"/plain/%2e%2e%5cx", 400, "path.", false, ""},
		"an encoded slash":           {"/plain/a%2Fb", 400, "path.encoded_slash", false, "plain"},
		"an encoded slash, own body": {"/own/a%2Fb", 400, "path.encoded_slash", true, "own"},
		"no endpoint of a list":      {"/list/x", 404, "route.no_endpoint", true, "list"},
	} {
		t.Run(name, func(t *testing.T) {
			c := http1test.Dial(t, r.addr)
			c.Send("GET " + tc.target + " HTTP/1.1\r\nHost: h\r\n\r\n")
			resp := c.MustRead("GET")
			if tc.own {
				want := fmt.Sprintf("<p>%s %s</p>", tc.code, resp.Header.Get("X-Request-Id"))
				if resp.Status != tc.status || resp.Body != want || resp.Header.Get("X-Out") != "seen" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
					t.Errorf("%d %q %v; want %q", resp.Status, resp.Body, resp.Header, want)
				}
			} else if strings.HasSuffix(tc.code, ".") {
				if resp.Status != tc.status || !strings.Contains(resp.Body, `"`+tc.code) || resp.Header.Get("X-Request-Id") == "" {
					t.Errorf("%d %q", resp.Status, resp.Body)
				}
			} else {
				wantRefusal(t, resp, tc.status, tc.code)
			}
			c.Send("GET /plain/ok HTTP/1.1\r\nHost: h\r\n\r\n") // the connection is good for more
			if resp := c.MustRead("GET"); resp.Status != 200 {
				t.Errorf("the next request: %d", resp.Status)
			}
		})
	}
	for i := range 10 {
		if s := r.seen.wait(t, i); s.id == "" || s.code == "route.no_api" && s.api != "" || s.code == "path.encoded_slash" && s.api == "" {
			t.Errorf("observed %+v", s)
		}
	}
	for _, q := range o.Requests() {
		if q.Target != "/ok" {
			t.Errorf("a refused request reached the origin: %s", q.Target)
		}
	}
}

func TestHeadHasTheHeadOfGetAndNoBody(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), "")})
	c := http1test.Dial(t, r.addr)
	for _, target := range []string{"/a/x", "/nothing"} {
		c.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")
		get := c.MustRead("GET")
		c.Send("HEAD " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")
		head := c.MustRead("HEAD")
		if head.Status != get.Status || head.Body != "" || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || head.Header.Get("Content-Length") == "" {
			t.Errorf("%s: HEAD %+v, GET %+v", target, head, get)
		}
	}
}

func TestUnreachableUpstreamsAndFieldsThatCannotBeWritten(t *testing.T) {
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		switch q.Target {
		case "/garbage":
			return "SSH-2.0-x\r\n\r\n"
		case "/499":
			return "HTTP/1.1 499 Odd\r\nContent-Length: 3\r\n\r\nodd"
		}
		return ""
	})
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"filters":{"responseHeaders":{"set":{"X-Out":"seen"}}}`), "down": open("down", "/down/", "127.0.0.1:1", "")})
	for target, want := range map[string]string{"/a/garbage": "upstream.malformed", "/a/close": "upstream.closed", "/down/": "upstream.unreachable"} {
		c := http1test.Dial(t, r.addr)
		c.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")
		resp := c.MustRead("GET")
		wantRefusal(t, resp, 502, want)
		if strings.HasPrefix(target, "/a/") && resp.Header.Get("X-Out") != "seen" {
			t.Errorf("%s: the answer did not pass the response phase: %v", target, resp.Header)
		}
		if strings.Contains(resp.Body, "127.0.0.1") {
			t.Errorf("the answer names what is behind: %s", resp.Body)
		}
	}
	// an origin may use 499 as it likes
	c := http1test.Dial(t, r.addr)
	c.Send("GET /a/499 HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp := c.MustRead("GET"); resp.Status != 499 || resp.Body != "odd" {
		t.Errorf("%+v", resp)
	}
}

// trouble is a filter that does what a header says.
type trouble struct{}

func (trouble) Request(x *filter.Exchange) error {
	switch x.Request.Header.Get("X-Trouble") {
	case "panic":
		panic("on the way in, secret 4711")
	case "error":
		return errors.New("secret 4711")
	case "answer":
		x.Response = filter.Respond(203, "text/plain", []byte("by the filter"))
	}
	return nil
}

func (trouble) Response(x *filter.Exchange) error {
	switch x.Request.Header.Get("X-Trouble") {
	case "late panic":
		panic("on the way back, secret 4711")
	case "late error":
		return filter.Refuse(502, "trouble.late", "the response is no good")
	case "wrap": // as a filter that rewrites bodies does
		x.Response.Body = struct{ io.ReadCloser }{x.Response.Body}
	case "body panic":
		x.Response.Body = explosive{x.Response.Body}
	}
	return nil
}

type explosive struct{ body io.Closer }

func (explosive) Read([]byte) (int, error) { panic("in the body, secret 4711") }
func (e explosive) Close() error           { return e.body.Close() }

func troubleSpec() filter.Spec {
	return filter.Define("trouble", func(struct{}) (any, error) { return trouble{}, nil }).In(filter.Shape).NoOptions()
}

func TestTroubleInAFilterIsThatRequestsAlone(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"filters":{"responseHeaders":{"set":{"X-Out":"seen"}}}`)}, troubleSpec())
	for name, tc := range map[string]struct {
		status int
		code   string
	}{"panic": {500, "internal"}, "error": {500, "internal"}, "late panic": {500, "internal"}, "late error": {502, "trouble.late"}} {
		t.Run(name, func(t *testing.T) {
			c := http1test.Dial(t, r.addr)
			c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\nX-Trouble: " + name + "\r\n\r\n")
			resp := c.MustRead("GET")
			wantRefusal(t, resp, tc.status, tc.code)
			if strings.Contains(resp.Body, "4711") || resp.Header.Get("X-Out") != "seen" {
				t.Errorf("%s %v", resp.Body, resp.Header)
			}
			if tc.code == "internal" && !strings.Contains(r.log.String(), "4711") {
				t.Errorf("the log does not say why: %s", r.log)
			}
			c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n")
			if resp := c.MustRead("GET"); resp.Status != 200 {
				t.Errorf("the next request on the connection: %d", resp.Status)
			}
		})
	}
	c := http1test.Dial(t, r.addr)
	c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\nX-Trouble: answer\r\n\r\n")
	if resp := c.MustRead("GET"); resp.Status != 203 || resp.Body != "by the filter" || resp.Header.Get("X-Out") != "seen" {
		t.Errorf("%+v", resp)
	}
}

// A panic where nobody guards ends that exchange; its connections go back.
func TestAPanicWhileTheBodyIsSentLeaksNothing(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"upstream":{"targets":[{"url":"http://`+o.Addr()+`"}],"connections":{"max":1,"queue":1},"timeouts":{"firstByte":"2s"}}`)}, troubleSpec())
	for i := range 3 {
		c := http1test.Dial(t, r.addr)
		c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\nX-Trouble: body panic\r\n\r\n")
		if _, err := c.Read("GET"); err == nil {
			t.Error("the response looks whole")
		}
		if s := r.seen.wait(t, 2*i); s.Status != 500 || !s.Aborted || s.Err == nil || s.Chain == nil {
			t.Errorf("observed %+v", s)
		}
		c = http1test.Dial(t, r.addr)
		c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp := c.MustRead("GET"); resp.Status != 200 {
			t.Fatalf("the pool of one connection is stuck: %d %s", resp.Status, resp.Body)
		}
		r.seen.wait(t, 2*i+1)
	}
	if n := r.server.Stats().Panics; n != 3 {
		t.Errorf("%d panics counted", n)
	}
}

func TestCounters(t *testing.T) {
	c := serve.NewCounters([]time.Duration{time.Millisecond, 10 * time.Millisecond})
	x := &filter.Exchange{Response: &message.Response{}}
	for _, o := range []serve.Outcome{
		{Status: 200, Bytes: 10, Duration: time.Millisecond},
		{Status: 200, Bytes: 5, Duration: 2 * time.Millisecond},
		{Status: 499, Duration: time.Second, Aborted: true},
		{Status: 999, Duration: time.Second},
		{Status: 12345, Duration: time.Second},
		{Status: -1, Duration: time.Second},
	} {
		c.Observe(x, o)
	}
	n := c.Read()
	if n.Total != 6 || n.Status[200] != 2 || n.Status[499] != 1 || n.Status[999] != 2 || n.Status[0] != 1 {
		t.Errorf("%+v", n)
	}
	if n.Latency[time.Millisecond] != 1 || n.Latency[10*time.Millisecond] != 2 || n.Sum != 4*time.Second+3*time.Millisecond || n.Bytes != 15 || n.Aborted != 1 {
		t.Errorf("%+v", n)
	}
}

// gRPC as a client without HTTP/2 sees it: the head comes before the first message,
// each message as it comes, and the status as a trailer.
func TestAStreamFromAnHTTP2TargetIsPassedOnAsItComes(t *testing.T) {
	next := make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			t.Errorf("%s, TE %q", r.Proto, r.Header.Get("Te"))
		}
		w.Header().Set("Content-Type", "application/grpc")
		_ = http.NewResponseController(w).Flush()
		for range 3 {
			<-next
			_, _ = io.WriteString(w, "message")
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})}
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { _ = s.Serve(l); close(done) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	r := newRig(t, map[string]string{"a": open("a", "/a/", "", `"upstream":{"http":"h2c","targets":[{"url":"http://`+l.Addr().String()+`"}]}`)})
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, "POST /a/svc HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil) // nothing of the body was sent yet
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	for range 3 {
		next <- struct{}{}
		if n, err := io.ReadFull(resp.Body, buf[:len("message")]); err != nil {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%q, %v, trailer %v", rest, err, resp.Trailer)
	}
	_ = resp.Body.Close()
}
