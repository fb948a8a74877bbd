package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder turns texts and YAML nodes into values and gathers what is wrong.
type decoder struct {
	errs []*KeyError
}

func (d *decoder) fail(key, source, problem, mend string) {
	d.errs = append(d.errs, &KeyError{Key: key, Source: source, Problem: problem, Mend: mend})
}

// value sets v from what a layer holds: a text of the environment or a flag, or
// a node of the file.
func (d *decoder) value(v reflect.Value, key, source string, raw any) {
	switch raw := raw.(type) {
	case string:
		d.text(v, key, source, raw)
	case *yaml.Node:
		d.node(v, key, source, raw)
	}
}

// text reads one line: a scalar, a comma-separated list of scalars, or, for
// anything richer, YAML in flow style (so JSON too).
func (d *decoder) text(v reflect.Value, key, source, text string) {
	t := v.Type()
	switch {
	case scalar(t):
		d.scalar(v, key, source, text)
	case t.Kind() == reflect.Slice && scalar(t.Elem()):
		d.list(v, key, source, text)
	default:
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil || len(n.Content) != 1 {
			d.fail(key, source, "the value is not YAML or JSON on one line", `write it like [{name: "a"}], or set it in the file`)
			return
		}
		d.node(v, key, source, n.Content[0])
	}
}

func (d *decoder) list(v reflect.Value, key, source, text string) {
	list := reflect.MakeSlice(v.Type(), 0, 1)
	if strings.TrimSpace(text) != "" {
		for part := range strings.SplitSeq(text, ",") {
			e := reflect.New(v.Type().Elem()).Elem()
			d.scalar(e, key, source, strings.TrimSpace(part))
			list = reflect.Append(list, e)
		}
	}
	v.Set(list)
}

func (d *decoder) node(v reflect.Value, key, source string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	t := v.Type()
	switch {
	case null(n):
		// A key without a value is one that was not set.
	case scalar(t) || (n.Kind == yaml.ScalarNode && t.Kind() == reflect.Slice && scalar(t.Elem())):
		if n.Kind != yaml.ScalarNode {
			d.fail(key, source, "a single value is wanted here, not a "+kindName(n), "")
			return
		}
		d.text(v, key, source, n.Value)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(key, source, "a list is wanted here, not a "+kindName(n), "put a dash and a space before each element")
			return
		}
		list := reflect.MakeSlice(t, len(n.Content), len(n.Content))
		for i, c := range n.Content {
			d.node(list.Index(i), fmt.Sprintf("%s[%d]", key, i), at(source, c), c)
		}
		v.Set(list)
	case t.Kind() == reflect.Map:
		d.mapping(v, key, source, n)
	default:
		d.element(v, key, source, n)
	}
}

func (d *decoder) mapping(v reflect.Value, key, source string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.fail(key, source, "names with values are wanted here, not a "+kindName(n), "write name: value, one per line")
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, e := n.Content[i], reflect.New(v.Type().Elem()).Elem()
		name := reflect.ValueOf(k.Value).Convert(v.Type().Key())
		if m.MapIndex(name).IsValid() {
			d.fail(key+"."+k.Value, at(source, k), "it is set twice", "keep one of the two")
		}
		d.node(e, key+"."+k.Value, at(source, k), n.Content[i+1])
		m.SetMapIndex(name, e)
	}
	v.Set(m)
}

// element reads a struct inside a list or map.
func (d *decoder) element(v reflect.Value, key, source string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.fail(key, source, "names with values are wanted here, not a "+kindName(n), "write name: value, one per line")
		return
	}
	known := map[string]reflect.Value{}
	members(v, known)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		full := key + "." + k.Value
		f, ok := known[k.Value]
		if !ok {
			d.unknown(full, at(source, k), nearest(k.Value, known))
			continue
		}
		if !f.IsValid() {
			d.fail(full, at(source, k), "it is set twice", "keep one of the two")
			continue
		}
		known[k.Value] = reflect.Value{}
		d.node(f, full, at(source, k), n.Content[i+1])
	}
}

// members maps the names of a struct's settings to its fields.
func members(v reflect.Value, into map[string]reflect.Value) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, tagged := sf.Tag.Lookup("config")
		switch {
		case !sf.IsExported() || name == "-":
		case sf.Anonymous && !tagged:
			members(v.Field(i), into)
		default:
			into[name] = v.Field(i)
		}
	}
}

func (d *decoder) unknown(key, source, near string) {
	mend := "remove it"
	if near != "" {
		mend = fmt.Sprintf("did you mean %s?", near)
	}
	d.fail(key, source, "there is no such setting", mend)
}

func (d *decoder) scalar(v reflect.Value, key, source, text string) {
	bad := func(mend string) {
		problem := fmt.Sprintf("%q is not usable", text)
		if secret(v.Type()) {
			problem = "the value is not usable"
		}
		d.fail(key, source, problem, mend)
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		x, err := ParseDuration(text)
		if err != nil {
			d.fail(key, source, err.Error(), "")
			return
		}
		v.SetInt(int64(x))
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			d.fail(key, source, err.Error(), "")
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		x, err := strconv.ParseBool(text)
		if err != nil {
			bad("use true or false")
			return
		}
		v.SetBool(x)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			bad("use a number, such as 0.5")
			return
		}
		v.SetFloat(x)
	default:
		if !setInteger(v, text) {
			bad(fmt.Sprintf("use a whole number that fits %s", v.Kind()))
		}
	}
}

func setInteger(v reflect.Value, text string) bool {
	if v.CanUint() {
		x, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err == nil {
			v.SetUint(x)
		}
		return err == nil
	}
	x, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err == nil {
		v.SetInt(x)
	}
	return err == nil
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "list"
	case yaml.MappingNode:
		return "section"
	}
	return "single value"
}

// at is the source with the line of a node, where the source is a file.
func at(source string, n *yaml.Node) string {
	file, ok := strings.CutPrefix(source, "file ")
	if !ok || n.Line == 0 {
		return source
	}
	if i := strings.LastIndexByte(file, ':'); i > 0 && strings.Trim(file[i+1:], "0123456789") == "" && file[i+1:] != "" {
		file = file[:i]
	}
	return fmt.Sprintf("file %s:%d", file, n.Line)
}
