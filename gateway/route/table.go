// Package route is the world as one gateway sees it: an immutable table of
// compiled APIs and policies, how a request finds its API in it, and how a new
// table is made from what changed and swapped in.
//
// Read api.go for what is compiled, normalize.go and tree.go for matching, table.go
// for the lookup, compile.go for how a definition becomes an API, reload.go for
// the actor that does it, and material.go for secrets and certificates.
package route

import (
	"maps"
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Kinds of items that a table is made of, beside secrets and certificates; others
// are ignored.
const (
	kindAPI    = "api"
	kindPolicy = "policy"
)

// Table is one generation. Immutable: a request that has loaded one sees nothing
// of a later one.
type Table struct {
	state    State
	any      *node[*API]
	exact    pmap[*node[*API]] // by host
	wildcard pmap[*node[*API]] // "example.com" for *.example.com

	apis     pmap[*API]            // by org and id: what is routed
	shas     pmap[string]          // by org, kind and id: what was taken or refused last
	rejected pmap[notice.Rejected] // by org, kind and id
	blocked  pmap[Item]            // definitions that wait: for a place that another API holds, or a certificate
	policies map[string]map[string]access.Policy
	secrets  pmap[string] // values by org, kind and id
	taken    pmap[string] // what is in use of certificates, by org, kind and id
	// policyGeneration rises whenever a policy changed, so that merged rights are made anew.
	policyGeneration int64
}

// State says which generation a table is.
func (t *Table) State() State { return t.state }

// Policies returns the policies of an organisation by id. Read only.
func (t *Table) Policies(org string) map[string]access.Policy { return t.policies[org] }

// PolicyGeneration rises whenever a policy changed.
func (t *Table) PolicyGeneration() int64 { return t.policyGeneration }

// APIs is the number of APIs that are routed.
func (t *Table) APIs() int { return t.apis.len() }

// Each yields every API that is routed, in no order.
func (t *Table) Each(yield func(*API) bool) {
	for _, a := range t.apis.all() {
		if !yield(a) {
			return
		}
	}
}

// Match finds the API and endpoint of a request. It sets the request's Path and
// Query and the exchange's API, Endpoint, Params and Rest. The error is a
// *filter.Reject: 400 for a path that two parties could read differently, 404
// where nothing matches, 308 where the API asks for another trailing slash. The
// API is returned with an error that is its own affair.
//
// Host: exact, then the longest wildcard, then any; a host whose APIs have no
// matching listen path falls through to the next.
func (t *Table) Match(r *message.Request, x *filter.Exchange) (*API, *Endpoint, error) {
	path, query, hasQuery, err := Normalize(r.Target)
	if err != nil {
		return nil, nil, err
	}
	r.Path, r.Query, r.HasQuery = path, query, hasQuery
	s := search{path: path}
	t.find(hostname(r.Host), &s)
	api := s.api
	if api == nil {
		return nil, nil, filter.Refuse(http.StatusNotFound, "route.no_api", "no API listens on this host and path")
	}
	x.API = &api.Facts
	x.Params = s.best.params(x.Params, api.names, path)
	x.Rest = path[s.end:]
	if x.Rest == "" {
		x.Rest = "/"
	}
	if !api.keepSlash && strings.Contains(path, "%2F") {
		return api, nil, badPath("path.encoded_slash", "an encoded slash may not stand in a path of this API")
	}
	s.values.n = 0
	ep, slash := api.endpoints.match(r.Method, x.Rest, &s.values)
	if ep == nil {
		if api.allowList {
			return api, nil, filter.Refuse(http.StatusNotFound, "route.no_endpoint", "this API has no such endpoint")
		}
		return api, nil, nil
	}
	x.Endpoint = &ep.Facts
	x.Params = s.values.params(x.Params, ep.names, x.Rest)
	if slash != 0 {
		return api, ep, redirectSlash(r, slash)
	}
	return api, ep, nil
}

func (t *Table) find(host string, s *search) {
	if tree, ok := t.exact.get(host); ok {
		if s.run(tree); s.api != nil {
			return
		}
	}
	if t.wildcard.len() > 0 {
		for rest := host; ; {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
			if tree, ok := t.wildcard.get(rest); ok && i > 0 {
				if s.run(tree); s.api != nil {
					return
				}
			}
		}
	}
	s.run(t.any)
}

// hostname is a Host without port and trailing dot, in lower case.
func hostname(h string) string {
	if strings.HasPrefix(h, "[") {
		if i := strings.IndexByte(h, ']'); i > 0 {
			h = h[1:i]
		}
	} else if i := strings.LastIndexByte(h, ':'); i >= 0 {
		h = h[:i]
	}
	return strings.ToLower(strings.TrimSuffix(h, "."))
}

func redirectSlash(r *message.Request, slash int) error {
	to := strings.TrimSuffix(r.Path, "/")
	if slash > 0 {
		to += "/"
	}
	if r.HasQuery {
		to += "?" + r.Query
	}
	return filter.Refuse(http.StatusPermanentRedirect, "route.trailing_slash", "this path is spelled %s", r.Path).With("Location", to)
}

// route adds or removes an API at its place in the tries of its domains.
func (t *Table) route(a *API, add bool) {
	f := func(list []*API) []*API { return placed(list, a, add) }
	if len(a.domains) == 0 {
		if t.any = t.any.edit(a.template.Segments, f); t.any.empty() {
			t.any = nil
		}
		return
	}
	for _, d := range a.domains {
		hosts, host := &t.exact, d
		if rest, ok := strings.CutPrefix(d, "*."); ok {
			hosts, host = &t.wildcard, rest
		}
		tree, _ := hosts.get(host)
		if tree = tree.edit(a.template.Segments, f); tree.empty() {
			*hosts = hosts.without(host)
		} else {
			*hosts = hosts.with(host, tree)
		}
	}
}

// placed puts an API into the list of one place, exact ones first, or takes it out.
func placed(list []*API, a *API, add bool) []*API {
	out := list[:0]
	for _, o := range list {
		if o.Facts.Org != a.Facts.Org || o.Facts.ID != a.Facts.ID {
			out = append(out, o)
		}
	}
	if !add {
		return out
	}
	if a.exact {
		return append([]*API{a}, out...)
	}
	return append(out, a)
}

// holder returns the API that has the place of a already, if another one does.
func (t *Table) holder(a *API) *API {
	var found *API
	look := func(list []*API) []*API {
		for _, o := range list {
			if o.exact == a.exact && (o.Facts.ID != a.Facts.ID || o.Facts.Org != a.Facts.Org) {
				found = o
			}
		}
		return list
	}
	if len(a.domains) == 0 {
		t.any.edit(a.template.Segments, look)
	}
	for _, d := range a.domains {
		hosts, host := &t.exact, d
		if rest, ok := strings.CutPrefix(d, "*."); ok {
			hosts, host = &t.wildcard, rest
		}
		if tree, ok := hosts.get(host); ok {
			tree.edit(a.template.Segments, look)
		}
	}
	return found
}

func (t *Table) setPolicy(org, id string, p *access.Policy) {
	all := maps.Clone(t.policies)
	if all == nil {
		all = map[string]map[string]access.Policy{}
	}
	of := maps.Clone(all[org])
	if of == nil {
		of = map[string]access.Policy{}
	}
	if p == nil {
		delete(of, id)
	} else {
		of[id] = *p
	}
	all[org] = of
	t.policies = all
	t.policyGeneration++
}
