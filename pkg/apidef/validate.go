package apidef

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// The codes of a definition's own rules, beside those of strictjson and schema.go.
const (
	CodeName         fault.Code = "api.name_invalid"
	CodeID           fault.Code = "api.id_invalid"
	CodeGroup        fault.Code = "api.group_invalid"
	CodeTag          fault.Code = "api.tag_invalid"
	CodeDomain       fault.Code = "listen.domain_invalid"
	CodeListenPath   fault.Code = "listen.path_invalid"
	CodeNoTargets    fault.Code = "upstream.targets_missing"
	CodeTarget       fault.Code = "upstream.target_invalid"
	CodeUpstreamPath fault.Code = "upstream.path_invalid"
	CodeUpstreamHTTP fault.Code = "upstream.http_conflict"
	CodeTLSUnused    fault.Code = "upstream.tls_unused"
	CodeTLSConflict  fault.Code = "upstream.tls_conflict"
	CodeCertificate  fault.Code = "certificate.name_invalid"
	// CodeCertificateMissing is found by gateways: they have no certificate of the name.
	CodeCertificateMissing fault.Code = "certificate.missing"
	CodeServerName         fault.Code = "upstream.server_name_invalid"
	CodePin                fault.Code = "upstream.pin_invalid"
	CodeMethod             fault.Code = "endpoint.method_invalid"
	CodeEndpointPath       fault.Code = "endpoint.path_invalid"
	CodeEndpointID         fault.Code = "endpoint.id_taken" // params id, other (index of the other endpoint)
	CodeEndpointTwice      fault.Code = "endpoint.duplicate"
	CodeUndecided          fault.Code = "auth.undecided"
	CodeFilterScope        fault.Code = "filter.scope" // the filter cannot stand here
	CodeFilterOff          fault.Code = "filter.off"   // "off" is not allowed here
)

// Bounds of a definition.
const (
	maxName        = 200   // characters
	maxDescription = 10000 // characters
	maxList        = 100   // groups, tags, owners, domains, targets
	maxEndpoints   = 10000 // of one API
	maxWeight      = 1000
)

// Validate checks every rule of a definition but the options of its filters and
// what it shares with other definitions; see ValidateFilters and Index. A
// problem's path is a JSON pointer into the document. An absent id is no
// problem: the store makes one.
func Validate(d *Definition) []fault.Problem {
	v := &findings{}
	v.identity(d)
	v.listen("/listen", d.Listen)
	v.upstream("/upstream", d.Upstream)
	v.endpoints(d)
	if _, decided := d.Filters["auth"]; !decided {
		v.add("/filters", CodeUndecided, nil, `nothing says who may call this API; add "auth" to the filters, or {"open": true} as "auth" if everybody may`).Fix = `{"open": true}`
	}
	return v.problems
}

// findings collects problems.
type findings struct{ problems []fault.Problem }

func (v *findings) add(path string, code fault.Code, params map[string]any, format string, args ...any) *fault.Problem {
	const most = 200
	if len(v.problems) >= most {
		return new(fault.Problem) // more help nobody
	}
	v.problems = append(v.problems, fault.Problem{
		Code: code, Path: path, Params: params,
		Message: fmt.Sprintf(format, args...), Severity: fault.Error,
	})
	return &v.problems[len(v.problems)-1]
}

func (v *findings) err(path string, code fault.Code, err error) {
	v.add(path, code, nil, "%s", err)
}

func (v *findings) identity(d *Definition) {
	v.name("/name", d.Name)
	if d.ID != "" && !ValidID(d.ID) {
		v.add("/id", CodeID, nil, "an id has 1 to %d of the characters a-z, 0-9 and -; write it so or leave it out", maxID).Fix = MakeID(d.ID)
	}
	if n := utf8.RuneCountInString(d.Description); n > maxDescription {
		v.add("/description", strictjson.CodeLength, map[string]any{"max": maxDescription, "got": n}, "the description has %d characters; at most %d are allowed", n, maxDescription)
	}
	oneOf(v, "/state", d.State, Active, Disabled)
	v.list("/groups", d.Groups, CodeGroup, func(s string) error {
		if !ValidID(s) {
			return fmt.Errorf("%q is not a name of a gateway group; use 1 to %d of the characters a-z, 0-9 and -", strictjson.Brief(s), maxID)
		}
		return nil
	})
	label := func(s string) error {
		if n := utf8.RuneCountInString(s); n == 0 || n > maxID || hasControl(s) || strings.TrimSpace(s) != s {
			return fmt.Errorf("%q must have 1 to %d characters, no control characters, and no space at its ends", strictjson.Brief(s), maxID)
		}
		return nil
	}
	v.list("/tags", d.Tags, CodeTag, label)
	v.list("/owners", d.Owners, CodeTag, label)
}

func (v *findings) name(path, name string) {
	n := utf8.RuneCountInString(name)
	switch {
	case n == 0:
		v.add(path, strictjson.CodeRequired, map[string]any{"name": "name"}, "the API has no name; give it one of 1 to %d characters", maxName)
	case n > maxName:
		v.add(path, strictjson.CodeLength, map[string]any{"max": maxName, "got": n}, "the name has %d characters; at most %d are allowed", n, maxName)
	case hasControl(name) || strings.TrimSpace(name) != name:
		v.add(path, CodeName, nil, "the name must not have control characters or a space at its ends; remove them").Fix = cleanName(name)
	}
}

// Hidden finds control characters, and those that change the direction or the look
// of a text without being seen, which let one name pass for another.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == utf8.RuneError
}

func hasControl(s string) bool { return strings.ContainsFunc(s, Hidden) }

func cleanName(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if hasControl(string(r)) {
			return -1
		}
		return r
	}, s))
}

// list checks the items of a list and that none stands twice.
func (v *findings) list(path string, items []string, code fault.Code, check func(string) error) {
	if len(items) > maxList {
		v.add(path, strictjson.CodeLength, map[string]any{"max": maxList, "got": len(items)}, "there are %d items; at most %d are allowed", len(items), maxList)
		return
	}
	for i, item := range items {
		at := path + "/" + strconv.Itoa(i)
		if err := check(item); err != nil {
			v.err(at, code, err)
		} else if slices.Contains(items[:i], item) {
			v.add(at, strictjson.CodeItems, map[string]any{"item": strictjson.Brief(item)}, "%q stands twice; keep one", strictjson.Brief(item))
		}
	}
}

// oneOf checks a choice; absent is the default.
func oneOf[T ~string](v *findings, path string, got T, allowed ...T) {
	if got == "" || slices.Contains(allowed, got) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	v.add(path, strictjson.CodeEnum, map[string]any{"allowed": names, "got": strictjson.Brief(string(got))},
		"%q is not one of %s", strictjson.Brief(string(got)), strings.Join(names, ", ")).Fix = strictjson.Nearest(string(got), names)
}

func (v *findings) listen(at string, l Listen) {
	if len(l.Domains) > maxList {
		v.add(at+"/domains", strictjson.CodeLength, map[string]any{"max": maxList, "got": len(l.Domains)}, "there are %d domains; at most %d are allowed", len(l.Domains), maxList)
	} else {
		seen := map[string]bool{}
		for i, domain := range l.Domains {
			path := at + "/domains/" + strconv.Itoa(i)
			normal, err := NormalizeDomain(domain)
			if err != nil {
				v.err(path, CodeDomain, err)
			} else if seen[normal] {
				v.add(path, strictjson.CodeItems, map[string]any{"item": normal}, "%q stands twice; keep one", normal)
			}
			seen[normal] = true
		}
	}
	if l.Path == "" {
		v.add(at+"/path", strictjson.CodeRequired, map[string]any{"name": "path"}, "the API has no listen path; give it one such as /orders/").Fix = "/"
	} else if _, err := ParseListenPath(l.Path); err != nil {
		p := v.add(at+"/path", CodeListenPath, nil, "%s", err)
		if _, err := ParseListenPath("/" + l.Path); err == nil {
			p.Fix = "/" + l.Path
		}
	}
	oneOf(v, at+"/match", l.Match, Prefix, Exact)
	oneOf(v, at+"/trailingSlash", l.TrailingSlash, SlashKeep, SlashIgnore, SlashRedirect)
	oneOf(v, at+"/encodedSlash", l.EncodedSlash, EncodedReject, EncodedKeep)
	v.list(at+"/certificates", l.Certificates, CodeCertificate, checkCertificate)
}

func (v *findings) endpoints(d *Definition) {
	if len(d.Endpoints) > maxEndpoints {
		v.add("/endpoints", strictjson.CodeLength, map[string]any{"max": maxEndpoints, "got": len(d.Endpoints)}, "there are %d endpoints; at most %d are allowed in one API", len(d.Endpoints), maxEndpoints)
		return
	}
	ids := map[string]int{}
	spaces := map[string]map[string]int{} // template key -> method ("" is every one) -> endpoint
	for i, e := range d.Endpoints {
		at := "/endpoints/" + strconv.Itoa(i)
		v.methods(at+"/methods", e.Methods)
		if e.ID != "" && !ValidID(e.ID) {
			v.add(at+"/id", CodeID, nil, "an id has 1 to %d of the characters a-z, 0-9 and -; write it so or leave it out", maxID).Fix = MakeID(e.ID)
		}
		if n := utf8.RuneCountInString(e.Summary); n > maxName {
			v.add(at+"/summary", strictjson.CodeLength, map[string]any{"max": maxName, "got": n}, "the summary has %d characters; at most %d are allowed", n, maxName)
		}
		t, err := ParseTemplate(e.Path)
		if err != nil {
			v.err(at+"/path", CodeEndpointPath, err)
			continue
		}
		id := e.EffectiveID()
		if other, taken := ids[id]; taken {
			v.add(at+"/id", CodeEndpointID, map[string]any{"id": id, "other": other},
				"the id %q is also that of endpoint %d (%s); give one of them an id of its own", id, other, strictjson.Brief(d.Endpoints[other].Path))
		} else {
			ids[id] = i
		}
		key := endpointKey(t, d.Listen.TrailingSlash)
		if spaces[key] == nil {
			spaces[key] = map[string]int{}
		}
		v.duplicate(at, d, i, spaces[key])
	}
}

// endpointKey is the template's key, without the slash at its end where the API
// takes paths with and without it for one.
func endpointKey(t Template, slash TrailingSlash) string {
	if slash.OrDefault() != SlashKeep && len(t.Segments) > 0 {
		t.Slash = false
	}
	return t.Key()
}

// duplicate refuses an endpoint that another one of the API makes unreachable
// by having the same template and a method in common.
func (v *findings) duplicate(at string, d *Definition, i int, space map[string]int) {
	methods := d.Endpoints[i].EffectiveMethods()
	if methods == nil {
		methods = []string{""}
	}
	for _, m := range methods {
		other, taken := space[m]
		if !taken {
			space[m] = i
			continue
		}
		if other == i {
			continue // the method stands twice, which methods() says
		}
		name := m
		if m == "" {
			name = "every method"
		}
		v.add(at, CodeEndpointTwice, map[string]any{"other": other, "method": name, "path": strictjson.Brief(d.Endpoints[i].Path)},
			"endpoint %d (%s) already answers %s on this path; remove one or change its path", other, strictjson.Brief(d.Endpoints[other].Path), name)
		return
	}
}

func (v *findings) methods(at string, methods []string) {
	v.list(at, methods, CodeMethod, func(m string) error {
		switch {
		case m == "*" && len(methods) == 1:
			return nil
		case m == "*":
			return fmt.Errorf(`"*" is every method; remove the others or "*"`)
		case m == "CONNECT" || m == "TRACE":
			return fmt.Errorf("%s is not forwarded by a gateway; remove it", m)
		case m == "" || len(m) > 32 || strings.ContainsFunc(m, func(r rune) bool { return !isMethodChar(r) }):
			return fmt.Errorf("%q is not a method; use upper-case letters, such as GET", strictjson.Brief(m))
		}
		return nil
	})
}

func isMethodChar(r rune) bool { return r >= 'A' && r <= 'Z' || r == '-' || r == '_' }
