package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// given is a request as a server gave it to its handler.
type given struct {
	method, target, host, body string
	header, trailer            map[string][]string
	minor                      int
	err                        error // of the body
}

// FuzzConnection gives the same bytes, in pieces, to the engine and to net/http's server. What both
// give to their handlers is the same, request by request; and the engine sees no request where
// net/http sees none.
//
// Known differences, all of them in the parser of net/http's server and none in where a request ends:
// the engine forgives an empty line before any request and not only behind a POST, takes targets with
// bad escapes, which the router refuses, and lets HTTP/1.0 requests with a body go on. What the server
// of net/http refuses is therefore compared with what net/http's parser alone takes the bytes for.
func FuzzConnection(f *testing.F) {
	for _, s := range []string{
		"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b?c HTTP/1.1\r\nHost: H.:80\r\nX:  y \r\nx: z\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcdePUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;e=\"x\"\r\nabc\r\n0\r\nT: v\r\nU: w\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGPOST / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.0\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\naGET http://h/b HTTP/1.0\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab\r\nGET /b HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\nX: y\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: h\r\nPragma: no-cache\r\nCookie: a=1; b=2\r\n\r\n\r\nHEAD / HTTP/1.1\r\nHost: [::1]:1\r\nUpgrade: a/1\r\nConnection: upgrade\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n1;a\n=b\r\na\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		f.Add([]byte(s), byte(200))
		f.Add([]byte(s), byte(0))
	}
	f.Add([]byte("\x81\x85\x8e\x96\x9c\xcbPOST /b HTTP/1.1\r\n\x96\xa3\xb2\xbd\xbf\x80\x86\x8e\x97\xb2"), byte(7))
	f.Fuzz(func(t *testing.T, words []byte, step byte) {
		in := http1test.Spell(words)
		synctest.Test(t, func(t *testing.T) {
			own, std := serveOwn(t, in, int(step)+1), serveStd(t, in, int(step)+1)
			if err := agree(own, std, http1test.Sent(in)); err != nil {
				t.Errorf("%q by %d: %v", in, int(step)+1, err)
			}
			<-time.After(5 * time.Second) // of the bubble: the engine's clock notices that nobody needs it
		})
	})
}

// agree compares request by request.
func agree(own, std []given, parsed []*http1test.Request) error {
	for i, o := range own {
		if i >= len(std) {
			switch {
			case i >= len(parsed) && o.err == nil:
				return fmt.Errorf("request %d is seen by nobody else: %+v", i, o)
			case i < len(parsed) && (parsed[i].Method != o.method || parsed[i].Target != o.target || o.err == nil && string(parsed[i].Body) != o.body):
				return fmt.Errorf("request %d is %+v, for net/http's parser %+v", i, o, parsed[i])
			}
			continue
		}
		s := std[i]
		if o.method != s.method || o.target != s.target || o.minor != s.minor || !sameHost(o.host, s.host) {
			return fmt.Errorf("request %d is %+v, for net/http %+v", i, o, s)
		}
		if o.err == nil && (s.err != nil || o.body != s.body) {
			return fmt.Errorf("request %d has body %q, for net/http %q, %v", i, o.body, s.body, s.err)
		}
		if name, ok := sameFields(o.header, s.header); !ok {
			return fmt.Errorf("request %d has %s %q, for net/http %q", i, name, o.header[name], s.header[name])
		}
		if name, ok := sameFields(o.trailer, s.trailer); o.err == nil && !ok {
			return fmt.Errorf("request %d has in the trailer %s %q, for net/http %q", i, name, o.trailer[name], s.trailer[name])
		}
	}
	return nil
}

// sameHost: ours is in lower case and without a name's trailing dot.
func sameHost(own, std string) bool {
	std = strings.ToLower(std)
	return own == std || own == strings.Replace(std+":", ".:", ":", 1)[:len(own)] && strings.Count(std, ".") == strings.Count(own, ".")+1
}

// sameFields compares what a handler gets, but for what says where the message ends, which net/http
// takes out.
func sameFields(own, std map[string][]string) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		default:
			if !slices.Equal(own[name], std[name]) {
				return name, false
			}
		}
	}
	return "", true
}

// serveOwn is what the engine makes of a connection.
func serveOwn(t *testing.T, in []byte, step int) (all []given) {
	over := false
	s := http1.NewServer(handler(func(w message.Writer, r *message.Request) {
		if _, err := url.ParseRequestURI(r.Target); err != nil || over {
			over = true // refused by the router, and by net/http before its handler
			_ = w.WriteHead(&message.Response{Status: 400})
			_ = w.Finish(nil)
			return
		}
		g := given{method: r.Method, target: strings.Clone(r.Target), host: strings.Clone(r.Host), minor: r.Minor, header: fieldsOf(&r.Header)}
		g.method = strings.Clone(g.method)
		b, err := io.ReadAll(r.Body)
		g.body, g.err = string(b), err
		if r.Trailer != nil {
			g.trailer = fieldsOf(r.Trailer)
		}
		all = append(all, g)
		answer(w, 200, 2, "ok")
	}), http1.ServerConfig{})
	l, c := oneConn(in, step)
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), l) }()
	<-c.closed
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if n := s.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
	return all
}

func fieldsOf(h *message.Header) map[string][]string {
	m := http.Header{}
	for fd := range h.Fields() {
		m.Add(strings.Clone(fd.Name), strings.Clone(fd.Value))
	}
	return m
}

// serveStd is what net/http makes of it.
func serveStd(t *testing.T, in []byte, step int) (all []given) {
	s := &http.Server{
		DisableGeneralOptionsHandler: true, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g := given{method: r.Method, target: r.RequestURI, host: r.Host, minor: r.ProtoMinor, header: r.Header.Clone()}
			b, err := io.ReadAll(r.Body)
			g.body, g.err, g.trailer = string(b), err, r.Trailer
			all = append(all, g)
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ok")
		}),
	}
	l, c := oneConn(in, step)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	<-c.closed
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown of net/http: %v", err)
	}
	<-done
	return all
}

// memory is a connection whose client has sent everything and reads whatever comes.
type memory struct {
	mu     sync.Mutex
	in     *bytes.Reader
	step   int
	once   sync.Once
	closed chan struct{}
}

var _ net.Conn = (*memory)(nil)

func (c *memory) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	return c.in.Read(b[:min(len(b), c.step)])
}

func (c *memory) Write(b []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
		return len(b), nil
	}
}

func (c *memory) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *memory) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (c *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 1024} }
func (c *memory) SetDeadline(time.Time) error      { return nil }
func (c *memory) SetReadDeadline(time.Time) error  { return nil }
func (c *memory) SetWriteDeadline(time.Time) error { return nil }

// single is a listener with one connection.
type single struct {
	once  sync.Once
	ended chan struct{}
	conns chan net.Conn
}

func oneConn(in []byte, step int) (net.Listener, *memory) {
	c := &memory{in: bytes.NewReader(in), step: step, closed: make(chan struct{})}
	l := &single{ended: make(chan struct{}), conns: make(chan net.Conn, 1)}
	l.conns <- c
	return l, c
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}
func (l *single) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
