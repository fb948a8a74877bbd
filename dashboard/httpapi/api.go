// Package httpapi is the dashboard's REST API, /api/v1. Read routes.go for what
// there is and who may do it, guard.go for how callers are known, package
// exchange for what requests and answers look like; openapi.yaml is the contract,
// and a test keeps it equal to routes.go.
package httpapi

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/dashboard/commands"
	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/dashboard/httpapi/changes"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/live"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/httpd"
)

// Base is the path that every route is below.
const Base = "/api/v1"

// answerTimeout is how long a client may take to read an answer that is no stream.
const answerTimeout = time.Minute

// Options are what the API needs. All services are required.
type Options struct {
	People   *people.Service
	APIs     *apis.Service
	Policies *policies.Service
	Changes  changes.Service
	Keys     *keys.Service
	Fleet    *fleet.Service
	Commands *commands.Service
	Engine   *publish.Engine
	Hub      *live.Hub
	Calls    *calls.Service

	Secure         bool           // browsers come by https: the session cookie is marked Secure
	PublicURL      string         // an origin beside the request's own that browsers may come from; "" is none
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	StoreDriver    string         // for GET /meta
	// PasswordChanged is called after a user changed the password; nil is nobody.
	PasswordChanged func(people.User)
	// Observe is called after every answer with the route's method and path; nil is nobody.
	Observe func(method, path string, status int, took time.Duration)
	Log     *slog.Logger
}

// api holds what handlers need.
type api struct {
	Options
	problems httpd.Problems
	origins  *http.CrossOriginProtection
	static   static
}

// New makes the handler of everything below Base.
func New(o Options) (http.Handler, error) {
	a := &api{Options: o, problems: httpd.Problems{Log: o.Log}, origins: http.NewCrossOriginProtection()}
	if o.PublicURL != "" {
		if err := a.origins.AddTrustedOrigin(strings.TrimSuffix(o.PublicURL, "/")); err != nil {
			return nil, err
		}
	}
	var err error
	if a.static, err = newStatic(); err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(a.envelope)
	for _, route := range routes() {
		for _, method := range route.methods() {
			r.Method(method, Base+route.Path, a.guard(route))
		}
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		a.refuse(w, r, fault.New(fault.NotFound, "route.not_found", "there is nothing at this address; /api/v1/openapi.yaml lists what there is"))
	})
	r.MethodNotAllowed(a.methodNotAllowed)
	return r, nil
}

// methodNotAllowed says which methods there are (RFC 9110, 15.5.6).
func (a *api) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, route := range routes() {
		if matches(route.Path, strings.TrimPrefix(r.URL.Path, Base)) {
			allowed = append(allowed, route.methods()...)
		}
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	note(r).code = "route.method_not_allowed"
	exchange.WriteJSON(w, http.StatusMethodNotAllowed, "application/problem+json", httpd.Problem{
		Type: "about:blank", Title: "this address knows only " + strings.Join(allowed, ", "), Status: http.StatusMethodNotAllowed,
		Code: "route.method_not_allowed", RequestID: httpd.RequestID(r.Context()), Params: map[string]any{"allowed": allowed},
	})
}

// matches compares a route's pattern with a path, segment by segment.
func matches(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, "{") && h != "" })
}
