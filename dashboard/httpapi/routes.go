package httpapi

import (
	"net/http"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// What a route asks of its caller beside the permissions of people.
const (
	anyone   people.Permission = "anyone"    // no sign-in
	oneTime  people.Permission = "one-time"  // signed in, even with a one-time password that must be changed
	signedIn people.Permission = "signed-in" // signed in, whatever the role
)

// route is one method of one path below Base. needs is a permission, or one of
// the three above.
type route struct {
	Method, Path string
	needs        people.Permission
	handle       func(*api, *call) error
}

// eventsPath is the one route to read whose answer has no end, so that its head
// alone says nothing.
const eventsPath = "/events"

// methods are the methods that the route answers: what is read by GET has HEAD too
// (RFC 9110, 9.1).
func (r route) methods() []string {
	if r.Method == http.MethodGet && r.Path != eventsPath {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.Method}
}

// routes is every route of the API, read top to bottom.
func routes() []route {
	get, post, put, patch, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		// the caller
		{post, "/session", anyone, (*api).signIn},
		{get, "/session", oneTime, (*api).session},
		{del, "/session", oneTime, (*api).signOut},
		{put, "/session/password", oneTime, (*api).changePassword},
		{get, "/me", signedIn, (*api).me},
		{patch, "/me", signedIn, (*api).changeMe},

		// what this dashboard is and knows
		{get, "/openapi.yaml", anyone, (*api).openapi},
		{get, "/meta", signedIn, (*api).meta},
		{get, "/schema/api", signedIn, (*api).schema},
		{get, "/filters", signedIn, (*api).filters},

		// APIs
		{get, "/apis", people.APIsRead, (*api).listAPIs},
		{post, "/apis", people.APIsWrite, (*api).createAPI},
		{get, "/apis/availability", people.APIsRead, (*api).availability},
		{post, "/apis/check", people.APIsWrite, (*api).checkAPI},
		{get, "/apis/{id}", people.APIsRead, (*api).getAPI},
		{put, "/apis/{id}", people.APIsWrite, (*api).replaceAPI},
		{patch, "/apis/{id}", people.APIsWrite, (*api).patchAPI},
		{del, "/apis/{id}", people.APIsWrite, (*api).deleteAPI},
		{get, "/apis/{id}/status", people.APIsRead, (*api).apiStatus},
		{post, "/apis/{id}/run", people.APIsWrite, (*api).runAPI},
		{post, "/upstreams/probe", people.APIsWrite, (*api).probe},

		// policies
		{get, "/policies", people.PoliciesRead, (*api).listPolicies},
		{post, "/policies", people.PoliciesWrite, (*api).createPolicy},
		{get, "/policies/{id}", people.PoliciesRead, (*api).getPolicy},
		{put, "/policies/{id}", people.PoliciesWrite, (*api).replacePolicy},
		{patch, "/policies/{id}", people.PoliciesWrite, (*api).patchPolicy},
		{del, "/policies/{id}", people.PoliciesWrite, (*api).deletePolicy},

		// several objects at once
		{post, "/changes", signedIn, (*api).applyChanges},

		// keys of callers
		{get, "/keys", people.KeysRead, (*api).listKeys},
		{post, "/keys", people.KeysWrite, (*api).createKey},
		{post, "/keys/preview", people.KeysWrite, (*api).previewKey},
		{get, "/keys/{id}", people.KeysRead, (*api).getKey},
		{patch, "/keys/{id}", people.KeysWrite, (*api).patchKey},
		{post, "/keys/{id}/revoke", people.KeysWrite, (*api).revokeKey},

		// API tokens
		{get, "/tokens", people.TokensWrite, (*api).listTokens},
		{post, "/tokens", people.TokensWrite, (*api).createToken},
		{del, "/tokens/{id}", people.TokensWrite, (*api).deleteToken},

		// gateways, and what was published to them
		{get, "/gateways", people.GatewaysRead, (*api).listGateways},
		{get, "/gateways/{id}", people.GatewaysRead, (*api).getGateway},
		{get, "/revisions", people.RevisionsRead, (*api).listRevisions},
		{get, "/revisions/{n}", people.RevisionsRead, (*api).getRevision},
		{get, "/revisions/{n}/changes/{kind}/{id}", people.RevisionsRead, (*api).getChange},
		{get, "/revisions/{a}/diff/{b}", people.RevisionsRead, (*api).revisionDiff},
		{post, "/revisions/{n}/rollback", people.APIsWrite, (*api).rollback},
		{get, "/publishing", people.RevisionsRead, (*api).publishing},
		{get, "/publishes/{revision}", people.RevisionsRead, (*api).publishStatus},
		{get, eventsPath, people.GatewaysRead, (*api).events},

		// what was called
		{get, "/requests", people.RequestsRead, (*api).listRequests},
		{get, "/requests/{id}", people.RequestsRead, (*api).getRequest},
	}
}
