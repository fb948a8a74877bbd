// Package sealing keeps the private parts of material: a plain value that somebody
// sends is sealed before its text becomes a content, and one that is left out of a
// change stays as it is.
package sealing

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// CodeSealed is of a sealed value that does not belong to its object, or cannot be
// opened any more.
const CodeSealed fault.Code = "material.sealed_invalid"

// Keys seal and open; trust.Keys.
type Keys interface {
	Seal(domain string, plain []byte) ([]byte, error)
	Open(domain string, sealed []byte) ([]byte, error)
}

// Box seals with the keys of an installation. Safe for concurrent use.
type Box struct {
	keys Keys
	now  func() time.Time
}

// New makes a box. now stamps when a value was set.
func New(k Keys, now func() time.Time) *Box { return &Box{k, now} }

// Settled is a text whose private part is settled.
type Settled struct {
	Text  []byte // as it is to be stored: the private part sealed, and last
	Plain []byte // the private part; nil where there is none
}

// Settle makes the text of an object as it is to be stored from one that was read
// without problems. stored is the text before, nil for a creation. A plain value
// that equals the stored one leaves that as it is, so that the same text again
// changes nothing. A sealed value is taken if it was sealed for this object. The
// problems say nothing of values; with one the text is without the private part.
func (b *Box) Settle(kind, org, id string, stored, text []byte) (Settled, []fault.Problem) {
	member := material.Private(kind)
	bare := Settled{Text: material.Show(kind, text)}
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(text, &sent); err != nil {
		return bare, problem(member, "the text cannot be read")
	}
	raw, there := sent[member]
	value := new(material.Value)
	if err := json.Unmarshal(raw, value); there && err != nil {
		return bare, problem(member, "the value cannot be read")
	}
	before, known := b.stored(kind, org, id, stored)
	switch {
	case !there && before == nil, there && value.IsNull():
		return bare, nil
	case !there && known == nil:
		return bare, problem(member, "the value before cannot be opened with the sealing key of this dashboard; send the value again")
	case !there, known != nil && !value.IsSealed() && value.Plain() == string(known):
		return b.put(member, bare, before, known)
	}
	domain := material.Domain(org, kind, id)
	if value.IsSealed() {
		plain, err := b.keys.Open(domain, value.Sealed)
		if err != nil {
			return bare, problem(member, "this was sealed for another object or with another key; send the plain value, or leave it out to keep the one before")
		}
		return b.put(member, bare, value, plain)
	}
	plain := []byte(value.Plain())
	sealed, err := b.keys.Seal(domain, plain)
	if err != nil {
		return bare, problem(member, "the value cannot be sealed: "+err.Error())
	}
	return b.put(member, bare, &material.Value{Sealed: sealed, SetAt: b.now()}, plain)
}

// stored is the value of a stored text with what is in it, nil where it cannot be
// opened.
func (b *Box) stored(kind, org, id string, text []byte) (*material.Value, []byte) {
	var had map[string]json.RawMessage
	v := new(material.Value)
	if json.Unmarshal(text, &had) != nil || json.Unmarshal(had[material.Private(kind)], v) != nil || !v.IsSealed() {
		return nil, nil
	}
	plain, err := b.keys.Open(material.Domain(org, kind, id), v.Sealed)
	if err != nil {
		return v, nil
	}
	return v, plain
}

func (b *Box) put(member string, bare Settled, v *material.Value, plain []byte) (Settled, []fault.Problem) {
	raw, err := json.Marshal(v)
	if err == nil {
		var text []byte
		if text, err = strictjson.MergePatch(bare.Text, fmt.Appendf(nil, `{%q:%s}`, member, raw)); err == nil {
			return Settled{text, plain}, nil
		}
	}
	return bare, problem(member, "the value cannot be put into the text")
}

// Reseal opens the private part of a stored text with old and seals it with the
// box's keys; nothing else changes. A text without one is returned as it is. Errors:
// trust.ErrSealed.
func (b *Box) Reseal(old Keys, kind, org, id string, text []byte) ([]byte, error) {
	v, plain := New(old, b.now).stored(kind, org, id, text)
	if v == nil {
		return text, nil
	}
	domain := material.Domain(org, kind, id)
	if plain == nil {
		_, err := old.Open(domain, v.Sealed)
		return nil, fmt.Errorf("opening the private part of %s %s: %w", kind, id, err)
	}
	sealed, err := b.keys.Seal(domain, plain)
	if err != nil {
		return nil, fmt.Errorf("sealing the private part of %s %s: %w", kind, id, err)
	}
	raw, err := json.Marshal(material.Value{Sealed: sealed, SetAt: v.SetAt})
	if err != nil {
		return nil, fmt.Errorf("writing the private part of %s %s: %w", kind, id, err)
	}
	return strictjson.MergePatch(text, fmt.Appendf(nil, `{%q:%s}`, material.Private(kind), raw))
}

func problem(member, says string) []fault.Problem {
	return []fault.Problem{{Code: CodeSealed, Path: "/" + member, Message: says, Severity: fault.Error}}
}
