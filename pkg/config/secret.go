package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a string that prints as *** wherever it goes: fmt, log/slog, JSON,
// YAML. In a configuration it may hold ${file:PATH}, replaced by the content of
// the file without the line end at its end, and ${env:NAME}, replaced by the
// variable of the environment.
type Secret string

// mask is what a secret prints as.
const mask = "***"

// Value is the secret itself.
func (s Secret) Value() string { return string(s) }

// String is *** or, if there is no secret, empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString masks %#v.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// Format masks every verb, also those that do not fit.
func (s Secret) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'q':
		fmt.Fprintf(f, "%q", s.String())
	case verb == 'v' && f.Flag('#'):
		fmt.Fprint(f, s.GoString())
	default:
		fmt.Fprint(f, s.String())
	}
}

// MarshalText masks JSON and everything else that asks for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML masks YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue masks a log's attribute.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// resolve replaces the references in s.
func (s Secret) resolve(env func(name string) (string, bool)) (Secret, *KeyError) {
	rest, out := string(s), strings.Builder{}
	for {
		start := nextReference(rest)
		if start < 0 {
			out.WriteString(rest)
			return Secret(out.String()), nil
		}
		out.WriteString(rest[:start])
		ref, tail, closed := strings.Cut(rest[start+len("${"):], "}")
		if !closed {
			return "", &KeyError{Problem: "a reference has no closing brace", Mend: "write ${file:PATH} or ${env:NAME}"}
		}
		kind, name, _ := strings.Cut(ref, ":")
		switch kind {
		case "file":
			b, err := os.ReadFile(name)
			if err != nil {
				return "", &KeyError{
					Problem: fmt.Sprintf("the secret's file cannot be read: %v", err),
					Mend:    "make the file readable for the service's user, or correct the path in ${file:PATH}",
				}
			}
			out.WriteString(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
		case "env":
			v, ok := env(name)
			if !ok {
				return "", &KeyError{
					Problem: fmt.Sprintf("the environment has no variable %s", name),
					Mend:    "set it for the service, or correct the name in ${env:NAME}",
				}
			}
			out.WriteString(v)
		}
		rest = tail
	}
}

// nextReference is the position of the next reference, or -1. Any other "${" is
// a part of the secret.
func nextReference(s string) int {
	f, e := strings.Index(s, "${file:"), strings.Index(s, "${env:")
	if f < 0 || (e >= 0 && e < f) {
		return e
	}
	return f
}
