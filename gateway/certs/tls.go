package certs

import (
	"bytes"
	"crypto/tls"
	"strings"
)

// ServerConfig is the configuration of a TLS listener that speaks the given
// protocols (ALPN, RFC 7301): TLS 1.2 and 1.3, the cipher suites that crypto/tls
// holds safe, the certificate by the name that the client asks for. Session
// tickets are sealed with keys that change every day and are taken for seven at
// most; a ticket resumes a session with the same server name only. A listener
// needs one of its own.
func (s *Store) ServerConfig(protocols ...string) *tls.Config {
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: s.GetCertificate,
		Time:           s.o.Now,
	}
	// A ticket made for one name must not bring a session of another, whose rules on
	// client certificates may differ.
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, ticketName(cs.ServerName))
		return c.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := c.DecryptTicket(ticket, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		want := ticketName(cs.ServerName)
		for _, x := range ss.Extra {
			if bytes.Equal(x, want) {
				return ss, nil
			}
		}
		return nil, nil
	}
	return c
}

// ticketName is what a ticket says of the server's name.
func ticketName(name string) []byte { return []byte("sluice-sni:" + strings.ToLower(name)) }

// GetCertificate is for tls.Config: the certificate that has the name the client
// asks for, else that of the longest wildcard, which stands for one label
// (RFC 9525, section 6.3), else the default. None leads to the alert
// unrecognized_name. Of several with one name it is the best that the client can
// use and that is valid.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w := s.now.Load()
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		return w.fallback, nil
	}
	if c := s.choose(hello, w.names[name]); c != nil {
		return c, nil
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if c := s.choose(hello, w.names["*."+parent]); c != nil {
			return c, nil
		}
	}
	return w.fallback, nil
}

// choose takes the first that the client can use and that is valid, else the
// first that it can use, else the first: the handshake tells the client why not.
func (s *Store) choose(hello *tls.ClientHelloInfo, list []*tls.Certificate) *tls.Certificate {
	if len(list) < 2 {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	now := s.o.Now()
	best := list[0]
	found := false
	for _, c := range list {
		if hello.SupportsCertificate(c) != nil {
			continue
		}
		if valid(c, now) {
			return c
		}
		if !found {
			best, found = c, true
		}
	}
	return best
}
