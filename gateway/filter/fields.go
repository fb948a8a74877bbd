package filter

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// FieldValue is one header field of a filter's options, ready for use.
type FieldValue struct {
	Name  string
	Value Value
}

// ParseFields compiles a map of header names to values with variables, sorted by
// name, so that equal options make equal messages. Problems are named by member.
func ParseFields(m map[string]string, d Direction) ([]FieldValue, error) {
	var ps Problems
	list := make([]FieldValue, 0, len(m))
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := Pointer(name)
		if err := CheckField(name, d); err != nil {
			ps.Add(at, err)
			continue
		}
		if first, twice := seen[strings.ToLower(name)]; twice {
			ps.Addf(at, "header.twice", "The header %q is there already as %q; keep one of them.", name, first)
			continue
		}
		seen[strings.ToLower(name)] = name
		v, err := ParseValue(m[name])
		ps.Add(at, err)
		list = append(list, FieldValue{Name: name, Value: v})
	}
	return list, ps.Err()
}

// Direction tells request fields from response fields.
type Direction bool

// The directions.
const (
	ToUpstream Direction = false
	ToClient   Direction = true
)

// CheckField refuses names that options may not touch: those that are no token,
// that frame the message or belong to one connection (RFC 9110, 7.6.1), and that
// the gateway must be the only one to write.
func CheckField(name string, d Direction) error {
	if !message.ValidName(name) || len(name) > 128 {
		return Problem("", "header.name", "%q is not the name of a header field.", name)
	}
	k := message.KnownName(name)
	switch {
	case k == message.Host && d == ToUpstream:
		return Problem("", "header.reserved", "Host is set by upstream.preserveHost, not as a header.")
	case k == message.Date && d == ToClient, k == message.Host, k == message.Expect:
		return Problem("", "header.reserved", "The header %s is the gateway's own.", name)
	case k.HopByHop(), k == message.ContentLength:
		return Problem("", "header.reserved", "The header %s belongs to the connection; the gateway writes it.", name)
	}
	return nil
}

// SetFields expands the values and replaces the fields of h.
func SetFields(x *Exchange, h *message.Header, list []FieldValue) error {
	for i := range list {
		v, err := list[i].Value.Expand(x)
		if err != nil {
			return err
		}
		h.Set(list[i].Name, v)
	}
	return nil
}
