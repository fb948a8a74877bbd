// Package rights lets a known caller do what its key and policies allow, and
// nothing else. Whether a caller must be known is the filter auth's decision.
package rights

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// Config has no options: rights are stated in policies and keys.
type Config struct{}

// Spec makes the filter.
func Spec() filter.Spec {
	return filter.Define("rights", func(Config) (any, error) { return rights{}, nil }).
		In(filter.Authorise).NoOptions().Refuses(403).
		About("Lets a known caller do what its key and policies allow",
			"확인된 호출자가 키와 정책이 허용한 것만 하게 합니다")
}

type rights struct{}

// Request refuses a known caller that has no right to the method and path.
// Requests without identity come here only where auth let them through.
func (rights) Request(x *filter.Exchange) error {
	s := x.Session
	if s == nil {
		return nil
	}
	if x.API != nil && s.Org == x.API.Org && s.Allows(x.API.ID, x.Request.Method, x.Rest) {
		return nil
	}
	if x.Explain != nil {
		x.Explain.Note(false, map[string]any{"key": s.KeyID, "policies": s.Policies, "skipped": s.Skipped})
	}
	return filter.Refuse(403, "access.denied", "The caller is known, but may not do this.")
}
