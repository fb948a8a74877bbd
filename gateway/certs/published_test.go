package certs_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

func TestPublishedCertificates(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	var log bytes.Buffer
	s := open(t, certs.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	take := func(id string, chain, key []byte) {
		t.Helper()
		if err := s.Take("default", id, chain, key); err != nil {
			t.Fatal(err)
		}
	}
	chain, key := ca.Issue(certstest.Options{}, "a.test")
	take("a", chain, key)
	take("roots", ca.PEM, nil)
	if shown(t, s, hello("a.test")) != "" {
		t.Error("a certificate is shown before Settle")
	}
	s.Settle()
	if got := shown(t, s, hello("a.test")); got != "a.test" {
		t.Errorf("got %q", got)
	}
	if p, err := s.Pair("default", "a"); err != nil || p.Leaf.Subject.CommonName != "a.test" {
		t.Errorf("got %v, %v", p, err)
	}
	if pool, err := s.CA("default", "roots"); err != nil || !pool.Equal(ca.Pool()) {
		t.Errorf("got %v, %v", pool, err)
	}
	for want, err := range map[string]error{
		"none of that id": second(s.Pair("other", "a")), "name a certificate without a key": second(s.CA("default", "a")), "has no private key": second(s.Pair("default", "roots")),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := s.Take("default", "a", chain, []byte("no key")); err == nil || strings.Contains(err.Error(), "no key") {
		t.Errorf("got %v", err)
	}
	s.Settle()
	if shown(t, s, hello("a.test")) != "a.test" {
		t.Error("what cannot be used replaced what could")
	}
	if err := s.Reload(); err != nil || shown(t, s, hello("a.test")) != "a.test" || len(s.Expiries()) != 2 || strings.Join(s.Names(), " ") != "a" {
		t.Errorf("a reload of the folder loses what is published: %v, %v, %v", err, s.Expiries(), s.Names())
	}

	// a file of the same name wins, and says so; without it the published one is back
	ca.Write(dir, "a", certstest.Options{}, "file.test")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Pair("default", "a"); err != nil || p.Leaf.Subject.CommonName != "file.test" || shown(t, s, hello("a.test")) != "" {
		t.Errorf("got %v, %v", p, err)
	}
	if said := strings.Join(s.Warnings(0), "\n"); !strings.Contains(said, "a: the file in certificates.dir is used in the place") {
		t.Errorf("got %s", said)
	}
	next, nextKey := ca.Issue(certstest.Options{}, "a.test")
	take("a", next, nextKey)
	s.Settle()
	if !strings.Contains(log.String(), "a file wins over the published certificate") {
		t.Errorf("got %s", log.String())
	}
	s.Drop("default", "a")
	s.Drop("default", "roots")
	s.Settle()
	s.Settle()
	if _, err := s.CA("default", "roots"); err == nil || len(s.Warnings(0)) != 0 {
		t.Errorf("what was dropped is there: %v, %v", err, s.Warnings(0))
	}
	if strings.Contains(log.String(), "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func second[T any](_ T, err error) error { return err }

// TestReplacingUnderHandshakes: a published certificate changes while clients shake
// hands, and every handshake gets a whole one.
func TestReplacingUnderHandshakes(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := open(t, certs.Options{Dir: filepath.Join(t.TempDir(), "none")})
	server := s.ServerConfig("http/1.1")
	seen := map[string]bool{}
	done := make(chan error, 1)
	for range 20 {
		chain, key := ca.Issue(certstest.Options{}, "h")
		if len(seen) == 0 {
			if err := s.Take("default", "h", chain, key); err != nil {
				t.Fatal(err)
			}
			s.Settle()
		}
		go func() {
			err := s.Take("default", "h", chain, key)
			s.Settle()
			done <- err
		}()
		st, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "h"})
		if err != nil {
			t.Fatal(err)
		}
		seen[st.PeerCertificates[0].SerialNumber.String()] = true
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d certificates were seen", len(seen))
	}
}
