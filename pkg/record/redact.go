package record

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Masked is what stands where a value was taken out.
const Masked = "***"

// Mask says what is taken out of what a record holds of messages. Immutable.
type Mask struct {
	headers []string   // lower case
	query   []string   // names of query and form parameters
	paths   [][]string // members from the root of a JSON body; "*" is any member or element
	deep    []string   // members at any depth
}

// Headers that carry credentials are masked whatever the rules say.
func secretHeader(lower string) bool {
	switch lower {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key":
		return true
	}
	return false
}

// NewMask reads the rules of a definition: "header:NAME", "query:NAME" (also
// fields of forms), and JSON paths below "$" for bodies: "$.user.password",
// "$.cards[*].number", "$..password" at any depth. The first name of a path is
// masked in forms too. The error names the rule that is not one of these.
func NewMask(rules []string) (*Mask, error) {
	m := &Mask{}
	for _, rule := range rules {
		kind, name, named := strings.Cut(rule, ":")
		switch {
		case named && kind == "header" && name != "":
			m.headers = append(m.headers, strings.ToLower(name))
		case named && kind == "query" && name != "":
			m.query = append(m.query, name)
		case strings.HasPrefix(rule, "$..") && plain(rule[3:]):
			m.deep = append(m.deep, rule[3:])
			m.query = append(m.query, rule[3:])
		case strings.HasPrefix(rule, "$."):
			path := strings.Split(strings.ReplaceAll(rule[2:], "[*]", ".*"), ".")
			if slices.ContainsFunc(path, func(s string) bool { return !plain(s) }) {
				return nil, badRule(rule)
			}
			m.paths = append(m.paths, path)
			m.query = append(m.query, path[0])
		default:
			return nil, badRule(rule)
		}
	}
	return m, nil
}

func plain(name string) bool { return name != "" && !strings.ContainsAny(name, ".[]'\"") }

func badRule(rule string) error {
	return fmt.Errorf("the mask %q is none; write header:NAME, query:NAME, $.a.b, $.a[*].b or $..name", rule)
}

// Header returns the value that may be recorded of a header field.
func (m *Mask) Header(name, value string) string {
	lower := strings.ToLower(name)
	if secretHeader(lower) || slices.Contains(m.headers, lower) {
		return Masked
	}
	return value
}

// Query returns a query (or form) with the values of masked parameters replaced;
// all else stays byte by byte. Names are compared after unescaping.
func (m *Mask) Query(query string) string {
	if len(m.query) == 0 || query == "" {
		return query
	}
	var b strings.Builder
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, _, valued := strings.Cut(pair, "=")
		clear, err := url.QueryUnescape(name)
		if err != nil {
			clear = name
		}
		if valued && slices.Contains(m.query, clear) {
			pair = name + "=" + Masked
		}
		b.WriteString(pair)
	}
	return b.String()
}

// Body returns what may be recorded of a body, which may have been cut anywhere.
// JSON (by contentType or by its first byte) and forms are masked in place; from
// where JSON ends to be JSON nothing is kept, since what it holds is unknown then.
// A mask with paths keeps no other body, since it cannot tell what is in it; one
// without leaves others as they are, but for those of several parts.
func (m *Mask) Body(contentType string, body []byte) []byte {
	if len(body) == 0 || len(m.paths)+len(m.deep)+len(m.query) == 0 {
		return body
	}
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	switch {
	case media == "application/x-www-form-urlencoded":
		return []byte(m.Query(string(body)))
	case media == "application/json" || strings.HasSuffix(media, "+json") || looksLikeJSON(body):
		j := jsonMask{mask: m, in: body, out: make([]byte, 0, len(body))}
		j.value(nil, 0)
		return j.out
	case len(m.paths)+len(m.deep) > 0 || strings.HasPrefix(media, "multipart/"):
		return nil
	}
	return body
}

func looksLikeJSON(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n\xef\xbb\xbf")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// Shrink removes what a record can best do without until its wire form fits max
// bytes, and tells whether it does: response body, request body, captured
// headers, then long texts. Each step sets Shrunk and, where a body goes, marks it.
func (r *Record) Shrink(limit int) bool {
	size := func() int { return len(r.Append(nil)) }
	steps := []func(){
		func() { r.Response = r.Response.bodiless() },
		func() { r.Request = r.Request.bodiless() },
		func() { r.Request, r.Response = nil, nil },
		func() {
			for field := 1; field <= 31; field++ {
				if text := r.text(field); text != nil && len(*text) > 1024 {
					*text = (*text)[:1024]
				}
			}
		},
		func() { r.Tags, r.Policies = nil, nil },
	}
	for _, step := range steps {
		if size() <= limit {
			return true
		}
		r.Flags |= Shrunk
		step()
	}
	return size() <= limit
}

// bodiless is a copy: the capture may be shared with another record.
func (c *Capture) bodiless() *Capture {
	if c == nil {
		return nil
	}
	return &Capture{Header: c.Header, Size: c.Size, Truncated: c.Truncated || len(c.Body) > 0}
}
