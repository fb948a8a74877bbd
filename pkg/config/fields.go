package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Field is one setting of a configuration.
type Field struct {
	// Key is the dotted path: "redis.addresses". Fields of the elements of a list
	// have [] in it, "listeners[].address", those of a map's values {}.
	Key string
	// Type is the Go type of the value.
	Type reflect.Type
	// Default is the value as a file would have it, masked if Secret; empty for
	// fields of elements.
	Default string
	// Secret says that the value is masked wherever it is printed.
	Secret bool
	// Owner and Name are the struct and its field, to find the comment by.
	Owner reflect.Type
	Name  string
	// Element says that the setting is inside a list or map, which has a Field of
	// its own and can be set as a whole only.
	Element bool

	index []int
}

// Flag is the name of the field's flag, without the dashes in front.
func (f Field) Flag() string { return strings.ReplaceAll(f.Key, "_", "-") }

// Env is the name of the field's variable for a service.
func (f Field) Env(service string) string {
	return envPrefix(service) + strings.ToUpper(strings.ReplaceAll(f.Key, ".", "_"))
}

func envPrefix(service string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_"
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Fields lists the settings of a configuration struct in the order of its
// source. The error tells of a struct that cannot be a configuration: a field
// without tag, a name that is not snake_case, two settings with one variable,
// or a type that cannot be read.
func Fields(defaults any) ([]Field, error) {
	v := reflect.Indirect(reflect.ValueOf(defaults))
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("config: %T is not a struct", defaults)
	}
	var fields []Field
	if err := collect(v, "", nil, false, &fields); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, f := range fields {
		if f.Element {
			continue
		}
		if other, dup := seen[f.Env("")]; dup {
			return nil, fmt.Errorf("config: %s and %s have one variable of the environment", other, f.Key)
		}
		seen[f.Env("")] = f.Key
	}
	return fields, nil
}

// collect walks a struct.
func collect(v reflect.Value, prefix string, index []int, element bool, out *[]Field) error {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		name, tagged := sf.Tag.Lookup("config")
		if !sf.IsExported() || name == "-" {
			continue
		}
		key := strings.TrimPrefix(prefix+"."+name, ".")
		at := append(index[:len(index):len(index)], i)
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct {
			if err := collect(v.Field(i), prefix, at, element, out); err != nil {
				return err
			}
			continue
		}
		if !snakeCase.MatchString(name) {
			return fmt.Errorf("config: field %s.%s needs a tag `config:\"snake_case\"`, not %q", t, sf.Name, name)
		}
		if section(sf.Type) {
			if err := collect(v.Field(i), key, at, element, out); err != nil {
				return err
			}
			continue
		}
		if !readable(sf.Type) {
			return fmt.Errorf("config: %s has type %s, which cannot be read", key, sf.Type)
		}
		f := Field{Key: key, Type: sf.Type, Secret: secret(sf.Type), Owner: t, Name: sf.Name, Element: element, index: at}
		if !element {
			f.Default = format(v.Field(i))
		}
		*out = append(*out, f)
		if err := collectElement(sf.Type, key, out); err != nil {
			return err
		}
	}
	return nil
}

// collectElement adds the fields of a list's or map's elements.
func collectElement(t reflect.Type, key string, out *[]Field) error {
	switch {
	case scalar(t):
		return nil
	case t.Kind() == reflect.Slice:
		key += "[]"
	default:
		key += "{}"
	}
	if e := t.Elem(); section(e) {
		return collect(reflect.Zero(e), key, nil, true, out)
	}
	return collectElement(t.Elem(), key, out)
}

// readable tells whether the loader can set a value of the type.
func readable(t reflect.Type) bool {
	for !scalar(t) && (t.Kind() == reflect.Slice || t.Kind() == reflect.Map && t.Key().Kind() == reflect.String) {
		t = t.Elem()
	}
	return scalar(t) || t.Kind() == reflect.Struct
}

// section tells whether a type is a struct of further settings.
func section(t reflect.Type) bool { return t.Kind() == reflect.Struct && !scalar(t) }

// scalar tells whether a value of the type is one text.
func scalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return true
	}
	return false
}

func secret(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t == reflect.TypeFor[Secret]()
}

// format prints a value on one line, as a flag or a file's flow style has it.
func format(v reflect.Value) string {
	if scalar(v.Type()) {
		return formatScalar(v)
	}
	if v.Kind() == reflect.Slice && scalar(v.Type().Elem()) {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = formatScalar(v.Index(i))
		}
		return strings.Join(parts, ",")
	}
	if v.Len() == 0 {
		return ""
	}
	return flow(v)
}

func formatScalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return FormatDuration(x)
	case Secret:
		return x.String()
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v.Interface())
}
