package http1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// opaque hides the socket, as a connection with TLS or PROXY protocol does.
type opaque struct{ net.Conn }

type opaqueListener struct{ net.Listener }

func (l opaqueListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return opaque{c}, err
}

// TestConnectionsThatAreNoSockets runs what matters without raw system calls.
func TestConnectionsThatAreNoSockets(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	clock := http1.NewClock()
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr(), Clock: clock, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return opaque{c}, err
	}})
	defer p.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := http1.NewServer(&proxy{pool: p}, http1.ServerConfig{Clock: clock})
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), opaqueListener{l}) }()
	c := http1test.Dial(t, l.Addr().String())
	for i := range 3 {
		c.Send(fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n%s", i, strings.Repeat("a", 20000)))
		if got := c.MustRead("POST"); got.Body != fmt.Sprintf("POST /%d", i) {
			t.Fatalf("got %+v", got)
		}
	}
	// A body's sender may still be at its last line when the answer has come, and then
	// the connection is not kept; behind a GET it is.
	c.Send("GET /kept HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.MustRead("GET"); got.Body != "GET /kept" {
		t.Fatalf("got %+v", got)
	}
	eventually(t, "a connection is kept", func() bool { return p.Stats().Idle == 1 })
	o.CloseConns() // the pool cannot look: the request is sent again
	eventually(t, "the origin has closed", func() bool { return o.Open() == 0 })
	c.Send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.MustRead("GET"); got.Body != "GET /again" || p.Stats().Retried != 1 {
		t.Errorf("got %+v, stats %+v", got, p.Stats())
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("then %q, ended %v", rest, ended)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLargeBodies goes through all buffers, both ways at once.
func TestLargeBodies(t *testing.T) {
	const size = 8 << 20
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		if q.Target == "/chunked" {
			var b strings.Builder
			b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for s := string(q.Body); s != ""; {
				n := min(len(s), 100_003)
				fmt.Fprintf(&b, "%x\r\n%s\r\n", n, s[:n])
				s = s[n:]
			}
			return b.String() + "0\r\nX-End: yes\r\n\r\n"
		}
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(q.Body), q.Body)
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d ", i)
	}
	body := b.String()
	c := http1test.Dial(t, r.addr)
	for _, path := range []string{"/length", "/chunked"} {
		go c.Send(fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body))
		got := c.MustRead("PUT")
		if got.Body != body || path == "/chunked" && got.Trailer.Get("X-End") != "yes" {
			t.Errorf("%s: %d bytes came back of %d, trailer %v", path, len(got.Body), len(body), got.Trailer)
		}
		go c.Send(fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(body), body))
		if got := c.MustRead("PUT"); got.Body != body {
			t.Errorf("%s by chunks: %d bytes came back of %d", path, len(got.Body), len(body))
		}
	}
	if n := o.Accepted(); n != 1 {
		t.Errorf("%d connections to the origin", n)
	}
}

// TestEventStream: each event comes at once, and an end of the client ends the
// origin's side.
func TestEventStream(t *testing.T) {
	next := make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	over := make(chan struct{})
	go func() {
		defer close(over)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		if _, err := http1test.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		for range next {
			if _, err := io.WriteString(c, "data: x\n\n"); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}()
	r := newRig(t, l.Addr().String(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send(get + "\r\n")
	for l := ""; l != "\r\n"; {
		if l, err = c.Line(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		next <- struct{}{}
		for _, want := range []string{"9\r\n", "data: x\n", "\n", "\r\n"} {
			if l, err := c.Line(); l != want {
				t.Fatalf("got %q, %v; want %q", l, err, want)
			}
		}
	}
	close(next)
	c.Close()
	<-over
}
