// Package policies manages policies: bundles of rights that keys name.
package policies

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Uses tells which keys name a policy; keys.Uses.
type Uses interface {
	// Using counts the keys that name the policy, revoked ones left out, and gives
	// the aliases of a few of them.
	Using(ctx context.Context, org, policy string) (count int, some []string, err error)
}

// Service creates, changes and removes policies. Its methods are those of
// objects.Collection, with codes that begin with "policy.". A policy that keys
// name is not deleted: "policy.in_use".
type Service struct {
	*objects.Collection
	engine *publish.Engine
}

// New makes the service.
func New(e *publish.Engine, views publish.Views, uses Uses) *Service {
	return &Service{objects.New(e, views, publish.KindPolicy, rules{uses}), e}
}

// Lookup returns those of the named policies that exist, by id, and which of
// the named APIs do.
func (s *Service) Lookup(ctx context.Context, org string, policies, apis []string) (map[string]access.Policy, map[string]bool, error) {
	found, known := map[string]access.Policy{}, map[string]bool{}
	err := s.engine.View(ctx, func(state *publish.State) error {
		for _, id := range policies {
			ref := publish.Ref{Org: org, Kind: publish.KindPolicy, ID: id}
			if _, ok := state.Get(ref); !ok {
				continue
			}
			text, err := state.Text(ctx, ref)
			if err != nil {
				return err
			}
			p, err := stored(text)
			if err != nil {
				return fmt.Errorf("reading policy %s: %w", id, err)
			}
			found[id] = *p
		}
		for _, id := range apis {
			_, known[id] = state.Get(publish.Ref{Org: org, Kind: publish.KindAPI, ID: id})
		}
		return nil
	})
	return found, known, err
}

// stored reads a policy that was accepted before.
func stored(text []byte) (*access.Policy, error) {
	p, problems := access.DecodeStoredPolicy(text)
	if p == nil {
		return nil, fault.FromProblems("policy.invalid", "the stored policy cannot be read", problems)
	}
	return p, nil
}

// rules of policies.
type rules struct{ uses Uses }

func (r rules) Read(text []byte) (any, []fault.Problem) {
	p, problems := access.DecodePolicy(text)
	if p == nil {
		return nil, problems
	}
	return p, append(problems, access.ValidatePolicy(p)...)
}

// Judge warns of rights to APIs that do not exist: the API may come later.
func (r rules) Judge(s *publish.State, org string, d objects.Document) (problems []fault.Problem) {
	for i, right := range d.Value.(*access.Policy).Rights {
		if right.API == "*" {
			continue
		}
		if _, ok := s.Get(publish.Ref{Org: org, Kind: publish.KindAPI, ID: right.API}); !ok {
			problems = append(problems, fault.Problem{
				Code: "policy.api_unknown", Path: "/rights/" + strconv.Itoa(i) + "/api",
				Severity: fault.Warning, Params: map[string]any{"api": right.API},
				Message: fmt.Sprintf("there is no API %q; the right counts once there is", right.API),
			})
		}
	}
	return problems
}

// Consult has nobody to ask.
func (r rules) Consult(context.Context, string, objects.Document) []fault.Problem { return nil }

// Release keeps policies that keys name.
func (r rules) Release(ctx context.Context, org, id string) ([]fault.Problem, error) {
	count, some, err := r.uses.Using(ctx, org, id)
	if err != nil || count == 0 {
		return nil, err
	}
	return []fault.Problem{{
		Code: "policy.in_use", Severity: fault.Error, Params: map[string]any{"keys": count, "some": some},
		Message: fmt.Sprintf("%d keys name this policy, such as %q; take it from them first, or disable the policy", count, some[0]),
	}}, nil
}
