package access

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/pathtemplate"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Policy is a bundle of rights that keys name.
type Policy struct {
	// ID is made from the name when absent; [a-z0-9-]{1,64}; never changes.
	ID string `json:"id,omitempty"`
	// Name is what people call it; 1 to 200 characters.
	Name string `json:"name"`
	// Description is free text for people.
	Description string `json:"description,omitempty"`
	// State is active or disabled. Default: active.
	State string `json:"state,omitempty"`
	// Rights are what callers with this policy may do.
	Rights []Right `json:"rights,omitempty"`
	// Metadata is merged into the session and can be forwarded to the backend.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Tags are for people.
	Tags []string `json:"tags,omitempty"`
	// KeyTTL is how long a new key with this policy lives, such as "720h". Default: no end.
	KeyTTL string `json:"keyTtl,omitempty"`
}

// IsActive tells whether the policy gives its rights.
func (p *Policy) IsActive() bool { return p.State != "disabled" }

// TTL is how long a new key with this policy lives; 0 is without end.
func (p *Policy) TTL() time.Duration {
	ttl, err := time.ParseDuration(p.KeyTTL)
	if err != nil || ttl < 0 {
		return 0
	}
	return ttl
}

// The codes of what ValidatePolicy and ValidateKey find, beside those of strictjson.
const (
	CodeText   fault.Code = "access.text_invalid"
	CodeID     fault.Code = "access.id_invalid"
	CodeMethod fault.Code = "access.method_invalid"
	CodePath   fault.Code = "access.path_invalid"
	CodeTTL    fault.Code = "access.ttl_invalid"
)

// Bounds of policies and keys.
const (
	maxName        = 200    // characters
	maxDescription = 10_000 // characters
	maxList        = 100    // policies, tags, methods
	maxRights      = 1000
	maxEndpoints   = 1000 // of one right
	maxMetadata    = 100
	maxValue       = 4096 // bytes of one value of metadata
	maxID          = 64
	maxTTL         = 100 * 365 * 24 * time.Hour
)

// DecodePolicy reads a policy's text as strictly as a definition's: unknown,
// planned and duplicate members and wrong types are refused with a JSON pointer
// each; members named x-… are ignored. With problems the policy is nil.
func DecodePolicy(text []byte) (*Policy, []fault.Problem) {
	return strictjson.Decode[Policy](text, strictjson.Options{Extensions: true, Planned: planned})
}

// DecodeStoredPolicy reads a policy that was accepted before: as DecodePolicy, but
// members that this version does not read are passed over.
func DecodeStoredPolicy(text []byte) (*Policy, []fault.Problem) {
	return strictjson.DecodeStored[Policy](text, strictjson.Options{Extensions: true, Planned: planned})
}

// planned tells whether the language has a member that no code reads yet.
func planned(pattern string) bool {
	return pattern == "/rateLimit" || pattern == "/quota" || pattern == "/rights/*/versions"
}

// ValidatePolicy checks every rule of a policy; paths are JSON pointers. An
// absent id is no problem: the store makes one. Whether the APIs exist is the
// store's to check.
func ValidatePolicy(p *Policy) []fault.Problem {
	v := &findings{}
	if p.ID != "" {
		v.id("/id", p.ID)
	}
	v.text("/name", p.Name, 1, maxName)
	if n := utf8.RuneCountInString(p.Description); n > maxDescription {
		v.length("/description", n, maxDescription)
	}
	if p.State != "" && p.State != "active" && p.State != "disabled" {
		v.add("/state", strictjson.CodeEnum, map[string]any{"allowed": []string{"active", "disabled"}},
			"%q is not one of active, disabled", strictjson.Brief(p.State)).Fix = strictjson.Nearest(p.State, []string{"active", "disabled"})
	}
	v.rights(p.Rights)
	v.metadata(p.Metadata)
	v.tags(p.Tags)
	if p.KeyTTL != "" {
		if ttl, err := time.ParseDuration(p.KeyTTL); err != nil || ttl < time.Second || ttl > maxTTL {
			v.add("/keyTtl", CodeTTL, nil, "%q is not a time to live; use a number and a unit, such as \"720h\", of at least 1s", strictjson.Brief(p.KeyTTL))
		}
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

func (v *findings) length(path string, got, most int) {
	v.add(path, strictjson.CodeLength, map[string]any{"max": most, "got": got}, "this has %d; at most %d are allowed", got, most)
}

func (v *findings) text(path, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	switch {
	case n < least:
		v.add(path, strictjson.CodeRequired, map[string]any{"name": path[1:]}, "%s is missing; give 1 to %d characters", path[1:], most)
	case n > most:
		v.add(path, strictjson.CodeLength, map[string]any{"max": most, "got": n}, "this has %d characters; at most %d are allowed", n, most)
	case hasControl(s) || strings.TrimSpace(s) != s:
		v.add(path, CodeText, nil, "%q must not have control characters or a space at its ends; remove them", strictjson.Brief(s))
	}
}

func (v *findings) id(path, id string) {
	if !validID(id) {
		v.add(path, CodeID, nil, "%q is not an id; it has 1 to %d of the characters a-z, 0-9 and -", strictjson.Brief(id), maxID)
	}
}

func validID(id string) bool {
	return id != "" && len(id) <= maxID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (v *findings) unique(path string, items []string) {
	for i, item := range items {
		if slices.Contains(items[:i], item) {
			v.add(path+"/"+strconv.Itoa(i), strictjson.CodeItems, map[string]any{"item": strictjson.Brief(item)}, "%q stands twice; keep one", strictjson.Brief(item))
		}
	}
}

func (v *findings) tags(tags []string) {
	if len(tags) > maxList {
		v.length("/tags", len(tags), maxList)
		return
	}
	for i, tag := range tags {
		v.text("/tags/"+strconv.Itoa(i), tag, 1, maxID)
	}
	v.unique("/tags", tags)
}

// metadata may reach a backend in header values, so that names are plain and
// values hold no control character.
func (v *findings) metadata(m map[string]string) {
	if len(m) > maxMetadata {
		v.length("/metadata", len(m), maxMetadata)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		path := "/metadata/" + strictjson.Escape(strictjson.Brief(name))
		if n := utf8.RuneCountInString(name); n == 0 || n > maxID || hasControl(name) || strings.ContainsAny(name, "{} ") {
			v.add(path, CodeText, nil, "%q is not a name of metadata; use 1 to %d characters without spaces, braces and control characters", strictjson.Brief(name), maxID)
		}
		if len(m[name]) > maxValue {
			v.length(path, len(m[name]), maxValue)
		} else if hasControl(m[name]) {
			v.add(path, CodeText, nil, "the value has control characters, which no header can carry; remove them")
		}
	}
}

func (v *findings) rights(rights []Right) {
	if len(rights) > maxRights {
		v.length("/rights", len(rights), maxRights)
		return
	}
	for i, r := range rights {
		at := "/rights/" + strconv.Itoa(i)
		if r.API == "" {
			v.add(at+"/api", strictjson.CodeRequired, map[string]any{"name": "api"}, `the right names no API; write its id, or "*" for every API`)
		} else if r.API != "*" {
			v.id(at+"/api", r.API)
		}
		if len(r.Endpoints) > maxEndpoints {
			v.length(at+"/endpoints", len(r.Endpoints), maxEndpoints)
			continue
		}
		if r.Endpoints != nil && len(r.Endpoints) == 0 {
			v.add(at+"/endpoints", strictjson.CodeLength, map[string]any{"min": 1, "got": 0}, "the list of endpoints is empty; leave it out to allow every endpoint, or remove the right")
		}
		for j, e := range r.Endpoints {
			path := at + "/endpoints/" + strconv.Itoa(j)
			if _, err := pathtemplate.Parse(e.Path); err != nil {
				v.add(path+"/path", CodePath, nil, "%s", err)
			}
			for k, m := range e.Methods {
				if m != "*" && (m == "" || len(m) > 32 || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "") {
					v.add(path+"/methods/"+strconv.Itoa(k), CodeMethod, nil, "%q is not a method; use upper-case letters, such as GET", strictjson.Brief(m))
				}
			}
			v.unique(path+"/methods", e.Methods[:min(len(e.Methods), maxList)])
		}
	}
}

// hasControl also finds characters that change the direction or the look of a
// text without being seen.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == utf8.RuneError
	})
}
