package http1_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// overtaken is a connection whose first read returns its bytes only when the drain
// has ended the wait for them.
type overtaken struct {
	net.Conn
	idle, ended         chan struct{}
	waiting, endingOnce sync.Once
}

func (o *overtaken) Read(b []byte) (int, error) {
	o.waiting.Do(func() {
		close(o.idle)
		<-o.ended
	})
	return o.Conn.Read(b)
}

func (o *overtaken) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now()) {
		o.endingOnce.Do(func() { close(o.ended) })
		return nil
	}
	return o.Conn.SetReadDeadline(t)
}

// TestDrainServesARequestThatCameWithIt is the race between the end of an idle
// connection and the first byte of a request.
func TestDrainServesARequestThatCameWithIt(t *testing.T) {
	s := http1.NewServer(handler(func(w message.Writer, r *message.Request) { answer(w, 200, 2, "ok") }), http1.ServerConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := http1test.Dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Send(get + "\r\n")
	o := &overtaken{Conn: nc, idle: make(chan struct{}), ended: make(chan struct{})}
	go s.ServeConn(t.Context(), o, http1.PeerOf(nc))
	<-o.idle
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	if got := c.MustRead("GET"); got.Body != "ok" || !got.Close {
		t.Errorf("got %+v", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDrainServesARequestBehindAnAnswerThatKeeps has the drain begin between an answer
// that told the client to go on, and the wait for its next request.
func TestDrainServesARequestBehindAnAnswerThatKeeps(t *testing.T) {
	answered, drained := make(chan struct{}), make(chan struct{})
	s, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		answer(w, 200, 2, "ok")
		if r.Path == "/first" {
			close(answered)
			<-drained
		}
	}), http1.ServerConfig{})
	idle, c := http1test.Dial(t, addr), http1test.Dial(t, addr)
	idle.Send(get + "\r\n")
	idle.MustRead("GET")
	c.Send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := c.MustRead("GET"); got.Close {
		t.Fatalf("got %+v", got)
	}
	<-answered
	c.Send(get + "\r\n")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	if rest, ended := idle.Rest(); rest != "" || !ended {
		t.Errorf("the idle connection got %q, ended %v", rest, ended)
	}
	close(drained)
	if got := c.MustRead("GET"); got.Body != "ok" || !got.Close {
		t.Errorf("got %+v", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLastAnswerIsNotLostToUnreadBytes has a client send its next request while it
// slowly takes an answer that ends the connection: a socket that is closed with bytes
// unread drops what it has still to send (RFC 9112, 9.6).
func TestLastAnswerIsNotLostToUnreadBytes(t *testing.T) {
	const size = 1 << 20
	inside, sent := make(chan struct{}), make(chan struct{})
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
		close(inside)
		<-sent
		answer(w, 200, size, strings.Repeat("a", size))
	}), http1.ServerConfig{MaxRequestsPerConnection: 1})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	<-inside
	if _, err := io.WriteString(c, get+"\r\n"); err != nil {
		t.Fatal(err)
	}
	close(sent)
	b, err := io.ReadAll(c)
	if _, body, _ := strings.Cut(string(b), "\r\n\r\n"); err != nil || len(body) != size {
		t.Errorf("got %d of %d bytes, %v", len(body), size, err)
	}
}
