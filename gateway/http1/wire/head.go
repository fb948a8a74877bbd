package wire

import (
	"bytes"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Refusal says why a message is not taken: the status and body that a client
// gets. Of a response only the sentence is used, as the cause of an Error.
type Refusal struct {
	Status        int // of the answer
	Code, Message string
}

// Error is the sentence.
func (r *Refusal) Error() string { return r.Message }

// The codes of refused requests.
const (
	CodeMalformed    = message.CodeMalformed
	CodeMethod       = message.CodeMethod
	CodeTimeout      = message.CodeTimeout
	CodeLineTooLong  = message.CodeLineTooLong
	CodeExpectation  = message.CodeExpectation
	CodeHeadTooLarge = message.CodeHeadTooLarge
	CodeVersion      = message.CodeVersion
)

// Codes are the codes of refused requests.
func Codes() []string { return message.RefusalCodes() }

// Malformed is a Refusal with 400.
func Malformed(msg string) *Refusal { return &Refusal{400, CodeMalformed, msg} }

// Limits of a head.
type Limits struct{ Line, Head, Fields, Trailer int }

func (l *Limits) lineTooLong() *Refusal {
	return &Refusal{414, CodeLineTooLong, "the request line is longer than the limit"}
}

func (l *Limits) headTooLarge() *Refusal {
	return &Refusal{431, CodeHeadTooLarge, "the header section is larger than the limit"}
}

// Framing is what the fields of a head say about the body and the connection.
type Framing struct {
	Length    int64 // Content-Length, or -1
	Chunked   bool
	Close     bool   // Connection: close
	KeepAlive bool   // Connection: keep-alive
	Upgrade   bool   // Connection: upgrade
	Nominated bool   // Connection names other fields
	Protocol  string // Upgrade, when it is one token
	hosts     int
	host      []byte
	encodings int // Transfer-Encoding lines
	expect    string
	HasExpect bool
}

// line returns the line at p without CRLF, and where the next one begins; next 0
// means that it is not complete. Only CRLF ends a line (RFC 9112, 2.2 lets a
// recipient take LF alone; we do not).
func line(b []byte, p int) (l []byte, next int, bad *Refusal) {
	i := bytes.IndexByte(b[p:], '\n')
	if i < 0 {
		return nil, 0, nil
	}
	if i == 0 || b[p+i-1] != '\r' {
		return nil, 0, Malformed("a line ends with LF alone")
	}
	return b[p : p+i-1], p + i + 1, nil
}

// fields parses field lines from p to the empty line and returns the place behind
// it, 0 when more bytes are needed (RFC 9112, 5).
func fields(b []byte, p int, h *message.Header, f *Framing, lim *Limits) (int, *Refusal) {
	*f = Framing{Length: -1}
	for n := 0; ; n++ {
		l, next, bad := line(b, p)
		if bad != nil || next == 0 {
			return 0, bad
		}
		p = next
		if len(l) == 0 {
			if f.Nominated {
				f.Nominated = nominates(h)
			}
			return p, nil
		}
		if n == lim.Fields || p > lim.Head {
			return 0, lim.headTooLarge()
		}
		c := bytes.IndexByte(l, ':')
		if c <= 0 || !AllChars(l[:c], charToken) {
			return 0, Malformed("a header line has no valid name")
		}
		v := trim(l[c+1:])
		if !validValue(v) {
			return 0, Malformed("a header value has a control character")
		}
		name := Str(l[:c])
		k := message.KnownName(name)
		h.Append(message.Field{Name: name, Value: Str(v), Known: k})
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
func (f *Framing) note(k message.Known, v []byte) *Refusal {
	switch k {
	case message.Host:
		f.hosts++
		f.host = v
	case message.ContentLength:
		if f.Length >= 0 {
			return Malformed("there are several Content-Length fields")
		}
		n, ok := decimal(v)
		if !ok {
			return Malformed("Content-Length is not a number")
		}
		f.Length = n
	case message.TransferEncoding:
		if f.encodings++; f.encodings > 1 || !message.EqualFold(Str(v), "chunked") {
			return Malformed("Transfer-Encoding is not exactly \"chunked\"")
		}
		f.Chunked = true
	case message.Connection:
		f.options(v)
	case message.Upgrade:
		if f.Protocol != "" || !message.ValidName(trimVersion(Str(v))) {
			f.Protocol = "-" // a list, or no token: no upgrade that we can answer for
			break
		}
		f.Protocol = Str(v)
	case message.Expect:
		if f.HasExpect {
			return Malformed("there are several Expect fields")
		}
		f.HasExpect, f.expect = true, Str(v)
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
func (f *Framing) options(v []byte) {
	for o := range tokens(Str(v)) {
		switch {
		case message.EqualFold(o, "close"):
			f.Close = true
		case message.EqualFold(o, "keep-alive"):
			f.KeepAlive = true
		case message.EqualFold(o, "upgrade"):
			f.Upgrade = true
		default:
			f.Nominated = true
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

// DropNominated removes the fields that Connection names, unless they are
// protected: what is end-to-end or what the gateway vouches for is not the
// peer's to remove (RFC 9110, 7.6.1 leaves removing them to "intermediaries",
// and a client that does it means harm).
func DropNominated(h *message.Header, protected map[string]struct{}) {
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
func (s *scan) done(b []byte, lim *Limits) (bool, *Refusal) {
	for s.pos < len(b) {
		switch c := b[s.pos]; {
		case c == '\n':
			if s.pos == s.line || b[s.pos-1] != '\r' {
				return false, Malformed("a line ends with LF alone")
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
			return false, Malformed("a line has a CR inside")
		}
		s.pos++
		if !s.first && s.pos-s.line > lim.Line+1 {
			return false, lim.lineTooLong()
		}
	}
	if len(b) > lim.Head {
		return false, lim.headTooLarge()
	}
	return false, nil
}

// Rest reads until a whole head is in the buffer.
func (d *Reader) Rest(lim *Limits) (*Refusal, error) {
	for s := (scan{}); ; {
		done, bad := s.done(d.Buffered(), lim)
		if bad != nil || done {
			return bad, nil
		}
		d.grow()
		if err := d.fill(); err != nil {
			return nil, err
		}
	}
}
