package message

import (
	"net/netip"
	"strings"
)

// CanonicalHost checks host [":" port] and returns it in lower case, without the
// trailing dot of a name (RFC 9110, 4.2; no userinfo, no percent-encoding, names in
// ASCII: A-labels). Where nothing changes it is a slice of s.
func CanonicalHost(s string) (string, bool) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return "", false
		}
		a, err := netip.ParseAddr(s[1:i])
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", false
		}
		host, port = s[:i+1], s[i+1:]
	} else {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			host, port = s[:i], s[i:]
		}
		if !hostName(host) {
			return "", false
		}
		host = strings.TrimSuffix(host, ".")
	}
	if port != "" && !validPort(port) {
		return "", false
	}
	if len(host)+len(port) < len(s) && port != "" {
		return strings.ToLower(host) + port, true
	}
	return strings.ToLower(s[:len(host)+len(port)]), true
}

// hostName is labels of letters, digits, "-" and "_", none empty but the last.
func hostName(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// validPort is ":" and 1 to 65535.
func validPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n > 0 && n <= 65535
}

// SetTarget reads a request-target (RFC 9112, 3.2; with HTTP/2 :path, which is
// origin-form or "*") into Target, Path and Query, as they were received. Method,
// Host and the version are there before; an HTTP/1.0 request without Host gets that
// of an absolute-form. What it returns is empty, or says why the target is refused.
func (r *Request) SetTarget(t string) (wrong string) {
	r.Target = t
	switch {
	case t == "":
		return "the request target is empty"
	case t[0] == '/':
		return r.setPath(t)
	case t[0] == '*':
		if len(t) > 1 || r.Method != "OPTIONS" {
			return "the target * is for OPTIONS only"
		}
		r.Path, r.Query, r.HasQuery = t, "", false
		return ""
	case r.Major == 2:
		return "the request path does not begin with /"
	}
	scheme, rest, _ := strings.Cut(t, "://")
	port := ":80"
	if EqualFold(scheme, "https") {
		port = ":443"
	} else if !EqualFold(scheme, "http") {
		return "the request target is neither a path nor an http URL"
	}
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		i = len(rest)
	}
	h, ok := CanonicalHost(rest[:i])
	if !ok {
		return "the request target has no valid authority"
	}
	if r.Host == "" && r.Minor == 0 {
		r.Host = h
	}
	if strings.TrimSuffix(h, port) != strings.TrimSuffix(r.Host, port) {
		return "the request target and Host name different hosts"
	}
	return r.setPath(rest[i:])
}

func (r *Request) setPath(t string) (wrong string) {
	r.Path, r.Query, r.HasQuery = t, "", false
	if i := strings.IndexByte(t, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = t[:i], t[i+1:], true
	}
	if !visible(r.Query, '#') {
		return "the query has a character that must be percent-encoded"
	}
	if !visible(r.Path, '\\') {
		return "the path has a character that must be percent-encoded"
	}
	if r.Path == "" {
		r.Path = "/"
	}
	return ""
}

// visible tells whether s is of visible ASCII characters, but for # and another.
func visible(s string, other byte) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' || c == other {
			return false
		}
	}
	return true
}
