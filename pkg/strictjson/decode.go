package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Options of reading. The zero value is the strictest.
type Options struct {
	// MaxSize is the most bytes of a document. Default: DefaultMaxSize.
	MaxSize int
	// MaxDepth is the deepest nesting of objects and arrays. Default: DefaultMaxDepth.
	MaxDepth int
	// Extensions accepts members whose name starts with "x-" in every object and
	// ignores them. Default: false.
	Extensions bool
	// NullAbsent reads a member whose value is null as if it were not there.
	// Default: false, null is refused where the type has no null.
	NullAbsent bool
	// Planned tells of an unknown member whether the language has it although
	// nothing reads it yet; such a member is refused with CodeNotAvailable. The
	// pattern is a JSON pointer with "*" for each item of an array and each key of
	// a map, such as "/upstream/targets/*/backup". Default: nothing is planned.
	Planned func(pattern string) bool
}

func (o Options) withDefaults() Options {
	if o.MaxSize <= 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	return o
}

// Decode reads a document into a new T by its json tags. Names are compared
// exactly, upper and lower case included. A type with UnmarshalJSON or
// UnmarshalText reads itself. With problems the value is nil.
func Decode[T any](text []byte, o Options) (*T, []fault.Problem) {
	root, problems := Parse(text, o)
	if len(problems) > 0 {
		return nil, problems
	}
	v := new(T)
	d := &decoder{text: text, o: o, fields: map[reflect.Type][]field{}}
	d.value(root, reflect.ValueOf(v).Elem())
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return v, nil
}

type decoder struct {
	text     []byte
	o        Options
	path     path
	free     []bool // per step of path: whether a map's key or an item, "*" in patterns
	fields   map[reflect.Type][]field
	problems []fault.Problem
}

func (d *decoder) add(p fault.Problem) {
	if len(d.problems) < maxProblems {
		p.Path, p.Severity = d.path.pointer(), fault.Error
		d.problems = append(d.problems, p)
	}
}

func (d *decoder) enter(name string, index int, free bool) {
	d.path.push(name, index)
	d.free = append(d.free, free)
}

func (d *decoder) leave() {
	d.path.pop()
	d.free = d.free[:len(d.free)-1]
}

func (d *decoder) pattern() string {
	var b strings.Builder
	for i, s := range d.path {
		b.WriteByte('/')
		if d.free[i] {
			b.WriteByte('*')
		} else {
			b.WriteString(Escape(s.name))
		}
	}
	return b.String()
}

func (d *decoder) wrongType(n *Node, expected string) {
	d.add(fault.Problem{
		Code: CodeType, Message: fmt.Sprintf("this must be %s, not %s", expected, n.Kind),
		Params: map[string]any{"expected": expected, "got": n.Kind.String()},
	})
}

func (d *decoder) value(n *Node, v reflect.Value) {
	t := v.Type()
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		v.SetBytes(slices.Clone(n.Raw(d.text)))
		return
	case t == reflect.TypeFor[time.Time]():
		d.instant(n, v)
		return
	case n.Kind == Null && (t.Kind() == reflect.Interface || d.o.NullAbsent):
		return
	case t.Kind() == reflect.Pointer:
		fresh := reflect.New(t.Elem())
		d.value(n, fresh.Elem())
		v.Set(fresh)
		return
	case d.custom(n, v):
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		d.object(n, v)
	case reflect.Map:
		d.dictionary(n, v)
	case reflect.Slice:
		d.list(n, v)
	case reflect.Interface:
		if err := json.Unmarshal(n.Raw(d.text), v.Addr().Interface()); err != nil {
			d.add(fault.Problem{Code: CodeValue, Message: err.Error()})
		}
	default:
		d.scalar(n, v)
	}
}

// custom lets a type with its own reading read itself.
func (d *decoder) custom(n *Node, v reflect.Value) bool {
	var err error
	switch u := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		err = u.UnmarshalJSON(n.Raw(d.text))
	case encoding.TextUnmarshaler:
		if n.Kind != String {
			d.wrongType(n, String.String())
			return true
		}
		err = u.UnmarshalText([]byte(n.Text(d.text)))
	default:
		return false
	}
	if err != nil {
		d.add(fault.Problem{Code: CodeValue, Message: err.Error()})
	}
	return true
}

func (d *decoder) instant(n *Node, v reflect.Value) {
	if n.Kind == Null && d.o.NullAbsent {
		return
	}
	if n.Kind == String {
		if at, err := time.Parse(time.RFC3339, n.Text(d.text)); err == nil {
			v.Set(reflect.ValueOf(at))
			return
		}
	}
	d.add(fault.Problem{Code: CodeValue, Message: `this must be an instant as in RFC 3339, such as "2026-12-01T00:00:00Z"`})
}

func (d *decoder) object(n *Node, v reflect.Value) {
	if n.Kind != Object {
		d.wrongType(n, Object.String())
		return
	}
	fields := d.fieldsOf(v.Type())
	for i := range n.Children {
		m := &n.Children[i]
		d.enter(m.Name, -1, false)
		if at := slices.IndexFunc(fields, func(f field) bool { return f.name == m.Name }); at >= 0 {
			d.value(m, v.FieldByIndex(fields[at].index))
		} else if !d.o.Extensions || !strings.HasPrefix(m.Name, "x-") {
			d.unknown(m.Name, fields)
		}
		d.leave()
	}
}

// listedNames is how many known names an error lists.
const listedNames = 12

func (d *decoder) unknown(name string, fields []field) {
	if d.o.Planned != nil && d.o.Planned(d.pattern()) {
		d.add(fault.Problem{
			Code: CodeNotAvailable, Params: map[string]any{"name": Brief(name)},
			Message: fmt.Sprintf("%q is not available yet; remove it, so that nobody relies on it", Brief(name)),
		})
		return
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	p := Unknown(name, known)
	if p.Fix == "" && !d.o.Extensions {
		p.Message = fmt.Sprintf("%q is not known here; remove it", Brief(name))
		if len(known) <= listedNames {
			p.Message += ", or take one of " + strings.Join(known, ", ")
		}
	}
	d.add(p)
}

// Unknown is the problem of a name that is not among the known ones; its path
// and severity are the caller's to set.
func Unknown(name string, known []string) fault.Problem {
	p := fault.Problem{Code: CodeUnknownField, Params: map[string]any{"name": Brief(name)}, Severity: fault.Error}
	if p.Fix = Nearest(name, known); p.Fix != "" {
		p.Message = fmt.Sprintf("%q is not known here; the nearest name is %q", Brief(name), p.Fix)
	} else {
		p.Message = fmt.Sprintf("%q is not known here; remove it or put it under an x-… name", Brief(name))
	}
	return p
}

func (d *decoder) dictionary(n *Node, v reflect.Value) {
	if n.Kind != Object {
		d.wrongType(n, Object.String())
		return
	}
	t := v.Type()
	out := reflect.MakeMapWithSize(t, len(n.Children))
	for i := range n.Children {
		m := &n.Children[i]
		d.enter(m.Name, -1, true)
		item := reflect.New(t.Elem()).Elem()
		d.value(m, item)
		out.SetMapIndex(reflect.ValueOf(m.Name).Convert(t.Key()), item)
		d.leave()
	}
	v.Set(out)
}

func (d *decoder) list(n *Node, v reflect.Value) {
	if n.Kind != Array {
		d.wrongType(n, Array.String())
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Children), len(n.Children))
	for i := range n.Children {
		d.enter("", i, true)
		d.value(&n.Children[i], out.Index(i))
		d.leave()
	}
	v.Set(out)
}

func (d *decoder) scalar(n *Node, v reflect.Value) {
	raw := string(n.Raw(d.text))
	switch k := v.Kind(); {
	case k == reflect.String:
		if n.Kind != String {
			d.wrongType(n, String.String())
			return
		}
		v.SetString(n.Text(d.text))
	case k == reflect.Bool:
		if n.Kind != Bool {
			d.wrongType(n, "true or false")
			return
		}
		v.SetBool(raw == "true")
	case n.Kind != Number:
		d.wrongType(n, Number.String())
	case v.CanInt():
		i, err := strconv.ParseInt(raw, 10, v.Type().Bits())
		d.number(err, raw)
		v.SetInt(i)
	case v.CanUint():
		i, err := strconv.ParseUint(raw, 10, v.Type().Bits())
		d.number(err, raw)
		v.SetUint(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(raw, v.Type().Bits())
		d.number(err, raw)
		v.SetFloat(f)
	default:
		d.add(fault.Problem{Code: CodeType, Message: "this program cannot read a " + v.Type().String()})
	}
}

func (d *decoder) number(err error, raw string) {
	if err == nil {
		return
	}
	p := fault.Problem{
		Code: CodeType, Message: fmt.Sprintf("%s is not a whole number", Brief(raw)),
		Params: map[string]any{"expected": "a whole number", "got": Brief(raw)},
	}
	if errors.Is(err, strconv.ErrRange) || !strings.ContainsAny(raw, ".eE") {
		p = fault.Problem{
			Code: CodeRange, Message: fmt.Sprintf("%s does not fit here", Brief(raw)),
			Params: map[string]any{"got": Brief(raw)},
		}
	}
	d.add(p)
}

type field struct {
	name  string
	index []int
}

// fieldsOf lists the members of a struct by its json tags, embedded ones included.
func (d *decoder) fieldsOf(t reflect.Type) []field {
	if fs, ok := d.fields[t]; ok {
		return fs
	}
	var fs []field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fs = append(fs, field{name, f.Index})
	}
	d.fields[t] = fs
	return fs
}
