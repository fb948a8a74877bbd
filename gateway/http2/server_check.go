package http2

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// refusal says why a request is not taken.
type refusal struct {
	status     int
	code, text string
}

func malformed(text string) *refusal { return &refusal{400, message.CodeMalformed, text} }

// check refuses what two servers could read in two ways, or what is not served,
// by the rules of package http1, and sets the request line's part of q.
func (x *exchange) check(r *http.Request) *refusal {
	q, lim := &x.q, &x.s.c
	switch {
	case !message.ValidName(r.Method):
		return malformed("the method is not a token")
	case len(r.Method)+len(r.RequestURI)+len(" HTTP/1.1 ") > lim.RequestLine:
		return &refusal{414, message.CodeLineTooLong, "the request line is longer than the limit"}
	case r.Method == "CONNECT" || r.Method == "TRACE":
		return &refusal{405, message.CodeMethod, "the method " + r.Method + " is not served"}
	}
	q.Method, q.Target = r.Method, r.RequestURI
	size, lines := 0, 0
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += len(name) + len(v) + 32
			if !message.ValidValue(v) {
				return malformed("a header value has a control character")
			}
			if v != "" && (blank(v[0]) || blank(v[len(v)-1])) {
				return malformed("a header value begins or ends with white space")
			}
		}
	}
	if lines > lim.Fields || size > lim.Head {
		return &refusal{431, message.CodeHeadTooLarge, "the header section is larger than the limit"}
	}
	if bad := x.checkFields(r); bad != nil {
		return bad
	}
	if bad := x.setHost(r); bad != nil {
		return bad
	}
	return x.setTarget(r.RequestURI)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// checkFields looks at the fields that say how the message is framed.
func (x *exchange) checkFields(r *http.Request) *refusal {
	length, said := r.Header["Content-Length"]
	switch {
	case len(length) > 1:
		return malformed("there are several Content-Length fields")
	case said && !digits(length[0]):
		return malformed("Content-Length is not a number")
	case said && x.major == 2 && r.ContentLength == 0 && strings.Trim(length[0], "0") != "":
		return malformed("Content-Length is not the length of the body") // there is none (RFC 9113, 8.1.1)
	case len(r.Header["Expect"]) > 0 && !message.EqualFold(r.Header["Expect"][0], "100-continue"):
		return &refusal{417, message.CodeExpectation, "the only expectation served is 100-continue"}
	}
	return nil
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 18
}

// setHost sets q.Host from :authority and Host, which may both be there and must
// then agree (RFC 9113, 8.3.1).
func (x *exchange) setHost(r *http.Request) *refusal {
	if r.Host == "" && x.major == 1 && r.ProtoMinor == 0 {
		return nil
	}
	h, ok := authority(r.Host)
	if !ok {
		return malformed("Host is not a valid host and port")
	}
	x.q.Host = h
	if x.major == 1 { // net/http took Host out of the fields, and refused several
		return nil
	}
	hosts := r.Header["Host"]
	if len(hosts) > 1 {
		return malformed("there are several Host fields")
	}
	if len(hosts) == 1 {
		if other, ok := authority(hosts[0]); !ok || other != h {
			return malformed("the request's authority and Host name different hosts")
		}
	}
	return nil
}

// authority checks host [":" port] and returns it in lower case, without the
// trailing dot of a name (RFC 9110, 4.2; no userinfo, no percent-encoding, names in
// ASCII: A-labels).
func authority(s string) (string, bool) {
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
		if !name(host) {
			return "", false
		}
		host = strings.TrimSuffix(host, ".")
	}
	if port != "" && !validPort(port) {
		return "", false
	}
	if len(host)+len(port) < len(s) {
		return strings.ToLower(host) + port, true
	}
	return strings.ToLower(s), true
}

// name is labels of letters, digits, "-" and "_", none empty but the last.
func name(s string) bool {
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
	if len(s) < 2 || len(s) > 6 || s[0] != ':' || !digits(s[1:]) {
		return false
	}
	n := 0
	for _, c := range s[1:] {
		n = 10*n + int(c-'0')
	}
	return n > 0 && n <= 65535
}

// setTarget reads the request-target (RFC 9112, 3.2; with HTTP/2 :path, which is
// origin-form or "*") into Path and Query, as they were received.
func (x *exchange) setTarget(t string) *refusal {
	q := &x.q
	switch {
	case t == "":
		return malformed("the request target is empty")
	case t[0] == '/':
		return x.setPath(t)
	case t == "*" && q.Method == "OPTIONS":
		q.Path = t
		return nil
	case t[0] == '*':
		return malformed("the target * is for OPTIONS only")
	case x.major == 2:
		return malformed("the request path does not begin with /")
	}
	scheme, rest, _ := strings.Cut(t, "://")
	port := ":80"
	if message.EqualFold(scheme, "https") {
		port = ":443"
	} else if !message.EqualFold(scheme, "http") {
		return malformed("the request target is neither a path nor an http URL")
	}
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		i = len(rest)
	}
	h, ok := authority(rest[:i])
	if !ok {
		return malformed("the request target has no valid authority")
	}
	// net/http puts the target's authority in the place of Host and forgets Host, so
	// that the two cannot be compared here.
	if strings.TrimSuffix(h, port) != strings.TrimSuffix(q.Host, port) {
		return malformed("the request target and Host name different hosts")
	}
	return x.setPath(rest[i:])
}

func (x *exchange) setPath(t string) *refusal {
	q := &x.q
	q.Path, q.Query, q.HasQuery = strings.Cut(t, "?")
	if !visible(q.Query, "#") {
		return malformed("the query has a character that must be percent-encoded")
	}
	if !visible(q.Path, "#\\") {
		return malformed("the path has a character that must be percent-encoded")
	}
	if q.Path == "" {
		q.Path = "/"
	}
	return nil
}

// visible tells whether s is of visible ASCII characters, none of them in but.
func visible(s, but string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(but, s[i]) >= 0 {
			return false
		}
	}
	return true
}
