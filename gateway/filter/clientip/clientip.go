// Package clientip finds out who the client is when there are proxies in front,
// and tells it to the backend in the usual headers. What a client claims about
// itself is dropped; only trusted proxies are believed.
//
// clientip.go is the filter, chain.go reads the claims of proxies, write.go
// makes the headers for the backend.
package clientip

import (
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Config has no options in a definition; the trusted networks are the gateway's.
type Config struct{}

// Spec makes the filter.
func Spec(trust Trust) filter.Spec {
	cache := &cache{}
	return filter.Define("clientIp", func(Config) (any, error) {
		return &clientIP{trust: trust, cache: cache}, nil
	}).In(filter.Receive).NoOptions().
		About("Finds the client's address behind trusted proxies and regenerates the forwarding headers",
			"신뢰하는 프록시 뒤의 클라이언트 주소를 찾고 전달 헤더를 다시 만듭니다")
}

type clientIP struct {
	trust Trust
	cache *cache
}

// Request sets Client, ClientScheme, ClientHost and TrustedPeer, and replaces
// the forwarding headers.
func (f *clientIP) Request(x *filter.Exchange) error {
	r := x.Request
	peer := r.Remote.Addr().Unmap().WithZone("")
	x.Client, x.ClientScheme, x.ClientHost = peer, r.Scheme, r.Host
	x.TrustedPeer = f.trust.Has(peer)
	if !x.TrustedPeer {
		drop(&r.Header, false)
		f.cache.lookup(peer, r.Scheme, r.Host).apply(x)
		return nil
	}
	c := f.believed(x, peer)
	via := joined(&r.Header, message.Via)
	drop(&r.Header, true)
	c.apply(x, via)
	return nil
}

// believed is what trusted proxies say, the peer first among them.
func (f *clientIP) believed(x *filter.Exchange, peer netip.Addr) claim {
	h := &x.Request.Header
	c := claim{scheme: x.Request.Scheme, host: x.Request.Host}
	if _, ok := h.Known(message.XForwardedFor); ok {
		c.hops = f.walkList(h, peer)
	} else if _, ok := h.Known(message.Forwarded); ok {
		c.hops = f.walkForwarded(h, peer, &c)
	} else {
		c.hops = []netip.Addr{peer}
	}
	if s := lastItem(h, message.XForwardedProto); message.EqualFold(s, "http") || message.EqualFold(s, "https") {
		c.scheme = lower(s)
	}
	if s := lastItem(h, message.XForwardedHost); validHost(s) {
		c.host = lower(s)
	}
	return c
}

// drop removes what only a proxy may say. Names that a proxy in front might use
// and that the gateway does not regenerate are kept from trusted peers.
func drop(h *message.Header, trusted bool) {
	var names [16]string
	gone := names[:0]
	for f := range h.Fields() {
		if regenerated(f) || !trusted && claims(f.Name) {
			gone = append(gone, f.Name)
		}
	}
	for _, n := range gone {
		h.Del(n)
	}
}

func regenerated(f *message.Field) bool {
	switch f.Known {
	case message.Forwarded, message.XForwardedFor, message.XForwardedHost, message.XForwardedPort,
		message.XForwardedProto, message.XRealIP, message.Via:
		return true
	case message.Unknown:
		// "X_Forwarded_For" reaches CGI-like backends as X-Forwarded-For.
		return claims(f.Name) && strings.ContainsAny(f.Name, "_.")
	}
	return false
}

// claims tells whether a name is one that proxies use to tell of the client or
// of the original target, in any spelling that a backend may take for it.
func claims(name string) bool {
	if len(name) < 7 {
		return false
	}
	switch name[0] | 0x20 {
	case 'x':
		return hasFold(name, "x-forwarded") || isFold(name, "x-real-ip") || isFold(name, "x-client-ip") ||
			isFold(name, "x-original-url") || isFold(name, "x-rewrite-url") || isFold(name, "x-original-host") ||
			isFold(name, "x-cluster-client-ip") || isFold(name, "x-original-forwarded-for") || isFold(name, "x-host")
	case 't':
		return isFold(name, "true-client-ip")
	case 'c':
		return isFold(name, "cf-connecting-ip") || isFold(name, "cf-connecting-ipv6") || isFold(name, "client-ip")
	case 'f':
		return isFold(name, "fastly-client-ip") || isFold(name, "forwarded-for") || isFold(name, "forwarded")
	}
	return false
}

func isFold(name, want string) bool { return len(name) == len(want) && hasFold(name, want) }

// hasFold compares a prefix without case and takes "_" and "." for "-".
func hasFold(name, want string) bool {
	if len(name) < len(want) {
		return false
	}
	for i := 0; i < len(want); i++ {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case c == '_' || c == '.':
			c = '-'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
