package diff

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// value is a part of a document by what it means. Two values mean the same when
// their sums are the same.
type value struct {
	kind     strictjson.Kind
	raw      []byte // as it stands in its document
	text     string // of a scalar: what it means
	unit     string // of a scalar: how its text was read
	names    []string
	items    []*value // of an array, or of the names
	by       map[string]*value
	list     trait
	sum      [sha256.Size]byte
	fallback []byte // its default as JSON; nil where it has none
	secret   bool   // never shown
	hides    bool   // holds something that is never shown, or is it
	all      int    // of the member max where connections' idle depends on it
}

func (v *value) member(name string) *value { return v.by[name] }

// absent is the value of a member that v leaves out: its default, or nil where it
// has none. other is what the other document has there.
func (v *value) absent(name string, other *value) *value {
	fallback := other.fallback
	if other.list.empty && other.kind == strictjson.Object {
		fallback = []byte("{}")
	}
	if name == idleName && v.list.idle {
		fallback = []byte(strconv.Itoa(v.idle()))
	}
	node, problems := strictjson.Parse(fallback, strictjson.Options{})
	if len(problems) > 0 {
		return nil
	}
	d := &value{kind: node.Kind, raw: fallback, fallback: fallback, list: other.list}
	d.text, d.unit = scalar(fallback, node, other.unit)
	d.seal(node)
	return d
}

// builder makes the values of one document.
type builder struct {
	rules *Rules
	kind  string
	text  []byte
}

func (b *builder) root() *schema {
	switch b.kind {
	case kindAPI:
		return b.rules.api
	case kindPolicy:
		return b.rules.policy
	}
	return nil
}

// build makes the value of a node; pattern is its pointer with "*" for indexes.
func (b *builder) build(n *strictjson.Node, s *schema, pattern string) *value {
	s = s.resolve()
	v := &value{kind: n.Kind, raw: n.Raw(b.text), list: b.trait(pattern)}
	switch n.Kind {
	case strictjson.Object:
		b.object(v, n, s, pattern)
	case strictjson.Array:
		for i := range n.Children {
			v.items = append(v.items, b.build(&n.Children[i], s.item(), pattern+"/*"))
		}
		if v.list.every && slices.ContainsFunc(v.items, func(i *value) bool { return i.text == "*" }) {
			v.items = nil // as if it were left out
		}
	default:
		v.text, v.unit = scalar(b.text, n, s.format())
	}
	v.secret = b.isSecret(n, pattern)
	v.hides = v.secret || slices.ContainsFunc(v.items, func(i *value) bool { return i.hides })
	v.seal(n)
	return v
}

// object takes the members but those that say what leaving them out says too.
func (b *builder) object(v *value, n *strictjson.Node, s *schema, pattern string) {
	v.by = make(map[string]*value, len(n.Children))
	if v.list.idle {
		if m := n.Member("max"); m != nil {
			v.all, _ = strconv.Atoi(string(m.Raw(b.text)))
		}
	}
	for i := range n.Children {
		name := n.Children[i].Name
		of := b.rules.below(b.kind, s, pattern, name)
		m := b.build(&n.Children[i], of, step(pattern, name))
		m.defaultOf(v, name, of.resolve())
		if m.means(of.resolve()) {
			continue
		}
		v.names, v.items, v.by[name] = append(v.names, name), append(v.items, m), m
	}
}

// idleName is the member whose default depends on another one.
const idleName = "idle"

// idle is the default of connections' idle; see apidef.Connections.
func (v *value) idle() int { return apidef.Connections{Max: v.all}.WithDefaults().Idle }

func (v *value) defaultOf(parent *value, name string, s *schema) {
	if s != nil {
		v.fallback = s.Default
	}
	if parent.list.idle && name == idleName {
		v.fallback = []byte(strconv.Itoa(parent.idle()))
	}
}

// means tells whether the value says what leaving it out says too.
func (v *value) means(s *schema) bool {
	if v.list.empty && len(v.items) == 0 && (v.kind == strictjson.Array || v.kind == strictjson.Object) {
		return true
	}
	if v.fallback == nil {
		return false
	}
	n, problems := strictjson.Parse(v.fallback, strictjson.Options{})
	if len(problems) > 0 || n.Kind != v.kind || n.Kind == strictjson.Array || n.Kind == strictjson.Object {
		return false
	}
	text, unit := scalar(v.fallback, n, s.format())
	return text == v.text && unit == v.unit
}

// seal computes the sum.
func (v *value) seal(n *strictjson.Node) {
	h := sha256.New()
	h.Write([]byte{byte(n.Kind)})
	switch n.Kind {
	case strictjson.Object:
		order := make([]int, len(v.names))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(x, y int) int { return strings.Compare(v.names[x], v.names[y]) })
		for _, i := range order {
			name := sha256.Sum256([]byte(v.names[i]))
			h.Write(name[:])
			h.Write(v.items[i].sum[:])
		}
	case strictjson.Array:
		items := slices.Clone(v.items)
		if v.list.set {
			slices.SortFunc(items, func(x, y *value) int { return cmp.Compare(string(x.sum[:]), string(y.sum[:])) })
		}
		for _, i := range items {
			h.Write(i.sum[:])
		}
	default:
		h.Write([]byte(v.unit + "\x00" + v.text))
	}
	h.Sum(v.sum[:0])
}

// scalar is what a scalar means, the same for every spelling of it, and the format
// by which it was read, if any.
func scalar(text []byte, n *strictjson.Node, format string) (meaning, unit string) {
	switch n.Kind {
	case strictjson.String:
		s := n.Text(text)
		switch format {
		case formatDuration:
			if d, err := apidef.ParseDuration(s); err == nil {
				return strconv.FormatInt(int64(d), 10), format
			}
		case formatSize:
			if z, err := apidef.ParseSize(s); err == nil {
				return strconv.FormatInt(int64(z), 10), format
			}
		}
		return s, ""
	case strictjson.Number:
		return number(string(n.Raw(text))), ""
	}
	return string(n.Raw(text)), ""
}

// number spells a JSON number (RFC 8259, 6) in one way: its digits without zeros at
// the ends, and the power of ten of the last one.
func number(raw string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(raw), "e")
	power := 0
	if exponent != "" {
		p, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
		if err != nil || p > 1<<30 || p < -1<<30 {
			return raw
		}
		power = p
	}
	sign := ""
	if rest, negative := strings.CutPrefix(mantissa, "-"); negative {
		sign, mantissa = "-", rest
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	power -= len(fraction)
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	return sign + short + "e" + strconv.Itoa(power+len(digits)-len(short))
}
