package route

import (
	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// Forwarder sends an exchange to the upstream of one API and sets its Response,
// or returns an error (a *filter.Reject where the cause is known).
type Forwarder interface {
	Forward(x *filter.Exchange) error
}

// Upstreams lends forwarders, counted, so that connections stay warm across
// reloads.
type Upstreams interface {
	// Acquire returns the forwarder for these options; an equal one that is in use by
	// the same API is shared.
	Acquire(org, api string, u apidef.Upstream) (Forwarder, error)
	// Release gives it back; the last one closes its idle connections. Exchanges in
	// flight still end well.
	Release(f Forwarder)
}

// API is one compiled definition. Immutable.
type API struct {
	Facts      filter.API
	SHA        string // of the definition's text
	Definition *apidef.Definition
	Chain      *chain.Chain // for requests that match no endpoint
	Forwarder  Forwarder

	exact     bool
	strip     bool
	allowList bool
	keepSlash bool // an encoded slash in a path is forwarded
	template  apidef.Template
	names     []string // of the listen path's parameters
	domains   []string // normalised; empty: any host
	endpoints *endpoints
}

// Endpoint is one compiled endpoint. Immutable.
type Endpoint struct {
	Facts   filter.Endpoint
	Methods []string // empty: every method
	Chain   *chain.Chain

	slash bool // the template ends in a slash
	names []string
}
