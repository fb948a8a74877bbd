package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// resolveSecrets replaces the references in all secrets.
func (l *loader) resolveSecrets(v reflect.Value, key string, env environ) {
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		s, bad := v.Interface().(Secret).resolve(env.lookup)
		if bad != nil {
			l.fail(key, l.source(key), bad.Problem, bad.Mend)
			return
		}
		v.SetString(string(s))
	case section(v.Type()):
		each(v, key, func(f reflect.Value, key string) { l.resolveSecrets(f, key, env) })
	case v.Kind() == reflect.Slice && (secret(v.Type()) || !scalar(v.Type().Elem())):
		// The defaults' own array is not ours to write to.
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		for i := range v.Len() {
			l.resolveSecrets(v.Index(i), fmt.Sprintf("%s[%d]", key, i), env)
		}
	case v.Kind() == reflect.Map:
		m := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(it.Value())
			l.resolveSecrets(e, key+"."+it.Key().String(), env)
			m.SetMapIndex(it.Key(), e)
		}
		if v.Len() > 0 {
			v.Set(m)
		}
	}
}

// validate calls the Validate methods, those of sections first.
func (l *loader) validate(v reflect.Value, key string) {
	switch {
	case section(v.Type()):
		each(v, key, l.validate)
		var err error
		if x, ok := v.Interface().(interface{ Validate() error }); ok {
			err = x.Validate()
		} else if v.CanAddr() {
			if x, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
				err = x.Validate()
			}
		}
		l.invalid(err, key)
	case v.Kind() == reflect.Slice && section(v.Type().Elem()):
		for i := range v.Len() {
			l.validate(v.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
	case v.Kind() == reflect.Map && section(v.Type().Elem()):
		for it := v.MapRange(); it.Next(); {
			l.validate(it.Value(), key+"."+it.Key().String())
		}
	}
}

// each calls f for every setting and section of a struct.
func each(v reflect.Value, key string, f func(v reflect.Value, key string)) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, tagged := sf.Tag.Lookup("config")
		switch {
		case !sf.IsExported() || name == "-":
		case sf.Anonymous && !tagged:
			f(v.Field(i), key)
		default:
			f(v.Field(i), strings.TrimPrefix(key+"."+name, "."))
		}
	}
}

// invalid adds what a Validate method of the section key found.
func (l *loader) invalid(err error, key string) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			l.invalid(e, key)
		}
		return
	}
	found := KeyError{Problem: err.Error()}
	var k *KeyError
	if errors.As(err, &k) {
		found = *k
	} else if name, rest, ok := strings.Cut(found.Problem, ": "); ok && snakeCase.MatchString(name) {
		// Packages below this one cannot make a KeyError: they write "name: problem".
		if _, known := l.byKey[strings.TrimPrefix(key+"."+name, ".")]; known {
			found.Key, found.Problem = name, rest
		}
	}
	found.Key = strings.Trim(key+"."+found.Key, ".")
	found.Source = l.source(found.Key)
	for _, e := range l.errs {
		if *e == found {
			return // a promoted method of an embedded struct says it again
		}
	}
	l.errs = append(l.errs, &found)
}

// source is where the setting that key is, or is inside of, came from.
func (l *loader) source(key string) string {
	for {
		if s, ok := l.sources[key]; ok {
			return s
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return ""
		}
		key = key[:i]
	}
}
