package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t}
	c := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "test CA"}})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate with a key; the authority's own when it has none yet.
func (a *authority) sign(c *x509.Certificate) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = c.NotAfter.Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(names ...string) *tls.Certificate {
	return a.sign(&x509.Certificate{DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client(name string) *tls.Certificate {
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

// shelf are certificates by name that a test may change.
type shelf struct {
	mu    sync.Mutex
	cas   map[string]*x509.CertPool
	pairs map[string]*tls.Certificate
}

func (s *shelf) CA(_, name string) (*x509.CertPool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.cas[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no bundle %q", name)
}

func (s *shelf) Pair(_, name string) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.pairs[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no certificate %q", name)
}

func (s *shelf) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// origin is an https server that answers with its protocol, what it was asked for
// and who asked.
type origin struct {
	addr     string
	accepted atomic.Int64
	resumed  atomic.Int64
}

func newOrigin(t testing.TB, c *tls.Config, http2 bool) *origin {
	t.Helper()
	o := &origin{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = l.Addr().String()
	s := &http.Server{
		Protocols: new(http.Protocols), TLSConfig: c, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			who := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				who = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			if r.TLS.DidResume {
				o.resumed.Add(1)
			}
			_, _ = fmt.Fprintf(w, "%s %s %s%s", r.Proto, r.TLS.ServerName, who, b)
		}),
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateNew {
				o.accepted.Add(1)
			}
		},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(http2)
	done := make(chan struct{})
	go func() { _ = s.ServeTLS(l, "", ""); close(done) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return o
}

// secured is an upstream of an origin by the name localhost.
func secured(o *origin, version apidef.HTTPVersion, opts apidef.UpstreamTLS) apidef.Upstream {
	_, port, _ := net.SplitHostPort(o.addr)
	return apidef.Upstream{Targets: []apidef.Target{{URL: "https://localhost:" + port}}, HTTP: version, TLS: opts}
}

func lending(t testing.TB, certs Certificates) *Manager {
	m := NewManager(http1.NewClock(), certs)
	t.Cleanup(m.Close)
	return m
}

func TestVersionsOverTLS(t *testing.T) {
	ca := newAuthority(t)
	certs := &shelf{cas: map[string]*x509.CertPool{"ca": ca.pool()}}
	config := &tls.Config{Certificates: []tls.Certificate{*ca.server("localhost")}}
	for name, tc := range map[string]struct {
		version apidef.HTTPVersion
		both    bool // the origin has HTTP/2 too
		want    string
	}{
		"auto with HTTP/2":      {"", true, "HTTP/2.0"},
		"auto with HTTP/1.1":    {apidef.HTTPAuto, false, "HTTP/1.1"},
		"1.1 though there is 2": {apidef.HTTP11, true, "HTTP/1.1"},
		"2":                     {apidef.HTTP2, true, "HTTP/2.0"},
		"2 where there is none": {apidef.HTTP2, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, config.Clone(), tc.both)
			p := acquire(t, lending(t, certs), secured(o, tc.version, apidef.UpstreamTLS{CA: "ca"}))
			for i := range 4 {
				x := get("/")
				if i%2 == 1 {
					x = post("!")
				}
				got, err := forward(p, x)
				if tc.want == "" {
					wantRefusal(t, err, 502, "upstream.tls")
					if !errors.Is(err, errNotHTTP2) {
						t.Error(err)
					}
					continue
				}
				if want := tc.want + " localhost nobody" + strings.Repeat("!", i%2); err != nil || got != want {
					t.Fatalf("%q, %v; want %q", got, err, want)
				}
			}
			if n := o.accepted.Load(); tc.want != "" && n != 1 {
				t.Errorf("%d connections for four calls", n)
			}
		})
	}
}

func TestAnUpgradeGoesOverHTTP1(t *testing.T) {
	ca := newAuthority(t)
	o := newOrigin(t, &tls.Config{Certificates: []tls.Certificate{*ca.server("localhost")}}, true)
	p := acquire(t, lending(t, &shelf{cas: map[string]*x509.CertPool{"ca": ca.pool()}}), secured(o, "", apidef.UpstreamTLS{CA: "ca"}))
	x := get("/")
	x.Request.Upgrade = "websocket"
	if got, err := forward(p, x); err != nil || !strings.HasPrefix(got, "HTTP/1.1") {
		t.Errorf("%q, %v", got, err)
	}
}

// Certificates of targets are verified unless the definition says otherwise.
func TestCertificatesOfTargetsAreVerified(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.server("localhost")
	certs := &shelf{
		cas:   map[string]*x509.CertPool{"ca": ca.pool(), "other": other.pool()},
		pairs: map[string]*tls.Certificate{"client": ca.client("gateway"), "stranger": other.client("gateway")},
	}
	serverWith := func(c *tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{*c}} }
	expired := serverWith(ca.sign(&x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(-time.Minute), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
	demanding := serverWith(good)
	demanding.ClientAuth, demanding.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
	old := serverWith(good)
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	demanding12 := demanding.Clone()
	demanding12.MaxVersion = tls.VersionTLS12
	for name, tc := range map[string]struct {
		server *tls.Config
		opts   apidef.UpstreamTLS
		cause  string // "" is success
	}{
		"trusted":                          {serverWith(good), apidef.UpstreamTLS{CA: "ca"}, ""},
		"unknown to the system":            {serverWith(good), apidef.UpstreamTLS{}, "certificate of an unknown authority"},
		"of another CA":                    {serverWith(good), apidef.UpstreamTLS{CA: "other"}, "certificate of an unknown authority"},
		"of another name":                  {serverWith(ca.server("elsewhere")), apidef.UpstreamTLS{CA: "ca"}, "certificate of another name"},
		"a name that was asked for":        {serverWith(ca.server("elsewhere")), apidef.UpstreamTLS{CA: "ca", ServerName: "elsewhere"}, ""},
		"not the name that was asked for":  {serverWith(good), apidef.UpstreamTLS{CA: "ca", ServerName: "elsewhere"}, "certificate of another name"},
		"expired":                          {expired, apidef.UpstreamTLS{CA: "ca"}, "certificate expired"},
		"for clients only":                 {serverWith(ca.sign(&x509.Certificate{DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})), apidef.UpstreamTLS{CA: "ca"}, "certificate invalid"},
		"TLS 1.1":                          {old, apidef.UpstreamTLS{CA: "ca"}, "refused by the target"},
		"taken as it is":                   {expired, apidef.UpstreamTLS{InsecureSkipVerify: true}, ""},
		"pinned":                           {serverWith(good), apidef.UpstreamTLS{CA: "ca", Pins: []string{pinOf(other.cert), pinOf(good.Leaf)}}, ""},
		"pinned CA":                        {serverWith(good), apidef.UpstreamTLS{CA: "ca", Pins: []string{pinOf(ca.cert)}}, ""},
		"another key pinned":               {serverWith(good), apidef.UpstreamTLS{CA: "ca", Pins: []string{pinOf(other.cert)}}, "pin mismatch"},
		"pinned but of another CA":         {serverWith(good), apidef.UpstreamTLS{CA: "other", Pins: []string{pinOf(good.Leaf)}}, "certificate of an unknown authority"},
		"unverified and pinned":            {serverWith(good), apidef.UpstreamTLS{InsecureSkipVerify: true, Pins: []string{pinOf(good.Leaf)}}, ""},
		"unverified, another key pinned":   {serverWith(good), apidef.UpstreamTLS{InsecureSkipVerify: true, Pins: []string{pinOf(other.cert)}}, "pin mismatch"},
		"asks who we are":                  {demanding, apidef.UpstreamTLS{CA: "ca", ClientCertificate: "client"}, ""},
		"asks, and we have nothing":        {demanding12, apidef.UpstreamTLS{CA: "ca"}, "refused by the target"},
		"asks, and does not like us":       {demanding12, apidef.UpstreamTLS{CA: "ca", ClientCertificate: "stranger"}, "refused by the target"},
		"unverified chain cannot be faked": {serverWith(&tls.Certificate{Certificate: [][]byte{other.server("localhost").Certificate[0]}}), apidef.UpstreamTLS{InsecureSkipVerify: true, Pins: []string{pinOf(ca.cert)}}, ""},
	} {
		if name == "unverified chain cannot be faked" {
			// somebody else's certificate with the pinned one behind it
			fake := other.server("localhost")
			fake.Certificate = append(fake.Certificate, ca.cert.Raw)
			tc.server, tc.cause = serverWith(fake), "pin mismatch"
		}
		for _, version := range []apidef.HTTPVersion{apidef.HTTP11, apidef.HTTP2, apidef.HTTPAuto} {
			t.Run(name+" "+string(version), func(t *testing.T) {
				o := newOrigin(t, tc.server.Clone(), true)
				x := get("/")
				got, err := forward(acquire(t, lending(t, certs), secured(o, version, tc.opts)), x)
				if tc.cause == "" {
					if err != nil || !strings.HasPrefix(got, "HTTP/") {
						t.Fatalf("%q, %v", got, err)
					}
					if tc.opts.ClientCertificate != "" && !strings.HasSuffix(got, " gateway") {
						t.Errorf("%q: the target does not know us", got)
					}
					return
				}
				r := wantRefusal(t, err, 502, "upstream.tls")
				if why := fmt.Sprint(r.Err); !strings.Contains(why, tc.cause) || strings.Contains(r.Message, "certificate") {
					t.Errorf("cause %q, message %q", why, r.Message)
				}
			})
		}
	}
}

// With TLS 1.3 a target says behind the handshake that it wants a certificate,
// when the request is on its way already. The connection may break before the alert
// is read, so that the code is upstream.tls or upstream.closed.
func TestATargetThatAsksForACertificateBehindTheHandshake(t *testing.T) {
	ca := newAuthority(t)
	certs := &shelf{cas: map[string]*x509.CertPool{"ca": ca.pool()}}
	for _, version := range []apidef.HTTPVersion{apidef.HTTP11, apidef.HTTP2, apidef.HTTPAuto} {
		o := newOrigin(t, &tls.Config{Certificates: []tls.Certificate{*ca.server("localhost")}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}, true)
		_, err := forward(acquire(t, lending(t, certs), secured(o, version, apidef.UpstreamTLS{CA: "ca"})), get("/"))
		var r *filter.Reject
		if !errors.As(err, &r) || r.Status != 502 || r.Code != "upstream.tls" && r.Code != "upstream.closed" {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestATargetThatDoesNotSpeakTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = nc.Close()
		}
	}()
	r := wantRefusal(t, acquire(t, lending(t, nil), secured(&origin{addr: l.Addr().String()}, "", apidef.UpstreamTLS{})).Forward(get("/")), 502, "upstream.tls")
	if !strings.Contains(fmt.Sprint(r.Err), "does not speak TLS") {
		t.Error(r.Err)
	}
}

func TestATargetWithABadCertificateIsPassedBy(t *testing.T) {
	ca := newAuthority(t)
	bad := newOrigin(t, &tls.Config{Certificates: []tls.Certificate{*newAuthority(t).server("localhost")}}, true)
	good := newOrigin(t, &tls.Config{Certificates: []tls.Certificate{*ca.server("localhost")}}, true)
	u := secured(bad, "", apidef.UpstreamTLS{CA: "ca"})
	u.Targets = append(u.Targets, secured(good, "", u.TLS).Targets...)
	p := acquire(t, lending(t, &shelf{cas: map[string]*x509.CertPool{"ca": ca.pool()}}), u)
	for range 4 {
		if got, err := forward(p, post("!")); err != nil || got != "HTTP/2.0 localhost nobody!" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestACertificateThatIsNotThere(t *testing.T) {
	certs := &shelf{cas: map[string]*x509.CertPool{"ca": newAuthority(t).pool()}}
	for name, tc := range map[string]struct {
		certs Certificates
		opts  apidef.UpstreamTLS
		ok    bool
	}{
		"CA":          {certs, apidef.UpstreamTLS{CA: "none"}, false},
		"certificate": {certs, apidef.UpstreamTLS{CA: "ca", ClientCertificate: "none"}, false},
		"no store":    {nil, apidef.UpstreamTLS{CA: "ca"}, false},
		"there":       {certs, apidef.UpstreamTLS{CA: "ca"}, true},
	} {
		_, err := lending(t, tc.certs).Acquire("o", "a", secured(&origin{addr: "127.0.0.1:1"}, "", tc.opts))
		if f := fault.As(err); tc.ok != (err == nil) || !tc.ok && (f == nil || f.Code != apidef.CodeCertificateMissing || !strings.Contains(f.Message, `"`)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A certificate that changes on disk counts for connections that are made later;
// until then, and with it, sessions are resumed.
func TestChangedCertificatesReachNewConnections(t *testing.T) {
	ca, next := newAuthority(t), newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{*ca.server("localhost")}, ClientAuth: tls.RequestClientCert}
	o := newOrigin(t, config, false)
	certs := &shelf{cas: map[string]*x509.CertPool{"ca": ca.pool()}, pairs: map[string]*tls.Certificate{"me": ca.client("one")}}
	m := lending(t, certs)
	u := secured(o, apidef.HTTP11, apidef.UpstreamTLS{CA: "ca", ClientCertificate: "me", Pins: []string{pinOf(ca.cert)}})
	u.Connections.Idle = 1
	call := func() (string, error) {
		// a closed pool makes a connection for each call
		x := get("/")
		return forward(acquire(t, m, u), x)
	}
	acquire(t, m, u).targets[0].conns.Close()
	for range 3 {
		if got, err := call(); err != nil || got != "HTTP/1.1 localhost one" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := o.resumed.Load(); n != 2 || o.accepted.Load() != 3 {
		t.Errorf("%d of %d connections resumed a session", n, o.accepted.Load())
	}
	certs.set(func() { certs.pairs["me"] = ca.client("two") })
	if got, err := call(); err != nil || got != "HTTP/1.1 localhost two" {
		t.Errorf("%q, %v", got, err)
	}
	certs.set(func() { certs.cas["ca"] = next.pool() })
	_, err := call()
	wantRefusal(t, err, 502, "upstream.tls")
	certs.set(func() { delete(certs.cas, "ca") })
	_, err = call()
	wantRefusal(t, err, 502, "upstream.tls")
}

func TestH2CTargets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto+" "+r.Host) })}
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	u := to(l.Addr().String())
	u.HTTP = apidef.H2C
	if got, err := forward(acquire(t, lending(t, nil), u), get("/")); err != nil || got != "HTTP/2.0 "+l.Addr().String() {
		t.Errorf("%q, %v", got, err)
	}
	var f *message.Failure
	u = to(dead(t))
	u.HTTP = apidef.H2C
	if err := acquire(t, lending(t, nil), u).Forward(get("/")); !errors.As(err, &f) || f.Kind != message.ErrConnect {
		t.Error(err)
	}
	for _, u := range []apidef.Upstream{{Targets: []apidef.Target{{URL: "https://a"}}, HTTP: apidef.H2C}, {Targets: []apidef.Target{{URL: "http://a"}}, HTTP: apidef.HTTP2}} {
		if _, err := lending(t, nil).Acquire("o", "a", u); err == nil {
			t.Errorf("%+v was taken", u)
		}
	}
}
