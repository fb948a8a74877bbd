// Package apis manages the definitions of APIs.
package apis

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Checker lets gateways compile a definition; commands.Service.
type Checker interface {
	// Check asks one gateway of each group. No groups is every group. silent are
	// the groups that have no answer to give.
	Check(ctx context.Context, groups []string, c notice.Check) (rejected []notice.Rejected, silent []string)
}

// Service creates, changes and removes API definitions. Its methods are those of
// objects.Collection, with codes that begin with "api.".
type Service struct {
	*objects.Collection
	engine *publish.Engine
}

// New makes the service. checker may be nil: then nothing is compiled before it
// is published, which a warning says.
func New(e *publish.Engine, views publish.Views, checker Checker) (*Service, error) {
	catalog, err := apidef.DefaultCatalog()
	if err != nil {
		return nil, fmt.Errorf("reading the catalog of filters: %w", err)
	}
	return &Service{objects.New(e, views, publish.KindAPI, rules{catalog, checker, e}), e}, nil
}

// Place is a listen path that somebody asks for.
type Place struct {
	Org    string
	ID     string // the API that is being edited; "" for a new one
	Domain string // "" is any host
	Path   string
	Groups []string // none is every group
}

// Availability tells whether a listen path is free, and what would conflict with it.
func (s *Service) Availability(ctx context.Context, p Place) (a apidef.Availability, err error) {
	err = s.engine.View(ctx, func(state *publish.State) error {
		a = state.Availability(p.Org, p.Domain, p.Path, p.Groups, p.ID)
		return nil
	})
	return a, err
}

// rules of definitions.
type rules struct {
	catalog *apidef.Catalog
	checker Checker
	engine  *publish.Engine
}

func (r rules) Read(text []byte) (any, []fault.Problem) {
	d, problems := apidef.Decode(text)
	if d == nil {
		return nil, problems
	}
	problems = append(problems, apidef.Validate(d)...)
	return d, append(problems, apidef.ValidateFilters(d, r.catalog)...)
}

func (r rules) Judge(s *publish.State, org string, d objects.Document) []fault.Problem {
	definition := d.Value.(*apidef.Definition)
	problems := s.Conflicts(org, definition)
	for _, u := range material.Uses(definition) {
		if _, ok := s.Get(publish.Ref{Org: org, Kind: u.Kind, ID: u.ID}); !ok && u.Kind == publish.KindSecret {
			problems = append(problems, fault.Problem{
				Code: material.CodeSecretUnknown, Path: u.Path, Severity: fault.Error, Params: map[string]any{"secret": u.ID},
				Message: fmt.Sprintf("there is no secret %q; make it first, or correct the name in ${secret:%s}", u.ID, u.ID),
			})
		}
	}
	return problems
}

// Consult lets a gateway of each group compile the definition: regular
// expressions, templates and whatever else only a gateway can judge.
func (r rules) Consult(ctx context.Context, org string, d objects.Document) []fault.Problem {
	if r.checker == nil {
		return []fault.Problem{unchecked(nil)}
	}
	rejected, silent := r.checker.Check(ctx, d.Groups, notice.Check{Org: org, Kind: publish.KindAPI, ID: d.ID, Text: d.Text})
	var problems []fault.Problem
	settled := len(rejected) > 0 && r.settled(ctx, org, d.Value.(*apidef.Definition))
	for _, x := range rejected {
		if settled && (fault.Code(x.Code) == material.CodeSecretUnknown || fault.Code(x.Code) == apidef.CodeCertificateMissing) {
			continue // what was just published may be on its way to the gateway
		}
		problems = append(problems, fault.Problem{
			Code: fault.Code(x.Code), Path: x.Path, Message: strings.TrimPrefix(x.Message, x.Path+": "), Severity: fault.Error,
			Params: map[string]any{"by": "gateway"},
		})
	}
	if len(silent) > 0 {
		problems = append(problems, unchecked(silent))
	}
	return problems
}

// settled tells whether all material that a definition names is published.
func (r rules) settled(ctx context.Context, org string, d *apidef.Definition) bool {
	all := true
	err := r.engine.View(ctx, func(s *publish.State) error {
		for _, u := range material.Uses(d) {
			_, ok := s.Get(publish.Ref{Org: org, Kind: u.Kind, ID: u.ID})
			all = all && ok
		}
		return nil
	})
	return err == nil && all
}

func unchecked(groups []string) fault.Problem {
	return fault.Problem{
		Code: "check.unavailable", Severity: fault.Warning, Params: map[string]any{"groups": groups},
		Message: "no gateway was there to compile this, so a mistake that only a gateway finds would show after publishing",
	}
}

// Release lets any API go: keys and policies may name APIs that do not exist.
func (r rules) Release(context.Context, string, string) ([]fault.Problem, error) { return nil, nil }
