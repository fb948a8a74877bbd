package route

import (
	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// Upstreams lends forwarders, counted, so that connections stay warm across
// reloads.
type Upstreams interface {
	// Acquire returns the forwarder for these options; an equal one that is in use by
	// the same API is shared.
	Acquire(org, api string, u apidef.Upstream) (filter.Forwarder, error)
	// Release gives it back; the last one closes its idle connections. Exchanges in
	// flight still end well.
	Release(f filter.Forwarder)
}

// API is one compiled definition. Immutable.
type API struct {
	Facts      filter.API
	SHA        string // of the definition's text
	Definition *apidef.Definition
	Chain      *chain.Chain // for requests that match no endpoint
	Forwarder  filter.Forwarder
	Secure     bool // callers who did not come by https are redirected there

	exact     bool
	allowList bool
	keepSlash bool // an encoded slash in a path is forwarded
	template  apidef.Template
	names     []string // of the listen path's parameters
	domains   []string // normalised; empty: any host
	endpoints *endpoints
	secrets   []string // keys of those that were filled in
}

// Endpoint is one compiled endpoint. Immutable.
type Endpoint struct {
	Facts   filter.Endpoint
	Methods []string // empty: every method
	Chain   *chain.Chain

	slash bool // the template ends in a slash
	names []string
}
