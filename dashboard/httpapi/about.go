package httpapi

import (
	_ "embed"
	"encoding/json"
	"net/http"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
)

//go:embed openapi.yaml
var openapiText []byte

// filterDTO is one filter of the catalogue.
type filterDTO struct {
	Name        string            `json:"name"`
	Stage       string            `json:"stage"`
	Order       int               `json:"order"`
	Scope       []string          `json:"scope"`
	Schema      json.RawMessage   `json:"jsonSchema"`
	Summary     map[string]string `json:"summary"`
	StatusCodes []int             `json:"statusCodes"`
}

// static is what never changes while the program runs.
type static struct {
	filters []filterDTO
	schema  []byte
}

func newStatic() (static, error) {
	catalog, err := apidef.DefaultCatalog()
	if err != nil {
		return static{}, err
	}
	s := static{filters: []filterDTO{}, schema: apidef.SchemaJSON()}
	for _, e := range catalog.Entries() {
		s.filters = append(s.filters, filterDTO{e.Name, e.Stage, e.Order, e.Scope, e.Schema, e.Summary, e.StatusCodes})
	}
	return s, nil
}

func (a *api) openapi(c *call) error {
	c.W.Header().Set("Content-Type", "application/yaml")
	_, _ = c.W.Write(openapiText)
	return nil
}

func (a *api) meta(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Version  string        `json:"version"`
		Commit   string        `json:"commit"`
		Store    string        `json:"store"`
		Locales  []string      `json:"locales"`
		Roles    []people.Role `json:"roles"`
		Features []string      `json:"features"`
	}{
		buildinfo.Version(), buildinfo.Commit(), a.StoreDriver,
		[]string{"en", "ko"},
		[]people.Role{people.Viewer, people.Operator, people.Admin},
		[]string{"apis", "policies", "certificates", "secrets", "documents", "keys", "tokens", "gateways", "revisions", "events", "requests"},
	})
}

func (a *api) schema(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "application/schema+json")
	_, _ = c.W.Write(a.static.schema)
	return nil
}

// schemaMaterial answers with the schemas of certificates, secrets and documents, by
// kind.
func (a *api) schemaMaterial(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, json.RawMessage(material.SchemaJSON()))
}

func (a *api) filters(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, exchange.NewPage(a.static.filters, "", len(a.static.filters)))
}
