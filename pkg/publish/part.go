package publish

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Item names one published text.
type Item struct {
	Org  string `json:"org"`
	Kind string `json:"kind"`
	ID   string `json:"id"`
	SHA  string `json:"sha256"` // hex SHA-256 of the text
}

// Check returns a fault with the code publish.item if a field is empty, too long
// or holds control characters, or if SHA is not 64 lower-case hex digits.
func (i Item) Check() error {
	if !validName(i.Org) || !validName(i.Kind) || !validName(i.ID) || !validSHA(i.SHA) {
		return fault.New(fault.Unprocessable, "publish.item",
			"the item %q/%q/%q with hash %q has an empty, long or unprintable field; rename it", i.Org, i.Kind, i.ID, i.SHA)
	}
	return nil
}

const maxName = 256

func validName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' })
}

func validSHA(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

type itemKey struct{ org, kind, id string }

func (i Item) key() itemKey { return itemKey{i.Org, i.Kind, i.ID} }

func compareItems(a, b Item) int {
	return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

// partOf is the part that an item belongs to: the first byte of the SHA-256 of
// its identity.
func partOf(k itemKey) int {
	sum := sha256.Sum256([]byte(k.org + "\n" + k.kind + "\n" + k.id))
	return int(sum[0])
}

// encodePart is the text of a part: a head line that binds it to its group and
// number, then one line per item in order. Without items it is nil.
func encodePart(group string, index int, items []Item) []byte {
	if len(items) == 0 {
		return nil
	}
	b := append([]byte(nil), partHead(group, index)...)
	for _, i := range items {
		b = append(b, i.Org...)
		b = append(b, '\t')
		b = append(b, i.Kind...)
		b = append(b, '\t')
		b = append(b, i.ID...)
		b = append(b, '\t')
		b = append(b, i.SHA...)
		b = append(b, '\n')
	}
	return b
}

func partHead(group string, index int) string {
	return fmt.Sprintf("sluice part 1\t%s\t%d\n", group, index)
}

// decodePart reads the text of a part strictly: exactly what encodePart makes,
// each item in the part that it belongs to, in order, none twice.
func decodePart(group string, index int, text []byte) ([]Item, error) {
	rest, ok := bytes.CutPrefix(text, []byte(partHead(group, index)))
	if !ok {
		return nil, fmt.Errorf("part %d of group %q has another head", index, group)
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("part %d of group %q is empty", index, group)
	}
	items := make([]Item, 0, bytes.Count(rest, []byte{'\n'}))
	for len(rest) > 0 {
		line, tail, ended := bytes.Cut(rest, []byte{'\n'})
		if !ended {
			return nil, fmt.Errorf("part %d of group %q ends inside a line", index, group)
		}
		rest = tail
		f := strings.Split(string(line), "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("part %d of group %q has a line of %d fields", index, group, len(f))
		}
		item := Item{Org: f[0], Kind: f[1], ID: f[2], SHA: f[3]}
		if err := item.Check(); err != nil {
			return nil, err
		}
		if partOf(item.key()) != index {
			return nil, fmt.Errorf("item %s/%s/%s does not belong to part %d", item.Org, item.Kind, item.ID, index)
		}
		if n := len(items); n > 0 && compareItems(items[n-1], item) >= 0 {
			return nil, fmt.Errorf("part %d of group %q is not sorted", index, group)
		}
		items = append(items, item)
	}
	return items, nil
}

func hexPart(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
