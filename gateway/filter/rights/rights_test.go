package rights

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/access"
)

func TestKnownCallersDoWhatTheyMay(t *testing.T) {
	session := func(org string, rights ...access.Right) *access.Session {
		return access.Merge(access.Key{ID: "k_1", Org: org, State: access.KeyActive, Rights: rights}, nil)
	}
	read := access.Right{API: "orders", Endpoints: []access.EndpointRight{{Methods: []string{"GET"}, Path: "/items/{id}"}}}
	for _, c := range []struct {
		name    string
		s       *access.Session
		method  string
		path    string
		allowed bool
	}{
		{"without identity", nil, "DELETE", "/items/1", true},
		{"without rights", session("default"), "GET", "/", false},
		{"the whole API", session("default", access.Right{API: "orders"}), "DELETE", "/items/1", true},
		{"every API", session("default", access.Right{API: "*"}), "GET", "/items/1", true},
		{"another API", session("default", access.Right{API: "billing"}), "GET", "/items/1", false},
		{"another organisation's API of that id", session("other", access.Right{API: "orders"}), "GET", "/items/1", false},
		{"an endpoint", session("default", read), "GET", "/items/1", true},
		{"another method", session("default", read), "POST", "/items/1", false},
		{"another path", session("default", read), "GET", "/items", false},
		{"a path below", session("default", read), "GET", "/items/1/secret", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := filtertest.Run(t, Spec(), "", filtertest.Request(c.method, c.path).Session(c.s))
			if c.allowed {
				o.Passed(t)
				return
			}
			o.Refused(t, 403, "access.denied")
		})
	}
}

func TestAKnownCallerOfNoAPIIsRefused(t *testing.T) {
	s := access.Merge(access.Key{ID: "k_1", Rights: []access.Right{{API: "*"}}}, nil)
	b := filtertest.Get("/").Session(s).With(func(x *filter.Exchange) { x.API = nil })
	filtertest.Run(t, Spec(), "", b).Refused(t, 403, "access.denied")
}
