package access

import (
	"slices"

	"github.com/sluice-gateway/sluice/pkg/pathtemplate"
)

// Right allows calls to one API.
type Right struct {
	// API is the id of the API, or "*" for every API of the organisation.
	API string `json:"api"`
	// Endpoints narrows the right. Absent: every endpoint.
	Endpoints []EndpointRight `json:"endpoints,omitzero"`
}

// EndpointRight allows methods on a path template inside an API.
type EndpointRight struct {
	// Methods allowed; absent or "*" is every method.
	Methods []string `json:"methods,omitempty"`
	// Path is a template below the listen path, as in an endpoint of a definition:
	// static segments, {name}, {name:regex}, and /** at the end for the path before
	// it and everything below.
	Path string `json:"path"`
}

// grant is what a session may do with one API, ready to be asked.
type grant struct {
	every     bool
	endpoints []endpointGrant
}

type endpointGrant struct {
	methods  []string // nil: every method
	template pathtemplate.Template
}

// Allows tells whether the session has a right to call a method on a path of an
// API (by id). The path is in the gateway's normalised form, below the listen
// path; "" counts as "/". It says nothing of state and expiry, does not
// allocate, and a session without rights is allowed nothing.
func (s *Session) Allows(api, method, path string) bool {
	if s == nil {
		return false
	}
	return s.grants[api].allows(method, path) || s.grants["*"].allows(method, path)
}

func (g *grant) allows(method, path string) bool {
	if g == nil || g.every {
		return g != nil
	}
	if path == "" {
		path = "/"
	}
	for i := range g.endpoints {
		e := &g.endpoints[i]
		if (e.methods == nil || slices.Contains(e.methods, method)) && e.template.Match(path) {
			return true
		}
	}
	return false
}

func compile(rights []Right) map[string]*grant {
	grants := make(map[string]*grant, len(rights))
	for _, r := range rights {
		g := grants[r.API]
		if g == nil {
			g = &grant{}
			grants[r.API] = g
		}
		if r.Endpoints == nil {
			g.every = true
		}
		for _, e := range r.Endpoints {
			t, err := pathtemplate.Parse(e.Path)
			if err != nil {
				continue // a right that cannot be read gives nothing
			}
			c := endpointGrant{template: t}
			if len(e.Methods) > 0 && !slices.Contains(e.Methods, "*") {
				c.methods = slices.Clone(e.Methods)
			}
			g.endpoints = append(g.endpoints, c)
		}
	}
	return grants
}
