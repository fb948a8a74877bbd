package httpapi

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/httpd"
)

const (
	cookieName = "sluice_session"
	csrfHeader = "X-CSRF-Token"
)

// call is one request with its caller.
type call struct {
	exchange.Exchange
	actor people.Actor // zero for routes that anyone may call
}

// org is the organisation that the call is about.
func (c *call) org() string { return c.actor.User.Org }

// guard knows the caller and what it may do before the handler runs.
func (a *api) guard(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Exchange: exchange.Exchange{W: w, R: r}}
		err := a.admit(route, c)
		if err == nil {
			err = route.handle(a, c)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	})
}

func (a *api) admit(route route, c *call) (err error) {
	if route.needs == anyone {
		return a.sameOrigin(c.R)
	}
	if c.actor, err = a.caller(c.R); err != nil {
		return err
	}
	note(c.R).caller = c.actor.ID()
	switch route.needs {
	case oneTime:
		return nil
	case signedIn:
		if c.actor.Session != nil && c.actor.User.MustChange {
			return c.actor.Can("") // the fault that says to change the password
		}
		return nil
	}
	return c.actor.Can(route.needs)
}

// caller authenticates by an API token or a session cookie. A request with both
// is judged by the token, which no browser sends by itself.
func (a *api) caller(r *http.Request) (people.Actor, error) {
	if h := r.Header.Values("Authorization"); len(h) > 0 {
		scheme, secret, ok := strings.Cut(h[0], " ")
		if len(h) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
			return people.Actor{}, fault.New(fault.Unauthenticated, "auth.scheme", "send the API token as Authorization: Bearer slt_…, once")
		}
		return a.People.AuthenticateToken(r.Context(), strings.TrimSpace(secret))
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return people.Actor{}, fault.New(fault.Unauthenticated, "auth.required", "sign in at POST /api/v1/session, or send an API token")
	}
	actor, err := a.People.Authenticate(r.Context(), cookie.Value)
	if err != nil || safe(r.Method) {
		return actor, err
	}
	if err := a.sameOrigin(r); err != nil {
		return people.Actor{}, err
	}
	token := r.Header.Get(csrfHeader)
	if subtle.ConstantTimeCompare([]byte(token), []byte(actor.Session.CSRF)) != 1 {
		return people.Actor{}, fault.New(fault.Denied, "auth.csrf", "send the csrf value of GET /api/v1/session in the header "+csrfHeader)
	}
	return actor, nil
}

// sameOrigin refuses what another site's page made a browser send.
func (a *api) sameOrigin(r *http.Request) error {
	if err := a.origins.Check(r); err != nil {
		return fault.Wrap(err, fault.Denied, "auth.cross_origin", "the request came from another site; set public_url if this is the console's own address")
	}
	return nil
}

// refuse answers with a problem. A 401 says how to be known (RFC 9110, 11.6.1);
// a session that has ended takes its cookie along.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	note(r).code = httpd.ProblemOf(err).Code
	if f := fault.As(err); f != nil && f.Kind == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		if f.Code == "auth.expired" {
			a.setCookie(w, "")
		}
	}
	a.problems.Write(w, r, err)
}

// setCookie sets the session cookie; an empty value removes it.
func (a *api) setCookie(w http.ResponseWriter, value string) {
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, Secure: a.Secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// safe tells whether a method changes nothing (RFC 9110, 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// clientAddress is where a request came from: the nearest hop that is no trusted
// proxy.
func (a *api) clientAddress(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(a.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	return addr.String()
}
