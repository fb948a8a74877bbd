package http1

import (
	"bytes"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// refusal says why a message is not taken: the status and body that a client
// gets. Of a response only the sentence is used, as the cause of an Error.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return r.message }

func malformed(msg string) *refusal { return &refusal{400, "request.malformed", msg} }

// limits of a head.
type limits struct{ line, head, fields, trailer int }

func (l *limits) lineTooLong() *refusal {
	return &refusal{414, "request.line_too_long", "the request line is longer than the limit"}
}

func (l *limits) headTooLarge() *refusal {
	return &refusal{431, "request.head_too_large", "the header section is larger than the limit"}
}

// framing is what the fields of a head say about the body and the connection.
type framing struct {
	length     int64 // Content-Length, or -1
	chunked    bool
	close      bool   // Connection: close
	keepAlive  bool   // Connection: keep-alive
	upgrade    bool   // Connection: upgrade
	nominated  bool   // Connection names other fields
	protocol   string // Upgrade, when it is one token
	hosts      int
	host       []byte
	encodings  int // Transfer-Encoding lines
	expect     string
	hasExpect  bool
	connection int // Connection lines
}

// line returns the line at p without CRLF, and where the next one begins; next 0
// means that it is not complete. Only CRLF ends a line (RFC 9112, 2.2 lets a
// recipient take LF alone; we do not).
func line(b []byte, p int) (l []byte, next int, bad *refusal) {
	i := bytes.IndexByte(b[p:], '\n')
	if i < 0 {
		return nil, 0, nil
	}
	if i == 0 || b[p+i-1] != '\r' {
		return nil, 0, malformed("a line ends with LF alone")
	}
	return b[p : p+i-1], p + i + 1, nil
}

// fields parses field lines from p to the empty line and returns the place behind
// it, 0 when more bytes are needed (RFC 9112, 5).
func fields(b []byte, p int, h *message.Header, f *framing, lim *limits) (int, *refusal) {
	*f = framing{length: -1}
	for n := 0; ; n++ {
		l, next, bad := line(b, p)
		if bad != nil || next == 0 {
			return 0, bad
		}
		p = next
		if len(l) == 0 {
			if f.nominated {
				f.nominated = nominates(h)
			}
			return p, nil
		}
		if n == lim.fields || p > lim.head {
			return 0, lim.headTooLarge()
		}
		c := bytes.IndexByte(l, ':')
		if c <= 0 || !allChars(l[:c], charToken) {
			return 0, malformed("a header line has no valid name")
		}
		v := trim(l[c+1:])
		if !validValue(v) {
			return 0, malformed("a header value has a control character")
		}
		name := str(l[:c])
		k := message.KnownName(name)
		h.Append(message.Field{Name: name, Value: str(v), Known: k})
		if k != message.Unknown {
			if bad := f.note(k, v); bad != nil {
				return 0, bad
			}
		}
	}
}

func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// note takes what a field says about framing. It refuses what could be read in
// two ways (RFC 9112, 6.3 and 11.2).
func (f *framing) note(k message.Known, v []byte) *refusal {
	switch k {
	case message.Host:
		f.hosts++
		f.host = v
	case message.ContentLength:
		if f.length >= 0 {
			return malformed("there are several Content-Length fields")
		}
		n, ok := decimal(v)
		if !ok {
			return malformed("Content-Length is not a number")
		}
		f.length = n
	case message.TransferEncoding:
		if f.encodings++; f.encodings > 1 || !message.EqualFold(str(v), "chunked") {
			return malformed("Transfer-Encoding is not exactly \"chunked\"")
		}
		f.chunked = true
	case message.Connection:
		f.connection++
		f.options(v)
	case message.Upgrade:
		if f.protocol != "" || !message.ValidName(trimVersion(str(v))) {
			f.protocol = "-" // a list, or no token: no upgrade that we can answer for
			break
		}
		f.protocol = str(v)
	case message.Expect:
		if f.hasExpect {
			return malformed("there are several Expect fields")
		}
		f.hasExpect, f.expect = true, str(v)
	}
	return nil
}

// trimVersion takes "/version" off a protocol (RFC 9110, 7.8).
func trimVersion(s string) string {
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '/' {
			return s[:i] + s[i+1:]
		}
	}
	return s
}

// options reads one Connection field (RFC 9110, 7.6.1).
func (f *framing) options(v []byte) {
	for o := range tokens(str(v)) {
		switch {
		case message.EqualFold(o, "close"):
			f.close = true
		case message.EqualFold(o, "keep-alive"):
			f.keepAlive = true
		case message.EqualFold(o, "upgrade"):
			f.upgrade = true
		default:
			f.nominated = true
		}
	}
}

// tokens yields the members of a comma separated list.
func tokens(s string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			var o string
			if i := indexByte(s, ','); i >= 0 {
				o, s = s[:i], s[i+1:]
			} else {
				o, s = s, ""
			}
			for len(o) > 0 && (o[0] == ' ' || o[0] == '\t') {
				o = o[1:]
			}
			for len(o) > 0 && (o[len(o)-1] == ' ' || o[len(o)-1] == '\t') {
				o = o[:len(o)-1]
			}
			if o != "" && !yield(o) {
				return
			}
		}
	}
}

func indexByte(s string, c byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// nominates tells whether a name in Connection is that of a field in h.
func nominates(h *message.Header) bool {
	for v := range h.Values("Connection") {
		for o := range tokens(v) {
			if _, ok := h.Lookup(o); ok && !message.KnownName(o).HopByHop() {
				return true
			}
		}
	}
	return false
}

// dropNominated removes the fields that Connection names, unless they are
// protected: what is end-to-end or what the gateway vouches for is not the
// peer's to remove (RFC 9110, 7.6.1 leaves removing them to "intermediaries",
// and a client that does it means harm).
func dropNominated(h *message.Header, protected map[string]struct{}) {
	for v := range h.Values("Connection") {
		for o := range tokens(v) {
			k := message.KnownName(o)
			if k != message.Unknown && !k.HopByHop() {
				continue // every known end-to-end name is protected
			}
			if k.HopByHop() || isProtected(o, protected) {
				continue
			}
			h.Del(o)
		}
	}
}

func isProtected(name string, protected map[string]struct{}) bool {
	for p := range protected {
		if message.EqualFold(p, name) {
			return true
		}
	}
	return false
}

// decimal is 1*DIGIT up to 18 digits: more cannot be a length, and none overflows.
func decimal(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// scan looks for the end of a head that arrives in pieces, so that each byte is
// looked at once and the head is parsed once.
type scan struct {
	pos, line int  // looked at so far; where the current line begins
	first     bool // the start line is complete
	blank     bool // an empty line stood before the start line
}

// done tells whether b holds a whole head.
func (s *scan) done(b []byte, lim *limits) (bool, *refusal) {
	for s.pos < len(b) {
		switch c := b[s.pos]; {
		case c == '\n':
			if s.pos == s.line || b[s.pos-1] != '\r' {
				return false, malformed("a line ends with LF alone")
			}
			empty := s.pos-1 == s.line
			s.pos++
			s.line = s.pos
			switch {
			case !empty:
				s.first = true
			case s.first || s.blank:
				return true, nil
			default:
				s.blank = true
			}
			continue
		case s.pos > s.line && b[s.pos-1] == '\r':
			return false, malformed("a line has a CR inside")
		}
		s.pos++
		if !s.first && s.pos-s.line > lim.line+1 {
			return false, lim.lineTooLong()
		}
	}
	if len(b) > lim.head {
		return false, lim.headTooLarge()
	}
	return false, nil
}

// rest reads until a whole head is in the buffer.
func (d *reader) rest(lim *limits) (*refusal, error) {
	for s := (scan{}); ; {
		done, bad := s.done(d.buffered(), lim)
		if bad != nil || done {
			return bad, nil
		}
		d.grow()
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
}
