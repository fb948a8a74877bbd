package route

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// maxPath is what a path may have in bytes; places in it fit 16 bits.
const maxPath = 32 << 10

// Normalize brings a request-target into the one form that is used for
// matching, rights, limits, caching, logs and forwarding: unreserved characters
// decoded, others escaped in upper case, duplicate slashes merged, dot segments
// removed (RFC 3986, 6.2.2). The query is left as it is.
//
// What two parties could read differently is refused (a *filter.Reject, 400): a
// backslash, a control character or a fragment in any spelling, white space at
// the end of a segment, doubly encoded dots and slashes, "..;", an escape that
// is no escape, bytes that are not UTF-8, and an encoded slash next to dots. An
// encoded slash elsewhere stays "%2F": it never separates.
func Normalize(target string) (path, query string, hasQuery bool, err error) {
	path = target
	if i := strings.IndexByte(target, '?'); i >= 0 {
		path, query, hasQuery = target[:i], target[i+1:], true
	}
	if len(path) > maxPath {
		return "", "", false, filter.Refuse(http.StatusRequestURITooLong, "path.too_long", "a path may have at most %d bytes", maxPath)
	}
	if strings.HasPrefix(path, "/") {
		if plain(path) {
			return path, query, hasQuery, nil
		}
	} else if path, err = originForm(path); err != nil {
		return "", "", false, err
	}
	path, err = rewrite(path)
	return path, query, hasQuery, err
}

// plain tells whether a path is in normal form already: only characters that
// need no look, no empty and no dot segment.
func plain(p string) bool {
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '/' {
			if i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.') {
				return false
			}
			continue
		}
		if !unreserved(c) && !subDelimiter(c) || c == ';' {
			return false
		}
	}
	return true
}

func originForm(path string) (string, error) {
	for _, scheme := range []string{"http://", "https://"} {
		if rest, ok := cutFold(path, scheme); ok {
			i := strings.IndexByte(rest, '/')
			if i < 0 {
				return "/", nil
			}
			return rest[i:], nil
		}
	}
	return "", badPath("path.form", "the request target must begin with a slash")
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

func rewrite(path string) (string, error) {
	out := make([]byte, 0, len(path))
	high := false
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '\\':
			return "", badPath("path.backslash", "a backslash may not stand in a path")
		case c == '#':
			return "", badPath("path.fragment", "a fragment may not stand in a request target")
		case c <= ' ' || c >= 0x7f:
			return "", badPath("path.character", "a path consists of visible ASCII characters; encode others")
		case c != '%' && c != '/' && !unreserved(c) && !subDelimiter(c):
			out = append(out, '%', upperHex(c>>4), upperHex(c&15))
			continue
		case c != '%':
			out = append(out, c)
			continue
		}
		v, ok := escape(path, i)
		if !ok {
			return "", badPath("path.escape", "%% in a path must be followed by two hexadecimal digits")
		}
		switch {
		case v < ' ' || v == 0x7f:
			return "", badPath("path.control", "an encoded control character may not stand in a path")
		case v == '\\':
			return "", badPath("path.backslash", "a backslash may not stand in a path")
		}
		if unreserved(v) {
			out = append(out, v)
		} else {
			out = append(out, '%', upperHex(v>>4), upperHex(v&15))
			high = high || v >= 0x80
		}
		i += 2
	}
	if doublyEncoded(out) {
		return "", badPath("path.double_encoding", "a doubly encoded dot, slash, space, control character or percent sign may not stand in a path")
	}
	if high && !utf8Escapes(out) {
		return "", badPath("path.encoding", "escapes in a path must be UTF-8")
	}
	return segments(string(out))
}

// doublyEncoded tells whether a path, its unreserved characters decoded, holds
// an encoded percent sign that would make a dot, a separator, white space, a
// control character or another percent sign of what follows it, once more
// decoded. It looks at the decoded form, since "%25%32%65" is "%252e".
func doublyEncoded(p []byte) bool {
	for i := 0; i+4 < len(p); i++ {
		if p[i] != '%' || p[i+1] != '2' || p[i+2] != '5' {
			continue
		}
		v, ok := hexPair(p[i+3], p[i+4])
		if ok && (v <= ' ' || v == 0x7f || v == '.' || v == '/' || v == '\\' || v == '%') {
			return true
		}
	}
	return false
}

// segments merges slashes, removes dot segments and refuses segments that
// others could read as something else.
func segments(p string) (string, error) {
	out := make([]byte, 0, len(p))
	rest := p
	for {
		rest = strings.TrimLeft(rest, "/")
		i := strings.IndexByte(rest, '/')
		seg := rest
		if i >= 0 {
			seg = rest[:i]
		}
		last := i < 0
		name, _, params := strings.Cut(seg, ";")
		switch {
		case params && (name == "" || name == "." || name == ".."):
			return "", badPath("path.dot_parameters", "an empty or dot segment with parameters may not stand in a path")
		case strings.HasSuffix(name, "%20"):
			return "", badPath("path.trailing_space", "a path segment may not end in an encoded space")
		case hiddenDots(seg):
			return "", badPath("path.encoded_slash", "an encoded slash may not stand beside a dot segment")
		case seg == "" || seg == ".":
			if last {
				out = append(out, '/')
			}
		case seg == "..":
			if j := lastSlash(out); j >= 0 {
				out = out[:j]
			}
			if last {
				out = append(out, '/')
			}
		default:
			out = append(out, '/')
			out = append(out, seg...)
		}
		if last {
			break
		}
		rest = rest[i:]
	}
	if len(out) == 0 {
		out = append(out, '/')
	}
	return string(out), nil
}

func lastSlash(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '/' {
			return i
		}
	}
	return -1
}

// hiddenDots tells whether a segment would hold a dot segment if its encoded
// slashes separated.
func hiddenDots(seg string) bool {
	if !strings.Contains(seg, "%2F") {
		return false
	}
	for part := range strings.SplitSeq(seg, "%2F") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func utf8Escapes(out []byte) bool {
	raw := make([]byte, 0, len(out))
	for i := 0; i < len(out); i++ {
		if out[i] == '%' && i+2 < len(out) {
			v, _ := hexPair(out[i+1], out[i+2])
			raw = append(raw, v)
			i += 2
			continue
		}
		raw = append(raw, out[i])
	}
	return utf8.Valid(raw)
}

func escape(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	return hexPair(s[i+1], s[i+2])
}

func hexPair(a, b byte) (byte, bool) {
	x, ok1 := hexDigit(a)
	y, ok2 := hexDigit(b)
	return x<<4 | y, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func upperHex(v byte) byte { return "0123456789ABCDEF"[v] }

// unreserved as in RFC 3986, 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// subDelimiter is what else may stand unescaped in a path segment (RFC 3986, 3.3).
func subDelimiter(c byte) bool {
	switch c {
	case '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@':
		return true
	}
	return false
}

func badPath(code fault.Code, format string, args ...any) *filter.Reject {
	return filter.Refuse(http.StatusBadRequest, code, format, args...)
}
