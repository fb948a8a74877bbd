package strictjson

import (
	"bytes"
	"encoding/json"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// MergePatch applies an RFC 7396 merge patch to a document and returns the new
// text. Members keep their order, new ones come last, and every byte that the
// patch does not concern stays as it is: white space, escapes and the spelling
// of numbers included. A member that the patch sets to an equal value counts as
// not concerned. Neither text may hold a member twice; such a text, or one that
// is not JSON, is a fault with the code "patch.invalid" or "document.invalid".
func MergePatch(text, patch []byte) ([]byte, error) {
	target, problems := Parse(text, Options{})
	if len(problems) > 0 {
		return nil, &fault.Fault{
			Kind: fault.Invalid, Code: "document.invalid",
			Message: "the document that the patch applies to is not valid JSON", Problems: problems,
		}
	}
	change, problems := Parse(patch, Options{})
	if len(problems) > 0 {
		return nil, &fault.Fault{
			Kind: fault.Invalid, Code: "patch.invalid",
			Message: "the merge patch is not valid JSON", Problems: problems,
		}
	}
	m := merger{text: text, patch: patch}
	m.out.Grow(len(text) + len(patch))
	m.out.Write(text[:target.Start])
	m.merge(target, change)
	m.out.Write(text[target.End:])
	return m.out.Bytes(), nil
}

type merger struct {
	text, patch []byte
	out         bytes.Buffer
}

func (m *merger) merge(target, change *Node) {
	switch {
	case change.Kind != Object:
		if equal(m.text, target, m.patch, change) {
			m.out.Write(target.Raw(m.text))
		} else {
			m.out.Write(change.Raw(m.patch))
		}
	case target.Kind != Object:
		m.fresh(change)
	default:
		m.object(target, change)
	}
}

// fresh writes a patch object where there was no object: itself without nulls.
func (m *merger) fresh(change *Node) {
	if change.Kind != Object {
		m.out.Write(change.Raw(m.patch))
		return
	}
	m.out.WriteByte('{')
	first := true
	for i := range change.Children {
		c := &change.Children[i]
		if c.Kind == Null {
			continue
		}
		if !first {
			m.out.WriteByte(',')
		}
		first = false
		m.out.Write(m.patch[c.NameStart:c.NameEnd])
		m.out.WriteByte(':')
		m.fresh(c)
	}
	m.out.WriteByte('}')
}

// object writes target's members with the changes in place, in target's layout.
func (m *merger) object(target, change *Node) {
	changes := make(map[string]*Node, len(change.Children))
	for i := range change.Children {
		changes[change.Children[i].Name] = &change.Children[i]
	}
	l := layoutOf(m.text, target)
	written := 0
	for i := range target.Children {
		c := &target.Children[i]
		p, changed := changes[c.Name]
		delete(changes, c.Name)
		if changed && p.Kind == Null {
			continue
		}
		if written == 0 {
			m.out.Write(l.lead)
		} else {
			m.out.Write(m.text[target.Children[i-1].End:c.NameStart])
		}
		written++
		m.out.Write(m.text[c.NameStart:c.Start])
		if changed {
			m.merge(c, p)
		} else {
			m.out.Write(c.Raw(m.text))
		}
	}
	for i := range change.Children {
		p := &change.Children[i]
		if _, added := changes[p.Name]; !added || p.Kind == Null {
			continue
		}
		if written == 0 {
			m.out.Write(l.lead)
		} else {
			m.out.Write(l.separator)
		}
		written++
		m.out.Write(m.patch[p.NameStart:p.NameEnd])
		m.out.Write(l.colon)
		m.fresh(p)
	}
	if written == 0 && len(target.Children) > 0 {
		m.out.WriteString("{}")
		return
	}
	if written == 0 {
		m.out.Write(target.Raw(m.text))
		return
	}
	m.out.Write(l.tail)
}

// layout is how an object spaces its members.
type layout struct{ lead, separator, colon, tail []byte }

func layoutOf(text []byte, n *Node) layout {
	last := len(n.Children) - 1
	if last < 0 {
		return layout{[]byte("{"), []byte(","), []byte(":"), []byte("}")}
	}
	first := &n.Children[0]
	l := layout{
		lead:  text[n.Start:first.NameStart],
		colon: text[first.NameEnd:first.Start],
		tail:  text[n.Children[last].End:n.End],
	}
	if last > 0 {
		l.separator = text[n.Children[last-1].End:n.Children[last].NameStart]
	} else {
		l.separator = append([]byte{','}, l.lead[1:]...)
	}
	return l
}

// equal tells whether two values mean the same; numbers only when spelled alike.
func equal(at []byte, a *Node, bt []byte, b *Node) bool {
	if a.Kind != b.Kind || len(a.Children) != len(b.Children) {
		return false
	}
	switch a.Kind {
	case String:
		return a.Text(at) == b.Text(bt)
	case Array:
		for i := range a.Children {
			if !equal(at, &a.Children[i], bt, &b.Children[i]) {
				return false
			}
		}
		return true
	case Object:
		members := make(map[string]*Node, len(b.Children))
		for i := range b.Children {
			members[b.Children[i].Name] = &b.Children[i]
		}
		for i := range a.Children {
			other := members[a.Children[i].Name]
			if other == nil || !equal(at, &a.Children[i], bt, other) {
				return false
			}
		}
		return true
	}
	return bytes.Equal(a.Raw(at), b.Raw(bt))
}

// Equal tells whether two documents mean the same, white space, the order of
// members and escapes aside. A text that is not JSON equals nothing.
func Equal(a, b []byte) bool {
	x, bad := Parse(a, Options{})
	y, worse := Parse(b, Options{})
	return len(bad)+len(worse) == 0 && equal(a, x, b, y)
}

// Valid tells whether text is one JSON document by this package's rules.
func Valid(text json.RawMessage) bool {
	_, problems := Parse(text, Options{})
	return len(problems) == 0
}
