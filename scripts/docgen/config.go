package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// setting is one line of a configuration: a value, or a section of settings.
type setting struct {
	Key     string // dotted, as config.Field has it: redis.addresses, listeners[].address
	Depth   int    // number of sections around it
	Section bool
	Element bool // inside the elements of a list or map
	Doc     string
	leaf
}

// leaf is what the running configuration knows of a value.
type leaf struct {
	Key, Type, Default, Env string
	Secret, Element         bool
}

// listSettings is run inside a service's module.
const listSettings = `package main

import (
	"encoding/json"
	"os"

	"%[1]s%[2]s/app"
	"%[1]spkg/config"
)

func main() {
	type leaf struct {
		Key, Type, Default, Env string
		Secret, Element         bool
	}
	fields, err := config.Fields(app.Default())
	if err != nil {
		panic(err)
	}
	out := []leaf{}
	for _, f := range fields {
		out = append(out, leaf{f.Key, f.Type.String(), f.Default, f.Env(%[2]q), f.Secret, f.Element})
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}
`

// configuration makes a service's reference, <service>/CONFIG.md, and its commented sample,
// deploy/config/<service>.yaml, from app.Config: comments from the source, defaults from app.Default.
func configuration(s *source, service string) ([]output, error) {
	dir := service + "/app"
	p, err := s.pkg(dir)
	if err != nil {
		return nil, err
	}
	root := p.types["Config"]
	if root == nil {
		return nil, fmt.Errorf("%s has no Config: %w", dir, errAbsent)
	}
	var leaves []leaf
	if err := runIn(s, service, fmt.Sprintf(listSettings, s.prefix, service), &leaves); err != nil {
		return nil, err
	}
	settings, err := walkSettings(s, root, leaves)
	if err != nil {
		return nil, err
	}
	return append([]output{
		{service + "/CONFIG.md", []byte(reference(service, settings))},
		{"deploy/config/" + service + ".yaml", []byte(sample(service, settings))},
	}, sinkReadmes(s, service, settings)...), nil
}

// sinkReadmes fills the blocks between "<!-- options -->" and "<!-- /options -->" in the READMEs below
// <service>/sink with the options of the sinks' type: that of the folder, or "<!-- options: type -->".
func sinkReadmes(s *source, service string, settings []setting) []output {
	var out []output
	for _, dir := range s.folders(service + "/sink") {
		name := dir + "/README.md"
		text, err := os.ReadFile(filepath.Join(s.root, name))
		if err != nil {
			continue
		}
		filled := optionsBlock.ReplaceAllStringFunc(string(text), func(block string) string {
			begin, _, _ := strings.Cut(block, "\n")
			kind := cmp.Or(optionsBlock.FindStringSubmatch(block)[1], path.Base(dir))
			var b strings.Builder
			b.WriteString("| option | meaning |\n|---|---|\n")
			for _, v := range settings {
				if option, ok := strings.CutPrefix(v.Key, "sinks[]."+kind+"."); ok && !v.Section {
					fmt.Fprintf(&b, "| `%s` | %s |\n", option, cell(v.Doc))
				}
			}
			return begin + "\n" + b.String() + "<!-- /options -->"
		})
		out = append(out, output{name, []byte(filled)})
	}
	return out
}

// walkSettings joins the comments of the source with what the running code knows.
func walkSettings(s *source, root *typeDecl, leaves []leaf) ([]setting, error) {
	w := &settingsWalk{source: s, leaves: map[string]leaf{}}
	for _, l := range leaves {
		w.leaves[l.Key] = l
	}
	if err := w.walk(root, root.expr, "", 0, false); err != nil {
		return nil, err
	}
	if len(w.leaves) > 0 {
		for key := range w.leaves {
			return nil, fmt.Errorf("the setting %s was not found in the source", key)
		}
	}
	return w.out, nil
}

type settingsWalk struct {
	source *source
	leaves map[string]leaf // those not met yet
	out    []setting
}

func (w *settingsWalk) walk(d *typeDecl, e ast.Expr, prefix string, depth int, element bool) error {
	st, ok := e.(*ast.StructType)
	if !ok {
		return fmt.Errorf("%s is not a struct", d.name)
	}
	for _, f := range st.Fields.List {
		name, tagged := structTag(f).Lookup("config")
		if name == "-" {
			continue
		}
		inner, err := w.source.resolve(d, typeName(elementOf(f.Type)))
		if err != nil {
			return err
		}
		if !tagged && len(f.Names) == 0 && inner != nil {
			if err := w.walk(inner, inner.expr, prefix, depth, element); err != nil {
				return err
			}
			continue
		}
		if !tagged {
			continue
		}
		key := strings.TrimPrefix(prefix+"."+name, ".")
		l, isLeaf := w.leaves[key]
		delete(w.leaves, key)
		doc := firstText(f.Doc, f.Comment)
		if doc == "" && inner != nil && !isLeaf {
			doc = inner.doc
		}
		w.out = append(w.out, setting{Key: key, Depth: depth, Section: !isLeaf, Element: element, Doc: doc, leaf: l})
		if err := w.inside(d, f.Type, inner, key, depth, element, isLeaf); err != nil {
			return err
		}
	}
	return nil
}

// inside goes on with the struct behind a field: a section, or the elements of a list or map.
func (w *settingsWalk) inside(d *typeDecl, e ast.Expr, inner *typeDecl, key string, depth int, element, isLeaf bool) error {
	var body ast.Expr
	owner := d
	if st, ok := elementOf(e).(*ast.StructType); ok {
		body = st
	} else if inner != nil {
		if st, ok := inner.expr.(*ast.StructType); ok {
			owner, body = inner, st
		}
	}
	if body == nil {
		return nil
	}
	if !isLeaf {
		return w.walk(owner, body, key, depth+1, element)
	}
	switch e.(type) {
	case *ast.ArrayType:
		return w.walk(owner, body, key+"[]", depth+1, true)
	case *ast.MapType:
		return w.walk(owner, body, key+"{}", depth+1, true)
	}
	return nil // a struct that is read as one text
}

func elementOf(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ArrayType:
		return elementOf(x.Elt)
	case *ast.MapType:
		return elementOf(x.Value)
	case *ast.StarExpr:
		return elementOf(x.X)
	}
	return e
}

// reference is a page with one table per section.
func reference(service string, settings []setting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Code generated by docgen from %s/app. DO NOT EDIT. -->\n\n# Settings of the %s\n\n", service, service)
	fmt.Fprintf(&b, "`sluice-%s doctor` says whether they are valid and what they lead to: which file and variables were read, and what of all that they name cannot be reached or used.\n\n", service)
	fmt.Fprintf(&b, "Later ones win: defaults, the file (`/etc/sluice/%s.yaml`, or `--config FILE`), the environment, flags. ", service)
	b.WriteString("A flag is the key with dashes: `--redis.master-name`. Lists are comma-separated in both. Durations and sizes have a unit: `30s`, `64KiB`.\n")
	b.WriteString("Settings inside the elements of a list (`[]`) or map (`{}`) are set in the file, or as a whole.\n\n")
	open := "?"
	for _, v := range rootFirst(settings) {
		if v.Section {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", v.Key, v.Doc)
			open = "?"
			continue
		}
		section := v.Key[:max(0, strings.LastIndexByte(v.Key, '.'))]
		if section != open {
			if open != "?" {
				fmt.Fprintf(&b, "\n`%s`:\n\n", section)
			}
			b.WriteString("| key | default | environment | meaning |\n|---|---|---|---|\n")
			open = section
		}
		def, env := "", ""
		if v.Default != "" {
			def = "`" + v.Default + "`"
		}
		if !v.Element {
			env = "`" + v.Env + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Key, def, env, cell(v.Doc))
	}
	return b.String()
}

// rootFirst puts the settings that stand in no section before the first section.
func rootFirst(settings []setting) []setting {
	inSection := func(v setting) bool {
		first, _, _ := strings.Cut(v.Key, ".")
		return slices.ContainsFunc(settings, func(o setting) bool { return o.Section && o.Key == first })
	}
	out := slices.DeleteFunc(slices.Clone(settings), inSection)
	return append(out, slices.DeleteFunc(slices.Clone(settings), func(v setting) bool { return !inSection(v) })...)
}

// sample is a file in which every setting stands with its default, commented out: take the # away, and
// that of the sections around it, to change one. Prose has two.
func sample(service string, settings []setting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Code generated by docgen from %s/app. DO NOT EDIT.\n##\n", service)
	fmt.Fprintf(&b, "## Settings of the %s with their defaults. To change one, take away its # and those of the sections around it.\n", service)
	for _, v := range settings {
		if v.Element {
			continue
		}
		indent := strings.Repeat("  ", v.Depth)
		b.WriteByte('\n')
		for _, line := range wrap(v.Doc, 96-len(indent)) {
			fmt.Fprintf(&b, "%s## %s\n", indent, line)
		}
		name := v.Key[strings.LastIndexByte(v.Key, '.')+1:]
		switch {
		case v.Section:
			fmt.Fprintf(&b, "#%s%s:\n", indent, name)
		case v.Secret:
			fmt.Fprintf(&b, "#%s%s: ${file:PATH}\n", indent, name)
		default:
			fmt.Fprintf(&b, "#%s%s: %s\n", indent, name, yamlValue(v.leaf))
		}
	}
	return b.String()
}

// yamlValue writes a default in YAML's flow style.
func yamlValue(l leaf) string {
	list, isList := strings.CutPrefix(l.Type, "[]")
	if isList && strings.HasPrefix(l.Default, "[") {
		return l.Default
	}
	if isList {
		var items []string
		for item := range strings.SplitSeq(l.Default, ",") {
			if item != "" {
				items = append(items, yamlScalar(list, item))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if strings.HasPrefix(l.Type, "map[") {
		if l.Default == "" {
			return "{}"
		}
		return l.Default
	}
	return yamlScalar(l.Type, l.Default)
}

func yamlScalar(kind, value string) string {
	switch kind {
	case "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint16", "uint32", "uint64", "float64", "time.Duration":
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// wrap breaks prose into lines of at most width bytes, at blanks.
func wrap(text string, width int) (lines []string) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len(line)+1+len(word) > width {
				lines = append(lines, line)
				line = ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
