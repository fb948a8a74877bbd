package clientip

import (
	"net/netip"
	"slices"
)

// Trust is a set of networks whose proxies are believed. The zero Trust believes
// nobody. Immutable.
type Trust struct{ networks []netip.Prefix }

// NewTrust makes a Trust. IPv4 networks match IPv4-mapped IPv6 addresses too.
func NewTrust(networks []netip.Prefix) Trust {
	list := make([]netip.Prefix, 0, len(networks))
	for _, p := range networks {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		list = append(list, p.Masked())
	}
	return Trust{slices.Clip(list)}
}

// Has tells whether a is in one of the networks.
func (t Trust) Has(a netip.Addr) bool {
	if len(t.networks) == 0 {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range t.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
