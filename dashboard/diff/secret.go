package diff

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// reference is a text that only says where a secret is.
var reference = regexp.MustCompile(`^([A-Za-z]+ )?\$?\{[^{}]*\}$`)

// isSecret tells whether a value is never shown: what is sealed, what a kind keeps
// secret, and a literal where a credential belongs.
func (b *builder) isSecret(n *strictjson.Node, pattern string) bool {
	if n.Kind == strictjson.Object && n.Member("sealed") != nil {
		return true
	}
	if b.kind == kindSecret && pattern == "/value" || b.kind == kindCertificate && pattern == "/key" {
		return true
	}
	if n.Kind != strictjson.String || n.End-n.Start <= len(`""`) {
		return false
	}
	parent, _, _ := cutLast(pattern)
	if !credential(n.Name) && (!headers(parent) || !credentialHeader(n.Name)) {
		return false
	}
	return !reference.MatchString(n.Text(b.text))
}

func cutLast(pattern string) (before, last string, ok bool) {
	i := strings.LastIndexByte(pattern, '/')
	if i < 0 {
		return pattern, "", false
	}
	return pattern[:i], pattern[i+1:], true
}

// credential tells whether members of that name hold secrets.
func credential(name string) bool {
	name = strings.ToLower(name)
	for _, end := range []string{"password", "secret", "passphrase", "privatekey", "apikey", "token"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// headers tells whether an object maps header fields to values.
func headers(pattern string) bool {
	_, last, _ := cutLast(pattern)
	return last == "set" || last == "add" || last == "headers"
}

func credentialHeader(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key":
		return true
	}
	return credential(strings.ReplaceAll(name, "-", ""))
}

// hidden stands for a secret inside a value.
const hidden = `"***"`

// shown is a value as JSON without its secrets; nil where it is one.
func (v *value) shown() json.RawMessage {
	if v == nil || v.secret {
		return nil
	}
	if !v.hides {
		var b bytes.Buffer
		if json.Compact(&b, v.raw) != nil {
			return nil
		}
		return b.Bytes()
	}
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes()
}

func (v *value) write(b *bytes.Buffer) {
	switch {
	case v.secret:
		b.WriteString(hidden)
	case !v.hides:
		b.Write(v.shown())
	default: // only what has items can hold one
		open, end := byte('['), byte(']')
		if v.kind == strictjson.Object {
			open, end = '{', '}'
		}
		b.WriteByte(open)
		for i, item := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if v.kind == strictjson.Object {
				name, _ := json.Marshal(v.names[i]) // a string always has a JSON form
				b.Write(name)
				b.WriteByte(':')
			}
			item.write(b)
		}
		b.WriteByte(end)
	}
}
