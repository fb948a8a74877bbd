package apidef

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/jsonschema"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

//go:embed catalog.json
var catalogJSON []byte

//go:embed schema.json
var schemaJSON []byte

// CatalogJSON is the generated list of all filters with their schemas, as the
// dashboard serves it.
func CatalogJSON() []byte { return slices.Clone(catalogJSON) }

// SchemaJSON is the generated JSON Schema (draft 2020-12) of a Definition.
func SchemaJSON() []byte { return slices.Clone(schemaJSON) }

// The scopes of a filter: where in a definition its options may stand.
const (
	ScopeAPI      = "api"
	ScopeEndpoint = "endpoint"
)

// CatalogEntry describes one filter.
type CatalogEntry struct {
	// Name is the filter's key under "filters".
	Name string `json:"name"`
	// Stage is the stage of the chain it runs in, such as "identify".
	Stage string `json:"stage"`
	// Order is its place in the chain; lower runs earlier.
	Order int `json:"order"`
	// Scope lists where it may stand: "api", "endpoint".
	Scope []string `json:"scope"`
	// Schema is the JSON Schema of its options.
	Schema json.RawMessage `json:"schema"`
	// Summary is one sentence per language, "en" and "ko".
	Summary map[string]string `json:"summary"`
	// StatusCodes are the statuses it may answer by itself.
	StatusCodes []int `json:"statusCodes"`
}

// Catalog is the list of filters with compiled schemas. It is immutable.
type Catalog struct {
	entries []CatalogEntry
	schemas map[string]*jsonschema.Schema
}

// ParseSchema compiles a JSON Schema with the formats of the language:
// "duration" as ParseDuration and "size" as ParseSize read them, and "date-time"
// (RFC 3339).
func ParseSchema(text []byte) (*jsonschema.Schema, error) {
	return jsonschema.Parse(text, func(format string) func(string) error {
		switch format {
		case "duration":
			return func(s string) error { _, err := ParseDuration(s); return err }
		case "size":
			return func(s string) error { _, err := ParseSize(s); return err }
		case "date-time":
			return func(s string) error {
				if _, err := time.Parse(time.RFC3339, s); err != nil {
					return fmt.Errorf("%q is not an instant as in RFC 3339, such as \"2026-12-01T00:00:00Z\"", strictjson.Brief(s))
				}
				return nil
			}
		}
		return nil
	})
}

// DefaultCatalog is the catalog of this build. It is compiled on each call; keep it.
func DefaultCatalog() (*Catalog, error) { return ParseCatalog(catalogJSON) }

// ParseCatalog reads a catalog of the form {"filters": [entry…]}. A schema that
// uses a keyword which this package does not check is an error, so that no rule
// of a filter is lost silently.
func ParseCatalog(text []byte) (*Catalog, error) {
	var file struct {
		Filters []CatalogEntry `json:"filters"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("reading the catalog of filters: %w", err)
	}
	c := &Catalog{entries: file.Filters, schemas: map[string]*jsonschema.Schema{}}
	var errs []error
	for _, e := range file.Filters {
		s, err := ParseSchema(e.Schema)
		if err != nil {
			errs = append(errs, fmt.Errorf("schema of the filter %q: %w", e.Name, err))
		}
		if _, twice := c.schemas[e.Name]; twice {
			errs = append(errs, fmt.Errorf("the filter %q stands twice in the catalog", e.Name))
		}
		c.schemas[e.Name] = s
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.entries, func(a, b CatalogEntry) int { return a.Order - b.Order })
	return c, nil
}

// Entries lists the filters in their order of execution.
func (c *Catalog) Entries() []CatalogEntry { return slices.Clone(c.entries) }

// Entry returns the filter of that name.
func (c *Catalog) Entry(name string) (CatalogEntry, bool) {
	i := slices.IndexFunc(c.entries, func(e CatalogEntry) bool { return e.Name == name })
	if i < 0 {
		return CatalogEntry{}, false
	}
	return c.entries[i], true
}

// Schema returns the compiled schema of a filter's options, or nil.
func (c *Catalog) Schema(name string) *jsonschema.Schema { return c.schemas[name] }

// Names lists the filters in their order of execution.
func (c *Catalog) Names() []string {
	names := make([]string, len(c.entries))
	for i, e := range c.entries {
		names[i] = e.Name
	}
	return names
}
