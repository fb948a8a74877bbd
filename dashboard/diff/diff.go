// Package diff says what changed between two documents of one object, by what they
// mean: white space, the order of members, the spelling of a duration and a default
// that is written out make no difference. It knows what identifies the items of a
// list, so that a target with another weight is changed, not removed and added.
//
// Read diff.go for the outcome, tree.go for what counts as equal, lists.go for
// lists, traits.go for what is known of each kind's documents, secret.go for what
// is never shown, and words.go for the sentences. The package is pure.
package diff

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Op is what happened to a value.
type Op string

// The operations.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
	Moved   Op = "moved" // an item of a list, which stands before or behind others now
)

// Difference is one step from a document to another. All of them together lead from
// the one to the other: in each list, what was removed goes and what was added or
// moved stands at its new place, the rest keeps its order around it.
type Difference struct {
	Op Op `json:"op"`
	// Path is a JSON pointer (RFC 6901) into the later document, of Removed into the
	// earlier one; "" is the whole document.
	Path string `json:"path"`
	// From is where a moved item stood in the earlier document.
	From string `json:"from,omitempty"`
	// Before and After are the values; absent where there is none, where the step is a
	// move, and where the value is secret. Secrets inside a value are replaced by "***".
	// A value that one document leaves out is its default, if it has one.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Code says what kind of step it is, such as "diff.changed"; a translation of it
	// needs Params.
	Code   string         `json:"code"`
	Params map[string]any `json:"params,omitempty"`
	// Message is an English sentence; long values are cut.
	Message string `json:"message"`
}

// Rules is what is known of the documents of all kinds. It is immutable; make one
// and keep it.
type Rules struct {
	api, policy *schema
	filters     map[string]*schema
}

// NewRules reads the schemas of this build. A document whose schema cannot be read
// is compared without its defaults.
func NewRules() *Rules {
	r := &Rules{}
	r.readSchemas()
	return r
}

// Texts compares two documents of an object of a kind: api, policy or another. nil
// is none: the object was created, or deleted. A text that is no JSON of the
// language (see strictjson.Parse) is one difference as a whole, without values.
func Texts(kind string, before, after []byte) []Difference {
	return NewRules().Texts(kind, before, after)
}

// Texts is as the function of that name.
func (r *Rules) Texts(kind string, before, after []byte) []Difference {
	w := &walker{}
	if before == nil && after == nil || before != nil && after != nil && bytes.Equal(before, after) {
		return nil
	}
	b, okBefore := r.tree(kind, before)
	a, okAfter := r.tree(kind, after)
	if !okBefore || !okAfter {
		w.unreadable(before, after)
		return w.out
	}
	w.compare(b, a, place{})
	return w.out
}

// tree reads a text; ok is also true of none.
func (r *Rules) tree(kind string, text []byte) (v *value, ok bool) {
	if text == nil {
		return nil, true
	}
	root, problems := strictjson.Parse(text, strictjson.Options{})
	if len(problems) > 0 {
		return nil, false
	}
	b := builder{rules: r, kind: kind, text: text}
	return b.build(root, b.root(), ""), true
}

// place is where a walker is in both documents.
type place struct {
	before, after string   // JSON pointers
	trail         []string // what people call the way there
}

func (p place) member(name string) place {
	token := "/" + strictjson.Escape(name)
	return place{p.before + token, p.after + token, p.step(words(name))}
}

// item is a place in a list; an index of -1 is none in that document.
func (p place) item(before, after int, called string) place {
	return place{p.before + "/" + strconv.Itoa(before), p.after + "/" + strconv.Itoa(after), p.step(called)}
}

func (p place) step(called string) []string {
	return append(p.trail[:len(p.trail):len(p.trail)], called)
}

// walker collects the differences of two trees.
type walker struct{ out []Difference }

func (w *walker) compare(b, a *value, at place) {
	switch {
	case b == nil && a == nil || b != nil && a != nil && b.sum == a.sum:
	case b == nil:
		w.add(Added, at, nil, a)
	case a == nil:
		w.add(Removed, at, b, nil)
	case b.secret || a.secret || b.kind != a.kind:
		w.add(Changed, at, b, a)
	case a.kind == strictjson.Object:
		w.members(b, a, at)
	case a.kind == strictjson.Array:
		w.lists(b, a, at)
	default:
		w.add(Changed, at, b, a)
	}
}

// members compares two objects in the order of the earlier one; new members last.
func (w *walker) members(b, a *value, at place) {
	for i, name := range b.names {
		other := a.member(name)
		here := b.items[i]
		if other == nil {
			other = a.absent(name, here)
		}
		w.compare(here, other, at.member(name))
	}
	for i, name := range a.names {
		if b.member(name) != nil {
			continue
		}
		w.compare(b.absent(name, a.items[i]), a.items[i], at.member(name))
	}
}
