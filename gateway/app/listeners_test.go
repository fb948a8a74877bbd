package app

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// certificates puts a pair for localhost into the bench's folder.
func (b *bench) certificates(names ...string) *certstest.CA {
	b.t.Helper()
	ca := certstest.NewCA(b.t, "ca")
	dir := filepath.Join(b.config.Data, "certs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range names {
		ca.Write(dir, name, certstest.Options{}, name+".test")
	}
	return ca
}

// at is the address of a listener.
func (r *running) at(name string) string {
	for _, f := range r.fronts {
		if f.Name() == name {
			return f.Addr().String()
		}
	}
	r.t.Fatalf("there is no listener %s", name)
	return ""
}

// call makes one request with the given protocols and returns status, the protocol
// and the body.
func (r *running) call(url string, c *tls.Config, protocols func(*http.Protocols)) (int, string, string) {
	tr := &http.Transport{TLSClientConfig: c, Protocols: new(http.Protocols), DisableKeepAlives: true}
	protocols(tr.Protocols)
	resp, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return 0, "", err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Proto, string(b)
}

func (r *running) admin(path string) string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.AdminAddr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func TestListeners(t *testing.T) {
	b := newBench(t)
	ca := b.certificates("a", "b")
	b.put("orders", "/orders/", `{"open":true}`)
	b.publish(b.keys)
	const some = "127.0.0.1:0"
	b.config.TrustedProxies = []string{"127.0.0.0/8"}
	b.config.Listeners = []Listener{
		{Name: "secure", Address: some, TLS: true},
		{Name: "secure-std", Address: some, TLS: true, Engine: "stdlib"},
		{Name: "h2c", Address: some, H2C: true},
		{Name: "h2c-std", Address: some, H2C: true, Engine: "stdlib"},
		{Name: "std", Address: some, Engine: "stdlib"},
		{Name: "proxied", Address: some, ProxyProtocol: true},
		{Name: "raw", Address: some, TCP: TCP{Targets: []TCPTarget{{Address: b.origin.Listener.Addr().String()}}}},
	}
	gw := b.start()
	gw.until(5*time.Second, "/orders/1", "", 200)
	client := func() *tls.Config { return &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"} }
	one := func(p *http.Protocols) { p.SetHTTP1(true) }
	two := func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }
	clear := func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }
	for _, tc := range []struct {
		listener, scheme string
		protocols        func(*http.Protocols)
		want             string // "": no answer over that protocol
	}{
		{"data", "http", one, "HTTP/1.1"},
		{"data", "http", clear, ""},
		{"secure", "https", one, "HTTP/1.1"},
		{"secure", "https", two, "HTTP/2.0"},
		{"secure-std", "https", one, "HTTP/1.1"},
		{"secure-std", "https", two, "HTTP/2.0"},
		{"h2c", "http", one, "HTTP/1.1"},
		{"h2c", "http", clear, "HTTP/2.0"},
		{"h2c-std", "http", one, "HTTP/1.1"},
		{"h2c-std", "http", clear, "HTTP/2.0"},
		{"std", "http", one, "HTTP/1.1"},
		{"std", "http", clear, ""},
	} {
		status, proto, body := gw.call(tc.scheme+"://"+gw.at(tc.listener)+"/orders/1", client(), tc.protocols)
		if proto != tc.want || tc.want != "" && (status != 200 || body != "origin") {
			t.Errorf("%s by %s: %d %q %q, want %q", tc.listener, tc.scheme, status, proto, body, tc.want)
		}
	}
	nc, err := net.Dial("tcp", gw.at("proxied"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(nc, "PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\nGET /orders/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("behind a PROXY header: %+v, %v", resp, err)
	}
	_ = nc.Close()
	if status, _, body := gw.call("http://"+gw.at("raw")+"/straight", nil, one); status != 200 || body != "origin" {
		t.Errorf("raw: %d %q", status, body)
	}
	metrics := gw.admin("/metrics")
	for _, want := range []string{
		`sluice_gateway_listener_accepted_total{listener="proxied"} 1`, `sluice_gateway_certificate_not_after_seconds{name="a"}`,
		`sluice_gateway_listener_turned_away_total{listener="secure",reason="handshake"} 0`, `sluice_gateway_certificates_unusable 0`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestAMainListenerThatWantsMoreThanHTTP: commands of dashboards still reach the
// gateway's own APIs.
func TestCommandsReachAGatewayBehindTLS(t *testing.T) {
	b := newBench(t)
	ca := b.certificates("a")
	b.put("orders", "/orders/", `{"open":true}`)
	b.publish(b.keys)
	b.config.Listen.TLS, b.config.Listen.ProxyProtocol, b.config.Certificates.Default = true, true, "a"
	b.config.TrustedProxies = []string{"127.0.0.0/8"}
	gw := b.start()
	shake := func() error {
		nc, err := net.Dial("tcp", gw.Addr())
		if err != nil {
			return err
		}
		defer func() { _ = nc.Close() }()
		_, _ = io.WriteString(nc, "PROXY UNKNOWN\r\n")
		return tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"}).HandshakeContext(t.Context())
	}
	if err := shake(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: gw.inside}}
	testenv.Eventually(t, 5*time.Second, func() bool {
		resp, err := client.Get("http://inside/orders/1")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == 200
	})
}

func TestHangup(t *testing.T) {
	b := newBench(t)
	ca := b.certificates("a")
	b.config.Listen.TLS = true
	gw := b.start()
	level := "debug"
	gw.Reread = func() (Config, error) { c := b.config; c.Log.Level = level; return c, nil }
	serial := func() string {
		c, err := tls.Dial("tcp", gw.Addr(), &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	ca.Write(filepath.Join(b.config.Data, "certs"), "a", certstest.Options{NotAfter: time.Now().Add(72 * time.Hour)}, "a.test")
	certstest.Put(t, filepath.Join(b.config.Data, "certs", "broken.crt"), []byte("nonsense"))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return serial() != before && gw.log.Enabled(t.Context(), -4) })
	testenv.Eventually(t, 5*time.Second, func() bool {
		said := gw.admin("/hello")
		return strings.Contains(said, "a: ends on ") && strings.Contains(said, "broken: ")
	})
	if m := gw.admin("/metrics"); !strings.Contains(m, "sluice_gateway_certificates_unusable 1") {
		t.Error("the metric of unusable certificates is not 1")
	}
}

func TestAGatewayThatCannotShowACertificateDoesNotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*bench)
		want   string
	}{
		"no default": {func(b *bench) { b.certificates("a"); b.config.Certificates.Default = "z" }, "there is no z.crt with z.key"},
		"a port in use": {func(b *bench) {
			b.config.Listeners = []Listener{{Name: "x", Address: b.origin.Listener.Addr().String()}}
		}, "listeners[0].address 127.0.0.1:"},
		"a bad TCP route": {func(b *bench) {
			b.config.Listeners = []Listener{{Name: "x", Address: "127.0.0.1:0", TCP: TCP{SNI: []TCPServer{{Names: []string{"a b"}, Targets: []TCPTarget{{Address: "127.0.0.1:1"}}}}}}}
		}, `listeners[0].tcp.sni[0].names: "a b"`},
		"a bad certificate": {func(b *bench) {
			b.certificates("a")
			b.config.Listen.TLS = true
			certstest.Put(b.t, filepath.Join(b.config.Data, "certs", "a.key"), []byte("nonsense"))
		}, "certificate a: a.crt with a.key"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			tc.change(b)
			a, err := New(context.Background(), b.config, logs.New(testWriter{t}, logs.Config{Level: "error"}))
			if err == nil {
				_ = a.cleanup.Run(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestAGatewayWithoutACertificateWaitsForOne: it may be published later.
func TestAGatewayWithoutACertificateWaitsForOne(t *testing.T) {
	b := newBench(t)
	b.config.Listeners = []Listener{{Name: "x", Address: "127.0.0.1:0", TLS: true}}
	var said strings.Builder
	a, err := New(context.Background(), b.config, logs.New(&said, logs.Config{Level: "warn"}))
	if err != nil {
		t.Fatal(err)
	}
	_ = a.cleanup.Run(context.Background())
	if !strings.Contains(said.String(), "there is no certificate with its key yet") {
		t.Errorf("got %s", said.String())
	}
}
