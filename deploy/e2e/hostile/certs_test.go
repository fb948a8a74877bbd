package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates of servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hostile tests"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))(t)
	return &authority{must(x509.ParseCertificate(der))(t), key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// text is its certificate in PEM.
func (a *authority) text() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue makes a certificate for names and returns it with its key, in PEM.
func (a *authority) issue(t *testing.T, serial int64, names ...string) (cert, key []byte) {
	t.Helper()
	return a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names})
}

// sign completes a certificate of a server, by default good for a month, and returns it with its key.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (cert, key []byte) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	if len(c.ExtKeyUsage) == 0 {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(0, 1, 0)
	}
	der := must(x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key))(t)
	secret := must(x509.MarshalPKCS8PrivateKey(k))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// put writes a pair as a gateway's folder wants it: each file whole at once.
func put(t *testing.T, dir, name string, cert, key []byte) {
	t.Helper()
	for ext, text := range map[string][]byte{".key": key, ".crt": cert} {
		beside := filepath.Join(t.TempDir(), name+ext)
		if err := os.WriteFile(beside, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(beside, filepath.Join(dir, name+ext)); err != nil {
			t.Fatal(err)
		}
	}
}

// client is a configuration that believes the authority.
func (a *authority) client(name string, protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: a.pool(), ServerName: name, NextProtos: protocols}
}
