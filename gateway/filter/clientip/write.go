package clientip

import (
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// via is what the gateway adds to Via (RFC 9110, 7.6.3). The protocol is that of
// the received message; the pseudonym hides the host.
func via(r *message.Request) string {
	switch {
	case r.Major == 2:
		return "2.0 sluice"
	case r.Minor == 0:
		return "1.0 sluice"
	}
	return "1.1 sluice"
}

// facts are the values that the backend gets about a client without proxies.
// Immutable.
type facts struct {
	addr      netip.Addr
	scheme    string
	host      string
	text      string // the address
	forwarded string
}

// apply sets the headers and the client's text. They are known to be absent.
func (c *facts) apply(x *filter.Exchange) {
	h := &x.Request.Header
	x.ClientText = c.text
	if c.text != "" {
		add(h, message.XForwardedFor, "X-Forwarded-For", c.text)
		add(h, message.XRealIP, "X-Real-IP", c.text)
	}
	add(h, message.XForwardedProto, "X-Forwarded-Proto", c.scheme)
	if c.host != "" {
		add(h, message.XForwardedHost, "X-Forwarded-Host", c.host)
	}
	add(h, message.XForwardedPort, "X-Forwarded-Port", port(c.scheme, c.host))
	add(h, message.Forwarded, "Forwarded", c.forwarded)
	add(h, message.Via, "Via", via(x.Request))
}

// add appends a line whose name is interned already.
func add(h *message.Header, k message.Known, name, value string) {
	h.Append(message.Field{Name: name, Value: value, Known: k})
}

// cache keeps the facts of recent clients, so that a busy connection formats its
// addresses once and not per request. It is direct-mapped: a collision costs one
// formatting, and its size is fixed.
type cache struct {
	slots [1024]atomic.Pointer[facts]
}

// maxCachedHost keeps hostile hosts from holding memory.
const maxCachedHost = 128

func (c *cache) lookup(addr netip.Addr, scheme, host string) *facts {
	b := addr.As16()
	n := uint32(2166136261) // FNV-1a over the bytes that differ most
	for _, v := range b[4:] {
		n = (n ^ uint32(v)) * 16777619
	}
	slot := &c.slots[(n^n>>16)%uint32(len(c.slots))]
	if f := slot.Load(); f != nil && f.addr == addr && f.scheme == scheme && f.host == host {
		return f
	}
	f := newFacts(addr, scheme, host)
	if len(host) <= maxCachedHost {
		slot.Store(f)
	}
	return f
}

// newFacts clones what may be a slice of a connection's buffer.
func newFacts(addr netip.Addr, scheme, host string) *facts {
	f := &facts{addr: addr, scheme: strings.Clone(scheme), host: strings.Clone(host)}
	if addr.IsValid() {
		f.text = addr.String()
	}
	f.forwarded = string(appendElement(nil, addr, f.scheme, f.host))
	return f
}

// apply writes the regenerated chain of a request that came through proxies.
func (c claim) apply(x *filter.Exchange, before string) {
	h := &x.Request.Header
	x.Client, x.ClientScheme, x.ClientHost = c.hops[0], c.scheme, c.host
	x.ClientText = x.Client.String()
	list, elements := make([]byte, 0, 64), make([]byte, 0, 128)
	for i, a := range c.hops {
		if i > 0 {
			list, elements = append(list, ", "...), append(elements, ", "...)
			elements = appendElement(elements, a, "", "")
		} else {
			elements = appendElement(elements, a, c.scheme, c.host)
		}
		list = a.AppendTo(list)
	}
	add(h, message.XForwardedFor, "X-Forwarded-For", string(list))
	add(h, message.XForwardedProto, "X-Forwarded-Proto", c.scheme)
	if c.host != "" {
		add(h, message.XForwardedHost, "X-Forwarded-Host", c.host)
	}
	add(h, message.XForwardedPort, "X-Forwarded-Port", port(c.scheme, c.host))
	add(h, message.XRealIP, "X-Real-IP", x.ClientText)
	add(h, message.Forwarded, "Forwarded", string(elements))
	if v := via(x.Request); before != "" {
		add(h, message.Via, "Via", before+", "+v)
	} else {
		add(h, message.Via, "Via", v)
	}
}

// appendElement writes one forwarded-element (RFC 7239, 4).
func appendElement(b []byte, a netip.Addr, scheme, host string) []byte {
	switch {
	case !a.IsValid(): // a Unix socket
		b = append(b, "for=unknown"...)
	case a.Is4():
		b = a.AppendTo(append(b, "for="...))
	default:
		b = append(a.AppendTo(append(b, `for="[`...)), `]"`...)
	}
	if validHost(host) {
		b = append(append(append(b, `;host="`...), host...), '"')
	}
	if scheme != "" {
		b = append(append(b, ";proto="...), scheme...)
	}
	return b
}

// port is the one that the client named, else its scheme's default.
func port(scheme, host string) string {
	if at := strings.LastIndexByte(host, ':'); at >= 0 && at > strings.LastIndexByte(host, ']') && at+1 < len(host) {
		return host[at+1:]
	}
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// joined is all lines of a field as one list.
func joined(h *message.Header, k message.Known) string {
	out := ""
	for f := range h.Fields() {
		switch {
		case f.Known != k:
		case out == "":
			out = f.Value
		default:
			out += ", " + f.Value
		}
	}
	return out
}
