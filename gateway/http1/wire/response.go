package wire

import (
	"github.com/sluice-gateway/sluice/gateway/message"
)

// ParseResponse parses a response head at the start of b into p, whose Header is
// empty, and returns its length and minor version; 0 when more bytes are needed.
func ParseResponse(b []byte, p *message.Response, f *Framing, lim *Limits) (n, minor int, bad *Refusal) {
	l, next, bad := line(b, 0)
	if bad != nil || next == 0 {
		return 0, 0, bad
	}
	if len(l) > lim.Line { // as where it comes in pieces
		return 0, 0, lim.lineTooLong()
	}
	// HTTP-version SP status-code SP [reason]; a missing second SP is forgiven, as
	// it changes nothing (RFC 9112, 4).
	if len(l) < 12 || string(l[:7]) != "HTTP/1." || l[8] != ' ' || l[7] != '0' && l[7] != '1' ||
		len(l) > 12 && l[12] != ' ' {
		return 0, 0, Malformed("the status line is malformed")
	}
	code, ok := decimal(l[9:12])
	if !ok || code < 100 {
		return 0, 0, Malformed("the status code is malformed")
	}
	p.Status, p.Reason = int(code), ""
	if len(l) > 13 {
		if !validValue(l[13:]) {
			return 0, 0, Malformed("the reason phrase has a control character")
		}
		p.Reason = Str(l[13:])
	}
	end, bad := fields(b, next, &p.Header, f, lim)
	if bad != nil || end == 0 {
		return 0, 0, bad
	}
	minor = int(l[7] - '0')
	switch {
	case end > lim.Head:
		return 0, 0, lim.headTooLarge()
	case f.Chunked && f.Length >= 0:
		return 0, 0, Malformed("there are both Content-Length and Transfer-Encoding")
	case f.Chunked && minor == 0:
		return 0, 0, Malformed("HTTP/1.0 has no Transfer-Encoding")
	}
	return end, minor, nil
}
