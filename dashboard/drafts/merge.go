package drafts

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// maxPaths bounds the paths that an answer lists.
const maxPaths = 200

// merged is the outcome of a three-way merge.
type merged struct {
	text      []byte   // without conflicts: theirs with the changes of mine in it
	mine      []string // what mine changed, as JSON pointers (RFC 6901)
	theirs    []string
	conflicts []string // what both changed, each in another way
}

// threeWay puts what mine changed of base into theirs. All three are JSON objects.
// Changes are told apart by members of objects, and by the items of arrays that are
// of one length in all three; an item counts as a whole, since nothing says that
// the parts of two items at one place belong together. Other arrays count as a
// whole too. ok is false when one of the texts is no JSON.
func threeWay(base, mine, theirs []byte) (m merged, ok bool) {
	var trees [3]*tree
	for i, text := range [][]byte{base, mine, theirs} {
		if trees[i] = grow(text); trees[i] == nil {
			return m, false
		}
	}
	b, x, y := trees[0], trees[1], trees[2]
	m.mine, m.theirs = changed(nil, "", b, x), changed(nil, "", b, y)
	plain, _ := m.value("", b, x, y)
	if len(m.conflicts) > 0 {
		return m, true
	}
	m.text = into(theirs, plain)
	return m, true
}

// into writes target into text so that what is equal keeps its bytes.
func into(text, target []byte) []byte {
	was, is := grow(text), grow(target)
	if was == nil || is == nil {
		return target
	}
	kept, err := strictjson.MergePatch(text, patchTo(was, is))
	if err != nil || !strictjson.Equal(kept, target) { // a patch cannot say that a member is null
		return target
	}
	return kept
}

// patchTo is the merge patch (RFC 7396) that leads from y to x.
func patchTo(y, x *tree) []byte {
	if !allObjects(y, x) || same(y, x) {
		return x.raw()
	}
	var members [][]byte
	for _, name := range y.names() {
		if x.member(name) == nil {
			members = append(members, append(y.member(name).name(), "null"...))
		}
	}
	for _, name := range x.names() {
		members = append(members, append(x.member(name).name(), patchTo(y.member(name), x.member(name))...))
	}
	return object(members)
}

// value merges one value; present is false where there is none in the end.
func (m *merged) value(path string, b, x, y *tree) (text []byte, present bool) {
	switch {
	case same(x, b), same(x, y):
		return y.raw(), y != nil
	case same(y, b):
		return x.raw(), x != nil
	case allObjects(b, x, y):
		return m.members(path, b, x, y), true
	case allArrays(b, x, y):
		return m.items(path, b, x, y), true
	}
	m.clash(path)
	return y.raw(), y != nil
}

func (m *merged) clash(path string) {
	if len(m.conflicts) < maxPaths {
		m.conflicts = append(m.conflicts, path)
	}
}

// members merges objects. What both removed is not among the names, and needs
// nothing.
func (m *merged) members(path string, b, x, y *tree) []byte {
	order := y.names()
	for _, name := range x.names() {
		if y.member(name) == nil {
			order = append(order, name)
		}
	}
	var out [][]byte
	for _, name := range order {
		text, present := m.value(path+"/"+strictjson.Escape(name), b.member(name), x.member(name), y.member(name))
		if !present {
			continue
		}
		from := y.member(name)
		if from == nil {
			from = x.member(name)
		}
		out = append(out, append(from.name(), text...))
	}
	return object(out)
}

func (m *merged) items(path string, b, x, y *tree) []byte {
	var items [][]byte
	for i := range b.items {
		bi, xi, yi := b.items[i], x.items[i], y.items[i]
		text := yi.raw()
		switch {
		case same(xi, bi), same(xi, yi):
		case same(yi, bi):
			text = xi.raw()
		default:
			m.clash(path + "/" + strconv.Itoa(i))
		}
		items = append(items, text)
	}
	return slices.Concat([]byte("["), bytes.Join(items, []byte(",")), []byte("]"))
}

// changed lists what differs between b and x, by the rules of threeWay.
func changed(list []string, path string, b, x *tree) []string {
	switch {
	case len(list) >= maxPaths || same(b, x):
		return list
	case allObjects(b, x):
		for _, name := range b.names() {
			list = changed(list, path+"/"+strictjson.Escape(name), b.member(name), x.member(name))
		}
		for _, name := range x.names() {
			if b.member(name) == nil && len(list) < maxPaths {
				list = append(list, path+"/"+strictjson.Escape(name))
			}
		}
		return list
	case allArrays(b, x):
		for i := range b.items {
			if !same(b.items[i], x.items[i]) && len(list) < maxPaths {
				list = append(list, path+"/"+strconv.Itoa(i))
			}
		}
		return list
	}
	return append(list, path)
}

func object(members [][]byte) []byte {
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}"))
}
