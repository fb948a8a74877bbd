// Package auth finds out who calls. It composes methods (API key, and others as
// they come) by any or all, answers callers that it cannot identify, and removes
// credentials from what is forwarded. What a known caller may do is the filter
// rights' business.
//
// auth.go is the filter, options.go the options of its methods; each method is a
// folder below.
package auth

import (
	"errors"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// Config are the options. Exactly one of open, any and all is set: an API says
// in so many words who may call it.
type Config struct {
	// Open lets every caller through; nobody is identified.
	Open bool `json:"open,omitempty"`
	// Any lists methods of which one must identify the caller. They are tried in
	// this order.
	Any []MethodConfig `json:"any,omitempty" schema:"maxItems=8"`
	// All lists methods of which each must identify the caller. The first one names
	// the caller for rights, limits and records.
	All []MethodConfig `json:"all,omitempty" schema:"maxItems=8"`
	// Anonymous lets callers go on without identity when they present no credential.
	// A credential that is presented must still be valid. Default: false.
	Anonymous bool `json:"anonymous,omitempty"`
	// Strip removes the credential before the request is forwarded. Default: true.
	Strip *bool `json:"strip,omitempty"`
}

// MethodConfig names one method with its options.
type MethodConfig struct {
	// Key is an API key in a header, the query or a cookie.
	Key *KeyConfig `json:"key,omitempty" schema:"required"`
}

// Method is one way to identify a caller.
type Method interface {
	// Identify returns the caller's session; nil and no error where the request
	// presents no credential of this kind; a *filter.Reject with status 401 for one
	// that is not taken, with 503 for one that cannot be judged.
	Identify(x *filter.Exchange) (*access.Session, error)
	// Strip removes the credential from the request.
	Strip(x *filter.Exchange)
	// Credentials are the places that it reads; see filter.CredentialOwner.
	Credentials() []string
	// Challenge is the value for WWW-Authenticate; refused says that a credential was
	// presented and not taken.
	Challenge(realm string, refused bool) string
}

// Methods makes the methods from their options. One that is nil cannot be used.
type Methods struct {
	Key func(KeyConfig) (Method, error) // of auth/key
}

// Spec makes the filter.
func Spec(m Methods) filter.Spec {
	return filter.Define("auth", func(c Config) (any, error) { return build(c, m) }).
		In(filter.Identify).EveryAPI().Refuses(400, 401, 503).
		About("Finds out who calls: open, or an API key",
			"누가 호출하는지 확인합니다: 공개 또는 API 키")
}

type auth struct {
	methods   []Method
	all       bool
	anonymous bool
	strip     bool
}

func build(c Config, methods Methods) (any, error) {
	var ps filter.Problems
	list, field := c.Any, "/any"
	if c.All != nil {
		list, field = c.All, "/all"
	}
	switch {
	case c.Open && (c.Any != nil || c.All != nil):
		ps.Addf("/open", "auth.contradiction", "An open API has no methods; remove open, or any and all.")
	case c.Any != nil && c.All != nil:
		ps.Addf("/all", "auth.contradiction", "Set either any or all.")
	case c.Open && c.Anonymous:
		ps.Addf("/anonymous", "auth.contradiction", "An open API is anonymous already; remove one of the two.")
	case !c.Open && len(list) == 0:
		ps.Addf("", "auth.undecided", `Say who may call: {"open": true}, or methods in any or all, such as {"any": [{"key": {}}]}.`)
	}
	a := &auth{all: c.All != nil, anonymous: c.Anonymous, strip: c.Strip == nil || *c.Strip}
	for i, m := range list {
		at := field + "/" + strconv.Itoa(i)
		if m.Key == nil || methods.Key == nil {
			ps.Addf(at, "auth.method", `Name one method, such as {"key": {}}.`)
			continue
		}
		k, err := methods.Key(*m.Key)
		ps.Add(at+"/key", err)
		a.methods = append(a.methods, k)
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	if c.Open {
		return nil, nil
	}
	return a, nil
}

// Request identifies the caller or refuses.
func (a *auth) Request(x *filter.Exchange) error {
	s, err := a.identify(x)
	if a.strip {
		// Refused requests too: what answers or records them must not see the secret.
		for _, m := range a.methods {
			m.Strip(x)
		}
	}
	if err != nil {
		return err
	}
	x.Session = s
	if x.Explain != nil {
		x.Explain.Note(a.strip, map[string]any{"identified": s != nil})
	}
	return nil
}

// Credentials are the places that any of the methods reads.
func (a *auth) Credentials() (places []string) {
	for _, m := range a.methods {
		places = append(places, m.Credentials()...)
	}
	return places
}

func (a *auth) identify(x *filter.Exchange) (*access.Session, error) {
	var first *access.Session
	var worst error
	missing := 0
	for _, m := range a.methods {
		s, err := m.Identify(x)
		switch {
		case err != nil:
			if rank(err) > rankUnavailable {
				return nil, err // malformed, or our own fault: no other method mends that
			}
			worst = worse(worst, err)
		case s == nil:
			missing++
		case !a.all:
			return s, nil
		case first == nil:
			first = s
		}
	}
	switch {
	case worst != nil:
		return nil, a.challenge(x, worst)
	case missing == len(a.methods) && a.anonymous:
		return nil, nil
	case missing > 0:
		return nil, a.challenge(x, filter.Refuse(401, "auth.missing", "This API needs a credential; the request holds none."))
	}
	return first, nil
}

// worse prefers a caller who cannot be judged, and may be a valid one, over a
// refusal.
func worse(a, b error) error {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

const (
	rankRefused = iota + 1
	rankUnavailable
	rankFinal
)

func rank(err error) int {
	r := refusal(err)
	switch {
	case err == nil:
		return 0
	case r == nil:
		return rankFinal
	case r.Status == 401:
		return rankRefused
	case r.Status == 503:
		return rankUnavailable
	}
	return rankFinal
}

func refusal(err error) *filter.Reject {
	if r := (*filter.Reject)(nil); errors.As(err, &r) {
		return r
	}
	return nil
}

// challenge adds WWW-Authenticate to a 401, which must have it (RFC 9110, 15.5.2).
func (a *auth) challenge(x *filter.Exchange, err error) error {
	r := refusal(err)
	if r == nil || r.Status != 401 {
		return err
	}
	realm := "sluice"
	if x.API != nil {
		realm = x.API.ID
	}
	seen := map[string]bool{}
	for _, m := range a.methods {
		if c := m.Challenge(realm, r.Code != "auth.missing"); !seen[c] {
			seen[c] = true
			r = r.With("WWW-Authenticate", c)
		}
	}
	return r
}
