package tcp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/serve/tcp"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers each line with its name and the line, and says goodbye at the end.
func server(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer func() { _ = c.Close() }()
				for r := bufio.NewReader(c); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						_, _ = io.WriteString(c, "bye\n")
						return
					}
					_, _ = io.WriteString(c, name+" "+line)
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	return l.Addr().String()
}

// dead is an address where nobody listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func targets(addresses ...string) (list []tcp.Target) {
	for _, a := range addresses {
		list = append(list, tcp.Target{Address: a})
	}
	return list
}

// serve runs a proxy behind a listener and returns both.
func serve(t *testing.T, o tcp.Options) (*tcp.Proxy, string) {
	t.Helper()
	o.Name = "line"
	p, err := tcp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { p.ServeConn(context.Background(), c, netip.MustParseAddrPort(c.RemoteAddr().String())) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done, cancel := context.WithCancel(context.Background())
		cancel()
		p.Shutdown(done)
		wait.Wait()
	})
	return p, l.Addr().String()
}

type client struct {
	*testing.T
	c *net.TCPConn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *client) ask(line string) string {
	c.Helper()
	_, _ = io.WriteString(c.c, line+"\n")
	got, err := c.r.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(got, "\n")
}

func (c *client) closed() {
	c.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.Errorf("got %q", b)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		c.Error("still open")
	}
}

func TestBytesPassAndHalvesClose(t *testing.T) {
	p, addr := serve(t, tcp.Options{Targets: targets(server(t, "one"))})
	c := dial(t, addr)
	for i := range 3 {
		if got := c.ask(fmt.Sprint(i)); got != fmt.Sprint("one ", i) {
			t.Fatalf("%q", got)
		}
	}
	if l := p.Tunnels().List(9); len(l) != 1 || l[0].Name != "line" || l[0].Protocol != "tcp" || l[0].In != 6 || l[0].Out != 18 {
		t.Errorf("%+v", l)
	}
	_ = c.c.CloseWrite()
	if got, err := c.r.ReadString('\n'); got != "bye\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	c.closed()
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Open == 0 })
	if st := p.Stats(); st.Accepted != 1 || st.In != 6 || st.Out != 22 {
		t.Errorf("%+v", st)
	}
}

func TestWeightsAndFailover(t *testing.T) {
	gone := dead(t)
	p, addr := serve(t, tcp.Options{
		Targets:   []tcp.Target{{Address: server(t, "three"), Weight: 3}, {Address: gone, Weight: 2}, {Address: server(t, "one")}, {Address: server(t, "none"), Weight: -1}},
		EjectTime: time.Hour,
	})
	count := map[string]int{}
	for range 40 {
		count[dial(t, addr).ask("x")]++
	}
	if count["three x"]+count["one x"] != 40 || count["three x"] < 28 || count["three x"] > 32 {
		t.Errorf("%v", count)
	}
	if n := p.Stats().Failed[gone]; n != 1 {
		t.Errorf("%d attempts at an ejected target", n)
	}
}

func TestAnEjectedTargetIsTriedWhenNoOtherIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	p, front := serve(t, tcp.Options{Targets: targets(addr), EjectTime: time.Hour})
	dial(t, front).closed()
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Unreachable == 1 })
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.WriteString(c, "back\n")
			_ = c.Close()
		}
	}()
	if got := dial(t, front).ask("x"); got != "back" {
		t.Errorf("%q", got)
	}
}

func TestAConnectTimeoutIsAFailure(t *testing.T) {
	alive := server(t, "alive")
	o := tcp.Options{Targets: targets("192.0.2.1:1", alive), ConnectTimeout: 50 * time.Millisecond}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == alive {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p, addr := serve(t, o)
	if got := dial(t, addr).ask("x"); got != "alive x" {
		t.Errorf("%q", got)
	}
	if p.Stats().Failed["192.0.2.1:1"] != 1 {
		t.Errorf("%+v", p.Stats())
	}
}

func TestAddressRulesAndCaps(t *testing.T) {
	one := targets(server(t, "one"))
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, tc := range map[string]struct {
		o  tcp.Options
		in bool
	}{
		"allowed":         {tcp.Options{Allow: here}, true},
		"not allowed":     {tcp.Options{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, false},
		"denied":          {tcp.Options{Deny: here}, false},
		"denied for both": {tcp.Options{Allow: here, Deny: here}, false},
		"not denied":      {tcp.Options{Deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, true},
	} {
		tc.o.Targets = one
		p, addr := serve(t, tc.o)
		if got := dial(t, addr).ask("x"); (got == "one x") != tc.in || (p.Stats().Denied == 0) != tc.in {
			t.Errorf("%s: %q, %+v", name, got, p.Stats())
		}
	}
	for name, o := range map[string]tcp.Options{"of all": {MaxConnections: 2}, "of a client": {MaxConnectionsPerClient: 2}} {
		o.Targets = one
		p, addr := serve(t, o)
		a, b := dial(t, addr), dial(t, addr)
		if a.ask("x") != "one x" || b.ask("x") != "one x" {
			t.Fatal(name)
		}
		dial(t, addr).closed()
		_ = a.c.Close()
		testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Open == 1 })
		if got := dial(t, addr).ask("x"); got != "one x" || p.Stats().Full != 1 {
			t.Errorf("%s: %q, %+v", name, got, p.Stats())
		}
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	p, addr := serve(t, tcp.Options{Targets: targets(server(t, "one")), IdleTimeout: 100 * time.Millisecond})
	c := dial(t, addr)
	if got := c.ask("x"); got != "one x" {
		t.Fatal(got)
	}
	c.closed()
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Tunnels().Stats().Ended[tunnel.Idle] == 1 })
}

func TestADrainWaitsAndThenCuts(t *testing.T) {
	p, addr := serve(t, tcp.Options{Targets: targets(server(t, "one"))})
	ending, staying := dial(t, addr), dial(t, addr)
	for _, c := range []*client{ending, staying} {
		if got := c.ask("x"); got != "one x" {
			t.Fatal(got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Shutdown(ctx); close(done) }()
	testenv.Eventually(t, 5*time.Second, func() bool { return dial(t, addr).ask("x") != "one x" })
	if got := ending.ask("y"); got != "one y" {
		t.Errorf("%q", got)
	}
	_ = ending.c.Close()
	select {
	case <-done:
		t.Fatal("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-done
	staying.closed()
	if st := p.Stats(); st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

// backend is a TLS server that says which one it is.
func backend(t *testing.T, name string) (addr string) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.TLS.ServerName) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestTLSGoesWhereItsServerNameSays(t *testing.T) {
	a, wild, deep, other := backend(t, "a"), backend(t, "wild"), backend(t, "deep"), backend(t, "other")
	routes := []tcp.Route{
		{Names: []string{"a.example.com"}, Targets: targets(a)},
		{Names: []string{"*.Example.com", "b.test"}, Targets: targets(wild)},
		{Names: []string{"*.x.example.com"}, Targets: targets(deep)},
	}
	strict, addr := serve(t, tcp.Options{SNI: routes})
	_, open := serve(t, tcp.Options{SNI: routes, Targets: targets(other)})
	get := func(addr, name string) (string, error) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("https://" + addr)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	for name, want := range map[string]string{
		"a.example.com": "a", "A.EXAMPLE.COM": "a", "b.example.com": "wild", "c.b.example.com": "wild", "y.x.example.com": "deep",
		"x.example.com": "wild", "b.test": "wild", "example.com": "", "c.test": "",
	} {
		got, err := get(addr, name)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if got, err = get(open, name); got != "other "+name {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		} else if got != want+" "+name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := strict.Stats().UnknownName; n != 2 {
		t.Errorf("%d unknown names", n)
	}
}

func TestASplitHelloArrivesWhole(t *testing.T) {
	p, addr := serve(t, tcp.Options{SNI: []tcp.Route{{Names: []string{"a.test"}, Targets: targets(backend(t, "a"))}}})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	conn := tls.Client(&drip{c}, &tls.Config{ServerName: "a.test", InsecureSkipVerify: true})
	defer func() { _ = conn.Close() }()
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if l := p.Tunnels().List(1); len(l) != 1 || l[0].Protocol != "tls" {
		t.Errorf("%+v", l)
	}
}

// drip writes in small pieces.
type drip struct{ net.Conn }

// Write writes p.
func (d *drip) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += 11 {
		if n, err := d.Conn.Write(p[i:min(i+11, len(p))]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

func TestWithoutAHelloNothingIsReached(t *testing.T) {
	p, addr := serve(t, tcp.Options{SNI: []tcp.Route{{Names: []string{"a.test"}, Targets: targets(dead(t))}}, Targets: targets(dead(t)), HelloTimeout: 100 * time.Millisecond})
	for _, first := range []string{"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "\x16\x03\x01\x40\x00\x01\x00\xff\xff", "", "\x16\x03"} {
		c := dial(t, addr)
		_, _ = io.WriteString(c.c, first)
		c.closed()
	}
	if st := p.Stats(); st.NoHello != 5 || st.Unreachable != 0 {
		t.Errorf("%+v", st)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := targets("h:1")
	for want, o := range map[string]tcp.Options{
		"targets: name":       {},
		"targets[1].address":  {Targets: targets("h:1", "h")},
		"sni[0]: names":       {SNI: []tcp.Route{{Targets: good}}},
		"sni[0].targets[0]":   {SNI: []tcp.Route{{Names: []string{"a"}, Targets: targets(":1")}}},
		`sni[0].names: "*"`:   {SNI: []tcp.Route{{Names: []string{"*"}, Targets: good}}},
		`sni[0].names: "a.*"`: {SNI: []tcp.Route{{Names: []string{"a.*"}, Targets: good}}},
		`sni[1].names: "A"`:   {SNI: []tcp.Route{{Names: []string{"a"}, Targets: good}, {Names: []string{"A"}, Targets: good}}},
	} {
		if _, err := tcp.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
