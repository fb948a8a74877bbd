package drafts

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// tree is one value of a document. Values that mean the same have the same sum, so
// that documents of many values are compared in one walk. A nil tree is no value.
type tree struct {
	text   []byte
	node   *strictjson.Node
	sum    [sha256.Size]byte
	items  []*tree          // of an array
	fields map[string]*tree // of an object
}

// grow reads a document; nil when it is no JSON.
func grow(text []byte) *tree {
	node, problems := strictjson.Parse(text, strictjson.Options{})
	if len(problems) > 0 {
		return nil
	}
	return branch(text, node)
}

func branch(text []byte, n *strictjson.Node) *tree {
	t := &tree{text: text, node: n}
	h := sha256.New()
	h.Write([]byte{byte(n.Kind)})
	switch n.Kind {
	case strictjson.Object:
		t.fields = make(map[string]*tree, len(n.Children))
		for i := range n.Children {
			t.fields[n.Children[i].Name] = branch(text, &n.Children[i])
		}
		for _, name := range slices.Sorted(maps.Keys(t.fields)) {
			part(h, []byte(name))
			part(h, t.fields[name].sum[:])
		}
	case strictjson.Array:
		for i := range n.Children {
			item := branch(text, &n.Children[i])
			t.items = append(t.items, item)
			part(h, item.sum[:])
		}
	case strictjson.String:
		part(h, []byte(n.Text(text)))
	default:
		part(h, n.Raw(text))
	}
	h.Sum(t.sum[:0])
	return t
}

// part writes bytes so that no others together look like them.
func part(h hash.Hash, b []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	h.Write(b)
}

// same tells whether two values mean the same: the order of members, white space
// and escapes aside; numbers as they are spelled.
func same(a, b *tree) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.sum == b.sum
}

// allObjects tells whether all are objects.
func allObjects(all ...*tree) bool {
	return !slices.ContainsFunc(all, func(t *tree) bool { return t == nil || t.node.Kind != strictjson.Object })
}

// allArrays tells whether all are arrays of one length.
func allArrays(all ...*tree) bool {
	return !slices.ContainsFunc(all, func(t *tree) bool {
		return t == nil || t.node.Kind != strictjson.Array || len(t.items) != len(all[0].items)
	})
}

// names are those of an object's members, in their order.
func (t *tree) names() []string {
	list := make([]string, 0, len(t.node.Children))
	for i := range t.node.Children {
		list = append(list, t.node.Children[i].Name)
	}
	return list
}

func (t *tree) member(name string) *tree { return t.fields[name] }

func (t *tree) raw() []byte {
	if t == nil {
		return nil
	}
	return t.node.Raw(t.text)
}

// name is the value's name as it is written, and the colon.
func (t *tree) name() []byte {
	return append(slices.Clone(t.text[t.node.NameStart:t.node.NameEnd]), ':')
}
