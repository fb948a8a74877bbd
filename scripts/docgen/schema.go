package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// schema is a JSON Schema (draft 2020-12) in the subset that pkg/apidef checks.
type schema struct {
	Schema      string       `json:"$schema,omitempty"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Ref         string       `json:"$ref,omitempty"`
	Type        string       `json:"type,omitempty"`
	Format      string       `json:"format,omitempty"`
	Default     any          `json:"default,omitempty"`
	Enum        []string     `json:"enum,omitempty"`
	Pattern     string       `json:"pattern,omitempty"`
	Minimum     *json.Number `json:"minimum,omitempty"`
	Maximum     *json.Number `json:"maximum,omitempty"`
	MinLength   *int         `json:"minLength,omitempty"`
	MaxLength   *int         `json:"maxLength,omitempty"`
	MinItems    *int         `json:"minItems,omitempty"`
	MaxItems    *int         `json:"maxItems,omitempty"`
	UniqueItems bool         `json:"uniqueItems,omitempty"`
	Items       *schema      `json:"items,omitempty"`
	Required    []string     `json:"required,omitempty"`
	Properties  *properties  `json:"properties,omitempty"`
	Additional  any          `json:"additionalProperties,omitempty"` // false or *schema
	Defs        *properties  `json:"$defs,omitempty"`
}

// properties keep the order of the struct, in which forms show them.
type properties []property

type property struct {
	Name   string
	Schema *schema
}

// MarshalJSON writes an object whose members stand in order.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		if err := encode(&b, m.Schema); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes JSON without escaping < > and &, which patterns and prose have.
func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func pretty(v any) ([]byte, error) {
	var b, out bytes.Buffer
	if err := encode(&b, v); err != nil {
		return nil, err
	}
	if err := json.Indent(&out, bytes.TrimSpace(b.Bytes()), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// schemaOf makes the schema of a struct of ours, with the structs that it uses under $defs.
func schemaOf(s *source, dir, name string) (*schema, error) {
	p, err := s.pkg(dir)
	if err != nil {
		return nil, err
	}
	d := p.types[name]
	if d == nil {
		return nil, fmt.Errorf("%s declares no type %s", dir, name)
	}
	b := &builder{source: s, names: map[*typeDecl]string{}, root: d}
	b.names[d] = "#"
	out, err := b.named(d)
	if err != nil {
		return nil, err
	}
	if out.Ref != "" {
		return nil, fmt.Errorf("%s.%s is not a struct", dir, name)
	}
	if len(b.defs) > 0 {
		slices.SortFunc(b.defs, func(x, y property) int { return strings.Compare(x.Name, y.Name) })
		out.Defs = &b.defs
	}
	return out, nil
}

type builder struct {
	source *source
	root   *typeDecl
	names  map[*typeDecl]string // structs that are defined or being defined
	defs   properties
}

// named is the schema of a declared type itself.
func (b *builder) named(d *typeDecl) (*schema, error) {
	st, ok := d.expr.(*ast.StructType)
	if !ok {
		return b.expr(d, d.expr)
	}
	return b.structure(d, st)
}

func (b *builder) structure(d *typeDecl, st *ast.StructType) (*schema, error) {
	out := &schema{Type: "object", Properties: &properties{}, Additional: false}
	return out, b.fields(d, st, out)
}

func (b *builder) fields(d *typeDecl, st *ast.StructType, out *schema) error {
	for _, f := range st.Fields.List {
		tag := structTag(f)
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		if len(f.Names) == 0 && name == "" {
			inner, err := b.source.resolve(d, typeName(f.Type))
			if err != nil {
				return err
			}
			if inner == nil {
				return fmt.Errorf("%s embeds %s, which is not ours: give it a json name", d.name, typeName(f.Type))
			}
			if st, ok := inner.expr.(*ast.StructType); ok {
				if err := b.fields(inner, st, out); err != nil {
					return err
				}
			}
			continue
		}
		if name == "-" || (len(f.Names) > 0 && !f.Names[0].IsExported()) {
			continue
		}
		if name == "" {
			return fmt.Errorf("%s.%s has no json name", d.name, f.Names[0].Name)
		}
		s, err := b.expr(d, f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		required, err := constrain(s, tag.Get("schema"))
		if err != nil {
			return fmt.Errorf("%s.%s: %w", d.name, name, err)
		}
		if required {
			out.Required = append(out.Required, name)
		}
		s.Description = firstText(f.Doc, f.Comment)
		s.Default = defaultIn(s, s.Description)
		*out.Properties = append(*out.Properties, property{name, s})
	}
	return nil
}

func structTag(f *ast.Field) reflect.StructTag {
	if f.Tag == nil {
		return ""
	}
	text, _ := strconv.Unquote(f.Tag.Value)
	return reflect.StructTag(text)
}

// expr is the schema of a type expression that stands in d.
func (b *builder) expr(d *typeDecl, e ast.Expr) (*schema, error) {
	switch x := e.(type) {
	case *ast.StarExpr:
		return b.expr(d, x.X)
	case *ast.ArrayType:
		if typeName(x.Elt) == "byte" {
			return &schema{Type: "string"}, nil
		}
		items, err := b.expr(d, x.Elt)
		return &schema{Type: "array", Items: items}, err
	case *ast.MapType:
		values, err := b.expr(d, x.Value)
		return &schema{Type: "object", Additional: values}, err
	case *ast.StructType:
		return b.structure(d, x)
	case *ast.InterfaceType:
		return &schema{}, nil
	}
	return b.byName(d, typeName(e))
}

func (b *builder) byName(d *typeDecl, name string) (*schema, error) {
	zero := json.Number("0")
	switch name {
	case "string":
		return &schema{Type: "string"}, nil
	case "bool":
		return &schema{Type: "boolean"}, nil
	case "int", "int8", "int16", "int32", "int64":
		return &schema{Type: "integer"}, nil
	case "uint", "uint8", "uint16", "uint32", "uint64":
		return &schema{Type: "integer", Minimum: &zero}, nil
	case "float32", "float64":
		return &schema{Type: "number"}, nil
	case "any", "json.RawMessage":
		return &schema{}, nil
	case "time.Duration":
		return &schema{Type: "string", Format: "duration"}, nil
	case "time.Time":
		return &schema{Type: "string", Format: "date-time"}, nil
	}
	t, err := b.source.resolve(d, name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		if strings.HasPrefix(name, "netip.") {
			return &schema{Type: "string"}, nil
		}
		return nil, fmt.Errorf("the type %s has no schema", name)
	}
	if t.name == "Duration" || t.name == "Size" {
		return &schema{Type: "string", Format: strings.ToLower(t.name)}, nil
	}
	if values := t.pkg.consts[t.name]; len(values) > 0 {
		out := &schema{Type: "string"}
		for _, v := range values {
			out.Enum = append(out.Enum, v.value)
		}
		return out, nil
	}
	if t.pkg.methods[t.name+".UnmarshalJSON"] {
		return &schema{}, nil // it reads several forms and checks them itself
	}
	if t.pkg.methods[t.name+".UnmarshalText"] {
		return &schema{Type: "string"}, nil
	}
	st, ok := t.expr.(*ast.StructType)
	if !ok {
		return b.expr(t, t.expr)
	}
	return b.ref(t, st)
}

// ref puts a struct under $defs and refers to it, so that recursive types end.
func (b *builder) ref(t *typeDecl, st *ast.StructType) (*schema, error) {
	if name, known := b.names[t]; known {
		if name == "#" {
			return nil, fmt.Errorf("%s holds itself", t.name)
		}
		return &schema{Ref: "#/$defs/" + name}, nil
	}
	name := t.name
	if slices.ContainsFunc(b.defs, func(p property) bool { return p.Name == name }) {
		name = path.Base(t.pkg.dir) + t.name
	}
	b.names[t] = name
	b.defs = append(b.defs, property{Name: name})
	s, err := b.structure(t, st)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	s.Description = t.doc
	at := slices.IndexFunc(b.defs, func(p property) bool { return p.Name == name })
	b.defs[at].Schema = s
	return &schema{Ref: "#/$defs/" + name}, nil
}
