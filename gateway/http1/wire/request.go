package wire

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// ParseRequest parses a request head at the start of b into q, whose Header is
// empty, and returns its length; 0 when more bytes are needed. Strings in q are
// slices of b, and the letters of Host become lower case in b.
func ParseRequest(b []byte, q *message.Request, f *Framing, lim *Limits) (int, *Refusal) {
	p := 0
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		p = 2 // one empty line before a request is forgiven (RFC 9112, 2.2)
	}
	l, next, bad := line(b, p)
	if bad != nil || next == 0 {
		return 0, bad
	}
	if len(l) > lim.Line {
		return 0, lim.lineTooLong()
	}
	target, bad := requestLine(l, q)
	if bad != nil {
		return 0, bad
	}
	end, bad := fields(b, next, &q.Header, f, lim)
	if bad != nil || end == 0 {
		return 0, bad
	}
	if end > lim.Head {
		return 0, lim.headTooLarge()
	}
	if bad := f.checkRequest(q); bad != nil {
		return 0, bad
	}
	if bad := setHost(q, f); bad != nil {
		return 0, bad
	}
	return end, setTarget(target, q)
}

// requestLine is method SP request-target SP HTTP-version (RFC 9112, 3).
func requestLine(l []byte, q *message.Request) ([]byte, *Refusal) {
	i := bytes.IndexByte(l, ' ')
	j := bytes.LastIndexByte(l, ' ')
	if i <= 0 || j == i || !AllChars(l[:i], charToken) {
		return nil, Malformed("the request line is not \"method target version\"")
	}
	v := l[j+1:]
	switch string(v) {
	case "HTTP/1.1":
		q.Major, q.Minor = 1, 1
	case "HTTP/1.0":
		q.Major, q.Minor = 1, 0
	default:
		if len(v) == 8 && string(v[:5]) == "HTTP/" && digit(v[5]) && v[6] == '.' && digit(v[7]) {
			return nil, &Refusal{505, CodeVersion, "the HTTP version is neither 1.0 nor 1.1"}
		}
		return nil, Malformed("the HTTP version is malformed")
	}
	q.Method = Str(l[:i])
	if q.Method == "CONNECT" || q.Method == "TRACE" {
		return nil, &Refusal{405, CodeMethod, "the method " + strings.Clone(q.Method) + " is not served"}
	}
	return l[i+1 : j], nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// checkRequest refuses framing that two parsers could read in two ways.
func (f *Framing) checkRequest(q *message.Request) *Refusal {
	switch {
	case f.Chunked && f.Length >= 0:
		return Malformed("there are both Content-Length and Transfer-Encoding")
	case f.Chunked && q.Minor == 0:
		return Malformed("HTTP/1.0 has no Transfer-Encoding")
	case f.hosts > 1:
		return Malformed("there are several Host fields")
	case f.hosts == 0 && q.Minor == 1:
		return Malformed("there is no Host field")
	}
	if f.HasExpect && q.Minor == 1 && !message.EqualFold(f.expect, "100-continue") {
		return &Refusal{417, CodeExpectation, "the only expectation served is 100-continue"}
	}
	return nil
}

// setHost checks the Host field and sets q.Host in its canonical form.
func setHost(q *message.Request, f *Framing) *Refusal {
	if f.hosts == 0 {
		q.Host = "" // HTTP/1.0
		return nil
	}
	h, ok := authority(f.host)
	if !ok {
		return Malformed("Host is not a valid host and port")
	}
	q.Host = h
	return nil
}

// authority checks host [":" port] and returns it in lower case, which it changes
// in place, without the trailing dot of a name (RFC 9110, 4.2; no userinfo, no
// percent-encoding, names in ASCII: A-labels).
func authority(b []byte) (string, bool) {
	host, port := b, []byte(nil)
	if len(b) > 0 && b[0] == '[' {
		i := bytes.IndexByte(b, ']')
		if i < 0 || !ipv6(b[1:i]) {
			return "", false
		}
		host, port = b[:i+1], b[i+1:]
	} else {
		if i := bytes.IndexByte(b, ':'); i >= 0 {
			host, port = b[:i], b[i:]
		}
		if !name(host) {
			return "", false
		}
	}
	if len(port) > 0 && !validPort(port) {
		return "", false
	}
	for i, c := range host {
		if 'A' <= c && c <= 'Z' {
			host[i] = c | 0x20
		}
	}
	if n := len(host) - 1; host[n] == '.' {
		if len(port) == 0 {
			return Str(host[:n]), true
		}
		return string(host[:n]) + string(port), true
	}
	return Str(b), true
}

func ipv6(b []byte) bool {
	for _, c := range b {
		if c != ':' && c != '.' && !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	a, err := netip.ParseAddr(Str(b))
	return err == nil && a.Is6()
}

// name is labels of letters, digits, "-" and "_", none empty but the last.
func name(b []byte) bool {
	if len(b) == 0 || len(b) > 255 || b[0] == '.' || !AllChars(b, charHost) {
		return false
	}
	return !bytes.Contains(b, []byte(".."))
}

// validPort is ":" and 1 to 65535.
func validPort(b []byte) bool {
	if len(b) < 2 || len(b) > 6 || b[0] != ':' {
		return false
	}
	n, ok := decimal(b[1:])
	return ok && n > 0 && n <= 65535
}

// setTarget reads the request-target (RFC 9112, 3.2) into Target, Path and Query,
// as they were received.
func setTarget(t []byte, q *message.Request) *Refusal {
	q.Target = Str(t)
	switch {
	case len(t) == 0:
		return Malformed("the request target is empty")
	case t[0] == '/':
		return setPath(t, q)
	case t[0] == '*':
		if len(t) > 1 || q.Method != "OPTIONS" {
			return Malformed("the target * is for OPTIONS only")
		}
		q.Path, q.Query, q.HasQuery = q.Target, "", false
		return nil
	}
	var a []byte
	var port string
	switch {
	case len(t) > 7 && message.EqualFold(Str(t[:7]), "http://"):
		a, port = t[7:], ":80"
	case len(t) > 8 && message.EqualFold(Str(t[:8]), "https://"):
		a, port = t[8:], ":443"
	default:
		return Malformed("the request target is neither a path nor an http URL")
	}
	i := bytes.IndexAny(a, "/?")
	if i < 0 {
		i = len(a)
	}
	h, ok := authority(a[:i])
	if !ok {
		return Malformed("the request target has no valid authority")
	}
	if q.Host == "" && q.Minor == 0 {
		q.Host = h
	}
	if strings.TrimSuffix(h, port) != strings.TrimSuffix(q.Host, port) {
		return Malformed("the request target and Host name different hosts")
	}
	return setPath(a[i:], q)
}

func setPath(t []byte, q *message.Request) *Refusal {
	p := t
	q.Query, q.HasQuery = "", false
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		p = t[:i]
		if !AllChars(t[i+1:], CharQuery) {
			return Malformed("the query has a character that must be percent-encoded")
		}
		q.Query, q.HasQuery = Str(t[i+1:]), true
	}
	if !AllChars(p, charPath) {
		return Malformed("the path has a character that must be percent-encoded")
	}
	if q.Path = Str(p); len(p) == 0 {
		q.Path = "/"
	}
	return nil
}
