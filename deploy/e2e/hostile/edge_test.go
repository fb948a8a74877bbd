package hostile

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// proxyHeaders is D06: who is believed, and what is well-formed.
func proxyHeaders(t *testing.T, w *world) {
	set := map[string]string{"SLUICE_GATEWAY_LISTEN_PROXY_PROTOCOL": "true", "SLUICE_GATEWAY_TRUSTED_PROXIES": "127.0.0.1/32"}
	g := testenv.Must(w.p.AddGatewayWith(t.Context(), "default", set))(t)
	far := testenv.Must(w.p.AddGatewayWith(t.Context(), "default", both(set, map[string]string{"SLUICE_GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8"})))(t)
	origin := testenv.Must(platform.NewOrigin())(t)
	t.Cleanup(origin.Close)
	w.publish(t, api("Proxied", "proxied.test", "/", origin.URL, open()))
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	four := "\x01\x02\x03\x04\x7f\x00\x00\x01\x10\x00\x00\x50"
	for name, c := range map[string]struct{ header, want string }{
		"v1": {"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\r\n", "1.2.3.4"}, "v1 of IPv6": {"PROXY TCP6 2001:db8::1 ::1 4096 80\r\n", "2001:db8::1"}, "v1 unknown": {"PROXY UNKNOWN\r\n", "127.0.0.1"},
		"v2": {v2 + "\x21\x11\x00\x0c" + four, "1.2.3.4"}, "v2 LOCAL": {v2 + "\x20\x00\x00\x00", "127.0.0.1"}, "v2 with an addition": {v2 + "\x21\x11\x00\x10" + four + "\x04\x00\x01x", "1.2.3.4"},
		"none": {"", ""}, "v1 without an end": {"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80 " + fmt.Sprintf("%0120d", 0), ""}, "v1 with a bad address": {"PROXY TCP4 1.2.3 127.0.0.1 4096 80\r\n", ""}, "v1 with a bad port": {"PROXY TCP4 1.2.3.4 127.0.0.1 99999 80\r\n", ""},
		"v1 with LF alone": {"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\n", ""}, "v1 in lower case": {"proxy TCP4 1.2.3.4 127.0.0.1 4096 80\r\n", ""}, "v1 of the other family": {"PROXY TCP4 2001:db8::1 ::1 4096 80\r\n", ""}, "v1 with two spaces": {"PROXY  TCP4 1.2.3.4 127.0.0.1 4096 80\r\n", ""},
		"v2 too short": {v2 + "\x21\x11\x00\x04" + four, ""}, "v2 of another version": {v2 + "\x31\x11\x00\x0c" + four, ""}, "v2 with another command": {v2 + "\x22\x11\x00\x0c" + four, ""}, "v2 with an addition cut off": {v2 + "\x21\x11\x00\x0f" + four + "\x04\x00\x09", ""},
		"v2 longer than allowed": {v2 + "\x21\x11\xff\xff" + four, ""}, "v2 twice": {v2 + "\x21\x11\x00\x0c" + four + v2 + "\x21\x11\x00\x0c" + four, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, to := range []gate{g, far} {
				origin.Take()
				k := kind{connect: plain}
				a, err := k.exchange(to, "GET", c.header+"GET /a HTTP/1.1\r\nHost: proxied.test\r\nConnection: close\r\n\r\n")
				got := origin.Take().Arrived
				if to == far || c.want == "" {
					if err == nil && a.resp.StatusCode < 400 || len(got) > 0 {
						t.Errorf("it was taken: %v, %d arrived", a.resp, len(got))
					}
					continue
				}
				if err != nil || len(got) != 1 || got[0].Field("X-Real-IP") != c.want {
					t.Errorf("%v, %d arrived, client %+v; want %s", err, len(got), got, c.want)
				}
			}
		})
	}
}

// oldTLS is F01 and F02: old versions, weak ciphers, and names that no certificate has.
func oldTLS(t *testing.T, w *world) {
	for _, k := range []string{"h1 TLS", "stdlib TLS"} {
		addr := w.gates[k].Addr()
		shake := func(change func(*tls.Config)) (*tls.Conn, error) {
			c := w.ca.Client("front.test")
			change(c)
			return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, c)
		}
		refuse := map[string]func(*tls.Config){
			"TLS 1.0":          func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
			"TLS 1.1":          func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			"no name":          func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "", true },
			"an unknown name":  func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "other.test", true },
			"another protocol": func(c *tls.Config) { c.NextProtos = []string{"smtp"} },
		}
		for _, s := range tls.InsecureCipherSuites() {
			refuse[s.Name] = func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{s.ID} }
		}
		for name, change := range refuse {
			if c, err := shake(change); err == nil {
				t.Errorf("%s, %s: the handshake succeeded with %x", k, name, c.ConnectionState().CipherSuite)
				_ = c.Close()
			}
		}
		for name, change := range map[string]func(*tls.Config){"TLS 1.2": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, "TLS 1.3": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }} {
			c, err := shake(change)
			if err != nil {
				t.Errorf("%s, %s: %v", k, name, err)
				continue
			}
			_ = c.Close()
		}
		c := testenv.Must(plain(addr))(t)
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: front.test\r\n\r\n")
		if a, err := readAnswer(bufio.NewReader(c), "GET"); err == nil && a.resp.StatusCode < 400 {
			t.Errorf("%s: HTTP without TLS was answered %d", k, a.resp.StatusCode)
		}
		_ = c.Close()
	}
}

// newCertificate is F04: a new pair is shown soon, a bad one leaves the old, and no handshake fails
// meanwhile.
func newCertificate(t *testing.T, w *world) {
	g := w.gates["h1 TLS"]
	serial := func() (*big.Int, error) {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", g.Addr(), w.ca.Client("front.test"))
		if err != nil {
			return nil, err
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber, nil
	}
	var failed atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := serial(); err != nil {
					failed.Add(1)
				}
			}
		}
	}()
	w.ca.Write(w.certs, "front", certstest.Options{Serial: 77}, "front.test")
	if err := g.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 15*time.Second, func() bool { n, err := serial(); return err == nil && n.Int64() == 77 })
	certstest.Put(t, filepath.Join(w.certs, "front.crt"), []byte("no certificate"))
	if err := g.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 15*time.Second, func() bool { // crypto/tls's word for it, which nothing else here brings about
		return g.LogHas("certificate not usable") && g.LogHas("find any PEM data in certificate input")
	})
	if n, err := serial(); err != nil || n.Int64() != 77 {
		t.Errorf("beside a bad pair the certificate is %v, %v", n, err)
	}
	close(stop)
	<-done
	if n := failed.Load(); n > 0 {
		t.Errorf("%d handshakes failed", n)
	}
	w.ca.Write(w.certs, "front", certstest.Options{}, "front.test")
}

// upstreams is the bundle of authorities that upstreams may be signed by.
const upstreams = "upstreams"

// strangeUpstream is F05: an upstream whose certificate nobody vouches for gets nothing of a request,
// one that is what it says gets all of them.
func strangeUpstream(t *testing.T, w *world) {
	named := map[string]any{"ca": upstreams, "serverName": "origin.test"}
	hour := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		by    *certstest.CA
		cert  certstest.Options
		named string // as what; origin.test where it is empty
		tls   map[string]any
		good  bool
	}{
		"good":              {by: w.ca, tls: named, good: true},
		"good by address":   {by: w.ca, named: "127.0.0.1", tls: map[string]any{"ca": upstreams}, good: true},
		"expired":           {by: w.ca, cert: certstest.Options{NotBefore: hour.AddDate(0, -1, 0), NotAfter: hour}, tls: named},
		"not yet":           {by: w.ca, cert: certstest.Options{NotBefore: hour.Add(2 * time.Hour), NotAfter: hour.AddDate(0, 1, 0)}, tls: named},
		"another name":      {by: w.ca, named: "other.test", tls: named},
		"no name":           {by: w.ca, tls: map[string]any{"ca": upstreams}},
		"for clients only":  {by: w.ca, cert: certstest.Options{Client: true}, tls: named},
		"unknown authority": {by: certstest.NewCA(t, "ca"), tls: named},
		"no bundle":         {by: w.ca, tls: map[string]any{"serverName": "origin.test"}},
	} {
		var got atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		s.TLS = c.by.Server(c.cert, cmp.Or(c.named, "origin.test"))
		s.StartTLS()
		t.Cleanup(s.Close)
		host := strings.ReplaceAll(name, " ", "-") + ".upstream.test"
		w.publish(t, with(api("Upstream "+name, host, "/", s.URL, open()), "upstream", "tls", c.tls))
		want, calls := 502, int64(0)
		if c.good {
			want, calls = 200, int64(len(w.kinds()))
		}
		for _, k := range w.kinds() {
			a, err := k.exchange(w.gates[k.name], "GET", "GET /a HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			if err != nil || a.resp.StatusCode != want || !c.good && !bytes.Contains(a.body, []byte(`"upstream.tls"`)) {
				t.Errorf("%s, %s: %v, %s, %v; want %d", name, k.name, a.resp, a.body, err, want)
			}
		}
		if n := got.Load(); n != calls {
			t.Errorf("%s: %d requests reached it, want %d", name, n, calls)
		}
	}
}
