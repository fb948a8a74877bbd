package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// filterSpec is what the gateway says about one filter, in the order of execution.
type filterSpec struct {
	Name        string
	Stage       string
	EN, KO      string
	StatusCodes []int
	APIOnly     bool
	Hidden      bool
	Package     string // import path of the options' struct
	Type        string // its name
}

// listFilters is run inside the gateway's module.
const listFilters = `package main

import (
	"encoding/json"
	"os"

	"%[1]sgateway/chain"
)

func main() {
	type spec struct {
		Name, Stage, EN, KO string
		StatusCodes         []int
		APIOnly, Hidden     bool
		Package, Type       string
	}
	out := []spec{}
	for _, s := range chain.Order(chain.Deps{}) {
		out = append(out, spec{s.Name, string(s.Stage), s.Summary.EN, s.Summary.KO, s.StatusCodes, s.APIOnly, s.Hidden, s.Config.PkgPath(), s.Config.Name()})
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}
`

func filters(s *source) ([]filterSpec, error) {
	if !s.exists("gateway/chain/order.go") {
		return nil, fmt.Errorf("gateway/chain/order.go: %w", errAbsent)
	}
	var specs []filterSpec
	err := runIn(s, "gateway", fmt.Sprintf(listFilters, s.prefix), &specs)
	return specs, err
}

// catalogEntry is apidef.CatalogEntry.
type catalogEntry struct {
	Name        string            `json:"name"`
	Stage       string            `json:"stage"`
	Order       int               `json:"order"`
	Scope       []string          `json:"scope"`
	Summary     map[string]string `json:"summary"`
	StatusCodes []int             `json:"statusCodes"`
	Schema      *schema           `json:"schema"`
	dir         string            // folder of the options' struct
}

// filterCatalog makes pkg/apidef/catalog.json from the order of the chain.
func filterCatalog(s *source) ([]output, error) {
	specs, err := filters(s)
	if err != nil {
		return nil, err
	}
	entries, err := catalog(s, specs)
	if err != nil {
		return nil, err
	}
	text, err := pretty(map[string]any{"filters": entries})
	return []output{{"pkg/apidef/catalog.json", text}}, err
}

func catalog(s *source, specs []filterSpec) ([]catalogEntry, error) {
	entries := []catalogEntry{}
	for i, f := range specs {
		if f.Hidden {
			continue
		}
		sch := &schema{Type: "object", Additional: false}
		if f.Type != "" {
			var err error
			if sch, err = schemaOf(s, strings.TrimPrefix(f.Package, s.prefix), f.Type); err != nil {
				return nil, fmt.Errorf("filter %s: %w", f.Name, err)
			}
		}
		e := catalogEntry{
			Name: f.Name, Stage: f.Stage, Order: i + 1, Scope: []string{"api", "endpoint"}, Schema: sch,
			Summary: map[string]string{"en": f.EN, "ko": f.KO}, StatusCodes: slices.Clone(f.StatusCodes),
			dir: strings.TrimPrefix(f.Package, s.prefix),
		}
		if f.APIOnly {
			e.Scope = []string{"api"}
		}
		if e.StatusCodes == nil {
			e.StatusCodes = []int{}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

var optionsBlock = regexp.MustCompile(`(?s)<!-- options(?:: ([A-Za-z0-9]+))? -->\n.*?<!-- /options -->`)

// filterReadmes fills the blocks between "<!-- options -->" and "<!-- /options -->" in the READMEs below
// gateway/filter with the tables of the options of the folder's filters. "<!-- options: name -->" asks
// for one filter.
func filterReadmes(s *source) ([]output, error) {
	specs, err := filters(s)
	if err != nil {
		return nil, err
	}
	entries, err := catalog(s, specs)
	if err != nil {
		return nil, err
	}
	var out []output
	for _, dir := range s.folders("gateway/filter") {
		name := dir + "/README.md"
		text, err := os.ReadFile(filepath.Join(s.root, name))
		if err != nil {
			continue
		}
		filled, err := fillOptions(string(text), dir, entries)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, output{name, []byte(filled)})
	}
	return out, nil
}

func fillOptions(text, dir string, entries []catalogEntry) (string, error) {
	var unknown error
	text = optionsBlock.ReplaceAllStringFunc(text, func(block string) string {
		begin, _, _ := strings.Cut(block, "\n")
		name := optionsBlock.FindStringSubmatch(block)[1]
		var mine []catalogEntry
		for _, e := range entries {
			if e.Name == name || (name == "" && e.dir == dir) {
				mine = append(mine, e)
			}
		}
		if name != "" && len(mine) == 0 {
			unknown = fmt.Errorf("no filter is named %q", name)
		}
		slices.SortFunc(mine, func(x, y catalogEntry) int { return strings.Compare(x.Name, y.Name) })
		var b strings.Builder
		for i, e := range mine {
			if len(mine) > 1 {
				fmt.Fprintf(&b, "%s`%s`:\n\n", strings.Repeat("\n", min(i, 1)), e.Name)
			}
			b.WriteString(optionsTable(e.Schema))
		}
		return begin + "\n" + b.String() + "<!-- /options -->"
	})
	return text, unknown
}

// optionsTable lists the options of a schema, those of inner objects with dotted names.
func optionsTable(root *schema) string {
	var b strings.Builder
	b.WriteString("| option | type | default | meaning |\n|---|---|---|---|\n")
	rows(&b, root, root, "", 0)
	return b.String()
}

func rows(b *strings.Builder, root, at *schema, prefix string, depth int) {
	if at.Properties == nil || depth > 6 {
		return
	}
	for _, p := range *at.Properties {
		inner, kind := describe(root, p.Schema)
		def := ""
		if p.Schema.Default != nil {
			def = fmt.Sprintf("`%v`", p.Schema.Default)
		}
		if slices.Contains(at.Required, p.Name) {
			def = "required"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, p.Name, kind, def, cell(p.Schema.Description))
		if inner != nil {
			suffix := "."
			if p.Schema.Type == "array" {
				suffix = "[]."
			}
			rows(b, root, inner, prefix+p.Name+suffix, depth+1)
		}
	}
}

// describe names a schema's type for people, and returns the object inside it, if any.
func describe(root, s *schema) (inner *schema, kind string) {
	switch {
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, "#/$defs/")
		for _, d := range *root.Defs {
			if d.Name == name {
				return d.Schema, "object"
			}
		}
		return nil, "object"
	case len(s.Enum) > 0:
		return nil, "`" + strings.Join(s.Enum, "`, `") + "`"
	case s.Type == "array":
		inner, kind = describe(root, s.Items)
		return inner, "list of " + kind
	case s.Format == "duration" || s.Format == "size":
		return nil, s.Format
	case s.Type == "":
		return nil, "any"
	case s.Properties != nil:
		return s, "object"
	}
	return nil, s.Type
}

func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\n\n", "<br>"), "\n", " "), "|", `\|`)
}
