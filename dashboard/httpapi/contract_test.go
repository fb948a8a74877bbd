package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-gateway/sluice/dashboard/people"
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
				Permission string    `yaml:"x-permission"`
				ID         string    `yaml:"operationId"`
				Summary    string    `yaml:"summary"`
				Body       yaml.Node `yaml:"requestBody"`
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
			if _, ok := op.Responses["415"]; ok == op.Body.IsZero() {
				t.Errorf("%s %s: 415 goes with a body of the request", method, path)
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

// TestHeadAnswersAsGet asks every route by both methods: the heads are the same,
// with the length of what GET sends.
func TestHeadAnswersAsGet(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Admin)
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	place := strings.NewReplacer("{id}", "orders", "{n}", "1", "{revision}", "1")
	read := 0
	for _, r := range routes() {
		if r.Method != http.MethodGet || r.Path == eventsPath {
			continue
		}
		path := place.Replace(r.Path)
		get, head := c.do("GET", path, ""), c.do("HEAD", path, "")
		if get.status == 200 {
			read++
		}
		if head.status != get.status || head.body != "" {
			t.Errorf("HEAD %s: %d, %d by GET: %q", path, head.status, get.status, head.body)
		}
		for _, name := range []string{"Content-Type", "Etag", "Cache-Control"} {
			if head.header.Get(name) != get.header.Get(name) {
				t.Errorf("HEAD %s: %s is %q, %q by GET", path, name, head.header.Get(name), get.header.Get(name))
			}
		}
		if got, want := head.header.Get("Content-Length"), fmt.Sprint(len(get.body)); get.status == 200 && got != "" && got != want {
			t.Errorf("HEAD %s: the length is %s, of %s", path, got, want)
		}
	}
	if read < 14 {
		t.Errorf("only %d routes were read", read)
	}
	if a := c.do("HEAD", "/apis/orders", ""); a.header.Get("Etag") != `"1"` || a.header.Get("Content-Length") == "" {
		t.Errorf("HEAD of an API: %v", a.header)
	}
	if a := c.do("HEAD", eventsPath, ""); a.status != 405 || a.header.Get("Allow") != "GET" {
		t.Errorf("HEAD of the stream: %d %v", a.status, a.header)
	}
	client{d: d}.do("HEAD", "/apis", "").want(t, 401, "")
	if a := c.do("HEAD", "/session/password", ""); a.status != 405 || a.header.Get("Allow") != "PUT" {
		t.Errorf("HEAD of what is no read: %d %v", a.status, a.header)
	}
}
