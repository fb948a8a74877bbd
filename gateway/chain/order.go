package chain

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/auth"
	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/gateway/filter/clientip"
	"github.com/sluice-gateway/sluice/gateway/filter/errorbody"
	"github.com/sluice-gateway/sluice/gateway/filter/headers"
	"github.com/sluice-gateway/sluice/gateway/filter/identity"
	"github.com/sluice-gateway/sluice/gateway/filter/record"
	"github.com/sluice-gateway/sluice/gateway/filter/requestid"
	"github.com/sluice-gateway/sluice/gateway/filter/rights"
)

// Deps is what filters need from the rest of the gateway. Every field may be
// zero, as docgen and checks of definitions leave it; what a filter cannot do
// without it is refused when a request comes.
type Deps struct {
	// Keys finds the session of an API key. Nil: key callers get 503.
	Keys key.Lookup
	// TrustedProxies are the networks whose word on client addresses and request ids
	// is believed. Empty: nobody's.
	TrustedProxies []netip.Prefix
	// NewID makes request ids, and is the engine's too. Nil: requestid.Maker().
	NewID func() string
	// Pressed tells that records should be small: no bodies. Nil: never.
	Pressed func() bool
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Order is the order of execution, as gateway.md's table rules it. Filters run
// top to bottom on the way in and bottom to top on the way back. Change it with
// care: each group says what depends on its place.
func Order(d Deps) []filter.Spec {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.NewID == nil {
		d.NewID = requestid.Maker()
	}
	trust := clientip.NewTrust(d.TrustedProxies)
	return []filter.Spec{
		// respond: filters with only a response phase stand first, so that they are
		// entered whatever stops the request; their effect is the last one on the way
		// back, also on a 401 or 429.
		headers.ResponseSpec(),

		// receive: everything below logs, refuses or limits by these two.
		requestid.Spec(d.NewID, trust.Has),

		// record: it looks at messages on the outside of every filter that shapes them,
		// and behind the request id, by which it samples. What encodes bodies for the
		// client (compress) belongs above it.
		record.Spec(record.Deps{Now: d.Now, Pressed: d.Pressed}),
		clientip.Spec(trust),

		// identify: before anything that is decided per caller. Headers that only the
		// gateway may set are taken from the client right behind it (see Build).
		auth.Spec(auth.Methods{Key: key.Make(d.Keys, d.Now)}),

		// authorise: a caller who may not consumes nothing of what follows.
		rights.Spec(),

		// shape: the caller is known and let in; identity comes last, so that no other
		// edit can overwrite what the backend believes.
		headers.RequestSpec(),
		identity.Spec(),

		// options that serve reads; they have no phase.
		errorbody.Spec(),
	}
}
