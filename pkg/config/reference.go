package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sample writes a configuration file that has every setting, commented out at
// its default, under the comment that comment returns for its field: the manual
// is the source's comments, which only the generator of documents can read.
// Sections are not commented out, so that taking the # off a setting is enough.
func Sample(defaults any, comment func(Field) string) ([]byte, error) {
	fields, err := Fields(defaults)
	if err != nil {
		return nil, err
	}
	root := reflect.Indirect(reflect.ValueOf(defaults))
	var b strings.Builder
	var open []string // the sections that the last line is in
	for i, f := range fields {
		if f.Element {
			continue
		}
		path := strings.Split(f.Key, ".")
		sections := path[:len(path)-1]
		same := 0
		for same < len(open) && same < len(sections) && open[same] == sections[same] {
			same++
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		for depth := same; depth < len(sections); depth++ {
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), sections[depth])
		}
		open = sections
		indent := strings.Repeat("  ", len(sections))
		describe(&b, indent, comment(f))
		for _, e := range fields[i+1:] {
			if !e.Element || !strings.HasPrefix(e.Key, f.Key) {
				break
			}
			inside := strings.TrimPrefix(strings.TrimLeft(e.Key[len(f.Key):], "[]{}"), ".")
			describe(&b, indent, "  * "+inside+": "+strings.Join(strings.Fields(comment(e)), " "))
		}
		n := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(path[len(path)-1]), toNode(root.FieldByIndex(f.index))}}
		setting, err := encode(n)
		if err != nil {
			return nil, fmt.Errorf("config: sample of %s: %w", f.Key, err)
		}
		describe(&b, indent, string(setting))
	}
	return []byte(b.String()), nil
}

func describe(b *strings.Builder, indent, lines string) {
	if lines == "" {
		return
	}
	for line := range strings.SplitSeq(strings.TrimRight(lines, "\n"), "\n") {
		b.WriteString(indent)
		b.WriteByte('#')
		if line != "" {
			b.WriteByte(' ')
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
}

// Reference writes the settings as a Markdown table: key, variable of the
// environment, type, default, and the field's comment on one line.
func Reference(service string, defaults any, comment func(Field) string) ([]byte, error) {
	fields, err := Fields(defaults)
	if err != nil {
		return nil, err
	}
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
	}
	var b strings.Builder
	b.WriteString("| Setting | Environment | Type | Default | Meaning |\n|---|---|---|---|---|\n")
	for _, f := range fields {
		env := ""
		if !f.Element {
			env = f.Env(service)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(f.Key), code(env), typeName(f.Type), code(f.Default), cell.Replace(strings.TrimSpace(comment(f))))
	}
	return []byte(b.String()), nil
}

// typeName is a type in words that an operator knows.
func typeName(t reflect.Type) string {
	switch t.String() {
	case "time.Duration":
		return "duration"
	case "config.Size":
		return "size"
	case "config.Secret":
		return "secret"
	}
	switch {
	case !scalar(t) && t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case !scalar(t) && t.Kind() == reflect.Map:
		return "map of " + typeName(t.Elem())
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return "text"
	case scalar(t) && t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "whole number"
	case t.Kind() == reflect.Struct && !scalar(t):
		return "settings"
	}
	return "text"
}
