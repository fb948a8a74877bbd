package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/listen"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// tells answers with what it knows of the connection.
type tells struct{}

func (tells) Serve(w message.Writer, r *message.Request) {
	name := "-"
	if r.TLS != nil {
		name = r.TLS.ServerName
	}
	body := fmt.Sprintf("HTTP/%d %s %s %s %s", r.Major, r.Scheme, r.Remote, r.Local, name)
	_ = w.WriteHead(&message.Response{Status: 200, ContentLength: int64(len(body)), Body: message.NoBody})
	_, _ = w.Write([]byte(body))
	_ = w.Finish(nil)
}

// frames is HTTP/2 as the application puts it behind a listener.
type frames struct{ s *http2.Server }

func (f frames) ServeConn(ctx context.Context, nc net.Conn, p http1.Peer) {
	f.s.ServeConn(ctx, nc, http2.Peer(p))
}

// front is a listener under test.
type front struct {
	*listen.Server
	kinds *kinds
}

// kinds notes the types of the connections that HTTP/1.1 gets.
type kinds struct {
	listen.Protocol
	mu   sync.Mutex
	seen map[string]int
}

func (k *kinds) ServeConn(ctx context.Context, nc net.Conn, p http1.Peer) {
	k.mu.Lock()
	k.seen[fmt.Sprintf("%T", nc)]++
	k.mu.Unlock()
	k.Protocol.ServeConn(ctx, nc, p)
}

func (k *kinds) only(kind string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.seen) == 1 && k.seen[kind] > 0
}

// start serves a listener that ends with the test, orderly.
func start(t *testing.T, c listen.Config) *front {
	t.Helper()
	one := http1.NewServer(tells{}, http1.ServerConfig{HeaderTimeout: 5 * time.Second})
	two := http2.NewServer(tells{}, http2.ServerConfig{H2C: true})
	l, err := listen.Open(t.Context(), "listen.address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{kinds: &kinds{Protocol: one, seen: map[string]int{}}}
	c.Name, c.HTTP1, c.HTTP2 = "test", f.kinds, frames{two}
	c.Trusted = append(c.Trusted, netip.MustParsePrefix("127.0.0.1/32"))
	f.Server = listen.New(l, c)
	done := make(chan error, 1)
	go func() { done <- f.Serve(context.Background()) }()
	t.Cleanup(func() {
		f.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for _, end := range []func(context.Context) error{one.Shutdown, two.Shutdown} {
			if err := end(ctx); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		f.Wait()
		if n := f.Stats().Open; n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
	return f
}

func (f *front) addr() string { return f.Addr().String() }

func dial(t *testing.T, f *front) *http1test.Client { return http1test.Dial(t, f.addr()) }

// closed tells whether the server ends the connection without a byte.
func closed(t *testing.T, c *http1test.Client) {
	t.Helper()
	if rest, ended := c.Rest(); rest != "" || !ended {
		t.Errorf("got %q, ended %v; want the connection closed", rest, ended)
	}
}

func store(t *testing.T, fallback string) (*certs.Store, *certstest.CA) {
	t.Helper()
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "a.test")
	ca.Write(dir, "b", certstest.Options{}, "b.test")
	s, err := certs.Open(certs.Options{Dir: dir, Default: fallback})
	if err != nil {
		t.Fatal(err)
	}
	return s, ca
}

// ask makes one request by net/http.
func ask(t *testing.T, f *front, scheme string, client *tls.Config, protocols func(*http.Protocols)) (string, error) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: client, Protocols: new(http.Protocols)}
	protocols(tr.Protocols)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Get(scheme + "://" + f.addr() + "/")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func one(p *http.Protocols) { p.SetHTTP1(true) }
func two(p *http.Protocols) { p.SetHTTP2(true); p.SetHTTP1(true) }
func h2c(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

func TestWhatAClientSpeaks(t *testing.T) {
	s, ca := store(t, "")
	client := func() *tls.Config { return &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"} }
	plain, both, secure := start(t, listen.Config{}), start(t, listen.Config{H2C: true}), start(t, listen.Config{TLS: s.ServerConfig("h2", "http/1.1")})
	for name, tc := range map[string]struct {
		f      *front
		scheme string
		speaks func(*http.Protocols)
		want   string
	}{
		"HTTP/1.1":                          {plain, "http", one, "HTTP/1 http 127.0.0.1"},
		"HTTP/1.1 beside h2c":               {both, "http", one, "HTTP/1 http 127.0.0.1"},
		"HTTP/2 by prior knowledge":         {both, "http", h2c, "HTTP/2 http 127.0.0.1"},
		"HTTP/2 where it is not allowed":    {plain, "http", h2c, ""},
		"HTTP/1.1 over TLS":                 {secure, "https", one, "HTTP/1 https 127.0.0.1"},
		"HTTP/2 over TLS":                   {secure, "https", two, "HTTP/2 https 127.0.0.1"},
		"HTTP/2 without TLS where it is on": {secure, "http", h2c, ""},
	} {
		got, err := ask(t, tc.f, tc.scheme, client(), tc.speaks)
		if (err != nil) != (tc.want == "") || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if tc.scheme == "https" && !strings.HasSuffix(got, " a.test") {
			t.Errorf("%s: the handler does not see the handshake: %q", name, got)
		}
	}
	// the engine reads sockets of plain connections by itself
	if !plain.kinds.only("*net.TCPConn") || !both.kinds.only("*net.TCPConn") || !secure.kinds.only("*tls.Conn") {
		t.Errorf("the engine got %v, %v, %v", plain.kinds.seen, both.kinds.seen, secure.kinds.seen)
	}
}

func TestThePrefaceMayComeInPieces(t *testing.T) {
	f := start(t, listen.Config{H2C: true})
	for _, text := range []string{get, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "PRI / HTTP/1.1\r\nHost: h\r\n\r\n"} {
		c := dial(t, f)
		for i := range 20 {
			c.Send(text[i : i+1])
		}
		c.Send(text[20:])
		if r := c.MustRead("GET"); r.Status != 200 && text[:3] != "PRI" || !strings.HasPrefix(r.Body, "HTTP/1 ") && r.Status == 200 {
			t.Errorf("%q: %+v", text, r)
		}
	}
	c := dial(t, f)
	for _, piece := range []string{"P", "RI * HT", "TP/2.0\r\n\r\nSM\r\n", "\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"} {
		c.Send(piece)
	}
	head := make([]byte, 9)
	_ = c.Conn().SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c.Conn(), head); err != nil || head[3] != 4 {
		t.Errorf("HTTP/2 is not answered with SETTINGS: %x, %v", head, err)
	}
	for _, begins := range []string{"\x16\x03\x01\x02\x00", "\x16"} {
		c := dial(t, f)
		c.Send(begins)
		closed(t, c)
	}
	c = dial(t, f)
	c.Send("PRI")
	c.CloseWrite()
	c.Close()
}

func TestWhatHasNoBusinessHere(t *testing.T) {
	s, ca := store(t, "")
	secure := start(t, listen.Config{TLS: s.ServerConfig("h2", "http/1.1"), Timeout: 300 * time.Millisecond, NewID: func() string { return "id1" }})
	for _, request := range []string{get, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000)} {
		c := dial(t, secure)
		c.Send(request)
		r := c.MustRead("GET")
		if r.Status != 400 || !r.Close || !strings.Contains(r.Body, `"listener.tls"`) || !strings.Contains(r.Body, "call it by https") || r.Header.Get("X-Request-Id") != "id1" {
			t.Errorf("%.20q: %+v", request, r)
		}
	}
	if n := secure.Stats().Plain; n != 3 {
		t.Errorf("%d are counted", n)
	}
	for name, bytes := range map[string]string{"SSH": "SSH-2.0-OpenSSH_9.9\r\n", "zeros": "\x00\x00\x00\x00\x00\x00", "half a hello": "\x16\x03\x01\x02\x00\x01", "nothing": ""} {
		c := dial(t, secure)
		c.Send(bytes)
		if rest, ended := c.Rest(); !ended || strings.Contains(rest, "HTTP/") {
			t.Errorf("%s: %q, ended %v", name, rest, ended)
		}
	}
	plain := start(t, listen.Config{})
	nc, err := net.Dial("tcp", plain.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(2 * time.Second)) // less than the time for a head
	if err := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"}).HandshakeContext(t.Context()); err == nil || strings.Contains(err.Error(), "first record does not look like") || strings.Contains(err.Error(), "timeout") {
		t.Errorf("TLS on a plain listener: %v", err)
	}
}

func TestProxyHeaders(t *testing.T) {
	s, ca := store(t, "")
	plain := start(t, listen.Config{Proxy: true, H2C: true, Timeout: 500 * time.Millisecond})
	secure := start(t, listen.Config{Proxy: true, TLS: s.ServerConfig("http/1.1")})
	for name, tc := range map[string]struct{ header, remote, local string }{
		"v1":         {"PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n", "192.0.2.7:1234", "10.0.0.1:443"},
		"v2":         {v2(0x21, 0x21, v6Addresses, tlv(1, "h2")), "[2001:db8::7]:1234", "[2001:db8::1]:443"},
		"v2, local":  {v2(0x20, 0x11, v4Addresses), "", ""},
		"v1 unknown": {"PROXY UNKNOWN\r\n", "", ""},
	} {
		c := dial(t, plain)
		if tc.remote == "" {
			tc.remote, tc.local = c.Conn().LocalAddr().String(), plain.addr()
		}
		want := "HTTP/1 http " + tc.remote + " " + tc.local + " -"
		c.Send(tc.header + get)
		if r := c.MustRead("GET"); r.Body != want {
			t.Errorf("%s: %q, want %q", name, r.Body, want)
		}
		c.Send(get) // only the first bytes are a header
		if r := c.MustRead("GET"); r.Body != want {
			t.Errorf("%s, second request: %q", name, r.Body)
		}
	}
	if !plain.kinds.only("*net.TCPConn") {
		t.Errorf("the engine got %v", plain.kinds.seen)
	}
	// the header stands before the handshake
	nc, err := net.Dial("tcp", secure.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(nc, "PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n")
	tc := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "b.test"})
	_, _ = io.WriteString(tc, get)
	resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); string(b) != "HTTP/1 https 192.0.2.7:1234 10.0.0.1:443 b.test" {
		t.Errorf("over TLS: %q", b)
	}
	n := 0
	for name, header := range malformedHeaders() {
		if c := dial(t, plain); header != "" {
			n++
			c.Send(header)
			if !strings.HasSuffix(header, get[len(get)-4:]) { // else it is seen without the end
				c.CloseWrite()
			}
			if rest, ended := c.Rest(); !ended || rest != "" {
				t.Errorf("%s: %q, ended %v", name, rest, ended)
			}
		}
	}
	if got := plain.Stats().Malformed; got < uint64(n) {
		t.Errorf("%d of %d are counted", got, n)
	}
	slow := dial(t, plain)
	slow.Send("PROXY TCP4 192.")
	closed(t, slow)
	silent := dial(t, plain)
	closed(t, silent)
	after := dial(t, plain)
	after.Send("PROXY UNKNOWN\r\n") // and no request
	closed(t, after)
	testenv.Eventually(t, 5*time.Second, func() bool { return plain.Stats().Open <= 4 })
}

func TestAProxyHeaderOfAStranger(t *testing.T) {
	l, err := listen.Open(t.Context(), "listen.address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Server: listen.New(l, listen.Config{
		Proxy: true, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, HTTP1: http1.NewServer(tells{}, http1.ServerConfig{}),
	})}
	done := make(chan error, 1)
	go func() { done <- f.Serve(context.Background()) }()
	for _, text := range []string{"PROXY TCP4 10.0.0.9 10.0.0.1 1234 443\r\n" + get, get, ""} {
		c := dial(t, f)
		c.Send(text)
		if rest, ended := c.Rest(); rest != "" || !ended {
			t.Errorf("%q: %q", text, rest)
		}
	}
	f.Stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.Wait()
	if s := f.Stats(); s.Untrusted != 3 || s.Accepted != 3 {
		t.Errorf("%+v", s)
	}
}

func TestConnectionLimits(t *testing.T) {
	s, ca := store(t, "")
	t.Run("of one client", func(t *testing.T) {
		f := start(t, listen.Config{MaxConnectionsPerClient: 2, NewID: func() string { return "id1" }})
		a, b := dial(t, f), dial(t, f)
		for _, c := range []*http1test.Client{a, b} {
			c.Send(get)
			if r := c.MustRead("GET"); r.Status != 200 {
				t.Errorf("%+v", r)
			}
		}
		if r := dial(t, f).MustRead("GET"); r.Status != 503 || !r.Close || !strings.Contains(r.Body, `"listener.busy"`) || r.Header.Get("X-Request-Id") != "id1" {
			t.Errorf("%+v", r)
		}
		a.Close()
		testenv.Eventually(t, 5*time.Second, func() bool { return f.Stats().Open == 1 })
		c := dial(t, f)
		c.Send(get)
		if r := c.MustRead("GET"); r.Status != 200 || f.Stats().Rejected != 1 {
			t.Errorf("%+v, %+v", r, f.Stats())
		}
	})
	t.Run("by the address of the PROXY header", func(t *testing.T) {
		f := start(t, listen.Config{Proxy: true, MaxConnectionsPerClient: 1})
		for i, want := range []int{200, 503, 200} {
			c := dial(t, f)
			c.Send(fmt.Sprintf("PROXY TCP4 192.0.2.%d 10.0.0.1 1234 443\r\n", i/2+1) + get)
			if r := c.MustRead("GET"); r.Status != want {
				t.Errorf("connection %d: %+v", i, r)
			}
		}
	})
	t.Run("of the listener, TLS", func(t *testing.T) {
		f := start(t, listen.Config{MaxConnections: 1, TLS: s.ServerConfig("http/1.1")})
		client := &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"}
		c, err := tls.Dial("tcp", f.addr(), client)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := tls.Dial("tcp", f.addr(), client); err == nil {
			t.Error("a second handshake is done")
		}
	})
}

func TestStopEndsWhatHasNoProtocolYet(t *testing.T) {
	s, _ := store(t, "")
	for name, c := range map[string]listen.Config{
		"before the PROXY header": {Proxy: true},
		"before the handshake":    {TLS: s.ServerConfig("http/1.1")},
		"before the first byte":   {H2C: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, c)
			a := dial(t, f)
			testenv.Eventually(t, 5*time.Second, func() bool { return f.Stats().Open == 1 })
			f.Stop()
			closed(t, a)
			f.Wait()
		})
	}
}

func TestAListenerThatFails(t *testing.T) {
	l, err := listen.Open(t.Context(), "listen.address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := listen.New(l, listen.Config{HTTP1: http1.NewServer(tells{}, http1.ServerConfig{})})
	_ = l.Close()
	if err := f.Serve(context.Background()); err == nil {
		t.Error("nobody is told")
	}
}
