package diff

import (
	"encoding/json"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Kinds of objects whose documents are known.
const (
	kindAPI         = "api"
	kindPolicy      = "policy"
	kindSecret      = "secret"
	kindCertificate = "certificate"
)

// trait is what is known of a list or an object beside its schema.
type trait struct {
	set   bool       // the order means nothing
	empty bool       // an empty one means the same as none
	every bool       // "*" among the items means the same as none
	key   bool       // of an item, a method with its options: its one member's name says which it is
	keys  [][]string // members that say which item it is; where the first ones do not match, the next do
	idle  bool       // holds connections
}

// trait finds what is known by kind and pattern.
func (b *builder) trait(pattern string) trait {
	switch b.kind {
	case kindAPI:
		return apiTrait(pattern)
	case kindPolicy:
		return policyTrait(pattern)
	}
	return trait{}
}

func apiTrait(pattern string) trait {
	pattern = strings.Replace(pattern, "/pools/*", "/upstream", 1)
	pattern = strings.Replace(pattern, "/endpoints/*/filters/", "/filters/", 1)
	switch pattern {
	case "/groups", "/tags", "/owners", "/listen/domains", "/upstream/tls/pins":
		return trait{set: true, empty: true}
	case "/upstream/targets":
		return trait{keys: [][]string{{"url"}}}
	case "/upstream/tls", "/upstream/timeouts", "/filters", "/endpoints/*/filters":
		return trait{empty: true}
	case "/upstream/connections":
		return trait{empty: true, idle: true}
	case "/endpoints":
		return trait{empty: true, keys: [][]string{{"methods", "path"}, {"id"}}}
	case "/endpoints/*/methods":
		return trait{set: true, empty: true, every: true}
	case "/routing", "/filters/rateLimit":
		return trait{keys: [][]string{{"name"}}}
	case "/routing/*/to":
		return trait{keys: [][]string{{"pool"}}}
	case "/filters/errors":
		return trait{keys: [][]string{{"status", "from"}}}
	case "/filters/auth/any", "/filters/auth/all":
		return trait{key: true}
	}
	return trait{}
}

func policyTrait(pattern string) trait {
	switch pattern {
	case "/tags":
		return trait{set: true, empty: true}
	case "/metadata":
		return trait{empty: true}
	case "/rights":
		return trait{set: true, empty: true, keys: [][]string{{"api"}}}
	case "/rights/*/endpoints": // an empty list allows nothing, none allows everything
		return trait{set: true, keys: [][]string{{"methods", "path"}}}
	case "/rights/*/endpoints/*/methods":
		return trait{set: true, empty: true, every: true}
	}
	return trait{}
}

// step is the pattern of a member.
func step(pattern, name string) string {
	if pattern == "/pools" {
		return pattern + "/*"
	}
	return pattern + "/" + strictjson.Escape(name)
}

// Formats of strings that have more than one spelling.
const (
	formatDuration = "duration"
	formatSize     = "size"
)

// schema is what is read of a JSON Schema (draft 2020-12): where defaults and
// formats are.
type schema struct {
	Ref        string             `json:"$ref"`
	Default    json.RawMessage    `json:"default"`
	Format     string             `json:"format"`
	Properties map[string]*schema `json:"properties"`
	Additional *schema            `json:"additionalProperties"`
	Items      *schema            `json:"items"`
	Defs       map[string]*schema `json:"$defs"`
	root       *schema
}

// UnmarshalJSON reads true and false, which are schemas too, as nothing known.
func (s *schema) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	type plain schema
	return json.Unmarshal(text, (*plain)(s))
}

// readSchema reads a schema; nil is one that cannot be read.
func readSchema(text []byte) *schema {
	var s schema
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	s.bind(&s)
	return &s
}

func (s *schema) bind(root *schema) {
	if s == nil {
		return
	}
	s.root = root
	for _, all := range []map[string]*schema{s.Properties, s.Defs} {
		for _, one := range all {
			one.bind(root)
		}
	}
	s.Items.bind(root)
	s.Additional.bind(root)
}

// resolve follows a reference within the document; its own default stays.
func (s *schema) resolve() *schema {
	if s == nil || s.Ref == "" {
		return s
	}
	name, ok := strings.CutPrefix(s.Ref, "#/$defs/")
	to := s.root.Defs[name]
	if !ok || to == nil || to.Ref != "" {
		return nil
	}
	if s.Default == nil {
		return to
	}
	with := *to
	with.Default = s.Default
	return &with
}

func (s *schema) item() *schema {
	if s == nil {
		return nil
	}
	return s.Items
}

func (s *schema) format() string {
	if s == nil {
		return ""
	}
	return s.Format
}

func (s *schema) member(name string) *schema {
	if s == nil {
		return nil
	}
	if m := s.Properties[name]; m != nil {
		return m
	}
	return s.Additional
}

// policySchema are the defaults and formats of a policy; see access.Policy.
const policySchema = `{"properties": {"state": {"default": "active"}, "keyTtl": {"format": "duration"}}}`

func (r *Rules) readSchemas() {
	r.api, r.policy = readSchema(apidef.SchemaJSON()), readSchema([]byte(policySchema))
	r.filters = map[string]*schema{}
	catalog, err := apidef.DefaultCatalog()
	if err != nil {
		return
	}
	for _, e := range catalog.Entries() {
		r.filters[e.Name] = readSchema(e.Schema)
	}
}

// below is the schema of a member.
func (r *Rules) below(kind string, s *schema, pattern, name string) *schema {
	if kind == kindAPI && (pattern == "/filters" || pattern == "/endpoints/*/filters") {
		return r.filters[name]
	}
	return s.member(name)
}
