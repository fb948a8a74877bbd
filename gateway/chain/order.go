package chain

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
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
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Order is the order of execution, as gateway.md's table rules it. Filters run
// top to bottom on the way in and bottom to top on the way back.
func Order(d Deps) []filter.Spec {
	if d.Now == nil {
		d.Now = time.Now
	}
	return []filter.Spec{}
}
