package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// head reads a request's head from a connection of a scripted origin.
func head(r *bufio.Reader) bool {
	_, err := http1test.ReadRequest(r)
	return err == nil
}

// recorded makes the filter record look at bodies.
const recorded = `"filters":{"record":{"bodies":{"until":"2126-01-01T00:00:00Z","max":"1KiB"}}}`

// A stream's bytes reach the client before the origin sends the next ones, and
// not only at the end.
func TestStreamsAreFlushedAsTheyCome(t *testing.T) {
	const chunked, untilClose = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", "HTTP/1.1 200 OK\r\n\r\none"
	for name, tc := range map[string]struct{ answer, trouble, more string }{
		"chunked":              {chunked, "", ""},
		"until close":          {untilClose, "", ""},
		"chunked, wrapped":     {chunked, "wrap", ""},
		"until close, wrapped": {untilClose, "wrap", ""},
		"chunked, recorded":    {chunked, "", recorded},
		"wrapped, recorded":    {untilClose, "wrap", recorded},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			o := http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if !head(r) {
					return
				}
				_, _ = io.WriteString(c, tc.answer)
				<-next
				if tc.answer == chunked {
					_, _ = io.WriteString(c, "3\r\ntwo\r\n0\r\n\r\n")
				} else {
					_, _ = io.WriteString(c, "two")
				}
			})
			r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), tc.more)}, troubleSpec())
			req, err := http.NewRequest(http.MethodGet, "http://"+r.addr+"/a/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Trouble", tc.trouble)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			defer http.DefaultClient.CloseIdleConnections()
			first := make([]byte, 3)
			if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "one" {
				t.Fatalf("%q, %v", first, err)
			}
			close(next) // only now the origin goes on
			rest, err := io.ReadAll(resp.Body)
			if err != nil || string(rest) != "two" {
				t.Errorf("%q, %v", rest, err)
			}
			if s := r.seen.wait(t, 0); s.Status != 200 || s.Bytes != 6 || s.Aborted {
				t.Errorf("observed %+v", s)
			}
		})
	}
}

func TestLargeBodiesBothWays(t *testing.T) {
	const size = 20 << 20
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			t.Errorf("the upload broke: %v", err)
		}
		w.Header().Set("X-Got", fmt.Sprintf("%d %x", n, sum.Sum(nil)))
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		_, _ = io.CopyN(w, rand.NewChaCha8([32]byte{2}), size)
	}))
	defer origin.Close()
	r := newRig(t, map[string]string{
		"a": open("a", "/a/", origin.Listener.Addr().String(), ""), "b": open("b", "/b/", origin.Listener.Addr().String(), recorded),
	})
	up, down := sha256.New(), sha256.New()
	_, _ = io.CopyN(up, rand.NewChaCha8([32]byte{1}), size)
	_, _ = io.CopyN(down, rand.NewChaCha8([32]byte{2}), size)
	defer http.DefaultClient.CloseIdleConnections()
	for i, path := range []string{"/a/known", "/a/chunked", "/b/known", "/b/chunked"} {
		req, err := http.NewRequest(http.MethodPost, "http://"+r.addr+path, io.LimitReader(rand.NewChaCha8([32]byte{1}), size))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "/known") {
			req.ContentLength = size
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		n, err := io.Copy(got, resp.Body)
		_ = resp.Body.Close()
		if err != nil || n != size || !bytes.Equal(got.Sum(nil), down.Sum(nil)) {
			t.Errorf("%s: %d bytes came down, %v", path, n, err)
		}
		if want := fmt.Sprintf("%d %x", size, up.Sum(nil)); resp.Header.Get("X-Got") != want {
			t.Errorf("%s: %s went up, want %s", path, resp.Header.Get("X-Got"), want)
		}
		if s := r.seen.wait(t, i); s.Bytes != size || s.Received != size || s.Chain == nil || s.Generation != 1 {
			t.Errorf("observed %+v", s)
		}
	}
}

// TestAnOriginThatDiesBeforeAByteLeftIsAnErrorAnswer: as long as the head and what
// came of the body still lie in the gateway, the client need not see a reset.
func TestAnOriginThatDiesBeforeAByteLeftIsAnErrorAnswer(t *testing.T) {
	const request = "POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
	for name, tc := range map[string]struct{ answer, code string }{
		"closed":    {"HTTP/1.1 200 OK\r\nX-Origin: o\r\nContent-Length: 1000\r\n\r\nabcd", "upstream.closed"},
		"no body":   {"HTTP/1.1 200 OK\r\nX-Origin: o\r\nContent-Length: 1000\r\n\r\n", "upstream.closed"},
		"malformed": {"HTTP/1.1 200 OK\r\nX-Origin: o\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", "upstream.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
				if q, err := http1test.ReadRequest(r); err == nil && q.Target == "/x" {
					_, _ = io.WriteString(c, tc.answer)
				} else if err == nil {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"filters":{"responseHeaders":{"set":{"X-Out":"seen"}}}`)})
			c := http1test.Dial(t, r.addr)
			for i := range 2 { // the second on the same connection
				c.Send(request)
				resp := c.MustRead("POST")
				var e struct {
					Status          int
					Code, RequestID string
				}
				if err := json.Unmarshal([]byte(resp.Body), &e); err != nil || resp.Status != 502 || e.Status != 502 || e.Code != tc.code {
					t.Fatalf("%d %q, %v", resp.Status, resp.Body, err)
				}
				s := r.seen.wait(t, i)
				if e.RequestID == "" || e.RequestID != s.id || resp.Header.Get("X-Request-Id") != s.id {
					t.Errorf("request id %q in the body, %q in the head, %q recorded", e.RequestID, resp.Header.Values("X-Request-Id"), s.id)
				}
				if resp.Header.Get("X-Out") != "seen" || resp.Header.Get("X-Origin") != "" || resp.Close || resp.Header.Get("Date") == "" {
					t.Errorf("head %v, close %v", resp.Header, resp.Close)
				}
				if s.Status != 502 || s.Aborted || s.code != tc.code || s.Bytes != int64(len(resp.Body)) {
					t.Errorf("observed %+v", s)
				}
			}
			c.Send("GET /a/fine HTTP/1.1\r\nHost: h\r\n\r\n")
			if resp := c.MustRead("GET"); resp.Status != 200 || resp.Body != "ok" {
				t.Errorf("then %+v", resp)
			}
			if n := r.seen.Read(); n.Aborted != 0 || n.Status[502] != 2 {
				t.Errorf("counted %+v", n)
			}
			if l := r.log.String(); strings.Count(l, "code="+tc.code) != 1 {
				t.Errorf("logged %s", l)
			}
		})
	}
}

func TestAnOriginThatDiesMidBodyCutsTheResponse(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + long,
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"garbage": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + long + "\r\nxyz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if head(r) {
					_, _ = io.WriteString(c, answer)
				}
			})
			r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), "")})
			c := http1test.Dial(t, r.addr)
			c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n")
			if resp, err := c.Read("GET"); err == nil {
				t.Errorf("the client takes %q for the whole", resp.Body)
			}
			if s := r.seen.wait(t, 0); s.Status != 200 || !s.Aborted || s.Err == nil {
				t.Errorf("observed %+v", s)
			}
			if n := r.seen.Read(); n.Aborted != 1 {
				t.Errorf("counted %+v", n)
			}
		})
	}
}

func TestAClientThatLeavesCancelsTheUpstream(t *testing.T) {
	arrived, cancelled := make(chan struct{}, 2), make(chan struct{}, 2)
	o := http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
		q, err := http1test.ReadRequest(r)
		if err != nil {
			return
		}
		if q.Target == "/body" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
		}
		arrived <- struct{}{}
		if _, err := r.ReadByte(); err != nil {
			cancelled <- struct{}{}
		}
	})
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), "")})
	for i, tc := range []struct {
		target string
		status int
	}{{"/a/wait", 499}, {"/a/body", 200}} {
		c := http1test.Dial(t, r.addr)
		c.Send("GET " + tc.target + " HTTP/1.1\r\nHost: h\r\n\r\n")
		<-arrived
		c.Close()
		select {
		case <-cancelled:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the origin still works for nobody", tc.target)
		}
		if s := r.seen.wait(t, i); s.Status != tc.status || !s.Aborted {
			t.Errorf("%s: observed %+v", tc.target, s)
		}
	}
	n := r.seen.Read()
	if n.Status[499] != 1 || n.Status[200] != 1 || n.Aborted != 2 {
		t.Errorf("counted %+v", n)
	}
}

// echoTunnel is an origin that switches protocols and echoes in capitals.
func echoTunnel(t *testing.T, greeting string) *http1test.Origin {
	return http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if !head(r) {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: lines\r\nX-Origin: yes\r\n\r\n"+greeting)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				_, _ = io.WriteString(c, "bye\n")
				return
			}
			_, _ = io.WriteString(c, strings.ToUpper(line))
		}
	})
}

const upgrade = "GET /a/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n"

func wantLine(t *testing.T, c *http1test.Client, want string) {
	t.Helper()
	if got, err := c.Line(); got != want || err != nil {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func TestATunnelPassesBytesBothWaysAndHalfCloses(t *testing.T) {
	o := echoTunnel(t, "hello\n")
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), `"filters":{"responseHeaders":{"set":{"X-Out":"seen"}}}`)})
	c := http1test.Dial(t, r.addr)
	c.Send(upgrade + "early\n") // behind the head, before the 101
	resp := c.MustRead("GET")
	if resp.Status != 101 || resp.Header.Get("Upgrade") != "lines" || resp.Header.Get("X-Origin") != "yes" || resp.Header.Get("X-Out") != "seen" {
		t.Fatalf("%+v", resp)
	}
	wantLine(t, c, "hello\n")
	wantLine(t, c, "EARLY\n")
	for i := range 3 {
		c.Send(fmt.Sprintf("ping %d\n", i))
		wantLine(t, c, fmt.Sprintf("PING %d\n", i))
	}
	c.CloseWrite() // the other way stays open
	wantLine(t, c, "bye\n")
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("%q, ended %v", rest, ended)
	}
	if s := r.seen.wait(t, 0); s.Status != 101 || s.Aborted || s.Bytes != int64(len("hello\nEARLY\nPING 0\nPING 1\nPING 2\nbye\n")) || s.Received != int64(len("early\nping 0\nping 1\nping 2\n")) {
		t.Errorf("observed %+v", s)
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 && r.server.Stats().Connections == 0 })
}

func TestARefusedUpgradeIsAnOrdinaryAnswer(t *testing.T) {
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		return "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
	})
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), "")})
	c := http1test.Dial(t, r.addr)
	c.Send(upgrade)
	if resp := c.MustRead("GET"); resp.Status != 403 || resp.Body != "no" {
		t.Errorf("%+v", resp)
	}
	c.Send("GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp := c.MustRead("GET"); resp.Status != 403 {
		t.Errorf("%+v", resp)
	}
}

func TestShutdownLetsTunnelsEndAndThenCutsThem(t *testing.T) {
	o := echoTunnel(t, "")
	r := newRig(t, map[string]string{"a": open("a", "/a/", o.Addr(), "")})
	tunnel := func() *http1test.Client {
		c := http1test.Dial(t, r.addr)
		c.Send(upgrade)
		if resp := c.MustRead("GET"); resp.Status != 101 {
			t.Fatalf("%+v", resp)
		}
		c.Send("x\n")
		wantLine(t, c, "X\n")
		return c
	}
	ending, staying := tunnel(), tunnel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.handler.Shutdown(ctx); close(done) }()
	ending.Send("still\n")
	wantLine(t, ending, "STILL\n")
	ending.Close()
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 1 })
	staying.Send("me too\n")
	wantLine(t, staying, "ME TOO\n")
	select {
	case <-done:
		t.Fatal("Shutdown did not wait for a tunnel")
	default:
	}
	cancel()
	<-done
	if rest, ended := staying.Rest(); rest != "" || !ended {
		t.Errorf("%q, ended %v", rest, ended)
	}
	// a new one is cut at once
	c := http1test.Dial(t, r.addr)
	c.Send(upgrade)
	if resp, err := c.Read("GET"); err == nil && resp.Status == 101 {
		if rest, ended := c.Rest(); rest != "" || !ended {
			t.Errorf("a tunnel during the shutdown: %q, ended %v", rest, ended)
		}
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 })
}
