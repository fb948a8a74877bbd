// Package pathtemplate reads and compares path templates such as
// /orders/{id:[0-9]+} and /admin/**. Definitions (listen paths and endpoints),
// rights of keys and policies, and the gateway's routes all speak of paths by it.
package pathtemplate

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// SegmentKind is what one segment of a template matches. The order of the kinds
// is their precedence: where several templates match a path, the first segment
// that differs decides, and the lower kind wins.
type SegmentKind uint8

// The kinds of segments, in the order of precedence.
const (
	Static SegmentKind = iota // exactly Text
	Param                     // any one segment that is not empty
	Regex                     // one segment that is not empty and that Regexp matches as a whole
	Rest                      // "/**" at the end: nothing, "/", or everything below
)

// Segment is one part of a template between slashes.
type Segment struct {
	Kind   SegmentKind
	Text   string         // of Static: as the gateway spells paths after normalising
	Name   string         // of Param and Regex
	Regexp *regexp.Regexp // of Regex: anchored at both ends
	Source string         // of Regex: the expression as written
}

// Template is a compiled path template. It matches paths in the gateway's
// normalised form: unreserved characters decoded, other escapes in upper case.
type Template struct {
	Segments []Segment
	// Slash tells that the template ends in a slash, which is part of it:
	// "/a" and "/a/" are two templates. The template "/" has no segments and Slash.
	Slash bool
}

// Bounds of a template, so that compiling and matching stay cheap.
const (
	MaxLength   = 1024 // bytes
	maxSegments = 64
	maxRegexp   = 256 // bytes of one regular expression
)

var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Parse compiles a path template: it starts with a slash, and each
// segment is static text, {name}, {name:regex} (RE2, anchored, matched against
// one segment), or ** as the last one, which matches the path above it too:
// "/admin/**" matches "/admin", "/admin/" and "/admin/x/y". Static text is
// brought to the normalised form of the gateway. The error is one sentence that
// says what is wrong and the mend.
func Parse(path string) (Template, error) {
	var t Template
	switch {
	case !strings.HasPrefix(path, "/"):
		return t, fmt.Errorf("a path starts with a slash; write %q", "/"+strictjson.Brief(path))
	case len(path) > MaxLength:
		return t, fmt.Errorf("the path has %d bytes; at most %d are allowed", len(path), MaxLength)
	case !utf8.ValidString(path):
		return t, fmt.Errorf("the path is not valid UTF-8")
	}
	parts, err := splitTemplate(path[1:])
	if err != nil {
		return t, err
	}
	names := map[string]bool{}
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case part == "" && last:
			t.Slash = true
			continue
		case part == "":
			return t, fmt.Errorf("the path has two slashes in a row; keep one")
		case len(t.Segments) == maxSegments:
			return t, fmt.Errorf("the path has more than %d segments", maxSegments)
		}
		s, err := parseSegment(part, last)
		if err != nil {
			return t, err
		}
		if s.Name != "" && names[s.Name] {
			return t, fmt.Errorf("the name {%s} stands twice; give each parameter a name of its own", s.Name)
		}
		names[s.Name] = true
		t.Segments = append(t.Segments, s)
	}
	return t, nil
}

// splitTemplate cuts at slashes that are not within braces.
func splitTemplate(path string) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && depth > 0:
			i++ // an escape within a regular expression
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("a closing brace has no opening one; write {name}")
			}
		case c == '/' && depth == 0:
			parts = append(parts, path[start:i])
			start = i + 1
		}
	}
	if depth > 0 {
		return nil, fmt.Errorf("an opening brace is not closed; write {name}")
	}
	return append(parts, path[start:]), nil
}

func parseSegment(part string, last bool) (Segment, error) {
	switch {
	case part == "**" && last:
		return Segment{Kind: Rest}, nil
	case strings.Contains(part, "*") && !strings.HasPrefix(part, "{"):
		return Segment{}, fmt.Errorf("%q is not understood: ** may only be the last segment, and one segment of any text is {name}", strictjson.Brief(part))
	case !strings.ContainsAny(part, "{}"):
		text, err := staticText(part, last)
		return Segment{Kind: Static, Text: text}, err
	case part[0] != '{' || part[len(part)-1] != '}':
		return Segment{}, fmt.Errorf("%q mixes text and a parameter; a parameter is a whole segment, such as {name} or {name:regex}", strictjson.Brief(part))
	}
	name, expr, isRegex := strings.Cut(part[1:len(part)-1], ":")
	if !paramName.MatchString(name) {
		return Segment{}, fmt.Errorf("%q is not a name of a parameter; use letters, digits and _ with a letter first", strictjson.Brief(name))
	}
	if !isRegex {
		return Segment{Kind: Param, Name: name}, nil
	}
	if expr == "" || len(expr) > maxRegexp {
		return Segment{}, fmt.Errorf("the expression of {%s} must have 1 to %d bytes; without an expression write {%s}", name, maxRegexp, name)
	}
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil { // alone, so that ")(" cannot escape the anchors
		return Segment{}, fmt.Errorf("the expression of {%s} does not compile as RE2: %w", name, err)
	}
	compiled, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return Segment{}, fmt.Errorf("the expression of {%s} cannot be anchored: %w", name, err)
	}
	return Segment{Kind: Regex, Name: name, Regexp: compiled, Source: expr}, nil
}

// staticText brings one segment to the form in which the gateway matches, and
// refuses what the gateway refuses in a request, because it could never match.
func staticText(part string, last bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		c := part[i]
		escaped := c == '%'
		if escaped {
			hi, lo := byte(0xff), byte(0xff)
			if i+2 < len(part) {
				hi, lo = unhex(part[i+1]), unhex(part[i+2])
			}
			if hi > 15 || lo > 15 {
				return "", fmt.Errorf("%q has a %% that is not followed by two hex digits; write a per cent sign as %%25", strictjson.Brief(part))
			}
			c = hi<<4 | lo
			i += 2
		}
		switch {
		case c < 0x20 || c == 0x7f:
			return "", fmt.Errorf("%q has a control character; remove it", strictjson.Brief(part))
		case c == '\\' || escaped && c == '/':
			return "", fmt.Errorf("%q has a backslash or an encoded slash; use a plain slash between segments", strictjson.Brief(part))
		case !escaped && c == ';':
			return "", fmt.Errorf("%q has a semicolon; parameters of a segment are not compared, write the segment without them", strictjson.Brief(part))
		case !escaped && (c == '?' || c == '#'):
			return "", fmt.Errorf("%q has a query or a fragment; a path ends before ? and #", strictjson.Brief(part))
		case escaped && c == '%' && i+2 < len(part) && strings.Contains("2E2e2F2f5C5c", part[i+1:i+3]):
			return "", fmt.Errorf("%q is encoded twice; encode it once", strictjson.Brief(part))
		case c == ' ' && last && i == len(part)-1:
			return "", fmt.Errorf("%q ends in white space; remove it", strictjson.Brief(part))
		case isUnreserved(c) || !escaped && strings.IndexByte("!$&'()*+,=:@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	text := b.String()
	if text == "." || text == ".." {
		return "", fmt.Errorf("%q is a dot segment; write the path that is meant", strictjson.Brief(part))
	}
	return text, nil
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// String is the template's normalised spelling; it parses to the same template.
func (t Template) String() string { return t.spell(false) }

// Key is equal for two templates that match the same paths at the same place:
// the names of parameters do not count.
func (t Template) Key() string { return t.spell(true) }

func (t Template) spell(anonymous bool) string {
	var b strings.Builder
	for _, s := range t.Segments {
		b.WriteByte('/')
		name := s.Name
		if anonymous {
			name = ""
		}
		switch s.Kind {
		case Static:
			b.WriteString(s.Text)
		case Param:
			b.WriteString("{" + name + "}")
		case Regex:
			b.WriteString("{" + name + ":" + s.Source + "}")
		case Rest:
			b.WriteString("**")
		}
	}
	if t.Slash || len(t.Segments) == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

// SameSegment tells whether two segments match the same, names aside.
func SameSegment(a, b Segment) bool {
	return a.Kind == b.Kind && a.Text == b.Text && a.Source == b.Source
}

// IsLiteral tells whether the template is static text only.
func (t Template) IsLiteral() bool {
	for _, s := range t.Segments {
		if s.Kind != Static {
			return false
		}
	}
	return true
}

// Params lists the names of the parameters in their order.
func (t Template) Params() []string {
	var names []string
	for _, s := range t.Segments {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// Match tells whether the template matches a whole path in normalised form.
func (t Template) Match(path string) bool {
	for i, s := range t.Segments {
		if s.Kind == Rest {
			return path == "" || path[0] == '/'
		}
		if path == "" || path[0] != '/' {
			return false
		}
		part, rest := path[1:], ""
		if at := strings.IndexByte(part, '/'); at >= 0 {
			part, rest = part[:at], part[at:]
		}
		if !s.Match(part) {
			return false
		}
		if path = rest; path == "" && i == len(t.Segments)-1 {
			return !t.Slash
		}
	}
	return path == "/" && t.Slash
}

// Match tells whether the segment matches one segment of a path. Static text
// ignores what follows a semicolon (RFC 3986, section 3.3), so that "/admin;x" is
// under the rules of "/admin".
func (s Segment) Match(part string) bool {
	switch s.Kind {
	case Static:
		name, _, _ := strings.Cut(part, ";")
		return name == s.Text
	case Param:
		return part != ""
	case Regex:
		return part != "" && s.Regexp.MatchString(part)
	}
	return true
}

// Compare orders templates by precedence: where both match a path, the lesser
// is taken. At the first segment that differs, static comes before {param},
// {param:regex} and **; of two where one continues the other, the longer comes
// first. It is a total order: 0 means the same Key.
func Compare(a, b Template) int {
	for i := range min(len(a.Segments), len(b.Segments)) {
		x, y := a.Segments[i], b.Segments[i]
		if c := cmp.Or(cmp.Compare(x.Kind, y.Kind), strings.Compare(x.Text, y.Text), strings.Compare(x.Source, y.Source)); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(b.Segments), len(a.Segments)); c != 0 {
		return restLast(a, b, c)
	}
	switch {
	case a.Slash == b.Slash:
		return 0
	case a.Slash:
		return -1
	}
	return 1
}

// restLast puts "/a" before "/a/**", which matches it too.
func restLast(a, b Template, c int) int {
	longer, n := a, len(b.Segments)
	if c > 0 {
		longer, n = b, len(a.Segments)
	}
	if longer.Segments[n].Kind == Rest {
		return -c
	}
	return c
}
