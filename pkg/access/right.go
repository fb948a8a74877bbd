package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Right allows calls to one API.
type Right struct {
	// API is the id of the API, or "*" for every API of the organisation.
	API string `json:"api"`
	// Endpoints narrows the right. Absent: every endpoint.
	Endpoints []EndpointRight `json:"endpoints,omitzero"`
}

// EndpointRight allows methods on a path template inside an API.
type EndpointRight struct {
	// Methods allowed; absent or "*" is every method.
	Methods []string `json:"methods,omitempty"`
	// Path is a template below the listen path: static segments, {name} for any
	// one segment, and /** at the end for the path before it and everything below.
	Path string `json:"path"`
}

// grant is what a session may do with one API, ready to be asked.
type grant struct {
	every     bool
	endpoints []endpointGrant
}

type endpointGrant struct {
	methods []string // nil: every method
	pattern pattern
}

// Allows tells whether the session has a right to call a method on a path of an
// API (by id). The path is in the gateway's normalised form, below the listen
// path; "" counts as "/". It says nothing of state and expiry, does not
// allocate, and a session without rights is allowed nothing.
func (s *Session) Allows(api, method, path string) bool {
	if s == nil {
		return false
	}
	return s.grants[api].allows(method, path) || s.grants["*"].allows(method, path)
}

func (g *grant) allows(method, path string) bool {
	if g == nil || g.every {
		return g != nil
	}
	if path == "" {
		path = "/"
	}
	for i := range g.endpoints {
		e := &g.endpoints[i]
		if (e.methods == nil || slices.Contains(e.methods, method)) && e.pattern.match(path) {
			return true
		}
	}
	return false
}

func compile(rights []Right) map[string]*grant {
	grants := make(map[string]*grant, len(rights))
	for _, r := range rights {
		g := grants[r.API]
		if g == nil {
			g = &grant{}
			grants[r.API] = g
		}
		if r.Endpoints == nil {
			g.every = true
		}
		for _, e := range r.Endpoints {
			p, err := parsePattern(e.Path)
			if err != nil {
				continue // a right that cannot be read gives nothing
			}
			c := endpointGrant{pattern: p}
			if len(e.Methods) > 0 && !slices.Contains(e.Methods, "*") {
				c.methods = slices.Clone(e.Methods)
			}
			g.endpoints = append(g.endpoints, c)
		}
	}
	return grants
}

// pattern is a compiled path template: "" among the segments is any text.
type pattern struct {
	segments []string
	rest     bool // ended in /**
	slash    bool // ended in a slash
}

func parsePattern(path string) (pattern, error) {
	const maxPath = 1024
	var p pattern
	if !strings.HasPrefix(path, "/") || len(path) > maxPath || !utf8.ValidString(path) {
		return p, fmt.Errorf("%q is not a path template; start it with a slash and use at most %d bytes", brief(path), maxPath)
	}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		switch last := i == len(parts)-1; {
		case part == "" && last:
			p.slash = true
		case part == "":
			return p, fmt.Errorf("%q has two slashes in a row; keep one", brief(path))
		case part == "**" && last:
			p.rest = true
		case part[0] == '{' && part[len(part)-1] == '}':
			if strings.ContainsRune(part, ':') {
				return p, fmt.Errorf("%q has an expression; a right takes {name} only, which is any one segment", brief(part))
			}
			if len(part) < 3 || strings.ContainsAny(part[1:len(part)-1], "{}*%") {
				return p, fmt.Errorf("%q is not a parameter; write {name}", brief(part))
			}
			p.segments = append(p.segments, "")
		default:
			text, err := plainSegment(part)
			if err != nil {
				return p, err
			}
			p.segments = append(p.segments, text)
		}
	}
	return p, nil
}

// plainSegment spells static text as the gateway's normalised paths do:
// unreserved characters plain, everything else escaped in upper case.
func plainSegment(part string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		c, escaped := part[i], false
		if c == '%' && i+2 < len(part) {
			var n int
			if n, _ = fmt.Sscanf(part[i+1:i+3], "%02x", &c); n != 1 || !isHex(part[i+1]) || !isHex(part[i+2]) {
				return "", fmt.Errorf("%q has a %% that is not followed by two hex digits", brief(part))
			}
			escaped = true
			i += 2
		}
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		switch {
		case c < 0x20 || c == 0x7f || c == '\\' || escaped && c == '/' || !escaped && strings.IndexByte("%?#{}*", c) >= 0:
			return "", fmt.Errorf("%q has a character that no path segment has; use letters and digits, {name} for any one segment, /** at the end", brief(part))
		case alphanumeric || strings.IndexByte("-._~", c) >= 0 || !escaped && strings.IndexByte("!$&'()+,;=:@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if text := b.String(); text != "." && text != ".." && !strings.HasPrefix(text, "..;") {
		return text, nil
	}
	return "", fmt.Errorf("%q is a dot segment; write the path that is meant", brief(part))
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (p *pattern) match(path string) bool {
	for _, s := range p.segments {
		if path == "" || path[0] != '/' {
			return false
		}
		part := path[1:]
		path = ""
		if at := strings.IndexByte(part, '/'); at >= 0 {
			part, path = part[:at], part[at:]
		}
		if s == "" && part == "" || s != "" && s != part {
			return false
		}
	}
	if p.rest {
		return true
	}
	if p.slash {
		return path == "/"
	}
	return path == ""
}
