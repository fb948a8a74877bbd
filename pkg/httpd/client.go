package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// ClientOptions limit what an outbound fetch may do. The zero value is the
// strictest that is of use.
type ClientOptions struct {
	// Timeout bounds a fetch with its body; 0: 10 s.
	Timeout time.Duration
	// MaxBody is the largest body, in bytes; 0: 1 MiB. Reading on is an error
	// with the code outbound.too_large.
	MaxBody int64
	// Redirects that are followed; 0: none, a redirect is then the answer.
	Redirects int
	// HTTPSOnly refuses http URLs.
	HTTPSOnly bool
	// Private allows loopback and the private ranges (RFC 1918, RFC 4193), where
	// upstreams, JWKS and introspection often live.
	Private bool
	// Allow lists networks that are always allowed, also link-local and metadata
	// addresses.
	Allow []netip.Prefix
	// TLS is for authorities and client certificates of our own.
	TLS *tls.Config
}

// The codes of refusals.
const (
	RefusedCode  fault.Code = "outbound.refused"
	TooLargeCode fault.Code = "outbound.too_large"
)

// Client fetches what an operator, a definition or a remote document names:
// JWKS, introspection, webhooks, imports, probes. Whatever name is resolved,
// now or after a redirect, the address that is dialled is the one that is
// judged. It uses no proxy of the environment, which would dial for it.
type Client struct {
	o    ClientOptions
	http *http.Client
}

// NewClient makes a client. It is for reuse: it keeps idle connections.
func NewClient(o ClientOptions) *Client {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	c := &Client{o: o}
	dialer := &net.Dialer{Timeout: min(o.Timeout, 5*time.Second), ControlContext: c.control}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		t = o.TLS.Clone()
		t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
	}
	c.http = &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        t,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    min(o.Timeout, 5*time.Second),
			ResponseHeaderTimeout:  o.Timeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    4,
			MaxIdleConns:           64,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: c.redirect,
	}
	return c
}

// Do sends a request. The body of the answer ends with an error beyond MaxBody.
// The caller closes it. A refusal is a fault with RefusedCode.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if err := c.scheme(r); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if f := fault.As(err); f != nil {
			return nil, f
		}
		var u *url.Error // says method and address itself, unredacted
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Redacted(), err)
	}
	resp.Body = &limited{ReadCloser: resp.Body, left: c.o.MaxBody, max: c.o.MaxBody}
	return resp, nil
}

// Get fetches a URL whole. The status is for the caller to judge.
func (c *Client) Get(ctx context.Context, url string) (status int, header http.Header, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("get: %w", err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("get %s: read the body: %w", r.URL.Redacted(), err)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// CloseIdle closes the connections that are kept for reuse.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

func (c *Client) scheme(r *http.Request) error {
	switch {
	case r.URL.Scheme == "https", r.URL.Scheme == "http" && !c.o.HTTPSOnly:
	case r.URL.Scheme == "http":
		return fault.New(fault.Denied, RefusedCode, "%s is not fetched: use https.", r.URL.Redacted())
	default:
		return fault.New(fault.Denied, RefusedCode, "%s is not fetched: only http and https URLs are.", r.URL.Redacted())
	}
	if r.URL.Host == "" {
		return fault.New(fault.Invalid, RefusedCode, "%s has no host.", r.URL.Redacted())
	}
	return nil
}

func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	if c.o.Redirects <= 0 {
		return http.ErrUseLastResponse
	}
	if len(via) > c.o.Redirects {
		return fault.New(fault.Denied, RefusedCode, "%s redirects more than %d times.", via[0].URL.Redacted(), c.o.Redirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return fault.New(fault.Denied, RefusedCode, "%s redirects from https to %s.", via[0].URL.Redacted(), r.URL.Scheme)
	}
	return c.scheme(r)
}

// control runs after the name was resolved and before the connection is made.
func (c *Client) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Wrap(err, fault.Denied, RefusedCode, "The address %s cannot be judged.", address)
	}
	if reason := refusal(at.Addr(), c.o.Private, c.o.Allow); reason != "" {
		return fault.New(fault.Denied, RefusedCode, "The address %s is not dialled: it is %s. Name an address of the service itself.",
			at.Addr(), reason).With("address", at.Addr().String())
	}
	return nil
}

// refusal tells why an address may not be dialled, or nothing.
func refusal(a netip.Addr, private bool, allow []netip.Prefix) string {
	a = a.Unmap().WithZone("")
	outer := a
	a = embeddedIPv4(a)
	if slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(a) || p.Contains(outer) }) {
		return ""
	}
	switch {
	case slices.Contains(metadata(), a):
		return "a cloud's metadata service"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "multicast or broadcast"
	case a.IsUnspecified(), a.Is4() && a.As4()[0] == 0:
		return "unspecified"
	case private:
		return ""
	case a.IsLoopback():
		return "loopback"
	case a.IsPrivate(), netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		return "private"
	}
	return ""
}

// metadata are the services of clouds that give credentials to whoever asks,
// as far as they are outside the link-local ranges.
func metadata() []netip.Addr {
	return []netip.Addr{
		netip.AddrFrom4([4]byte{169, 254, 169, 254}),
		netip.AddrFrom4([4]byte{100, 100, 100, 200}),
		netip.AddrFrom4([4]byte{168, 63, 129, 16}),
		netip.AddrFrom4([4]byte{192, 0, 0, 192}),
		netip.MustParseAddr("fd00:ec2::254"),
		netip.MustParseAddr("fd20:ce::254"),
	}
}

// embeddedIPv4 is the IPv4 address that a NAT64 (RFC 6052) or 6to4 (RFC 3056)
// address leads to, or the address itself.
func embeddedIPv4(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// limited is a body that ends with an error beyond its limit.
type limited struct {
	io.ReadCloser
	left, max int64
}

// Read reads up to the limit, and one byte more to know whether there is more.
func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if int64(n) > l.left {
		n, l.left = int(l.left), 0
		return n, fault.New(fault.TooLarge, TooLargeCode, "The answer is larger than %d bytes.", l.max)
	}
	l.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read the answer: %w", err)
	}
	return n, err
}
