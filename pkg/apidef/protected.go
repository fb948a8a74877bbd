package apidef

import (
	"github.com/sluice-gateway/sluice/pkg/apidef/guard"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// CodePrefixOpened is a warning: an API that asks for credentials has a listen path
// into which a more specific one reaches that lets everybody in. Params id, name,
// domain, path of the other API (id and name are absent where it belongs to another
// organisation), and open ("this" or "other": which of the two lets everybody in).
const CodePrefixOpened fault.Code = "api.prefix_opened"

// access says who may call an API: closed where callers need a credential, opens
// where some of its routes take everybody. An API may be both.
func access(d *Definition) (closed, opens bool) {
	need := guard.Of(d.Filters["auth"])
	closed, opens = need == guard.Credential, need == guard.Nothing
	for _, e := range d.Endpoints {
		if auth, set := e.Filters["auth"]; set && guard.Of(auth) == guard.Nothing {
			opens = true
		}
	}
	return closed, opens
}

// reaches tells whether the one of two overlapping APIs that gets the requests to
// both lets everybody in where the other asks for a credential.
func reaches(e, other *entry) bool {
	switch order := CompareListen(other.template, e.template); {
	case order < 0:
		return other.opens && e.closed
	case order > 0:
		return e.opens && other.closed
	}
	return false // the same path
}

// opened warns of each API that found holds, by the domain.
func (v *findings) opened(e *entry, found map[*entry]string) {
	for _, other := range shown(found) {
		params := map[string]any{"domain": found[other], "path": other.path, "open": "this"}
		name := e.call(other, params)
		message := "%s asks callers below %s for a credential, but requests to %s come to this API, which lets everybody in on some of its routes: ask for one here too, or take another path"
		args := []any{name, other.path, e.path}
		if CompareListen(other.template, e.template) < 0 {
			params["open"] = "other"
			message = "this API asks callers below %s for a credential, but requests to %s come to %s, which lets everybody in on some of its routes: ask for one there too, or take another path"
			args = []any{e.path, other.path, name}
		}
		v.add("/listen/path", CodePrefixOpened, params, message, args...).Severity = fault.Warning
	}
}
