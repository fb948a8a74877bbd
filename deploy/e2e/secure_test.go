package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// secureUpstreams are backends with TLS and HTTP/2 for the specs:
//
//	{{upstream.h2}}        HTTP/2 and HTTP/1.1 over TLS; its certificate is for 127.0.0.1, by spec-ca
//	{{upstream.named}}     the same with a certificate for upstream.test only
//	{{upstream.old}}       HTTP/1.1 over TLS
//	{{upstream.unknown}}   HTTP/1.1 over TLS by an authority that nobody knows
//	{{upstream.asks}}      wants a certificate of the caller, by spec-ca
//	{{upstream.h2c}}       HTTP/2 without TLS
//	{{pin}}                of the key of {{upstream.h2}}
//
// The gateway has spec-ca and, with its key, spec-client.
type secureUpstreams struct {
	certificates string // folder
	tokens       map[string]string
}

func newSecureUpstreams(t *testing.T) secureUpstreams {
	ca, unknown := certstest.NewCA(t, "spec-ca"), certstest.NewCA(t, "unknown")
	s := secureUpstreams{certificates: t.TempDir(), tokens: map[string]string{}}
	certstest.Put(t, filepath.Join(s.certificates, "spec-ca.crt"), ca.PEM)
	ca.Write(s.certificates, "spec-client", certstest.Options{Client: true}, "spec-client")

	here := ca.Pair(certstest.Options{}, "127.0.0.1")
	add := func(name string, u *platform.Upstream) {
		t.Cleanup(u.Close)
		s.tokens["{{upstream."+name+"}}"] = u.URL
	}
	with := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	add("h2", platform.NewSecureUpstream("h2", with(here), "h2", "http/1.1"))
	add("named", platform.NewSecureUpstream("named", with(ca.Pair(certstest.Options{}, "upstream.test")), "h2", "http/1.1"))
	add("old", platform.NewSecureUpstream("old", with(here), "http/1.1"))
	add("unknown", platform.NewSecureUpstream("unknown", with(unknown.Pair(certstest.Options{}, "127.0.0.1")), "http/1.1"))
	asks := with(here)
	asks.ClientAuth, asks.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	add("asks", platform.NewSecureUpstream("asks", asks, "h2", "http/1.1"))
	add("h2c", platform.NewH2CUpstream("h2c"))

	leaf, err := x509.ParseCertificate(here.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	s.tokens["{{pin}}"] = "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
	return s
}
