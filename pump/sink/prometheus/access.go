package prometheus

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// guard lets only scrapes pass that present the token or the password. Hashes are
// compared, in constant time, so that neither content nor length is told by it.
func (a Auth) guard(next http.Handler) http.Handler {
	if a.Token == "" && a.Username == "" {
		return next
	}
	token, user, password := digest(a.Token.Value()), digest(a.Username), digest(a.Password.Value())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if a.Token != "" && strings.EqualFold(scheme, "Bearer") && same(token, strings.TrimSpace(credentials)) {
			next.ServeHTTP(w, r)
			return
		}
		name, given, basic := r.BasicAuth()
		named, right := same(user, name), same(password, given)
		if a.Username != "" && basic && named && right {
			next.ServeHTTP(w, r)
			return
		}
		if a.Token != "" {
			w.Header().Add("WWW-Authenticate", `Bearer realm="metrics"`)
		}
		if a.Username != "" {
			w.Header().Add("WWW-Authenticate", `Basic realm="metrics", charset="UTF-8"`)
		}
		http.Error(w, "the metrics need a token or a password", http.StatusUnauthorized)
	})
}

func digest(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

func same(want [sha256.Size]byte, given string) bool {
	d := digest(given)
	return subtle.ConstantTimeCompare(want[:], d[:]) == 1
}

// load is the TLS configuration, nil for plain HTTP.
func (t TLS) load() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	pair := &keyPair{cert: t.Cert, key: t.Key}
	if _, err := pair.get(nil); err != nil {
		return nil, config.Invalid("tls.cert", err.Error(), "name a certificate and its key, both in PEM, that the pump may read")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	if t.ClientCA != "" {
		pem, err := os.ReadFile(t.ClientCA)
		if err != nil {
			return nil, config.Invalid("tls.client_ca", err.Error(), "name a file that the pump may read")
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, config.Invalid("tls.client_ca", "the file has no certificate", "put PEM certificates into it")
		}
	}
	return c, nil
}

// keyPair is a certificate with its key, read again when its file has changed.
type keyPair struct {
	cert, key string

	mu      sync.Mutex
	changed time.Time
	loaded  *tls.Certificate
}

// get is the certificate; the one that was good stays while its files are not.
func (p *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var changed time.Time
	info, err := os.Stat(p.cert)
	if err == nil {
		if changed = info.ModTime(); p.loaded != nil && changed.Equal(p.changed) {
			return p.loaded, nil
		}
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	switch {
	case err == nil:
		p.loaded, p.changed = &pair, changed
	case p.loaded == nil:
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	return p.loaded, nil
}
