package tcp

import (
	"errors"
	"net/netip"
	"strings"
)

// The parts of a ClientHello that are looked at (RFC 8446, 4.1.2 and 5.1; RFC 6066, 3).
const (
	recordHandshake = 22
	recordHead      = 5
	maxRecord       = 1 << 14
	helloType       = 1
	helloHead       = 4
	extServerName   = 0
	nameHost        = 0

	// maxHello bounds a hello with the heads of its records. Those of browsers, with
	// post-quantum key shares, take 2 KiB.
	maxHello = 16 << 10
	maxName  = 253
)

var (
	errNoHello   = errors.New("what came is no TLS ClientHello")
	errLongHello = errors.New("the ClientHello is too long")
)

// parseHello reads the server name from the first bytes of a TLS connection, which
// may hold a part of the ClientHello only: then whole is false. The hello may be
// split over records. The name is in lower case, and empty where there is none.
func parseHello(b []byte) (name string, whole bool, err error) {
	var message []byte // of the handshake
	for first := true; ; first = false {
		if len(b) > 0 && b[0] != recordHandshake || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
			return "", false, errNoHello
		}
		if len(b) < recordHead {
			return "", false, nil
		}
		n := int(b[3])<<8 | int(b[4])
		if n == 0 || n > maxRecord {
			return "", false, errNoHello
		}
		b = b[recordHead:]
		part := b[:min(n, len(b))]
		if first {
			message = part[:len(part):len(part)]
		} else {
			message = append(message, part...)
		}
		if len(message) > 0 && message[0] != helloType {
			return "", false, errNoHello
		}
		if len(message) >= helloHead {
			size := helloHead + (int(message[1])<<16 | int(message[2])<<8 | int(message[3]))
			switch {
			case size > maxHello:
				return "", false, errLongHello
			case len(message) == size && len(part) == n:
				name, ok := helloName(message[helloHead:])
				if !ok {
					return "", false, errNoHello
				}
				return name, true, nil
			case len(message) >= size && (len(message) > size || n > len(part)):
				return "", false, errNoHello // nothing may follow a hello in its record
			}
		}
		if len(part) < n {
			return "", false, nil
		}
		b = b[n:]
	}
}

// reader takes fields off the front of a message; what is missing makes it bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

// number takes a big-endian number of n bytes.
func (r *reader) number(n int) (v int) {
	for _, c := range r.take(n) {
		v = v<<8 | int(c)
	}
	return v
}

// vector takes bytes behind their length, which has n bytes.
func (r *reader) vector(n int) []byte { return r.take(r.number(n)) }

// helloName walks a ClientHello's body.
func helloName(body []byte) (name string, ok bool) {
	r := reader{b: body}
	version := r.number(2)
	r.take(32) // random
	session := r.vector(1)
	suites := r.vector(2)
	compressions := r.vector(1)
	if r.bad || version>>8 != 3 || len(session) > 32 || len(suites) == 0 || len(suites)%2 != 0 || len(compressions) == 0 {
		return "", false
	}
	if len(r.b) == 0 { // a hello of old, without extensions
		return "", true
	}
	list := reader{b: r.vector(2)}
	if r.bad || len(r.b) > 0 {
		return "", false
	}
	for seen := false; len(list.b) > 0; {
		kind, data := list.number(2), list.vector(2)
		if list.bad {
			return "", false
		}
		if kind != extServerName {
			continue
		}
		if seen {
			return "", false
		}
		seen = true
		if name, ok = serverName(data); !ok {
			return "", false
		}
	}
	return name, true
}

// serverName reads the extension: one host name.
func serverName(data []byte) (string, bool) {
	r := reader{b: data}
	list := reader{b: r.vector(2)}
	kind, name := list.number(1), list.vector(2)
	if r.bad || list.bad || len(r.b) > 0 || len(list.b) > 0 || kind != nameHost || !validName(string(name)) {
		return "", false
	}
	return strings.ToLower(string(name)), true
}

// validName tells whether s is a DNS name: labels of letters, digits, hyphens and
// underscores. An address is none (RFC 6066, 3).
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
				continue
			}
			return false
		}
	}
	return true
}
