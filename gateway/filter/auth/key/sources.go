package key

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/auth"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// source is one place where a key may be.
type source auth.KeySource

func (s source) check() error {
	var ps filter.Problems
	set := 0
	for _, n := range []string{s.Header, s.Query, s.Cookie} {
		if n != "" {
			set++
		}
	}
	if set != 1 {
		ps.Addf("", "auth.source", "Set exactly one of header, query and cookie.")
	}
	if s.Header != "" {
		if k := message.KnownName(s.Header); !message.ValidName(s.Header) {
			ps.Addf("/header", "auth.source", "%q is not the name of a header field.", s.Header)
		} else if k == message.Cookie {
			ps.Addf("/header", "auth.source", `Name the cookie: {"cookie": "NAME"}.`)
		} else if k.HopByHop() || k == message.Host || k == message.ContentLength {
			ps.Addf("/header", "auth.source", "The header %s cannot hold a key.", s.Header)
		}
	}
	if s.Cookie != "" && !message.ValidName(s.Cookie) {
		ps.Addf("/cookie", "auth.source", "%q is not the name of a cookie.", s.Cookie)
	}
	if s.Scheme != "" {
		switch {
		case s.Header == "":
			ps.Addf("/scheme", "auth.source", "Only a header has a scheme.")
		case !message.ValidName(s.Scheme):
			ps.Addf("/scheme", "auth.source", "%q is not the name of a scheme.", s.Scheme)
		}
	}
	return ps.Err()
}

// bearer tells whether callers may write "Authorization: Bearer KEY".
func (s source) bearer() bool {
	return message.KnownName(s.Header) == message.Authorization && (s.Scheme == "" || message.EqualFold(s.Scheme, "Bearer"))
}

// credential reads every source. "" means that there is none.
func (m *Method) credential(r *message.Request) (string, error) {
	found := ""
	take := func(v string) bool {
		if v == "" || v == found {
			return true
		}
		if found != "" {
			return false
		}
		found = v
		return true
	}
	for i := range m.sources {
		if !m.sources[i].each(r, take) {
			return "", filter.Refuse(400, "auth.ambiguous", "The request holds two different API keys; send one.")
		}
	}
	return found, nil
}

// each gives f the values of one source until it says no.
func (s *source) each(r *message.Request, f func(string) bool) bool {
	switch {
	case s.Header != "":
		for v := range r.Header.Values(s.Header) {
			if key, ok := s.unwrap(v); ok && !f(key) {
				return false
			}
		}
	case s.Query != "":
		for v := range message.QueryValues(r.Query, s.Query) {
			if !f(v) {
				return false
			}
		}
	default:
		for v := range message.CookieValues(&r.Header, s.Cookie) {
			if !f(v) {
				return false
			}
		}
	}
	return true
}

// unwrap takes the scheme off a header's value. Credentials of another scheme
// ("Basic …") are not keys.
func (s *source) unwrap(v string) (string, bool) {
	scheme, rest, spaced := strings.Cut(v, " ")
	switch {
	case s.Scheme != "":
		return strings.TrimLeft(rest, " "), spaced && message.EqualFold(scheme, s.Scheme)
	case message.KnownName(s.Header) != message.Authorization || !spaced:
		return v, true
	}
	return strings.TrimLeft(rest, " "), message.EqualFold(scheme, "Bearer")
}

// Strip removes the credential from the request, wherever it may stand. An
// Authorization header with another scheme stays: it may be the backend's own.
func (m *Method) Strip(x *filter.Exchange) {
	r := x.Request
	for i := range m.sources {
		s := &m.sources[i]
		switch {
		case s.Header != "":
			for v := range r.Header.Values(s.Header) {
				if _, ok := s.unwrap(v); ok {
					r.Header.Del(s.Header)
					break
				}
			}
		case s.Query != "":
			if q, dropped := message.DropQuery(r.Query, s.Query); dropped {
				r.Query, r.HasQuery = q, q != ""
			}
		default:
			message.DropCookie(&r.Header, s.Cookie)
		}
	}
}

// Credentials are the places of the key but for cookies.
func (m *Method) Credentials() (places []string) {
	for _, s := range m.sources {
		switch {
		case s.Header != "":
			places = append(places, "header:"+s.Header)
		case s.Query != "":
			places = append(places, "query:"+s.Query)
		}
	}
	return places
}
