package access

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Session is what a caller may do, merged from a key and its policies. It is
// immutable once made.
type Session struct {
	Org       string
	KeyID     string
	Alias     string
	Owner     string
	Subject   string // who the caller is to the backend; for a key its owner, or its id where it has none
	Policies  []string
	Rights    []Right // one per API, in the order of the policies, the key's own last
	Metadata  map[string]string
	ExpiresAt time.Time
	State     KeyState
	Origins   map[string]string // JSON pointer of a value -> "key" or "policy:ID", several joined by ", "; for previews
	Skipped   []string          // disabled or unknown policies
	Refused   bool              // the key names policies and every one was skipped: it may do nothing

	grants map[string]*grant
}

// Merge makes the session of a key from the policies it names; policies holds
// those that exist, by id. Rights are the union. Metadata merges in the order of
// the key's policies, the key's own last. A disabled or unknown policy is
// skipped and reported; a key all of whose policies were skipped has no rights
// at all, its own included, because its rights were given along with them.
// Origins has "/rights/API", "/metadata/NAME" and, for what only a key has,
// "/expiresAt".
func Merge(k Key, policies map[string]Policy) *Session {
	s := &Session{
		Org: k.Org, KeyID: k.ID, Alias: k.Alias, Owner: k.Owner, Subject: k.Owner,
		ExpiresAt: k.ExpiresAt, State: k.State, Metadata: map[string]string{}, Origins: map[string]string{},
	}
	if s.Subject == "" {
		s.Subject = k.ID
	}
	if !k.ExpiresAt.IsZero() {
		s.Origins["/expiresAt"] = "key"
	}
	for i, id := range k.Policies {
		p, known := policies[id]
		switch {
		case slices.Contains(k.Policies[:i], id):
		case !known || !p.IsActive():
			s.Skipped = append(s.Skipped, id)
		default:
			s.Policies = append(s.Policies, id)
			s.merge("policy:"+id, p.Rights, p.Metadata)
		}
	}
	s.Refused = len(k.Policies) > 0 && len(s.Policies) == 0
	if s.Refused {
		s.merge("key", nil, k.Metadata)
	} else {
		s.merge("key", k.Rights, k.Metadata)
	}
	s.grants = compile(s.Rights)
	return s
}

func (s *Session) merge(origin string, rights []Right, metadata map[string]string) {
	for _, r := range rights {
		at := "/rights/" + strictjson.Escape(r.API)
		if from := s.Origins[at]; from == "" {
			s.Origins[at] = origin
		} else if !slices.Contains(strings.Split(from, ", "), origin) {
			s.Origins[at] = from + ", " + origin
		}
		i := slices.IndexFunc(s.Rights, func(have Right) bool { return have.API == r.API })
		switch {
		case i < 0:
			s.Rights = append(s.Rights, Right{API: r.API, Endpoints: slices.Clone(r.Endpoints)})
		case s.Rights[i].Endpoints == nil || r.Endpoints == nil:
			s.Rights[i].Endpoints = nil // every endpoint
		default:
			s.Rights[i].Endpoints = append(s.Rights[i].Endpoints, r.Endpoints...)
		}
	}
	for name := range metadata {
		s.Origins["/metadata/"+strictjson.Escape(name)] = origin
	}
	maps.Copy(s.Metadata, metadata)
}
