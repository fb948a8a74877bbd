package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// TestEveryOptionHasASpec reads the published schemas and lists the options, and the values of those
// that have few, that no spec uses.
func TestEveryOptionHasASpec(t *testing.T) {
	options := map[string]bool{}
	schemaOptions(t, apidef.SchemaJSON(), "", options)
	delete(options, "/filters") // by name below
	delete(options, "/endpoints/*/filters")
	var catalog struct {
		Filters []struct {
			Name   string
			Schema json.RawMessage
		}
	}
	if err := json.Unmarshal(apidef.CatalogJSON(), &catalog); err != nil {
		t.Fatal(err)
	}
	for _, f := range catalog.Filters {
		schemaOptions(t, f.Schema, "/filters/"+f.Name, options)
	}
	if len(options) < 30 {
		t.Fatalf("the generated schemas hold %d options only; run: make generate", len(options))
	}
	used := map[string]bool{}
	files, _ := filepath.Glob("specs/*.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s spec
		decode(t, file, text, &s)
		if len(s.Steps) == 0 || s.Name == "" {
			t.Errorf("%s has no name or no step", file)
		}
		for _, d := range s.Define {
			var v any
			if err := json.Unmarshal(d, &v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			uses(v, "", used)
		}
	}
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(options)), func(o string) bool { return used[o] })
	if len(missing) > 0 {
		t.Errorf("%d of %d options have no spec:\n%s", len(missing), len(options), strings.Join(missing, "\n"))
	}
}

// schemaOptions collects the paths of a JSON Schema's leaves; a list's items and a map's members are *.
func schemaOptions(t *testing.T, text []byte, prefix string, into map[string]bool) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	defs, _ := root["$defs"].(map[string]any)
	var walk func(node any, at string)
	walk = func(node any, at string) {
		n, _ := node.(map[string]any)
		if ref, ok := n["$ref"].(string); ok {
			n, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		props, _ := n["properties"].(map[string]any)
		switch values, isEnum := n["enum"].([]any); {
		case props != nil:
			for name, p := range props {
				walk(p, at+"/"+name)
			}
		case n["items"] != nil:
			walk(n["items"], at+"/*")
		case isEnum:
			for _, v := range values {
				if s, ok := v.(string); ok {
					into[at+"="+s] = true
				}
			}
		case n["type"] == "boolean" && !strings.HasSuffix(at, "/open"):
			into[at+"=true"] = true
		default:
			into[at] = true
		}
	}
	walk(root, prefix)
}

// uses marks every path of a document, with what stands there; filters of endpoints count as filters.
func uses(v any, at string, into map[string]bool) {
	into[strings.Replace(at, "/endpoints/*/filters/", "/filters/", 1)] = true
	switch x := v.(type) {
	case map[string]any:
		for name, member := range x {
			uses(member, at+"/"+name, into)
		}
	case []any:
		for _, item := range x {
			uses(item, at+"/*", into)
		}
	case string:
		into[at+"="+x] = true
	case bool:
		if x {
			into[at+"=true"] = true
		}
	}
}
