package prometheus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
)

func testEnv(t testing.TB) sink.Env {
	return sink.Env{Name: "metrics", Data: t.TempDir(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// serving is a sink that answers scrapes until the test ends.
func serving(t testing.TB, c Config) *Sink {
	t.Helper()
	c.Listen.Address = "127.0.0.1:0"
	s, err := open(t.Context(), c, testEnv(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	worked := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { worked <- s.Work(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-worked; err != nil {
			t.Errorf("work: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// ask is the status, the body and the header of an answer.
func ask(t testing.TB, client *http.Client, method, url string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(testenv.Context(t, 10*time.Second), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestTwoSinksServeWhatTheyCounted(t *testing.T) {
	one, two := serving(t, Config{}), serving(t, Config{Path: "/other"})
	write(t, one, batch(call("one", "GET", 200, time.Millisecond)))
	write(t, two, batch(call("two", "GET", 200, time.Millisecond)))
	for _, tc := range []struct {
		url, has, hasNot string
	}{
		{one.URL() + "/metrics", `sluice_requests_total{api_id="one",http_request_method="GET",http_response_status_code="200"} 1`, "two"},
		{two.URL() + "/other", `sluice_requests_total{api_id="two",http_request_method="GET",http_response_status_code="200"} 1`, "one"},
	} {
		status, body, _ := ask(t, http.DefaultClient, "GET", tc.url, nil)
		if status != 200 || !strings.Contains(body, tc.has) || strings.Contains(body, `"`+tc.hasNot+`"`) {
			t.Errorf("%s: %d\n%s", tc.url, status, body)
		}
	}
	for url, want := range map[string]int{"GET " + one.URL(): 404, "POST " + one.URL() + "/metrics": 405, "HEAD " + one.URL() + "/metrics": 200} {
		method, url, _ := strings.Cut(url, " ")
		if status, _, _ := ask(t, http.DefaultClient, method, url, nil); status != want {
			t.Errorf("%s %s: %d, not %d", method, url, status, want)
		}
	}
}

func TestScrapersChooseTheFormat(t *testing.T) {
	s := serving(t, Config{})
	write(t, s, batch(call("a", "GET", 200, time.Millisecond)))
	for accept, want := range map[string]string{
		"": "text/plain", "application/openmetrics-text; version=1.0.0": "application/openmetrics-text",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf",
	} {
		status, _, header := ask(t, http.DefaultClient, "GET", s.URL()+"/metrics", func(r *http.Request) { r.Header.Set("Accept", accept) })
		if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), want) {
			t.Errorf("%q: %d %q", accept, status, header.Get("Content-Type"))
		}
	}
}

func TestCloseEndsTheListener(t *testing.T) {
	s, err := open(t.Context(), Config{Listen: Listen{Address: "127.0.0.1:0"}}, testEnv(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	worked := make(chan error, 1)
	go func() { worked <- s.Work(t.Context()) }()
	if status, _, _ := ask(t, http.DefaultClient, "GET", s.URL()+"/metrics", nil); status != 200 {
		t.Fatalf("status %d", status)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-worked; err != nil {
		t.Fatalf("work ended with %v", err)
	}
	again, err := net.Listen("tcp", s.Addr().String())
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	_ = again.Close()
}

func TestOnlyScrapesWithCredentialsPass(t *testing.T) {
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	both := Auth{Token: "t0ken", Username: "prom", Password: "s3cret"}
	for name, tc := range map[string]struct {
		auth   Auth
		ask    func(*http.Request)
		status int
	}{
		"nothing is asked for":       {Auth{}, nil, 200},
		"no credentials":             {both, nil, 401},
		"the token":                  {both, bearer("t0ken"), 200},
		"another token":              {both, bearer("t0keN"), 401},
		"no token":                   {both, bearer(""), 401},
		"name and password":          {both, basic("prom", "s3cret"), 200},
		"another name":               {both, basic("Prom", "s3cret"), 401},
		"another password":           {both, basic("prom", ""), 401},
		"empty ones, token only":     {Auth{Token: "t"}, basic("", ""), 401},
		"an empty one, name only":    {Auth{Username: "u", Password: "p"}, bearer(""), 401},
		"the token, in small letter": {both, func(r *http.Request) { r.Header.Set("Authorization", "bearer t0ken") }, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := serving(t, Config{Auth: tc.auth})
			status, body, header := ask(t, http.DefaultClient, "GET", s.URL()+"/metrics", tc.ask)
			if status != tc.status {
				t.Fatalf("%d, not %d", status, tc.status)
			}
			if status == 401 && (header.Get("WWW-Authenticate") == "" || strings.Contains(body, "sluice_")) {
				t.Errorf("%v\n%s", header, body)
			}
		})
	}
}

// certificate writes a certificate of the name, valid for 127.0.0.1 and signed by
// itself, with its key.
func certificate(t testing.TB, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: keyDER}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// https is a client that accepts every certificate and tells whose it saw.
func https(pair ...tls.Certificate) (*http.Client, *string) {
	seen := new(string)
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		Certificates: pair, InsecureSkipVerify: true, // the test looks itself
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			c, err := x509.ParseCertificate(raw[0])
			if err == nil {
				*seen = c.Subject.CommonName
			}
			return err
		},
	}}}, seen
}

func TestANewCertificateIsTakenWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "first")
	s := serving(t, Config{TLS: TLS{Cert: cert, Key: key}})
	client, seen := https()
	if status, _, _ := ask(t, client, "GET", s.URL()+"/metrics", nil); status != 200 || *seen != "first" {
		t.Fatalf("%d by %q", status, *seen)
	}
	later := time.Now().Add(time.Minute)
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := ask(t, client, "GET", s.URL()+"/metrics", nil); status != 200 || *seen != "first" {
		t.Fatalf("while its file was broken: %d by %q", status, *seen)
	}
	certificate(t, dir, "second")
	if status, _, _ := ask(t, client, "GET", s.URL()+"/metrics", nil); status != 200 || *seen != "second" {
		t.Fatalf("after the change: %d by %q", status, *seen)
	}
}

func TestClientsNeedACertificateOfTheAuthority(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), "server")
	clientCert, clientKey := certificate(t, t.TempDir(), "scraper")
	strangerCert, strangerKey := certificate(t, t.TempDir(), "stranger")
	s := serving(t, Config{TLS: TLS{Cert: cert, Key: key, ClientCA: clientCert}})
	pair := func(c, k string) tls.Certificate {
		p, err := tls.LoadX509KeyPair(c, k)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	good, _ := https(pair(clientCert, clientKey))
	if status, _, _ := ask(t, good, "GET", s.URL()+"/metrics", nil); status != 200 {
		t.Fatalf("with the certificate: %d", status)
	}
	stranger, _ := https(pair(strangerCert, strangerKey))
	none, _ := https()
	for name, client := range map[string]*http.Client{"none": none, "a stranger's": stranger} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("with %s: %d", name, resp.StatusCode)
		}
	}
}
