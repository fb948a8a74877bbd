package http1_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

type handler func(w message.Writer, r *message.Request)

func (h handler) Serve(w message.Writer, r *message.Request) { h(w, r) }

// answer writes a whole response.
func answer(w message.Writer, status int, length int64, body string) {
	_ = w.WriteHead(&message.Response{Status: status, ContentLength: length})
	_, _ = io.WriteString(w, body)
	_ = w.Finish(nil)
}

func TestResponseFraming(t *testing.T) {
	long := strings.Repeat("0123456789", 20000)
	cases := []struct {
		name, in, method string
		status           int
		length           int64
		body             string
		want             string // of the head, in any order, Date left out
		wantBody         string
		kept             bool
	}{
		{"length", get, "GET", 200, 3, "abc", "Content-Length: 3", "abc", true},
		{"chunked", get, "GET", 200, -1, "abc", "Transfer-Encoding: chunked", "abc", true},
		{"long length", get, "GET", 200, 200000, long, "Content-Length: 200000", long, true},
		{"long chunked", get, "GET", 200, -1, long, "Transfer-Encoding: chunked", long, true},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n", "HEAD", 200, 3, "abc", "Content-Length: 3", "", true},
		{"HEAD, length not said", "HEAD / HTTP/1.1\r\nHost: h\r\n", "HEAD", 200, -1, "abc", "", "", true},
		{"204", get, "GET", 204, 3, "abc", "", "", true},
		{"304", get, "GET", 304, 3, "", "Content-Length: 3", "", true},
		{"205", get, "GET", 205, -1, "", "Content-Length: 0", "", true},
		{"asked to close", get + "Connection: close\r\n", "GET", 200, 3, "abc", "Content-Length: 3|Connection: close", "abc", false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\n", "GET", 200, 3, "abc", "Content-Length: 3|Connection: close", "abc", false},
		{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n", "GET", 200, 3, "abc", "Content-Length: 3|Connection: close", "abc", false},
		{"HTTP/1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "GET", 200, 3, "abc", "Content-Length: 3|Connection: keep-alive", "abc", true},
		{"HTTP/1.0, no length", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n", "GET", 200, -1, "abc", "Connection: close", "abc", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
				if r.Path == "/next" {
					answer(w, 200, 4, "next")
					return
				}
				answer(w, tc.status, tc.length, tc.body)
			}), http1.ServerConfig{})
			c := http1test.Dial(t, addr)
			c.Send(tc.in + "\r\n")
			var head []string
			for {
				l, err := c.Line()
				if err != nil {
					t.Fatal(err)
				}
				if l == "\r\n" {
					break
				}
				if !strings.HasPrefix(l, "Date: ") && len(head) >= 0 {
					head = append(head, strings.TrimSuffix(l, "\r\n"))
				}
			}
			if got := strings.Join(head[1:], "|"); got != tc.want {
				t.Errorf("head %q, want %q", got, tc.want)
			}
			if !tc.kept {
				if rest, ended := c.Rest(); rest != tc.wantBody || !ended {
					t.Errorf("body %q, ended %v", rest, ended)
				}
				return
			}
			c.Send("GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			rest, _ := c.Rest()
			body, _, _ := strings.Cut(rest, "HTTP/1.1 200 OK")
			if strings.Contains(tc.want, "chunked") {
				body = unchunk(t, body)
			}
			if body != tc.wantBody {
				t.Errorf("body of %d bytes, want %d", len(body), len(tc.wantBody))
			}
		})
	}
}

func unchunk(t *testing.T, s string) string {
	var b strings.Builder
	for {
		var n int
		size, rest, ok := strings.Cut(s, "\r\n")
		if _, err := fmt.Sscanf(size, "%x", &n); err != nil || !ok {
			t.Fatalf("chunk %q", size)
		}
		if n == 0 {
			return b.String()
		}
		b.WriteString(rest[:n])
		s = rest[n+2:]
	}
}

func TestSlowClients(t *testing.T) {
	cases := []struct {
		name, in string
		status   int // 0: closed without a word
	}{
		{"A29 nothing after connect", "", 0},
		{"A29 half a head", "GET / HTTP/1.1\r\nHo", 408},
		{"A29 no body", post + "Content-Length: 5\r\n\r\n", 408},
		{"A29 half a body", post + "Content-Length: 5\r\n\r\nabc", 408},
		{"A29 half a chunk", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", 408},
	}
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{HeaderTimeout: 50 * time.Millisecond, BodyGrace: 50 * time.Millisecond}, http1.PoolConfig{})
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := http1test.Dial(t, r.addr)
			c.Send(tc.in)
			if tc.status != 0 {
				if got := c.MustRead("POST"); got.Status != tc.status || !got.Close {
					t.Errorf("got %+v", got)
				}
			}
			if rest, ended := c.Rest(); rest != "" || !ended {
				t.Errorf("then %q, ended %v", rest, ended)
			}
		})
	}
	if n := len(o.Requests()); n != 0 {
		t.Errorf("the origin got %d requests", n)
	}
}

func TestDrippingHeadIsCutAtItsDeadline(t *testing.T) {
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) { answer(w, 200, 0, "") }),
		http1.ServerConfig{HeaderTimeout: 300 * time.Millisecond})
	c := http1test.Dial(t, addr)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		c.Send("GET / HTTP/1.1\r\n")
		for range 1000 {
			if _, err := io.WriteString(c.Conn(), "X"); err != nil {
				return
			}
			<-time.After(5 * time.Millisecond)
		}
	}()
	start := time.Now()
	if got, err := c.Read("GET"); err == nil && got.Status != 408 {
		t.Errorf("got %+v", got)
	}
	c.Close()
	<-stop
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestSlowReaderIsCut(t *testing.T) {
	failed := make(chan error, 1)
	s, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		_ = w.WriteHead(&message.Response{Status: 200, ContentLength: 1 << 40})
		p := make([]byte, 1<<20)
		for {
			if _, err := w.Write(p); err != nil {
				failed <- err
				return
			}
		}
	}), http1.ServerConfig{WriteTimeout: 50 * time.Millisecond})
	c := http1test.Dial(t, addr)
	c.Send(get + "\r\n")
	<-failed
	eventually(t, "the connection is gone", func() bool { return s.Stats().Connections == 0 })
	if s.Stats().Timeouts != 1 {
		t.Errorf("stats %+v", s.Stats())
	}
}

func TestSlowHonestUploadLives(t *testing.T) {
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		answer(w, 200, -1, fmt.Sprint(n, err))
	}), http1.ServerConfig{BodyGrace: 400 * time.Millisecond, BodyRate: 1000})
	c := http1test.Dial(t, addr)
	c.Send(post + "Content-Length: 2000\r\n\r\n")
	for range 10 { // 200 bytes each 50 ms: four times the rate, for longer than the grace
		<-time.After(50 * time.Millisecond)
		c.Send(strings.Repeat("a", 200))
	}
	if got := c.MustRead("POST"); got.Body != "2000 <nil>" {
		t.Errorf("got %+v", got)
	}
}

func TestUnreadBodies(t *testing.T) {
	cases := []struct {
		name, in string
		kept     bool
	}{
		{"small", post + "Content-Length: 5\r\n\r\nabcde", true},
		{"small chunks", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", true},
		{"large", post + "Content-Length: 300000\r\n\r\n" + strings.Repeat("GET / HTTP/1.1\r\n", 300000/16), false},
		{"large chunk", post + "Transfer-Encoding: chunked\r\n\r\n493e0\r\n" + strings.Repeat("a", 300000) + "\r\n0\r\n\r\n", false},
		{"bad chunks", post + "Transfer-Encoding: chunked\r\n\r\nx\r\n", false},
		{"waiting for 100", post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s, addr := serve(t, handler(func(w message.Writer, r *message.Request) { answer(w, 401, 2, "no") }), http1.ServerConfig{})
			c := http1test.Dial(t, addr)
			c.Send(tc.in)
			if got := c.MustRead("POST"); got.Status != 401 || got.Body != "no" {
				t.Fatalf("got %+v", got)
			}
			if tc.kept {
				c.Send(get + "\r\n")
				if got := c.MustRead("GET"); got.Status != 401 {
					t.Errorf("got %+v", got)
				}
				return
			}
			if rest, ended := c.Rest(); rest != "" || !ended {
				t.Errorf("then %q, ended %v", rest, ended)
			}
			if n := s.Stats().Requests; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestHandlersThatGoWrong(t *testing.T) {
	cases := map[string]struct {
		h    handler
		want int // 0: the client sees the response break off
	}{
		"panics":            {func(w message.Writer, r *message.Request) { panic("x") }, 500},
		"writes nothing":    {func(w message.Writer, r *message.Request) {}, 500},
		"writes too little": {func(w message.Writer, r *message.Request) { answer(w, 200, 5, "abc") }, 0},
		"never ends chunks": {func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(&message.Response{Status: 200, ContentLength: -1})
		}, 0},
		"fails":               {func(w message.Writer, r *message.Request) { w.Fail() }, 0},
		"forgets to finish":   {func(w message.Writer, r *message.Request) { _ = w.WriteHead(&message.Response{Status: 201}) }, 201},
		"101 without upgrade": {func(w message.Writer, r *message.Request) { _ = w.WriteHead(&message.Response{Status: 101}) }, 500},
		"bad field": {func(w message.Writer, r *message.Request) {
			p := &message.Response{Status: 200}
			p.Header.Add("X", "a\r\nY: b")
			if err := w.WriteHead(p); err == nil {
				panic("no error")
			}
			answer(w, 503, 0, "")
		}, 503},
		"takes the head back": {func(w message.Writer, r *message.Request) {
			if w.Discard() {
				panic("there is no head")
			}
			_ = w.WriteHead(&message.Response{Status: 200, ContentLength: 1000})
			_, _ = w.Write([]byte("part"))
			if !w.Discard() || w.HeadWritten() || w.Sent() != 0 || w.Discard() {
				panic("not taken back")
			}
			answer(w, 502, -1, "instead")
			if w.Discard() {
				panic("it is finished")
			}
		}, 502},
		"takes the head back and writes nothing": {func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(&message.Response{Status: 200, ContentLength: 1000})
			w.Discard()
		}, 500},
		"comes too late, after a flush": {func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(&message.Response{Status: 201, ContentLength: 2})
			_ = w.Flush()
			if w.Discard() {
				panic("taken back")
			}
			_, _ = w.Write([]byte("ab"))
		}, 201},
		"comes too late, after much": {func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(&message.Response{Status: 201, ContentLength: 9000})
			_, _ = w.Write(make([]byte, 9000))
			if w.Discard() {
				panic("taken back")
			}
		}, 201},
		"writes too much": {func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(&message.Response{Status: 200, ContentLength: 1})
			if _, err := w.Write([]byte("ab")); err == nil {
				panic("no error")
			}
			_, _ = w.Write([]byte("a"))
			_ = w.Finish(nil)
		}, 200},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, tc.h, http1.ServerConfig{})
			c := http1test.Dial(t, addr)
			c.Send(get + "\r\n")
			got, err := c.Read("GET")
			if tc.want == 0 && err == nil || tc.want != 0 && (err != nil || got.Status != tc.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestBodyIsNobodysAfterTheExchange(t *testing.T) {
	var kept io.Reader
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		if kept == nil {
			kept = r.Body
		}
		answer(w, 200, 0, "")
	}), http1.ServerConfig{})
	c := http1test.Dial(t, addr)
	for range 2 {
		c.Send(post + "Content-Length: 3\r\n\r\nabc")
		c.MustRead("POST")
	}
	if n, err := kept.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestInformationalAndTrailers(t *testing.T) {
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		var h, tr message.Header
		h.Add("Link", "</x>")
		tr.Add("X-Sum", "1")
		tr.Add("Content-Length", "5")
		_ = w.Informational(103, &h)
		_ = w.WriteHead(&message.Response{Status: 200, ContentLength: -1})
		_, _ = io.WriteString(w, "abc")
		_ = w.Finish(&tr)
	}), http1.ServerConfig{})
	c := http1test.Dial(t, addr)
	c.Send(get + "Connection: close\r\n\r\n")
	rest, _ := c.Rest()
	if !strings.HasPrefix(rest, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n") ||
		!strings.HasSuffix(rest, "\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n") {
		t.Errorf("got %q", rest)
	}
	c = http1test.Dial(t, addr)
	c.Send("GET / HTTP/1.0\r\n\r\n")
	if rest, _ := c.Rest(); strings.Contains(rest, "103") || !strings.HasSuffix(rest, "\r\n\r\nabc") {
		t.Errorf("HTTP/1.0 got %q", rest)
	}
}

func TestRequestsPerConnection(t *testing.T) {
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) { answer(w, 200, 0, "") }), http1.ServerConfig{MaxRequestsPerConnection: 2})
	c := http1test.Dial(t, addr)
	for last := range 2 {
		c.Send(get + "\r\n")
		if got := c.MustRead("GET"); got.Status != 200 || got.Close != (last == 1) {
			t.Errorf("got %+v", got)
		}
	}
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("then %q, ended %v", rest, ended)
	}
}

func TestDrain(t *testing.T) {
	gate, inside := make(chan struct{}), make(chan struct{})
	s, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		if r.Path == "/wait" {
			inside <- struct{}{}
			<-gate
		}
		answer(w, 200, 2, "ok")
	}), http1.ServerConfig{})
	idle, busy := http1test.Dial(t, addr), http1test.Dial(t, addr)
	idle.Send(get + "\r\n")
	idle.MustRead("GET")
	busy.Send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-inside
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	if rest, ended := idle.Rest(); rest != "" || !ended {
		t.Errorf("the idle connection got %q, ended %v", rest, ended)
	}
	close(gate)
	if got := busy.MustRead("GET"); got.Body != "ok" || !got.Close {
		t.Errorf("the busy connection got %+v", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDrainCutsAtItsDeadline(t *testing.T) {
	inside := make(chan struct{})
	s, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		inside <- struct{}{}
		<-r.Context.Done()
		if !r.Abort.Fired() {
			t.Error("no abort")
		}
	}), http1.ServerConfig{})
	c := http1test.Dial(t, addr)
	c.Send(get + "\r\n")
	<-inside
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("no error")
	}
	if _, ended := c.Rest(); !ended {
		t.Error("the connection lives")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("load", func(t *testing.T) {
		r, o := echoRig(t)
		done := make(chan struct{})
		for i := range 20 {
			go func() {
				defer func() { done <- struct{}{} }()
				c := http1test.Dial(t, r.addr)
				for j := range 50 {
					c.Send(fmt.Sprintf("POST /%d/%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", i, j))
					if got, err := c.Read("POST"); err != nil || got.Body != fmt.Sprintf("POST /%d/%d", i, j) {
						t.Errorf("got %+v, %v", got, err)
						return
					}
				}
				if i%2 == 0 {
					c.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc") // and leave
				}
				c.Close()
			}()
		}
		for range 20 {
			<-done
		}
		eventually(t, "clients are gone", func() bool { return r.srv.Stats().Connections == 0 })
		if f := o.Faults(); len(f) != 0 {
			t.Errorf("faults %q", f)
		}
	})
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

// TestBadConnectionsDoNotBlockGoodOnes (A29). The bad ones may stay for an hour, so a
// good one that had to wait for any of them would not be answered.
func TestBadConnectionsDoNotBlockGoodOnes(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{HeaderTimeout: time.Hour, IdleTimeout: time.Hour, BodyRate: -1}, http1.PoolConfig{})
	for i := range 600 {
		c := http1test.Dial(t, r.addr)
		c.Send([]string{"", "GET / HT", post + "Content-Length: 100\r\n\r\nabc"}[i%3])
	}
	eventually(t, "all are there", func() bool { return r.srv.Stats().Connections == 600 })
	c := http1test.Dial(t, r.addr)
	for i := range 100 {
		c.Send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i))
		if got := c.MustRead("GET"); got.Body != fmt.Sprintf("GET /%d", i) {
			t.Fatalf("got %+v", got)
		}
	}
}
