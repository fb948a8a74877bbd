package conformance

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// teller is an origin that says who called, and how; with a WebSocket it says nothing.
func teller(t *testing.T) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-For"))
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		for err == nil {
			_, _, err = c.Read(r.Context())
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// publish creates APIs and waits until the gateways have them.
func publish(t *testing.T, p *platform.Platform, defs ...map[string]any) {
	t.Helper()
	var newest int64
	for _, d := range defs {
		newest = max(newest, testenv.Must(p.Client(0).Create(t.Context(), "apis", d))(t).Revision)
	}
	p.Live(t, newest, 10*time.Second)
}

// say sends text on a connection and reads one answer.
func say(c net.Conn, text string) (status int, body string, head http.Header, err error) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = io.WriteString(c, text); err != nil {
		return 0, "", nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header, err
}

// visit is say on a connection of its own, over TLS where there is a configuration.
func visit(t *testing.T, addr string, c *tls.Config, text string) (status int, body string, head http.Header, err error) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return 0, "", nil, err
	}
	if c != nil {
		conn = tls.Client(conn, c)
	}
	defer func() { _ = conn.Close() }()
	return say(conn, text)
}

func get(host, path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
}

func TestPlainCallersAreSentToTheListenerWithTLS(t *testing.T) {
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`,
	}))(t)
	def := openAPI("Redirected", "/", map[string]any{"targets": targets(teller(t))})
	def["listen"].(map[string]any)["redirectHttp"] = true
	publish(t, p, def)
	status, _, head, err := visit(t, g.Addr(), nil, get("front.test:8080", "/a%20b?c=d"))
	if err != nil || status != 308 || head.Get("Location") != "https://front.test/a%20b?c=d" {
		t.Errorf("%d %v, %v", status, head, err)
	}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		tr := &http.Transport{TLSClientConfig: ca.Client("front.test"), ForceAttemptHTTP2: protocol == "HTTP/2.0"}
		resp, err := (&http.Client{Transport: tr}).Get("https://" + g.Listener("secure") + "/a")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
		if err != nil || resp.StatusCode != 200 || resp.Proto != protocol || string(b) != "https 127.0.0.1" {
			t.Errorf("%s: %s %d %q, %v", protocol, resp.Proto, resp.StatusCode, b, err)
		}
	}
	if _, err := tls.Dial("tcp", g.Listener("secure"), ca.Client("other.test")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("another name: %v", err)
	}
}

// proxyHeader is a PROXY header of version 2 for a connection over TCP.
func proxyHeader(from, to netip.AddrPort) string {
	b := []byte("\r\n\r\n\x00\r\nQUIT\n\x21")
	if from.Addr().Is4() {
		b = append(b, 0x11, 0, 12)
	} else {
		b = append(b, 0x21, 0, 36)
	}
	b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, from.Port()), to.Port()))
}

func TestTheAddressOfAProxyHeaderReachesOriginAndRecords(t *testing.T) {
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}, Pumps: 1})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8",
		"SLUICE_GATEWAY_LISTENERS": `[{name: proxied, address: "127.0.0.1:0", proxy_protocol: true}, {name: secure, address: "127.0.0.1:0", proxy_protocol: true, tls: true}]`,
	}))(t)
	stranger := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_TRUSTED_PROXIES": "192.0.2.1/32", "SLUICE_GATEWAY_LISTENERS": `[{name: proxied, address: "127.0.0.1:0", proxy_protocol: true}]`,
	}))(t)
	publish(t, p, openAPI("Told", "/", map[string]any{"targets": targets(teller(t))}))
	four, six := netip.MustParseAddrPort("192.0.2.7:1234"), netip.MustParseAddrPort("[2001:db8::7]:1234")
	one := "PROXY TCP4 192.0.2.8 10.0.0.1 1234 443\r\n"
	for _, c := range []struct {
		path, header, client string
		tls                  bool
	}{
		{"/one", one, "192.0.2.8", false},
		{"/two", proxyHeader(four, netip.MustParseAddrPort("10.0.0.1:443")), "192.0.2.7", false},
		{"/six", proxyHeader(six, netip.MustParseAddrPort("[2001:db8::1]:443")), "2001:db8::7", false},
		{"/tls", "PROXY TCP6 2001:db8::9 2001:db8::1 1234 443\r\n", "2001:db8::9", true},
	} {
		listener, scheme := "proxied", "http"
		if c.tls {
			listener, scheme = "secure", "https"
		}
		conn := testenv.Must(net.Dial("tcp", g.Listener(listener)))(t)
		_, _ = io.WriteString(conn, c.header)
		if c.tls {
			conn = tls.Client(conn, ca.Client("front.test"))
		}
		status, body, _, err := say(conn, get("front.test", c.path))
		_ = conn.Close()
		if err != nil || status != 200 || body != scheme+" "+c.client {
			t.Errorf("%s: %d %q, %v", c.path, status, body, err)
		}
		testenv.EventuallyNoError(t, 10*time.Second, func() error {
			var found struct{ Items []struct{ ID string } }
			err := p.Client(0).Get(t.Context(), "/requests?path="+c.path, &found)
			if err != nil || len(found.Items) != 1 {
				return fmt.Errorf("%s is recorded as %+v, %w", c.path, found.Items, err)
			}
			var one struct{ Client string }
			err = p.Client(0).Get(t.Context(), "/requests/"+found.Items[0].ID, &one)
			if err == nil && one.Client != c.client {
				err = fmt.Errorf("%s is recorded as a call of %s", c.path, one.Client)
			}
			return err
		})
	}
	for name, addr := range map[string]string{"a stranger's header": stranger.Listener("proxied"), "no header": g.Listener("proxied")} {
		text := get("front.test", "/")
		if name != "no header" {
			text = one + text
		}
		if status, body, _, err := visit(t, addr, nil, text); err == nil {
			t.Errorf("%s got %d %q", name, status, body)
		}
	}
}

func TestTCPListenersPassOn(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	secret := func(name string) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		s.TLS = ca.Server(certstest.Options{}, name)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	a, b := secret("a.test"), secret("deep.b.test")
	plain := strings.TrimPrefix(teller(t), "http://")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_LISTENERS": fmt.Sprintf(`[
		{name: raw, address: "127.0.0.1:0", tcp: {targets: [{address: "127.0.0.1:1"}, {address: %q}]}},
		{name: names, address: "127.0.0.1:0", tcp: {sni: [{names: [a.test], targets: [{address: %q}]}, {names: ["*.b.test"], targets: [{address: %q}]}]}},
		{name: closed, address: "127.0.0.1:0", tcp: {targets: [{address: %q}], deny: [127.0.0.0/8]}}]`, plain, a, b, plain)}))(t)
	for range 3 { // a target that is down is passed over
		if status, body, _, err := visit(t, g.Listener("raw"), nil, get("raw.test", "/")); err != nil || status != 200 || body != " " {
			t.Errorf("raw: %d %q, %v", status, body, err)
		}
	}
	for name, want := range map[string]string{"a.test": "a.test", "deep.b.test": "deep.b.test"} {
		if status, body, _, err := visit(t, g.Listener("names"), ca.Client(name), get(name, "/")); err != nil || status != 200 || body != want {
			t.Errorf("%s: %d %q, %v", name, status, body, err)
		}
	}
	if _, _, _, err := visit(t, g.Listener("names"), ca.Client("c.test"), get("c.test", "/")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, body, _, err := visit(t, g.Listener("closed"), nil, get("raw.test", "/")); err == nil {
		t.Errorf("who is denied got %q", body)
	}
}

func TestTunnelsEndAtTheirLimits(t *testing.T) {
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_TUNNEL_IDLE_TIMEOUT": "700ms", "SLUICE_GATEWAY_TUNNEL_MAX_AGE": "2s"}))(t)
	publish(t, p, openAPI("Sockets", "/", map[string]any{"targets": targets(teller(t))}))
	for name, c := range map[string]struct {
		busy       bool
		least      time.Duration
		underLimit time.Duration
	}{
		"idle": {false, 600 * time.Millisecond, 1900 * time.Millisecond},
		"busy": {true, 1900 * time.Millisecond, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			ws, _, err := websocket.Dial(t.Context(), g.URL+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ws.CloseNow() }()
			ended := make(chan error, 1)
			go func() { _, _, err := ws.Read(t.Context()); ended <- err }()
			again := time.NewTicker(100 * time.Millisecond)
			defer again.Stop()
			for {
				select {
				case <-again.C:
					if c.busy {
						_ = ws.Write(t.Context(), websocket.MessageText, []byte("here"))
					}
					continue
				case err = <-ended:
				}
				break
			}
			if took := time.Since(began); websocket.CloseStatus(err) != websocket.StatusGoingAway || took < c.least || took > c.underLimit {
				t.Errorf("%v after %s", err, took)
			}
		})
	}
}

// Certificates are changed again and again by SIGHUP while clients shake hands, and none of them fails.
func TestCertificatesAreChangedUnderLoad(t *testing.T) {
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`}))(t)
	publish(t, p, openAPI("Told", "/", map[string]any{"targets": targets(teller(t))}))
	l := startCallers(t, 4, func() error {
		status, body, _, err := visit(t, g.Listener("secure"), ca.Client("front.test"), get("front.test", "/"))
		if err == nil && (status != 200 || body != "https 127.0.0.1") {
			err = fmt.Errorf("%d %q", status, body)
		}
		return err
	})
	for serial := int64(3); serial < 11; serial++ {
		ca.Write(dir, "front", certstest.Options{Serial: serial}, "front.test") // for a moment it does not fit: the pair before stays in use
		if err := g.Signal(hangup); err != nil {
			t.Fatal(err)
		}
		testenv.EventuallyNoError(t, 10*time.Second, func() error {
			c, err := tls.Dial("tcp", g.Listener("secure"), ca.Client("front.test"))
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			if got := c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
				return fmt.Errorf("certificate %d, not %d", got, serial)
			}
			return nil
		})
		l.more(t, 10)
	}
	l.end(t)
}
