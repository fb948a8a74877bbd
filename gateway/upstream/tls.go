package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// sessions is how many TLS sessions of a target are kept for resumption (RFC 8446,
// 2.2).
const sessions = 64

// Certificates are the certificates of this gateway, by organisation and name. Each
// call returns what is there now, and the same value until it changes.
type Certificates interface {
	// CA returns the authorities of a bundle.
	CA(org, name string) (*x509.CertPool, error)
	// Pair returns a certificate with its key.
	Pair(org, name string) (*tls.Certificate, error)
}

// none are the certificates of a gateway that has none.
type none struct{}

var _ Certificates = none{}

func (none) CA(_, name string) (*x509.CertPool, error) {
	return nil, fmt.Errorf("this gateway has no certificates, so none of the name %q", name)
}

func (n none) Pair(org, name string) (*tls.Certificate, error) {
	_, err := n.CA(org, name)
	return nil, err
}

// present checks that the certificates which options name are there.
func present(org string, o apidef.UpstreamTLS, certs Certificates) error {
	var err error
	member := "ca"
	if o.CA != "" {
		_, err = certs.CA(org, o.CA)
	}
	if err == nil && o.ClientCertificate != "" {
		member = "clientCertificate"
		_, err = certs.Pair(org, o.ClientCertificate)
	}
	if err != nil {
		return fault.Wrap(err, fault.Invalid, apidef.CodeCertificateMissing, "%s: %s", member, err)
	}
	return nil
}

// secure makes TLS connections to one target.
type secure struct {
	org   string
	o     apidef.UpstreamTLS
	name  string // of the server
	certs Certificates
	pins  [][sha256.Size]byte
	dial  func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	last *tls.Config // of the certificates below
	ca   *x509.CertPool
	pair *tls.Certificate
}

func newSecure(org string, o apidef.UpstreamTLS, host string, certs Certificates) (*secure, error) {
	d := &net.Dialer{}
	s := &secure{org: org, o: o, name: host, certs: certs, dial: d.DialContext}
	if o.ServerName != "" {
		s.name = strings.Trim(o.ServerName, "[]")
	}
	for _, pin := range o.Pins {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pin, "sha256/"))
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("the pin %q is not sha256/ and the base64 of a SHA-256", pin)
		}
		s.pins = append(s.pins, [sha256.Size]byte(sum))
	}
	return s, nil
}

// config is that of the certificates as they are now. While they stay, so do the
// sessions.
func (s *secure) config() (*tls.Config, error) {
	var ca *x509.CertPool
	var pair *tls.Certificate
	var err error
	if s.o.CA != "" {
		if ca, err = s.certs.CA(s.org, s.o.CA); err != nil {
			return nil, err
		}
	}
	if s.o.ClientCertificate != "" {
		if pair, err = s.certs.Pair(s.org, s.o.ClientCertificate); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || ca != s.ca || pair != s.pair {
		s.ca, s.pair = ca, pair
		s.last = &tls.Config{
			ServerName:         s.name,
			RootCAs:            ca, // nil: the system's
			InsecureSkipVerify: s.o.InsecureSkipVerify,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(sessions),
		}
		if pair != nil {
			// whatever authorities the target names: it says itself what it does not like
			s.last.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
		}
		if len(s.pins) > 0 {
			s.last.VerifyConnection = s.pinned
		}
	}
	return s.last, nil
}

// errPin is the cause of a refused certificate whose chain verified, but has none
// of the pinned keys.
var errPin = errors.New("none of the certificate's keys is pinned")

// pinned looks for a pinned key in what was verified, also on resumption.
func (s *secure) pinned(c tls.ConnectionState) error {
	chains := c.VerifiedChains
	if s.o.InsecureSkipVerify && len(c.PeerCertificates) > 0 {
		// nothing vouches for what stands behind the first certificate, whose key alone
		// the target has proved to own
		chains = [][]*x509.Certificate{c.PeerCertificates[:1]}
	}
	for _, chain := range chains {
		for _, cert := range chain {
			sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
			if slices.ContainsFunc(s.pins, func(p [sha256.Size]byte) bool { return bytes.Equal(p[:], sum[:]) }) {
				return nil
			}
		}
	}
	return errPin
}

// open connects and shakes hands, offering protocols by ALPN (RFC 7301).
func (s *secure) open(ctx context.Context, network, address string, protocols ...string) (*tls.Conn, error) {
	config, err := s.config()
	if err != nil {
		return nil, &message.Failure{Kind: message.ErrTLS, Err: err}
	}
	nc, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.NextProtos = protocols
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		if ctx.Err() != nil {
			return nil, err // too slow, or nobody waits any more
		}
		return nil, &message.Failure{Kind: message.ErrTLS, Err: fmt.Errorf("%s: %w", cause(err), err)}
	}
	return tc, nil
}

// cause is a few words on why a handshake failed, for log and record.
func cause(err error) string {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.Is(err, errPin):
		return "pin mismatch"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate expired or not yet valid"
	case errors.As(err, &invalid):
		return "certificate invalid"
	case errors.As(err, &authority):
		return "certificate of an unknown authority"
	case errors.As(err, &name):
		return "certificate of another name"
	case errors.As(err, &record):
		return "the target does not speak TLS"
	case errors.As(err, &op) && op.Op == "remote error":
		return "refused by the target"
	}
	return "handshake"
}

// http1Only opens a connection for HTTP/1.1.
func (s *secure) http1Only(ctx context.Context, network, address string) (net.Conn, error) {
	tc, err := s.open(ctx, network, address, "http/1.1")
	if err != nil {
		return nil, err
	}
	return tc, nil
}

// errNotHTTP2 is the cause of a failure to speak HTTP/2 to a target that did not
// choose it.
var errNotHTTP2 = errors.New("the target does not offer HTTP/2 (ALPN h2)")

// http2Only opens a connection for HTTP/2.
func (s *secure) http2Only(ctx context.Context, network, address string) (net.Conn, error) {
	tc, err := s.open(ctx, network, address, "h2")
	if err != nil && strings.Contains(err.Error(), "no application protocol") { // the alert of RFC 7301, 3.2
		return nil, &message.Failure{Kind: message.ErrTLS, Err: errNotHTTP2}
	}
	if err != nil {
		return nil, err
	}
	if tc.ConnectionState().NegotiatedProtocol != "h2" {
		_ = tc.Close()
		return nil, &message.Failure{Kind: message.ErrTLS, Err: errNotHTTP2}
	}
	return tc, nil
}
