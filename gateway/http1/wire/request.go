package wire

import (
	"bytes"
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
	if wrong := q.SetTarget(Str(target)); wrong != "" {
		return end, Malformed(wrong)
	}
	return end, nil
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
	for i, c := range f.host {
		if 'A' <= c && c <= 'Z' {
			f.host[i] = c | 0x20
		}
	}
	h, ok := message.CanonicalHost(Str(f.host))
	if !ok {
		return Malformed("Host is not a valid host and port")
	}
	q.Host = h
	return nil
}
