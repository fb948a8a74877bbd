package material

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Value is a private part: plain as somebody wrote it, or sealed as it is stored.
// In JSON the plain one is a string, and the sealed one {"sealed":"…","setAt":"…"}.
// It is marshalled sealed only, and prints as ***.
type Value struct {
	// Sealed is what trust.Keys.Seal made of the value in the object's Domain.
	Sealed []byte
	// SetAt is when the value was set, UTC, to the second.
	SetAt time.Time

	plain string
}

// NewValue makes a plain value.
func NewValue(plain string) *Value { return &Value{plain: plain} }

// Plain is the value as it was written, "" where it is sealed.
func (v *Value) Plain() string { return v.plain }

// IsSealed tells a stored value from a plain one.
func (v *Value) IsSealed() bool { return len(v.Sealed) > 0 }

// IsNull tells of a value that was written as null.
func (v *Value) IsNull() bool { return !v.IsSealed() && v.plain == "" }

// String hides the value.
func (v Value) String() string { return "***" }

// GoString hides the value from %#v.
func (v Value) GoString() string { return "***" }

// sealed is the JSON of a stored value.
type sealed struct {
	Sealed string    `json:"sealed"`
	SetAt  time.Time `json:"setAt"`
}

var (
	errValue                  = errors.New("this must be a text that is not empty")
	errPlain                  = errors.New("a plain value is never written down; seal it first")
	_        json.Marshaler   = Value{}
	_        json.Unmarshaler = (*Value)(nil)
)

// MarshalJSON writes a sealed value. A plain one is an error.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.IsSealed() {
		return nil, errPlain
	}
	return json.Marshal(sealed{base64.StdEncoding.EncodeToString(v.Sealed), v.SetAt.UTC().Truncate(time.Second)})
}

// UnmarshalJSON reads both forms. Its errors say nothing of what was read.
func (v *Value) UnmarshalJSON(text []byte) error {
	*v = Value{}
	if string(text) == "null" {
		return nil
	}
	if len(text) > 0 && text[0] == '"' {
		if json.Unmarshal(text, &v.plain) != nil || v.plain == "" {
			return errValue
		}
		return nil
	}
	var s sealed
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || s.Sealed == "" {
		return errValue
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s.Sealed)
	if err != nil || len(b) == 0 {
		return errValue
	}
	v.Sealed, v.SetAt = b, s.SetAt
	return nil
}

// Domain is what the private part of an object is sealed for: it cannot be opened
// as that of another object.
func Domain(org, kind, id string) string {
	return "material\x00" + org + "\x00" + kind + "\x00" + id
}

// Private is the member of a kind that holds its private part, "" for kinds
// without.
func Private(kind string) string {
	switch kind {
	case KindSecret:
		return "value"
	case KindCertificate:
		return "key"
	}
	return ""
}

// Show returns a text of a kind as people may see it: without the private part.
// Everything else keeps its bytes. A text that cannot be read is nothing.
func Show(kind string, text []byte) []byte {
	member := Private(kind)
	if member == "" || len(text) == 0 {
		return text
	}
	shown, err := strictjson.MergePatch(text, []byte(`{"`+member+`":null}`))
	if err != nil {
		return nil
	}
	return shown
}
