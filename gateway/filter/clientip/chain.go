package clientip

import (
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// maxHops bounds the walk: more proxies than this are not in front of anybody.
const maxHops = 32

// claim is what is believed of a request's way to the gateway.
type claim struct {
	hops         []netip.Addr // client, then the proxies in the order that they forwarded
	scheme, host string
}

// walkList walks X-Forwarded-For from the right, where the nearest proxy wrote,
// until an address that is not trusted: the client. What stands left of it was
// written by somebody nobody vouches for. An entry that is no address ends the
// walk: then the proxy that reported it is the last one known.
func (f *clientIP) walkList(h *message.Header, peer netip.Addr) []netip.Addr {
	w := walk{trust: f.trust, hops: []netip.Addr{peer}}
	w.items(h, message.XForwardedFor, func(item string) bool {
		a, ok := parseNode(item)
		return ok && w.add(a)
	})
	return w.reversed()
}

// walkForwarded is walkList over the "for" parameters of Forwarded (RFC 7239).
// The scheme and host are those of the client's own element.
func (f *clientIP) walkForwarded(h *message.Header, peer netip.Addr, c *claim) []netip.Addr {
	w := walk{trust: f.trust, hops: []netip.Addr{peer}}
	w.items(h, message.Forwarded, func(item string) bool {
		e, ok := parseElement(item)
		if !ok || !e.node.IsValid() {
			return false
		}
		if message.EqualFold(e.proto, "http") || message.EqualFold(e.proto, "https") {
			c.scheme = lower(e.proto)
		}
		if validHost(e.host) {
			c.host = lower(e.host)
		}
		return w.add(e.node)
	})
	return w.reversed()
}

type walk struct {
	trust Trust
	hops  []netip.Addr // the peer first
}

// add takes the next address to the left and tells whether to go on.
func (w *walk) add(a netip.Addr) bool {
	w.hops = append(w.hops, a)
	return len(w.hops) < maxHops && w.trust.Has(a)
}

func (w *walk) reversed() []netip.Addr {
	for i, j := 0, len(w.hops)-1; i < j; i, j = i+1, j-1 {
		w.hops[i], w.hops[j] = w.hops[j], w.hops[i]
	}
	return w.hops
}

// items yields the list items of all lines of a field from the last to the first
// (RFC 9110, 5.3), without looking into quoted strings from the right: a comma in
// one makes an item that does not parse, which ends the walk.
func (w *walk) items(h *message.Header, k message.Known, f func(string) bool) {
	var lines [8]string
	list := lines[:0]
	for field := range h.Fields() {
		if field.Known == k {
			list = append(list, field.Value)
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		for rest, more := list[i], true; more; {
			item := rest
			at := strings.LastIndexByte(rest, ',')
			if more = at >= 0; more {
				rest, item = rest[:at], rest[at+1:]
			}
			if item = strings.Trim(item, " \t"); item == "" {
				continue // empty items are to be ignored (RFC 9110, 5.6.1)
			}
			if !f(item) {
				return
			}
		}
	}
}

// lastItem is the right-most list item of a field: the nearest proxy's.
func lastItem(h *message.Header, k message.Known) string {
	var last string
	(&walk{}).items(h, k, func(item string) bool { last = item; return false })
	return last
}

// parseNode parses an address with or without a port: "192.0.2.1",
// "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". Names, "unknown", obfuscated
// identifiers and IPv6 zones are no addresses.
func parseNode(s string) (netip.Addr, bool) {
	if len(s) > 64 || s == "" {
		return netip.Addr{}, false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || !validPort(s[end+1:]) {
			return netip.Addr{}, false
		}
		a, err := netip.ParseAddr(s[1:end])
		return a.Unmap(), err == nil && a.Is6() && a.Zone() == ""
	}
	if at := strings.IndexByte(s, ':'); at >= 0 && strings.IndexByte(s[at+1:], ':') < 0 {
		if !validPort(s[at:]) {
			return netip.Addr{}, false
		}
		s = s[:at]
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// validPort tells whether s is empty or ":" and 1 to 5 digits.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) < 2 || len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// element is one forwarded-element (RFC 7239, 4).
type element struct {
	node        netip.Addr
	proto, host string
}

// parseElement parses `for=192.0.2.60;proto=http;host="h:8080"`. A parameter that
// stands twice or is malformed makes it invalid.
func parseElement(s string) (element, bool) {
	var e element
	var seen [3]bool
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok || !message.ValidName(name) {
			return e, false
		}
		value, rest, ok := parameterValue(rest)
		if !ok {
			return e, false
		}
		at := -1
		switch {
		case message.EqualFold(name, "for"):
			at = 0
			e.node, ok = parseNode(value)
		case message.EqualFold(name, "proto"):
			at, e.proto = 1, value
		case message.EqualFold(name, "host"):
			at, e.host = 2, value
		}
		if !ok || at >= 0 && seen[at] {
			return e, false
		}
		if at >= 0 {
			seen[at] = true
		}
		s = rest
	}
	return e, true
}

// parameterValue reads a token or quoted string and the ";" behind it.
func parameterValue(s string) (value, rest string, ok bool) {
	if s != "" && s[0] == '"' {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return "", "", false
		}
		value, rest = s[1:1+end], s[end+2:]
		// Nothing that is meant here needs an escape.
		if strings.IndexByte(value, '\\') >= 0 {
			return "", "", false
		}
	} else {
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		value, rest = s[:end], s[end:]
		// Strictly a colon or bracket must be quoted; proxies forget it.
		for i := 0; i < len(value); i++ {
			if c := value[i]; !message.TokenByte(c) && c != ':' && c != '[' && c != ']' {
				return "", "", false
			}
		}
	}
	if rest == "" {
		return value, "", value != ""
	}
	if rest[0] != ';' || len(rest) == 1 {
		return "", "", false
	}
	return value, rest[1:], value != ""
}

// validHost tells whether s may be believed as an authority: a name or address,
// perhaps with a port (RFC 3986, 3.2.2), no longer than a DNS name can be.
func validHost(s string) bool {
	if s == "" || len(s) > 261 {
		return false
	}
	host := s
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || !validPort(s[end+1:]) {
			return false
		}
		a, err := netip.ParseAddr(s[1:end])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if at := strings.IndexByte(s, ':'); at >= 0 {
		if !validPort(s[at:]) {
			return false
		}
		host = s[:at]
	}
	for i := 0; i < len(host); i++ {
		c := host[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' {
			continue
		}
		return false
	}
	return host != ""
}

func lower(s string) string { return strings.ToLower(s) }
