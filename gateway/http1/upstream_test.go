package http1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// TestHostileResponses (A32): the client gets 502 or exactly the framed part, and
// the connection to the origin is thrown away.
func TestHostileResponses(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n"
	cases := []struct {
		name, method, out string
		status            int
		body              string
		broken            bool // the client sees the response break off
	}{
		{"length and chunked", "GET", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, "", false},
		{"two lengths", "GET", ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 502, "", false},
		{"bad length", "GET", ok + "Content-Length: +3\r\n\r\nabc", 502, "", false},
		{"unknown coding", "GET", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, "", false},
		{"chunked by HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, "", false},
		{"flood of 1xx", "GET", strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 100) + ok + "Content-Length: 0\r\n\r\n", 502, "", false},
		{"1 MB of head", "GET", ok + "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 502, "", false},
		{"status 2000", "GET", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", 502, "", false},
		{"status 099", "GET", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", 502, "", false},
		{"version", "GET", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", 502, "", false},
		{"not HTTP", "GET", "SSH-2.0-x\r\n\r\n", 502, "", false},
		{"NUL in a field", "GET", ok + "X: a\x00b\r\nContent-Length: 0\r\n\r\n", 502, "", false},
		{"LF line ends", "GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", 502, "", false},
		{"obs-fold", "GET", ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", 502, "", false},
		{"space before colon", "GET", ok + "Content-Length : 3\r\n\r\nabc", 502, "", false},
		{"101 without our Upgrade", "GET", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 502, "", false},
		{"nothing", "GET", "", 502, "", false},
		{"half a head", "GET", "HTTP/1.1 200 OK\r\nContent-", 502, "", false},
		{"bytes behind the body", "GET", ok + "Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 200, "abc", false},
		{"204 with a body", "GET", "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", 204, "", false},
		{"204 with chunks", "GET", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, "", false},
		{"304 with a body", "GET", "HTTP/1.1 304 Not\r\nContent-Length: 3\r\n\r\nabc", 304, "", false},
		{"HEAD with a body", "HEAD", ok + "Content-Length: 3\r\n\r\nabc", 200, "", false},
		{"bad chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n\r\n", 200, "abc", true},
		{"broken off chunks", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 200, "abc", true},
		{"short body", "GET", ok + "Content-Length: 5\r\n\r\nabc", 200, "abc", true},
		{"until close", "GET", ok + "\r\nabc", 200, "abc", false},
		{"says close", "GET", ok + "Connection: close\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
				if _, err := http1test.ReadRequest(r); err == nil {
					_, _ = io.WriteString(c, tc.out)
				}
			})
			r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
			c := http1test.Dial(t, r.addr)
			c.Send(tc.method + " / HTTP/1.1\r\nHost: h\r\n\r\n")
			got, err := c.Read(tc.method)
			if tc.broken {
				if err == nil {
					t.Errorf("the client takes %+v for whole", got)
				}
			} else if err != nil || got.Status != tc.status || got.Body != tc.body {
				t.Errorf("got %+v, %v", got, err)
			}
			eventually(t, "the connection is thrown away", func() bool { return r.pool.Stats().Open == 0 })
		})
	}
}

func TestUnsolicitedBytesSpoilAnIdleConnection(t *testing.T) {
	sent := make(chan struct{})
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		for {
			q, err := http1test.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, http1test.Echo(q))
			if n == 0 {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
				close(sent)
			}
		}
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.MustRead("GET")
	<-sent
	c.Send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.MustRead("GET"); got.Body != "GET /2" {
		t.Errorf("got %+v", got)
	}
}

func TestStaleConnectionIsReplaced(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	for i := range 3 {
		c.Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na")
		if got := c.MustRead("POST"); got.Status != 200 {
			t.Fatalf("request %d got %+v", i, got)
		}
		o.CloseConns()
		eventually(t, "the origin has closed", func() bool { return o.Open() == 0 })
	}
	if s := r.pool.Stats(); s.Stale == 0 || s.Retried != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestRetriesOnce: the origin closes reused connections after it got a request.
func TestRetriesOnce(t *testing.T) {
	for method, want := range map[string]int{"GET": 200, "PUT": 200, "POST": 502, "PATCH": 502} {
		t.Run(method, func(t *testing.T) {
			o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
				if q, err := http1test.ReadRequest(r); err == nil {
					_, _ = io.WriteString(c, http1test.Echo(q))
					_, _ = http1test.ReadRequest(r) // and no answer
				}
			})
			r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
			c := http1test.Dial(t, r.addr)
			in := method + " / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"
			c.Send(in)
			if got := c.MustRead(method); got.Status != 200 {
				t.Fatalf("got %+v", got)
			}
			c.Send(in)
			if got := c.MustRead(method); got.Status != want {
				t.Errorf("got %d, want %d", got.Status, want)
			}
		})
	}
}

func TestUpgradeBecomesATunnel(t *testing.T) {
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		q, err := http1test.ReadRequest(r)
		if err != nil || q.Field("Connection") != "Upgrade" || q.Field("Upgrade") != "websocket" {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nX: y\r\n\r\nhello\n")
		_, _ = io.Copy(c, r)
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\nearly\n")
	if got := c.MustRead("GET"); got.Status != 101 || got.Header.Get("X") != "y" || got.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("got %+v", got)
	}
	c.Send("late\n")
	for _, want := range []string{"hello\n", "early\n", "late\n"} {
		if l, err := c.Line(); l != want {
			t.Fatalf("got %q, %v; want %q", l, err, want)
		}
	}
	c.Close()
	eventually(t, "both sides are closed", func() bool {
		return o.Open() == 0 && r.pool.Stats().Open == 0 && r.srv.Stats().Connections == 0
	})
}

// TestRefusedUpgradeIsNoTunnel (A30, CVE-2024-23326): behind a 200 the client's
// bytes are requests.
func TestRefusedUpgradeIsNoTunnel(t *testing.T) {
	r, o := echoRig(t)
	c := http1test.Dial(t, r.addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if got := c.MustRead("GET"); got.Status != 200 {
		t.Fatalf("got %+v", got)
	}
	c.Send("GET /smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na")
	if got := c.MustRead("GET"); got.Status != 400 {
		t.Errorf("got %+v", got)
	}
	if n := len(o.Requests()); n != 1 {
		t.Errorf("the origin got %d requests", n)
	}
}

func TestExpectContinueEndToEnd(t *testing.T) {
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			head.WriteByte(b)
		}
		if !strings.Contains(head.String(), "Expect: 100-continue\r\n") {
			return
		}
		if strings.HasPrefix(head.String(), "PUT /no") {
			_, _ = io.WriteString(c, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, r)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		b := make([]byte, 3)
		_, _ = io.ReadFull(r, b)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n%s", b)
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("PUT /yes HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if l, err := c.Line(); l != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", l, err)
	}
	_, _ = c.Line()
	c.Send("abc")
	if got := c.MustRead("PUT"); got.Status != 200 || got.Body != "abc" {
		t.Fatalf("got %+v", got)
	}
	c.Send("PUT /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 33\r\n\r\n")
	if l, err := c.Line(); l != "HTTP/1.1 403 No\r\n" {
		t.Fatalf("got %q, %v", l, err)
	}
	// What comes now is the body that nobody wants, never a request.
	c.Send("GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n")
	if rest, ended := c.Rest(); !ended || !strings.Contains(rest, "Connection: close") || strings.Contains(rest, "HTTP/1.1 ") {
		t.Errorf("then came %q, ended %v", rest, ended)
	}
	eventually(t, "the connection is not kept", func() bool { return r.pool.Stats().Idle <= 1 && r.pool.Stats().Open <= 1 })
}

// TestFullDuplex: the response comes while the request is still being sent, each
// waiting for a piece of the other.
func TestFullDuplex(t *testing.T) {
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		for l := ""; l != "\r\n"; {
			l, _ = r.ReadString('\n')
			if l == "" {
				return
			}
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			size, _ := r.ReadString('\n')
			data, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := io.WriteString(c, size+data); err != nil || size == "0\r\n" {
				return
			}
		}
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	for l := ""; l != "\r\n"; {
		var err error
		if l, err = c.Line(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		want := fmt.Sprintf("piece%d", i)
		c.Send("6\r\n" + want + "\r\n")
		_, _ = c.Line()
		if l, err := c.Line(); l != want+"\r\n" {
			t.Fatalf("got %q, %v", l, err)
		}
	}
	c.Send("0\r\n\r\n")
	for _, want := range []string{"0\r\n", "\r\n"} {
		if l, err := c.Line(); l != want {
			t.Fatalf("got %q, %v, want %q", l, err, want)
		}
	}
	eventually(t, "the client's connection is kept", func() bool { return r.srv.Stats().Idle == 1 })
}

// TestEarlyResponse: the origin answers and reads no more.
func TestEarlyResponse(t *testing.T) {
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 413 No\r\nContent-Length: 4\r\n\r\nstop")
		_, _ = r.ReadString('!') // until the connection ends
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("a", 100000))
	got, err := c.Read("POST")
	if err != nil || got.Status != 413 || got.Body != "stop" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("then %q, ended %v", rest, ended)
	}
	eventually(t, "the origin's connection is not kept", func() bool { return r.pool.Stats().Open == 0 })
}

func TestClientThatLeavesCancelsTheExchange(t *testing.T) {
	o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
		_, _ = http1test.ReadRequest(r)
		_, _ = r.ReadByte() // no answer; returns when the gateway gives up
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "the origin has the request", func() bool { return o.Open() == 1 })
	c.Close()
	eventually(t, "the origin's connection is closed", func() bool { return o.Open() == 0 && r.pool.Stats().Open == 0 })
	eventually(t, "the abort is told", func() bool {
		e := r.errors()
		return len(e) == 1 && message.KindOf(e[0]) == message.ErrAborted
	})
	if s := r.srv.Stats(); s.Aborted != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestPoolTimeouts(t *testing.T) {
	silent := func(n int, c net.Conn, r *bufio.Reader) {
		q, err := http1test.ReadRequest(r)
		if err == nil && q.Target == "/body" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		}
		_, _ = r.ReadByte()
	}
	o := http1test.NewScripted(t, silent)
	request := func(target string) *message.Request {
		return &message.Request{Method: "GET", Host: "h", Target: target, Body: message.NoBody, Context: context.Background()}
	}
	p := http1.NewPool(http1.PoolConfig{
		Address: o.Addr(), FirstByteTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond,
		MaxConnections: 1, Queue: 1, QueueTimeout: 50 * time.Millisecond,
	})
	defer p.Close()
	ctx := context.Background()
	if _, err := p.Do(ctx, request("/"), message.Outbound{Target: "/"}); message.KindOf(err) != message.ErrFirstByteTimeout {
		t.Errorf("first byte: %v", err)
	}
	resp, err := p.Do(ctx, request("/body"), message.Outbound{Target: "/body"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Do(ctx, request("/"), message.Outbound{Target: "/"}); message.KindOf(err) != message.ErrQueueTimeout {
		t.Errorf("queue: %v", err)
	}
	if b, err := io.ReadAll(resp.Body); message.KindOf(err) != message.ErrBodyTimeout || string(b) != "abc" {
		t.Errorf("body: %q, %v", b, err)
	}
	_ = resp.Body.Close()
	_ = resp.Body.Close()
	if _, err := p.Do(ctx, request("/"), message.Outbound{Target: "/", Deadline: time.Now().Add(20 * time.Millisecond)}); message.KindOf(err) != message.ErrDeadline {
		t.Errorf("deadline: %v", err)
	}
	cctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := p.Do(cctx, request("/"), message.Outbound{Target: "/"}); message.KindOf(err) != message.ErrAborted {
		t.Errorf("context: %v", err)
	}
	if s := p.Stats(); s.Open != 0 || s.Idle != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestPoolQueueAndClose(t *testing.T) {
	gate := make(chan struct{})
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		<-gate
		return http1test.Echo(q)
	})
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr(), MaxConnections: 2, Queue: 3})
	done := make(chan error, 8)
	do := func() {
		r := &message.Request{Method: "GET", Host: "h", Body: message.NoBody, Context: context.Background()}
		resp, err := p.Do(context.Background(), r, message.Outbound{Target: "/"})
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		done <- err
	}
	for range 5 {
		go do()
	}
	eventually(t, "three wait", func() bool { s := p.Stats(); return s.Waiting == 3 && s.Open == 2 })
	go do()
	if err := <-done; message.KindOf(err) != message.ErrQueueFull {
		t.Errorf("the sixth got %v", err)
	}
	close(gate)
	for range 5 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s := p.Stats(); s.Open != 2 || s.Idle != 2 || s.Waiting != 0 || o.Accepted() != 2 {
		t.Errorf("stats %+v, %d accepted", s, o.Accepted())
	}
	p.Close()
	eventually(t, "all are closed", func() bool { return o.Open() == 0 && p.Stats().Open == 0 })
}

func TestAClosedPoolKeepsNothingAndStillSends(t *testing.T) {
	gate := make(chan struct{}, 8)
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		<-gate
		return http1test.Echo(q)
	})
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr(), MaxConnections: 1, Queue: 4})
	done := make(chan error, 8)
	do := func() {
		r := &message.Request{Method: "GET", Host: "h", Body: message.NoBody, Context: context.Background()}
		resp, err := p.Do(context.Background(), r, message.Outbound{Target: "/"})
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		done <- err
	}
	go do()
	eventually(t, "the first is at the origin", func() bool { return len(o.Requests()) == 1 })
	go do()
	go do()
	eventually(t, "two wait", func() bool { return p.Stats().Waiting == 2 })
	p.Close()
	go do()
	eventually(t, "a later one waits too", func() bool { return p.Stats().Waiting == 3 })
	for range 4 {
		gate <- struct{}{}
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Errorf("around Close: %v", err)
		}
	}
	eventually(t, "nothing is kept", func() bool { return o.Open() == 0 })
	if s := p.Stats(); s.Open != 0 || s.Idle != 0 || s.Waiting != 0 || s.Dials != 4 || s.Reused != 0 || o.Accepted() != 4 {
		t.Errorf("stats %+v, %d accepted; want each exchange on a connection of its own", s, o.Accepted())
	}
	gate <- struct{}{}
	do()
	if err := <-done; err != nil {
		t.Errorf("long after Close: %v", err)
	}
	eventually(t, "nothing is kept", func() bool { return o.Open() == 0 && p.Stats().Open == 0 })
	p.Close()
}

func TestIdleConnectionsExpire(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	r := newRig(t, o.Addr(), http1.ServerConfig{IdleTimeout: 50 * time.Millisecond}, http1.PoolConfig{IdleTimeout: 50 * time.Millisecond})
	c := http1test.Dial(t, r.addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.MustRead("GET")
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("got %q, ended %v", rest, ended)
	}
	eventually(t, "the idle connection is closed", func() bool { return r.pool.Stats().Open == 0 && o.Open() == 0 })
}

func TestFieldsOfTheGatewayAreChecked(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr()})
	defer p.Close()
	for name, edit := range map[string]func(*message.Request, *message.Outbound){
		"value":  func(r *message.Request, o *message.Outbound) { r.Header.Add("X", "a\r\nY: b") },
		"name":   func(r *message.Request, o *message.Outbound) { r.Header.Set("X Y", "a") },
		"target": func(r *message.Request, o *message.Outbound) { o.Target = "/ HTTP/1.1\r\nX: y" },
		"host":   func(r *message.Request, o *message.Outbound) { o.Host = "h\r\nX: y" },
		"method": func(r *message.Request, o *message.Outbound) { o.Method = "GET /" },
	} {
		r := &message.Request{Method: "GET", Host: "h", Body: message.NoBody, Context: context.Background()}
		out := message.Outbound{Target: "/"}
		edit(r, &out)
		if _, err := p.Do(context.Background(), r, out); message.KindOf(err) != message.ErrRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(o.Requests()); n != 0 {
		t.Errorf("the origin got %d requests", n)
	}
}
