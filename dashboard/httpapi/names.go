package httpapi

import (
	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// names are those of the objects that an answer mentions by their ids. What is gone,
// and what the caller may not read, has none.
type names struct {
	APIs     map[string]string `json:"apis"`
	Policies map[string]string `json:"policies"`
}

// keyPage is a page of keys.
type keyPage struct {
	exchange.Page[access.Key]
	Names names `json:"names"`
}

// namedKey is one key.
type namedKey struct {
	access.Key
	Names names `json:"names"`
}

// namesIn returns the names of what keys mention, and of further policies and APIs.
func (a *api) namesIn(c *call, policies, apis []string, keys ...access.Key) names {
	for _, k := range keys {
		policies = append(policies, k.Policies...)
		apis = append(apis, apisOf(k.Rights)...)
	}
	out := names{APIs: map[string]string{}, Policies: map[string]string{}}
	if c.actor.Can(people.APIsRead) == nil {
		out.APIs = a.Engine.NamesOf(c.org(), publish.KindAPI, apis)
	}
	if c.actor.Can(people.PoliciesRead) == nil {
		out.Policies = a.Engine.NamesOf(c.org(), publish.KindPolicy, policies)
	}
	return out
}

// apisOf are the APIs that rights name; "*", which stands for every one, is none.
func apisOf(rights []access.Right) []string {
	ids := make([]string, 0, len(rights))
	for _, r := range rights {
		ids = append(ids, r.API)
	}
	return ids
}
