// Package apidef is the language of the product: an API definition as one JSON
// document. The console edits it, the store keeps the published text, the
// gateway compiles it. It holds plain data with JSON tags, the strict decoder,
// the validation and the conflict index; no behaviour of a proxy.
//
// Read definition.go and upstream.go for the shape, decode.go for how a text
// becomes a Definition, validate.go, address.go and filters.go for the rules,
// defaults.go for what absent values mean, and conflicts.go for what two
// definitions may not share. Defaults are applied by those accessors only.
//
// A field of the language that no code reads yet is refused with the code
// "not_available" (planned.go), so that nobody believes in a protection that
// does not exist.
package apidef

import "encoding/json"

// Definition says everything about one API. Defaults stand in the comments and
// are applied when it is compiled, never written into the document.
type Definition struct {
	// ID is made from the name when absent; [a-z0-9-]{1,64}; never changes.
	ID string `json:"id,omitempty"`
	// Name is what people call the API; 1 to 200 characters.
	Name string `json:"name"`
	// Description is free text for people.
	Description string `json:"description,omitempty"`
	// State is active or disabled. A disabled API keeps its listen path reserved.
	// Default: active.
	State State `json:"state,omitempty"`
	// Groups are the gateway groups that serve the API. Default: every group.
	Groups []string `json:"groups,omitempty"`
	// Tags are for people and for analytics.
	Tags []string `json:"tags,omitempty"`
	// Owners are the teams or people in charge.
	Owners []string `json:"owners,omitempty"`
	// Listen says which requests belong to the API.
	Listen Listen `json:"listen"`
	// Upstream is the default target pool.
	Upstream Upstream `json:"upstream"`
	// Filters are the options of the filter chain, by filter name. The order of
	// execution is the product's, not the document's.
	Filters Filters `json:"filters"`
	// Endpoints are paths and methods inside the API with filters of their own.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// AllowList makes requests that match no endpoint a 404. Default: false.
	AllowList bool `json:"allowList,omitempty"`
}

// State of a definition or a policy.
type State string

// The states.
const (
	Active   State = "active"
	Disabled State = "disabled"
)

// Listen says which requests belong to an API.
type Listen struct {
	// Domains are host names; "*.example.com" matches every name below it, not
	// example.com itself. Addresses are allowed. Default: any host.
	Domains []string `json:"domains,omitempty"`
	// Path is the listen path, matched at segment boundaries: "/orders" and
	// "/orders/" are the same one, and neither matches "/ordersx". Segments may
	// be {name} or {name:regex}. Unique per domain among APIs that share a group.
	Path string `json:"path"`
	// Match is prefix or exact. Default: prefix.
	Match Match `json:"match,omitempty"`
	// Strip forwards without the listen path. Default: true.
	Strip *bool `json:"strip,omitempty"`
	// TrailingSlash is keep, ignore or redirect. Default: keep.
	TrailingSlash TrailingSlash `json:"trailingSlash,omitempty"`
	// EncodedSlash is reject or keep: what to do with %2F in the path. Default: reject.
	EncodedSlash EncodedSlash `json:"encodedSlash,omitempty"`
	// RedirectHTTP sends callers who did not come by https to the same host, path and
	// query there, with 308 and before authentication. What trusted proxies say of the
	// caller's scheme is believed. Default: false.
	RedirectHTTP bool `json:"redirectHttp,omitempty"`
	// Certificates are the ids of certificates for its domains. A gateway takes the API
	// only when it has all of them; which one a client is shown follows from the name
	// that it asks for (SNI, RFC 6066, section 3). Default: none is asked for.
	Certificates []string `json:"certificates,omitempty"`
}

// Match is how a listen path is compared.
type Match string

// The ways to match.
const (
	Prefix Match = "prefix"
	Exact  Match = "exact"
)

// TrailingSlash is what a slash at the end of a path means inside an API.
type TrailingSlash string

// The trailing-slash rules.
const (
	SlashKeep     TrailingSlash = "keep"     // "/a" and "/a/" are two paths
	SlashIgnore   TrailingSlash = "ignore"   // endpoints match with and without
	SlashRedirect TrailingSlash = "redirect" // 308 to the spelling of the endpoint
)

// EncodedSlash is what to do with %2F in a path.
type EncodedSlash string

// The encoded-slash rules.
const (
	EncodedReject EncodedSlash = "reject" // 400
	EncodedKeep   EncodedSlash = "keep"   // forwarded as it is, never a separator
)

// Filters holds raw options by filter name. The value "off" (a JSON string)
// removes a filter that the level above set.
type Filters map[string]json.RawMessage

// Endpoint is one path template inside an API.
type Endpoint struct {
	// ID names the endpoint in limits, rights and records; made from the first
	// method and the path when absent; unique within the API.
	ID string `json:"id,omitempty"`
	// Methods that it answers; ["*"] is every method. Default: every method.
	Methods []string `json:"methods,omitempty"`
	// Path is a template below the listen path: static segments, {name},
	// {name:regex}, and /** at the end for everything below.
	Path string `json:"path"`
	// Summary is one line for people.
	Summary string `json:"summary,omitempty"`
	// Filters replace the API's filter of the same name as a whole; "off" removes it.
	Filters Filters `json:"filters,omitempty"`
}
