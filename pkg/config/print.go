package config

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// print writes the settings in use as YAML, each that is no default with its
// origin, and secrets masked.
func (l *loader) print() error {
	text, err := encode(l.sectionNode(l.root, ""))
	if err != nil {
		return fmt.Errorf("config: print: %w", err)
	}
	if _, err := l.o.Stdout.Write(text); err != nil {
		return fmt.Errorf("config: print: %w", err)
	}
	return ErrPrinted
}

func encode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func (l *loader) sectionNode(v reflect.Value, key string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	each(v, key, func(f reflect.Value, fkey string) {
		if fkey == key {
			n.Content = append(n.Content, l.sectionNode(f, key).Content...)
			return
		}
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: last(fkey)}
		if section(f.Type()) {
			n.Content = append(n.Content, name, l.sectionNode(f, fkey))
			return
		}
		value := toNode(f)
		if s := l.sources[fkey]; s != "" {
			if value.Kind == yaml.ScalarNode || value.Style == yaml.FlowStyle {
				value.LineComment = s
			} else {
				name.LineComment = s
			}
		}
		n.Content = append(n.Content, name, value)
	})
	return n
}

// toNode is a value as YAML, secrets masked.
func toNode(v reflect.Value) *yaml.Node {
	switch {
	case scalar(v.Type()):
		return scalarNode(v)
	case v.Kind() == reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if v.Len() == 0 || scalar(v.Type().Elem()) {
			n.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			n.Content = append(n.Content, toNode(v.Index(i)))
		}
		return n
	case v.Kind() == reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if v.Len() == 0 {
			n.Style = yaml.FlowStyle
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			n.Content = append(n.Content, text(k.String()), toNode(v.MapIndex(k)))
		}
		return n
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	each(v, "", func(f reflect.Value, name string) {
		if name == "" {
			n.Content = append(n.Content, toNode(f).Content...)
			return
		}
		n.Content = append(n.Content, text(name), toNode(f))
	})
	return n
}

func scalarNode(v reflect.Value) *yaml.Node {
	s := formatScalar(v)
	_, marshals := v.Interface().(encoding.TextMarshaler)
	if marshals || v.Kind() == reflect.String || v.Type() == reflect.TypeFor[time.Duration]() {
		return text(s)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s}
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// flow prints a list or map on one line.
func flow(v reflect.Value) string {
	n := toNode(v)
	n.Style = yaml.FlowStyle
	b, err := yaml.Marshal(n)
	if err != nil {
		return fmt.Sprint(v.Interface())
	}
	return strings.TrimSpace(string(b))
}
