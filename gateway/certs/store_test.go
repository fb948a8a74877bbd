package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, o certs.Options) *certs.Store {
	t.Helper()
	s, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hello is a client that can use every key.
func hello(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256}, SupportedCurves: []tls.CurveID{tls.X25519, tls.CurveP256},
	}
}

// shown is the subject of the certificate that a client gets, or "".
func shown(t *testing.T, s *certs.Store, h *tls.ClientHelloInfo) string {
	t.Helper()
	c, err := s.GetCertificate(h)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return ""
	}
	return c.Leaf.Subject.CommonName
}

func TestTheCertificateThatAClientAsksFor(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "a.example.com", "Shared.example.com")
	ca.Write(dir, "wild", certstest.Options{}, "*.example.com")
	ca.Write(dir, "deep", certstest.Options{}, "*.deep.example.com", "*.com")
	ca.Write(dir, "other", certstest.Options{}, "other.test")
	for _, fallback := range []string{"", "other"} {
		s := open(t, certs.Options{Dir: dir, Default: fallback})
		none := map[string]string{"": "", "other": "other.test"}[fallback]
		for name, want := range map[string]string{
			"a.example.com":        "a.example.com",
			"A.EXAMPLE.com.":       "a.example.com",
			"shared.example.com":   "a.example.com",
			"b.example.com":        "*.example.com",
			"x.deep.example.com":   "*.deep.example.com",
			"deep.example.com":     "*.example.com",
			"y.x.deep.example.com": none, // a wildcard is one label
			"example.com":          "*.deep.example.com",
			"com":                  none,
			"other.test":           "other.test",
			"*.example.com":        "*.example.com",
			"":                     none,
			".":                    none,
			"xother.test":          none,
		} {
			if got := shown(t, s, hello(name)); got != want {
				t.Errorf("default %q, name %q: %q, want %q", fallback, name, got, want)
			}
		}
	}
}

func TestOfSeveralWithOneNameTheBest(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	year, soon := time.Now().AddDate(1, 0, 0), time.Now().Add(time.Hour)
	ca.Write(dir, "1rsa", certstest.Options{RSA: true, NotAfter: year}, "rsa", "h")
	ca.Write(dir, "2ended", certstest.Options{NotBefore: time.Now().AddDate(0, -2, 0), NotAfter: time.Now().AddDate(0, -1, 0)}, "ended", "h")
	ca.Write(dir, "3soon", certstest.Options{NotAfter: soon}, "soon", "h")
	ca.Write(dir, "4late", certstest.Options{NotAfter: year}, "late", "h")
	s := open(t, certs.Options{Dir: dir})
	if got := shown(t, s, hello("h")); got != "late" {
		t.Errorf("a client that can do all gets %q", got)
	}
	old := hello("h")
	old.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256}
	if got := shown(t, s, old); got != "rsa" {
		t.Errorf("a client that can do RSA only gets %q", got)
	}
	after := open(t, certs.Options{Dir: dir, Now: func() time.Time { return soon.AddDate(2, 0, 0) }})
	if got := shown(t, after, hello("h")); got == "" || got == "rsa" {
		t.Errorf("when all have ended: %q", got)
	}
}

// lines is a log that a test reads while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestABadFileKeepsTheOneBefore(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "first", "h")
	ca.Write(dir, "b", certstest.Options{}, "b")
	certstest.Put(t, filepath.Join(dir, "roots.crt"), ca.PEM)
	log := &lines{}
	s := open(t, certs.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil))})
	before, err := s.CA("default", "roots")
	if err != nil || !before.Equal(ca.Pool()) {
		t.Fatalf("%v", err)
	}
	otherChain, otherKey := ca.Issue(certstest.Options{}, "second", "h")
	good, err := os.ReadFile(filepath.Join(dir, "a.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		file string
		text []byte
		want string
	}{
		"a key of another certificate":  {"a.key", otherKey, "private key does not match"},
		"no PEM":                        {"a.crt", []byte("hello"), "failed to find any PEM data"},
		"an empty key":                  {"a.key", nil, "failed to find any PEM data"},
		"half a certificate":            {"a.crt", good[:len(good)/2], "a.crt"},
		"a bundle without certificates": {"roots.crt", []byte("# nothing yet\n"), "no certificate in PEM"},
		"a bundle that is broken":       {"roots.crt", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "block 1"},
		"a file beyond all measure":     {"a.crt", bytes.Repeat([]byte("x"), 5<<20), "larger than 4 MiB"},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(dir, tc.file)
			was, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			certstest.Put(t, path, tc.text)
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
			if got := shown(t, s, hello("h")); got != "first" {
				t.Errorf("clients get %q", got)
			}
			if pool, err := s.CA("default", "roots"); err != nil || !pool.Equal(before) {
				t.Errorf("the bundle: %v", err)
			}
			p := s.Problems()
			if len(p) != 1 || !p[0].Kept || !strings.Contains(p[0].Err.Error(), tc.want) || p[0].Name != strings.TrimSuffix(strings.TrimSuffix(tc.file, ".crt"), ".key") {
				t.Errorf("problems %+v, want %q", p, tc.want)
			}
			if w := s.Warnings(0); len(w) != 1 || !strings.Contains(w[0], "the version before stays in use") {
				t.Errorf("warnings %q", w)
			}
			if !strings.Contains(log.String(), tc.want) {
				t.Errorf("the log does not say %q", tc.want)
			}
			certstest.Put(t, path, was)
			if err := s.Reload(); err != nil || len(s.Problems()) != 0 {
				t.Errorf("after the mend: %v, %+v", err, s.Problems())
			}
		})
	}
	certstest.Put(t, filepath.Join(dir, "a.crt"), otherChain)
	certstest.Put(t, filepath.Join(dir, "a.key"), otherKey)
	if err := s.Reload(); err != nil || shown(t, s, hello("h")) != "second" || len(s.Problems()) != 0 {
		t.Errorf("the next good one: %v, %+v", err, s.Problems())
	}
	if err := os.Remove(filepath.Join(dir, "b.crt")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil || shown(t, s, hello("b")) != "b" || len(s.Problems()) != 1 {
		t.Errorf("a key alone: %v, %+v", err, s.Problems())
	}
	if err := os.Remove(filepath.Join(dir, "b.key")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil || shown(t, s, hello("b")) != "" || !slices.Equal(s.Names(), []string{"a"}) {
		t.Errorf("a pair that was removed: %v, %v", err, s.Names())
	}
}

func TestAFileThatChangesIsReadWithoutAWord(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "first", "h")
	s := open(t, certs.Options{Dir: dir, Every: 5 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ca.Write(dir, "a", certstest.Options{}, "second", "h")
	testenv.Eventually(t, 5*time.Second, func() bool { return shown(t, s, hello("h")) == "second" && len(s.Problems()) == 0 })
	ca.Write(dir, "b", certstest.Options{}, "b")
	testenv.Eventually(t, 5*time.Second, func() bool { return shown(t, s, hello("b")) == "b" })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAFolderOfLinksAsKubernetesMountsThem(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	for _, v := range []string{"..1", "..2"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		ca.Write(filepath.Join(dir, v), "tls", certstest.Options{}, "version"+v, "h")
	}
	link := func(from, to string) {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	link("..data", "..1")
	link("tls.crt", "..data/tls.crt")
	link("tls.key", "..data/tls.key")
	link("gone.crt", "..data/gone.crt")
	s := open(t, certs.Options{Dir: dir})
	if got := shown(t, s, hello("h")); got != "version..1" {
		t.Fatalf("%q, %+v", got, s.Problems())
	}
	if p := s.Problems(); len(p) != 1 || p[0].Name != "gone" || p[0].Kept {
		t.Errorf("a link to nowhere: %+v", p)
	}
	link("..next", "..2")
	if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil || shown(t, s, hello("h")) != "version..2" {
		t.Errorf("%v, %+v", err, s.Problems())
	}
}

func TestWhatIsAskedForByName(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "pair", certstest.Options{}, "h")
	certstest.Put(t, filepath.Join(dir, "roots.crt"), append(slices.Clone(ca.PEM), certstest.NewCA(t, "another").PEM...))
	s := open(t, certs.Options{Dir: dir})
	if p, err := s.Pair("default", "pair"); err != nil || p.Leaf.Subject.CommonName != "h" {
		t.Errorf("%v", err)
	}
	if _, err := s.CA("default", "roots"); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct {
		err  func() error
		want string
	}{
		{func() error { _, err := s.Pair("default", "roots"); return err }, "roots.key is missing"},
		{func() error { _, err := s.Pair("default", "x"); return err }, "x.crt with x.key"},
		{func() error { _, err := s.CA("default", "pair"); return err }, "has a private key"},
		{func() error { _, err := s.CA("default", "../roots"); return err }, "no usable bundle"},
	} {
		if err := tc.err(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}

func TestCertificatesThatEndAreTold(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	now := time.Now()
	ca.Write(dir, "fine", certstest.Options{NotAfter: now.AddDate(0, 0, 15)}, "fine")
	ca.Write(dir, "soon", certstest.Options{NotAfter: now.AddDate(0, 0, 13)}, "soon")
	ca.Write(dir, "over", certstest.Options{NotBefore: now.AddDate(0, 0, -9), NotAfter: now.AddDate(0, 0, -1)}, "over")
	certstest.Put(t, filepath.Join(dir, "roots.crt"), ca.PEM)
	s := open(t, certs.Options{Dir: dir})
	want := []string{
		"over: ended on " + now.AddDate(0, 0, -1).UTC().Format(time.DateOnly),
		"soon: ends on " + now.AddDate(0, 0, 13).UTC().Format(time.DateOnly),
	}
	if got := s.Warnings(14 * 24 * time.Hour); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	e := s.Expiries()
	if len(e) != 4 || e[0].Name != "fine" || e[2].Name != "roots" || !e[2].NotAfter.Equal(ca.Cert.NotAfter) {
		t.Errorf("%+v", e)
	}
}

func TestOpening(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "a")
	if err := os.Chmod(filepath.Join(dir, "a.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	open(t, certs.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil))})
	if !strings.Contains(log.String(), "chmod 600") {
		t.Errorf("nobody is warned of a key that all may read: %s", log)
	}
	if s := open(t, certs.Options{Dir: filepath.Join(dir, "none")}); len(s.Names()) != 0 {
		t.Error("a folder that does not exist has certificates")
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.key"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"b": "there is no b.crt with b.key", "bad": "failed to find any PEM data"} {
		if _, err := certs.Open(certs.Options{Dir: dir, Default: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("default %s: %v", name, err)
		}
	}
	if _, err := certs.Open(certs.Options{Dir: filepath.Join(dir, "a.crt")}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a file in the place of the folder: %v", err)
	}
	s := open(t, certs.Options{Dir: dir, Default: "a"})
	if err := os.Remove(filepath.Join(dir, "a.crt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Reload(); err != nil || !strings.Contains(strings.Join(s.Warnings(0), "\n"), "certificates.default names it") {
			t.Errorf("the default is gone: %v, %q", err, s.Warnings(0))
		}
	}
}
