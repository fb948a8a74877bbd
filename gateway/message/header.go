package message

import "iter"

// Field is one header field line. Name keeps the spelling it came with.
type Field struct {
	Name  string
	Value string // without surrounding white space (RFC 9110, 5.5)
	Known Known  // the interned name, Unknown for all others
	gone  bool
	whole bool // came from a wire that has checked it
}

// Header is an ordered list of field lines. Edits are cheap: a removed line is
// marked, a new one is appended. Names are compared without case. The zero value
// is an empty header. Not safe for concurrent use.
type Header struct {
	fields []Field
}

// Append adds a parsed line whose Known is already set. It is for wire packages,
// which have checked name and value.
func (h *Header) Append(f Field) {
	f.whole = true
	h.fields = append(h.fields, f)
}

// Writable tells whether the line may be written to a wire: it came from one, or
// its name and value are valid. A wire package asks it of every line, so that no
// template or claim can smuggle a line end into a head.
func (f *Field) Writable() bool {
	return f.whole || ValidName(f.Name) && ValidValue(f.Value)
}

// Reset empties the header and keeps its storage.
func (h *Header) Reset() { h.fields = h.fields[:0] }

// Len is the number of lines.
func (h *Header) Len() int {
	n := 0
	for i := range h.fields {
		if !h.fields[i].gone {
			n++
		}
	}
	return n
}

// Fields yields the lines in order. The pointer is valid until the next edit; lines
// are changed by Set, Add and Del, not through it.
func (h *Header) Fields() iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for i := range h.fields {
			if f := &h.fields[i]; !f.gone && !yield(f) {
				return
			}
		}
	}
}

// Get returns the first value of name, or "".
func (h *Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the first value of name and whether there is one.
func (h *Header) Lookup(name string) (string, bool) {
	k := KnownName(name)
	for i := range h.fields {
		if f := &h.fields[i]; f.is(k, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Known returns the first value of a well-known field, and whether there is one.
func (h *Header) Known(k Known) (string, bool) {
	for i := range h.fields {
		if f := &h.fields[i]; f.Known == k && !f.gone {
			return f.Value, true
		}
	}
	return "", false
}

// Values yields every value of name in order.
func (h *Header) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		k := KnownName(name)
		for i := range h.fields {
			if f := &h.fields[i]; f.is(k, name) && !yield(f.Value) {
				return
			}
		}
	}
}

// Count is the number of lines named name.
func (h *Header) Count(name string) int {
	n := 0
	for range h.Values(name) {
		n++
	}
	return n
}

// Add appends a line. The caller vouches for name (a token) and value (no CR,
// LF, NUL); ValidName and ValidValue check them.
func (h *Header) Add(name, value string) {
	h.fields = append(h.fields, Field{Name: name, Value: value, Known: KnownName(name)})
}

// Set replaces every line of that name by one at the place of the first.
func (h *Header) Set(name, value string) {
	k := KnownName(name)
	done := false
	for i := range h.fields {
		f := &h.fields[i]
		if !f.is(k, name) {
			continue
		}
		if done {
			f.gone = true
			continue
		}
		f.Name, f.Value, f.Known, f.whole, done = name, value, k, false, true
	}
	if !done {
		h.fields = append(h.fields, Field{Name: name, Value: value, Known: k})
	}
}

// Del removes every line of that name.
func (h *Header) Del(name string) {
	k := KnownName(name)
	for i := range h.fields {
		if f := &h.fields[i]; f.is(k, name) {
			f.gone = true
		}
	}
}

// CopyFrom makes h a copy of the lines of o. Values are not cloned.
func (h *Header) CopyFrom(o *Header) {
	h.fields = h.fields[:0]
	for f := range o.Fields() {
		h.fields = append(h.fields, *f)
	}
}

func (f *Field) is(k Known, name string) bool {
	if f.gone || f.Known != k {
		return false
	}
	return k != Unknown || EqualFold(f.Name, name)
}
