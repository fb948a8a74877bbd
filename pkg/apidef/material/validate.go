package material

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// The codes of what the rules find, beside those of strictjson.
const (
	CodeID      fault.Code = "material.id_invalid"
	CodeText    fault.Code = "material.text_invalid"
	CodeChain   fault.Code = "certificate.chain_invalid"
	CodeOrder   fault.Code = "certificate.order_mended" // warning: the chain was not in order
	CodeKey     fault.Code = "certificate.key_invalid"
	CodeMatch   fault.Code = "certificate.key_mismatch" // the key is not that of the first certificate
	CodeWeak    fault.Code = "certificate.key_weak"
	CodeExpired fault.Code = "certificate.expired"  // warning; params notAfter
	CodeNotYet  fault.Code = "certificate.not_yet"  // warning; params notBefore
	CodeNoCA    fault.Code = "certificate.not_a_ca" // warning: in a bundle, but no authority
	CodeOpenAPI fault.Code = "document.openapi_invalid"
	// CodeSecretUnknown is of a reference to a secret that does not exist.
	CodeSecretUnknown fault.Code = "secret.unknown"
	// CodeSecretRefused is found by gateways: options are not valid with the secret in them.
	CodeSecretRefused fault.Code = "secret.refused"
	// CodeSecretSealed is found by gateways: they cannot open a private part.
	CodeSecretSealed fault.Code = "secret.sealed"
)

// Bounds of material.
const (
	maxName        = 200       // characters
	maxDescription = 10_000    // characters
	maxLabel       = 64        // characters of a tag
	maxTags        = 100       //
	maxSecret      = 64 << 10  // bytes of a secret's value
	maxChain       = 256 << 10 // bytes of a chain with a key
	maxBundle      = 2 << 20   // bytes of a bundle of CAs
	maxKey         = 64 << 10  // bytes of a private key
)

// ValidateSecret checks every rule of a secret but that it has a value, which a
// change may leave out. Paths are JSON pointers. The value is in no message.
func ValidateSecret(s *Secret) []fault.Problem {
	v := &findings{}
	v.common(s.ID, s.Name, s.Description, s.Tags)
	switch {
	case s.Value == nil:
	case s.Value.IsNull():
		v.add("/value", strictjson.CodeRequired, map[string]any{"name": "value"}, "a secret has a value; write it, or leave the member out to keep the one before")
	case len(s.Value.plain) > maxSecret:
		v.length("/value", len(s.Value.plain), maxSecret, "bytes")
	}
	return v.problems
}

// ValidateDocument checks every rule of an OpenAPI document's frame; what stands
// in it is for those who use it.
func ValidateDocument(d *Document) []fault.Problem {
	v := &findings{}
	v.common(d.ID, d.Name, d.Description, d.Tags)
	if len(d.OpenAPI) == 0 {
		v.add("/openapi", strictjson.CodeRequired, map[string]any{"name": "openapi"}, "there is no OpenAPI document; put it here as a JSON object")
		return v.problems
	}
	var root struct {
		OpenAPI string                     `json:"openapi"`
		Info    map[string]json.RawMessage `json:"info"`
	}
	switch err := json.Unmarshal(d.OpenAPI, &root); {
	case err != nil:
		v.add("/openapi", CodeOpenAPI, nil, "this is not the JSON object of an OpenAPI document")
	case !openapi3.MatchString(root.OpenAPI):
		v.add("/openapi/openapi", CodeOpenAPI, nil, "%q is not a version that is read; it must be 3.0.x or 3.1.x", strictjson.Brief(root.OpenAPI))
	case root.Info == nil:
		v.add("/openapi/info", strictjson.CodeRequired, map[string]any{"name": "info"}, "an OpenAPI document has the member info")
	}
	return v.problems
}

var openapi3 = regexp.MustCompile(`^3\.[01]\.[0-9]{1,3}$`)

// findings collects problems.
type findings struct{ problems []fault.Problem }

func (v *findings) add(path string, code fault.Code, params map[string]any, format string, args ...any) *fault.Problem {
	v.problems = append(v.problems, fault.Problem{
		Code: code, Path: path, Params: params, Message: fmt.Sprintf(format, args...), Severity: fault.Error,
	})
	return &v.problems[len(v.problems)-1]
}

func (v *findings) warn(path string, code fault.Code, params map[string]any, format string, args ...any) {
	v.add(path, code, params, format, args...).Severity = fault.Warning
}

func (v *findings) length(path string, got, most int, unit string) {
	v.add(path, strictjson.CodeLength, map[string]any{"max": most, "got": got}, "this has %d %s; at most %d are allowed", got, unit, most)
}

// common checks what all kinds have.
func (v *findings) common(id, name, description string, tags []string) {
	if id != "" && !apidef.ValidID(id) {
		v.add("/id", CodeID, nil, "an id has 1 to 64 of the characters a-z, 0-9 and -; write it so or leave it out").Fix = apidef.MakeID(id)
	}
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		v.add("/name", strictjson.CodeRequired, map[string]any{"name": "name"}, "there is no name; give it one of 1 to %d characters", maxName)
	case n > maxName:
		v.length("/name", n, maxName, "characters")
	case !clean(name):
		v.add("/name", CodeText, nil, "the name must not have control characters or a space at its ends; remove them")
	}
	if n := utf8.RuneCountInString(description); n > maxDescription {
		v.length("/description", n, maxDescription, "characters")
	}
	if len(tags) > maxTags {
		v.length("/tags", len(tags), maxTags, "tags")
		return
	}
	for i, tag := range tags {
		at := "/tags/" + strconv.Itoa(i)
		switch n := utf8.RuneCountInString(tag); {
		case n == 0 || n > maxLabel || !clean(tag):
			v.add(at, CodeText, nil, "a tag has 1 to %d characters, no control characters, and no space at its ends", maxLabel)
		case slices.Contains(tags[:i], tag):
			v.add(at, strictjson.CodeItems, map[string]any{"item": strictjson.Brief(tag)}, "%q stands twice; keep one", strictjson.Brief(tag))
		}
	}
}

// clean tells whether a text has no white space at its ends, and nothing that is
// not seen.
func clean(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, apidef.Hidden)
}

// ValidateCertificate checks the frame of a certificate; Inspect checks chain and key.
func ValidateCertificate(c *Certificate) []fault.Problem {
	v := &findings{}
	v.common(c.ID, c.Name, "", c.Tags)
	if c.Chain == "" {
		v.add("/chain", strictjson.CodeRequired, map[string]any{"name": "chain"}, "there is no chain; put the certificate in PEM here")
	}
	return v.problems
}
