package message

import (
	"iter"
	"strings"
)

// CookieValues yields the values of a cookie in the order they came, from every
// Cookie line (RFC 6265, 5.4; HTTP/2 may split it, RFC 9113, 8.2.3). A pair of
// surrounding double quotes is taken off.
func CookieValues(h *Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for f := range h.Fields() {
			if f.Known != Cookie {
				continue
			}
			for rest := f.Value; rest != ""; {
				var pair string
				pair, rest, _ = strings.Cut(rest, ";")
				if n, v := cookiePair(pair); n == name && !yield(v) {
					return
				}
			}
		}
	}
}

// DropCookie removes a cookie from every Cookie line, and lines that are then
// empty, and tells whether it was there.
func DropCookie(h *Header, name string) bool {
	dropped := false
	for i := range h.fields {
		f := &h.fields[i]
		if f.gone || f.Known != Cookie {
			continue
		}
		if v, ok := dropCookie(f.Value, name); ok {
			f.Value, f.gone, dropped = v, v == "", true
		}
	}
	return dropped
}

func dropCookie(line, name string) (string, bool) {
	var kept []string
	dropped := false
	for pair := range strings.SplitSeq(line, ";") {
		if n, _ := cookiePair(pair); n == name {
			dropped = true
			continue
		}
		if p := trimOWS(pair); p != "" {
			kept = append(kept, p)
		}
	}
	if !dropped {
		return line, false
	}
	return strings.Join(kept, "; "), true
}

func cookiePair(pair string) (name, value string) {
	n, v, ok := strings.Cut(pair, "=")
	if !ok {
		return "", ""
	}
	n, v = trimOWS(n), trimOWS(v)
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	return n, v
}

func trimOWS(s string) string { return strings.Trim(s, " \t") }
