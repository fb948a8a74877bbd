package filter

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Value is a header value with variables, such as "user-{subject}". It is parsed
// once, when a filter is built. A variable that has no value is empty. "{{" and
// "}}" stand for single braces. The zero Value is the empty string.
type Value struct {
	text  string // the whole, where there is no variable
	parts []part
}

type part struct {
	text string // literal, where get is nil
	name string // as written between the braces
	arg  string // NAME in meta.NAME and its kin
	get  func(x *Exchange, arg string) string
}

// variable is one row of definition.md's list.
type variable struct {
	name  string // without NAME; ends in "." where a NAME follows
	later bool   // in the language, but nothing fills it yet
	get   func(x *Exchange, arg string) string
}

// variables lists what may stand between braces.
func variables() []variable {
	return []variable{
		{name: "subject", get: subject},
		{name: "claim.", later: true},
		{name: "meta.", get: metadata},
		{name: "key.id", get: keyID},
		{name: "key.alias", get: keyAlias},
		{name: "key.owner", get: keyOwner},
		{name: "policy", get: policies},
		{name: "client.ip", get: func(x *Exchange, _ string) string { return clientIP(x) }},
		{name: "client.country", later: true},
		{name: "request.id", get: func(x *Exchange, _ string) string { return x.ID }},
		{name: "request.method", get: func(x *Exchange, _ string) string { return x.Request.Method }},
		{name: "request.host", get: func(x *Exchange, _ string) string { return x.Request.Host }},
		{name: "request.path", get: func(x *Exchange, _ string) string { return x.Request.Path }},
		{name: "request.query.", get: func(x *Exchange, n string) string { return first(message.QueryValues(x.Request.Query, n)) }},
		{name: "request.header.", get: func(x *Exchange, n string) string { return x.Request.Header.Get(n) }},
		{name: "request.cookie.", get: func(x *Exchange, n string) string { return first(message.CookieValues(&x.Request.Header, n)) }},
		{name: "route.param.", get: func(x *Exchange, n string) string { return x.Param(n) }},
		{name: "api.id", get: apiID},
		{name: "api.name", get: apiName},
		{name: "api.version", later: true},
		{name: "node.id", get: nodeID},
		{name: "node.group", get: nodeGroup},
		{name: "secret:", later: true},
	}
}

// ParseValue parses s. The errors are build errors with the codes value.braces,
// value.control, value.unknown_variable (which names the nearest one) and
// not_available.
func ParseValue(s string) (Value, error) {
	if !message.ValidValue(s) {
		return Value{}, Problem("", "value.control", "The value holds a control character; remove it.")
	}
	var v Value
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			v.parts = append(v.parts, part{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case (s[i] == '{' || s[i] == '}') && i+1 < len(s) && s[i+1] == s[i]:
			text.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return Value{}, Problem("", "value.braces", `A "{" has no "}"; write "{{" for a brace that is meant as such.`)
			}
			p, err := parseVariable(s[i+1 : i+end])
			if err != nil {
				return Value{}, err
			}
			flush()
			v.parts = append(v.parts, p)
			i += end
		default:
			text.WriteByte(s[i])
		}
	}
	if len(v.parts) == 0 {
		return Value{text: text.String()}, nil
	}
	flush()
	return v, nil
}

func parseVariable(name string) (part, error) {
	known := variables()
	for _, k := range known {
		arg, prefixed := strings.CutPrefix(name, k.name)
		named := k.name[len(k.name)-1] == '.' || k.name[len(k.name)-1] == ':'
		switch {
		case !prefixed || named == (arg == ""):
			continue
		case k.later:
			return part{}, Problem("", "not_available", "The variable {%s} is planned, but nothing fills it yet.", name)
		case k.name == "request.header." && !message.ValidName(arg):
			return part{}, Problem("", "value.unknown_variable", "{%s} does not name a header field.", name)
		}
		return part{name: name, arg: arg, get: k.get}, nil
	}
	near := nearest(name, known)
	err := Problem("", "value.unknown_variable", `There is no variable {%s}; the nearest is {%s}. Write "{{" for a brace that is meant as such.`, name, near)
	fault.As(err).Problems[0].Fix = "{" + near + "}"
	return part{}, err
}

// Literal returns the value where it has no variables.
func (v Value) Literal() (string, bool) { return v.text, len(v.parts) == 0 }

// Expand fills the variables in. CR, LF, NUL and every other control character
// but HTAB are refused (RFC 9110, 5.5): with 400 where they come from the
// request, with 500 where they come from a key or a policy. So the result may be
// written as a field value. It is valid as long as the exchange.
func (v Value) Expand(x *Exchange) (string, error) {
	switch len(v.parts) {
	case 0:
		return v.text, nil
	case 1:
		return v.parts[0].value(x)
	}
	var b strings.Builder
	for i := range v.parts {
		s, err := v.parts[i].value(x)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (p *part) value(x *Exchange) (string, error) {
	if p.get == nil {
		return p.text, nil
	}
	s := p.get(x, p.arg)
	if message.ValidValue(s) {
		return s, nil
	}
	if strings.HasPrefix(p.name, "request.") || strings.HasPrefix(p.name, "route.") {
		return "", Refuse(400, "request.value_control", "The request's %s holds a control character.", p.name)
	}
	return "", Refuse(500, "value.control", "The variable {%s} holds a control character.", p.name)
}

func subject(x *Exchange, _ string) string {
	if x.Session == nil {
		return ""
	}
	return x.Session.Subject
}

func metadata(x *Exchange, name string) string {
	if x.Session == nil {
		return ""
	}
	return x.Session.Metadata[name]
}

func keyID(x *Exchange, _ string) string {
	if x.Session == nil {
		return ""
	}
	return x.Session.KeyID
}

func keyAlias(x *Exchange, _ string) string {
	if x.Session == nil {
		return ""
	}
	return x.Session.Alias
}

func keyOwner(x *Exchange, _ string) string {
	if x.Session == nil {
		return ""
	}
	return x.Session.Owner
}

func policies(x *Exchange, _ string) string {
	switch {
	case x.Session == nil || len(x.Session.Policies) == 0:
		return ""
	case len(x.Session.Policies) == 1:
		return x.Session.Policies[0]
	}
	return strings.Join(x.Session.Policies, ",")
}

func clientIP(x *Exchange) string {
	switch {
	case x.ClientText != "":
		return x.ClientText
	case x.Client.IsValid():
		return x.Client.String()
	case x.Request.Remote.IsValid():
		return x.Request.Remote.Addr().Unmap().String()
	}
	return ""
}

func apiID(x *Exchange, _ string) string {
	if x.API == nil {
		return ""
	}
	return x.API.ID
}

func apiName(x *Exchange, _ string) string {
	if x.API == nil {
		return ""
	}
	return x.API.Name
}

func nodeID(x *Exchange, _ string) string {
	if x.Node == nil {
		return ""
	}
	return x.Node.ID
}

func nodeGroup(x *Exchange, _ string) string {
	if x.Node == nil {
		return ""
	}
	return x.Node.Group
}

func first(seq func(func(string) bool)) string {
	for s := range seq {
		return s
	}
	return ""
}

// nearest returns the known variable with the smallest edit distance, spelled
// with NAME where one follows.
func nearest(name string, known []variable) string {
	best, least := "", -1
	for _, k := range known {
		if k.later {
			continue
		}
		spelled := k.name
		against := name
		if strings.HasSuffix(k.name, ".") {
			spelled += "NAME"
			// What follows the prefix is the author's own: compare the prefixes only.
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				against = name[:i+1] + "NAME"
			}
		}
		if d := distance(against, spelled); least < 0 || d < least {
			best, least = spelled, d
		}
	}
	return best
}

// distance is the Levenshtein distance; names are cut so that a hostile document
// cannot make it slow.
func distance(a, b string) int {
	a = a[:min(len(a), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
