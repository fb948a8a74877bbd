package apidef

import (
	"slices"
	"strings"
)

// planned tells whether the language has a member that no code reads yet. Such
// a member is refused with "not_available". Remove a line when its reader comes.
func planned(pattern string) bool {
	switch pattern {
	case "/listen/protocols",
		"/upstream/targets/*/backup", "/upstream/discovery", "/upstream/balance", "/upstream/sticky",
		"/upstream/retry", "/upstream/hedge", "/upstream/breaker", "/upstream/health",
		"/upstream/outliers", "/upstream/fallback",
		"/pools", "/routing", "/mirror", "/versions", "/openapi":
		return true
	}
	return false
}

// plannedFilters are the filters of the language. Those that the catalog does
// not have are not available yet.
func plannedFilters() []string {
	return strings.Fields(`ipRules countryRules agentRules block requestSize concurrency waf cors auth login
		identity authorize rateLimit quota throttle validate requestHeaders rewrite requestBody mock cache
		responseHeaders responseBody compress errors securityHeaders redirect oauth2 record`)
}

// plannedOption tells whether the language has an option of a filter that no code
// reads yet; the pattern starts with the filter's name.
func plannedOption(pattern string) bool {
	if pattern == "/identity/jwt" {
		return true
	}
	for _, list := range []string{"/auth/any/*/", "/auth/all/*/"} {
		if method, ok := strings.CutPrefix(pattern, list); ok {
			return slices.Contains(strings.Fields("jwt basic mtls signature introspection external"), method)
		}
	}
	return false
}
