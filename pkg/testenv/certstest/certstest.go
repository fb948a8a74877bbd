// Package certstest makes certificates for tests.
package certstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is an authority.
type CA struct {
	t    testing.TB
	Cert *x509.Certificate
	PEM  []byte
	key  crypto.Signer
}

// Options of a certificate. The zero ones make an ECDSA certificate for a server
// that is valid for a year.
type Options struct {
	NotBefore, NotAfter time.Time
	RSA                 bool
	Client              bool  // for a client in place of a server
	Serial              int64 // 0 is a random one
}

// NewCA makes an authority of that name.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &CA{t: t, Cert: c, PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: key}
}

// Pool holds the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.Cert)
	return p
}

// Issue makes a certificate for host names and addresses, the first of which is its subject, as PEM.
func (ca *CA) Issue(o Options, names ...string) (chain, key []byte) {
	ca.t.Helper()
	var signer crypto.Signer
	var err error
	if o.RSA {
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		ca.t.Fatal(err)
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Now().Add(-time.Hour)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	number := big.NewInt(o.Serial)
	if o.Serial == 0 {
		number = serial(ca.t)
	}
	usage := x509.ExtKeyUsageServerAuth
	if o.Client {
		usage = x509.ExtKeyUsageClientAuth
	}
	c := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: names[0]}, NotBefore: o.NotBefore, NotAfter: o.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.Cert, signer.Public(), ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		ca.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// Client is a configuration that believes the authority alone.
func (ca *CA) Client(name string, protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: ca.Pool(), ServerName: name, NextProtos: protocols}
}

// Server is a configuration with a certificate for names.
func (ca *CA) Server(o Options, names ...string) *tls.Config {
	ca.t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{ca.Pair(o, names...)}}
}

// Pair is Issue for use in this process.
func (ca *CA) Pair(o Options, names ...string) tls.Certificate {
	ca.t.Helper()
	c, err := tls.X509KeyPair(ca.Issue(o, names...))
	if err != nil {
		ca.t.Fatal(err)
	}
	return c
}

// Write puts a pair into dir as <name>.crt and <name>.key.
func (ca *CA) Write(dir, name string, o Options, names ...string) {
	ca.t.Helper()
	chain, key := ca.Issue(o, names...)
	Put(ca.t, filepath.Join(dir, name+".crt"), chain)
	Put(ca.t, filepath.Join(dir, name+".key"), key)
}

// Put writes a file at once, with mode 0600.
func Put(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func serial(t testing.TB) *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
