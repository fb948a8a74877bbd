package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// tries bounds how often a change is begun again because of others.
const tries = 100

// draft is what people set of a key.
type draft struct {
	Alias     string            `json:"alias"`
	Owner     string            `json:"owner,omitempty"`
	Policies  []string          `json:"policies,omitempty"`
	Rights    []access.Right    `json:"rights,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	ExpiresAt *time.Time        `json:"expiresAt,omitempty"`
	State     access.KeyState   `json:"state,omitempty"`
	Secret    string            `json:"secret,omitempty"`

	members map[string]bool // that the text has
}

// has tells whether the text has a member.
func (d draft) has(member string) bool { return d.members[member] }

// planned tells which members of a key nothing reads yet, so that nobody relies
// on a protection that does not exist.
func planned(pattern string) bool {
	switch pattern {
	case "/rateLimit", "/quota", "/allowedIps", "/certificates", "/basicAuth", "/hmac", "/rights/*/versions":
		return true
	}
	return false
}

// decode reads a body strictly. secret may stand there only at creation. patch
// is the patch that led to the text, whose members count as set.
func decode(text, patch []byte, creation bool) (draft, []fault.Problem) {
	d, problems := strictjson.Decode[draft](text, strictjson.Options{NullAbsent: true, Planned: planned})
	if d == nil {
		return draft{}, problems
	}
	d.members = members(text)
	maps.Copy(d.members, members(patch))
	switch d.State {
	case "", access.KeyActive, access.KeySuspended:
	default:
		problems = append(problems, problem("key.state_invalid", "/state", nil,
			"state must be active or suspended; to end a key for ever, revoke it"))
	}
	if d.has("secret") && !creation {
		problems = append(problems, problem("key.secret_fixed", "/secret", nil, "the secret of a key never changes; make a new key"))
	}
	return *d, problems
}

func members(text []byte) map[string]bool {
	var raw map[string]json.RawMessage
	set := map[string]bool{}
	if json.Unmarshal(text, &raw) == nil {
		for name := range raw {
			set[name] = true
		}
	}
	return set
}

// apply sets all but the secret.
func (d draft) apply(k *access.Key) {
	k.Alias, k.Owner, k.Policies, k.Rights, k.Metadata, k.Tags = d.Alias, d.Owner, d.Policies, d.Rights, d.Metadata, d.Tags
	k.ExpiresAt = time.Time{}
	if d.ExpiresAt != nil {
		k.ExpiresAt = d.ExpiresAt.UTC().Truncate(time.Millisecond)
	}
	k.State = access.KeyActive
	if d.State != "" {
		k.State = d.State
	}
}

// editable is a key's text for people with a patch applied.
func editable(k access.Key, patch []byte) ([]byte, error) {
	d := draft{Alias: k.Alias, Owner: k.Owner, Policies: k.Policies, Rights: k.Rights, Metadata: k.Metadata, Tags: k.Tags, State: k.State}
	if !k.ExpiresAt.IsZero() {
		d.ExpiresAt = &k.ExpiresAt
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the key: %w", err)
	}
	return strictjson.MergePatch(text, patch)
}

// same tells whether people see no difference between two states of a key.
func same(a, b access.Key) bool {
	return a.Alias == b.Alias && a.Owner == b.Owner && a.State == b.State && a.ExpiresAt.Equal(b.ExpiresAt) &&
		slices.Equal(a.Policies, b.Policies) && slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Metadata, b.Metadata) &&
		(len(a.Rights) == 0 && len(b.Rights) == 0 || reflect.DeepEqual(a.Rights, b.Rights))
}

func problem(code fault.Code, path string, params map[string]any, format string, args ...any) fault.Problem {
	return fault.Problem{Code: code, Path: path, Params: params, Message: fmt.Sprintf(format, args...), Severity: fault.Error}
}

func warning(code fault.Code, path string, params map[string]any, format string, args ...any) fault.Problem {
	p := problem(code, path, params, format, args...)
	p.Severity = fault.Warning
	return p
}

func hasErrors(problems []fault.Problem) bool {
	return slices.ContainsFunc(problems, func(p fault.Problem) bool { return p.Severity == fault.Error })
}

func invalid(problems []fault.Problem) error {
	return fault.FromProblems("key.invalid", "the key has errors; nothing was changed", problems)
}

func precondition(ifMatch, etag string) error {
	if strings.TrimSpace(ifMatch) == "" {
		return fault.New(fault.Missing, "precondition.required",
			"send If-Match with the ETag of the version that you changed, so that nobody's work is overwritten")
	}
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag {
			return nil
		}
		if !strings.HasSuffix(tag, `"`) {
			return fault.New(fault.Invalid, "precondition.invalid",
				`If-Match holds the ETag as it was given, in double quotes, such as "1"`)
		}
	}
	return fault.New(fault.Stale, "precondition.stale",
		"it was changed meanwhile: the present version is %s; read it again, then repeat the change", etag).With("current", etag)
}

// unlessStale explains an error of Replace; ErrStale itself means: begin again.
func unlessStale(err error) error {
	switch {
	case errors.Is(err, ErrStale):
		return err
	case errors.Is(err, ErrNotFound):
		return fault.Wrap(err, fault.NotFound, "key.not_found", "there is no such key")
	}
	return unavailable(err)
}

func unavailable(err error) error {
	if fault.As(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "key.store_unavailable", "the store does not answer, so nothing was changed; try again when it does")
}

func busy() error {
	f := fault.New(fault.Unavailable, "key.busy", "others change the same key all the time; try again")
	f.Retry = 1
	return f
}
