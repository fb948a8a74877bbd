package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads the settings of the file that --config, the variable or the
// default names. Its errors go to l.
func (l *loader) file(env environ) map[string]*layered {
	path, source, optional := l.filePath(env)
	text, err := os.ReadFile(path)
	l.tell(func(s *Sources) { s.File, s.Read = path, err == nil })
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			l.fail(path, source, "the file cannot be read: "+cause(err), "correct the path, or make it readable for the service's user")
		}
		return nil
	}
	values := map[string]*layered{}
	root, err := parse(text)
	switch {
	case err != nil:
		l.fail(path, source, err.Error(), "correct the YAML; indent with spaces")
	case root == nil || null(root):
	case root.Kind != yaml.MappingNode:
		l.fail(path, source, "the file is a "+kindName(root)+", not settings", "write name: value, one per line")
	default:
		l.section(root, "", path, values)
	}
	return values
}

// filePath is which file is read, what names it, and whether it may be missing.
func (l *loader) filePath(env environ) (path, source string, optional bool) {
	path, optional = l.o.DefaultFile, true
	if env.file != "" {
		path, source, optional = env.file, "environment "+envPrefix(l.o.Service)+"CONFIG", false
	}
	if named, err := l.flags.GetString("config"); err == nil && named != "" {
		path, source, optional = named, "flag --config", false
	}
	return path, source, optional
}

// parse returns the root of the only document, or nil if there is none.
func parse(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one YAML document")
	}
	return doc.Content[0], nil
}

// section gathers the settings of a mapping, which is the section prefix.
func (l *loader) section(n *yaml.Node, prefix, path string, into map[string]*layered) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		key := strings.TrimPrefix(prefix+"."+k.Value, ".")
		source := fmt.Sprintf("file %s:%d", path, k.Line)
		_, setting := l.byKey[key]
		switch {
		case seen[k.Value]:
			l.fail(key, source, "it is set twice", "keep one of the two")
		case setting:
			if !null(v) {
				into[key] = &layered{v, source}
			}
		case !l.isSection(key):
			l.unknown(key, source, nearest(key, l.known()))
		case null(v):
		case v.Kind != yaml.MappingNode:
			l.fail(key, source, "it is a section with settings, not a "+kindName(v), "put its settings below it, indented")
		default:
			l.section(v, key, path, into)
		}
		seen[k.Value] = true
	}
}

func (l *loader) isSection(key string) bool {
	for _, f := range l.fields {
		if strings.HasPrefix(f.Key, key+".") && key != "" {
			return true
		}
	}
	return false
}

// known has every setting and every section.
func (l *loader) known() map[string]bool {
	m := map[string]bool{}
	for _, f := range l.fields {
		m[f.Key] = true
		for i, c := range f.Key {
			if c == '.' {
				m[f.Key[:i]] = true
			}
		}
	}
	return m
}

func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
