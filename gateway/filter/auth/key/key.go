// Package key identifies callers by an API key in a header, the query or a
// cookie. It is one method of the filter auth. The secret is looked up by its
// hash; it is never logged, recorded or, unless told, forwarded.
//
// key.go is the method, sources.go reads and removes the credential, lookup.go
// is what the method needs from the rest of the gateway.
package key

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/auth"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// maxSecret bounds what is hashed. No key that the product makes, and no
// imported one, is nearly as long.
const maxSecret = 1024

// Refused is the public code of every key that is not taken. Which of the causes
// it was (auth.key_unknown, auth.key_revoked, auth.key_suspended,
// auth.key_expired, auth.key_other_org) stands in the Reject's Err, for the
// record only: a caller must not learn whether a key ever existed.
const Refused fault.Code = "auth.key_refused"

// Method identifies by key. Immutable.
type Method struct {
	sources []source
	keys    Lookup
	now     func() time.Time
}

// Make returns the function that makes methods from options. keys may be nil
// where no key can be judged.
func Make(keys Lookup, now func() time.Time) func(auth.KeyConfig) (auth.Method, error) {
	return func(c auth.KeyConfig) (auth.Method, error) {
		if c.In == nil {
			c.In = []auth.KeySource{{Header: "Authorization"}}
		}
		m := &Method{keys: keys, now: now}
		var ps filter.Problems
		if len(c.In) == 0 {
			ps.Addf("/in", "auth.no_source", "Name at least one header, query parameter or cookie that holds the key.")
		}
		for i, s := range c.In {
			ps.Add("/in/"+strconv.Itoa(i), source(s).check())
			m.sources = append(m.sources, source(s))
		}
		return m, ps.Err()
	}
}

// Identify returns the caller's session; nil and no error where the request
// holds no key.
func (m *Method) Identify(x *filter.Exchange) (*access.Session, error) {
	secret, err := m.credential(x.Request)
	if err != nil || secret == "" {
		return nil, err
	}
	if len(secret) > maxSecret || !message.ValidValue(secret) {
		return nil, m.refuse(x, "auth.key_unknown", "the key is malformed")
	}
	if m.keys == nil {
		return nil, Unavailable(errors.New("this gateway has no source of keys"))
	}
	ctx := x.Request.Context
	if ctx == nil {
		return nil, errors.New("the request has no context")
	}
	s, err := m.keys.Session(ctx, secret)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, m.refuse(x, "auth.key_unknown", "no such key")
	case errors.Is(err, ErrRevoked):
		return nil, m.refuse(x, "auth.key_revoked", "the key is revoked")
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return nil, filter.Refuse(499, "request.aborted", "The client has gone away.").Because(err)
	case err != nil:
		return nil, Unavailable(err)
	}
	return s, m.judge(x, s)
}

// judge checks what may change from one request to the next.
func (m *Method) judge(x *filter.Exchange, s *access.Session) error {
	switch {
	case x.API != nil && s.Org != x.API.Org:
		return m.refuse(x, "auth.key_other_org", "the key belongs to another organisation")
	case s.State == access.KeyRevoked:
		return m.refuse(x, "auth.key_revoked", "the key is revoked")
	case s.State != access.KeyActive:
		return m.refuse(x, "auth.key_suspended", "the key is suspended")
	case !s.ExpiresAt.IsZero() && !m.now().Before(s.ExpiresAt):
		return m.refuse(x, "auth.key_expired", "the key is expired")
	}
	return nil
}

// Challenge is the value for WWW-Authenticate (RFC 9110, 11.6.1; RFC 6750, 3).
// refused says that a key was presented and not taken.
func (m *Method) Challenge(realm string, refused bool) string {
	for _, s := range m.sources {
		if s.bearer() {
			c := `Bearer realm="` + realm + `"`
			if refused {
				c += `, error="invalid_token"`
			}
			return c
		}
	}
	scheme := "ApiKey"
	for _, s := range m.sources {
		if s.Scheme != "" {
			scheme = s.Scheme
			break
		}
	}
	return scheme + ` realm="` + realm + `"`
}

func (m *Method) refuse(x *filter.Exchange, code fault.Code, why string) *filter.Reject {
	x.Explain.Note(false, map[string]any{"cause": string(code)})
	return filter.Refuse(401, Refused, "The API key is not valid.").
		Because(fault.New(fault.Unauthenticated, code, "%s", why))
}

// Unavailable is the answer to a caller who cannot be judged now: never 401 or
// 403, since the caller may be a valid one.
func Unavailable(err error) *filter.Reject {
	return filter.Refuse(503, "auth.unavailable", "The credential cannot be checked at the moment; try again.").
		RetryAfter(time.Second).Because(err)
}

var _ auth.Method = (*Method)(nil)
