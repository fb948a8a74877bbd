package http2

import (
	"net/http"
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
	q.Method = r.Method
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
	// net/http puts an absolute target's authority in the place of Host and forgets
	// Host, so that the two always agree here.
	if wrong := q.SetTarget(r.RequestURI); wrong != "" {
		return malformed(wrong)
	}
	return nil
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
	h, ok := message.CanonicalHost(r.Host)
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
		if other, ok := message.CanonicalHost(hosts[0]); !ok || other != h {
			return malformed("the request's authority and Host name different hosts")
		}
	}
	return nil
}
