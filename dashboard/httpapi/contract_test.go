package httpapi

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// contract is what the tests read of openapi.yaml.
type contract struct {
	Paths      map[string]map[string]yaml.Node `yaml:"paths"`
	Components map[string]map[string]yaml.Node `yaml:"components"`
}

func readContract(t *testing.T) (doc contract, all yaml.Node) {
	t.Helper()
	if err := yaml.Unmarshal(openapiText, &doc); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(openapiText, &all); err != nil {
		t.Fatal(err)
	}
	return doc, all
}

func TestContractAndRoutesAgree(t *testing.T) {
	doc, _ := readContract(t)
	var want, got []string
	for _, r := range routes() {
		want = append(want, fmt.Sprintf("%s %s %s", r.Method, r.Path, r.needs))
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var op struct {
				Permission string `yaml:"x-permission"`
				ID         string `yaml:"operationId"`
				Summary    string `yaml:"summary"`
				Responses  map[string]yaml.Node
			}
			if err := node.Decode(&op); err != nil {
				t.Fatal(err)
			}
			if op.ID == "" || ids[op.ID] || op.Summary == "" {
				t.Errorf("%s %s: the operation needs an id of its own and a summary", method, path)
			}
			ids[op.ID] = true
			got = append(got, fmt.Sprintf("%s %s %s", strings.ToUpper(method), path, op.Permission))
			if _, ok := op.Responses["401"]; !ok && op.Permission != "anyone" {
				t.Errorf("%s %s: 401 is not told", method, path)
			}
			if _, ok := op.Responses["403"]; !ok && op.Permission != "anyone" && op.Permission != "one-time" {
				t.Errorf("%s %s: 403 is not told", method, path)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("openapi.yaml lacks %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("routes.go lacks %s", g)
		}
	}
}

// TestContractHoldsTogether finds parameters of paths that are not declared,
// references that lead nowhere, and components that nothing uses.
func TestContractHoldsTogether(t *testing.T) {
	doc, all := readContract(t)
	used := map[string]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == "$ref" {
					used[n.Content[i+1].Value] = true
				}
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(&all)
	known := map[string]bool{}
	for section, members := range doc.Components {
		for name := range members {
			ref := "#/components/" + section + "/" + name
			known[ref] = true
			events := name == "FleetEvent" || name == "NoticeEvent" // told in words: a stream has no schema
			if !used[ref] && section != "securitySchemes" && !events {
				t.Errorf("nothing uses %s", ref)
			}
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(used)) {
		if !known[ref] {
			t.Errorf("%s is not in the document", ref)
		}
	}
	inPath := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range doc.Paths {
		var declared []string
		if node, ok := item["parameters"]; ok {
			var ps []struct {
				Ref  string `yaml:"$ref"`
				Name string
				In   string
			}
			if err := node.Decode(&ps); err != nil {
				t.Fatal(err)
			}
			for _, p := range ps {
				if p.Ref == "#/components/parameters/ID" {
					p.Name = "id"
				}
				declared = append(declared, p.Name)
			}
		}
		var wanted []string
		for _, m := range inPath.FindAllStringSubmatch(path, -1) {
			wanted = append(wanted, m[1])
		}
		if !slices.Equal(declared, wanted) {
			t.Errorf("%s: declares %v", path, declared)
		}
	}
}
