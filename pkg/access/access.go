// Package access says what a caller may do: a key, the policies it names, and
// how both merge into the session that a gateway enforces. Merging is pure, so
// the dashboard previews exactly what gateways do. Key material (generate,
// check, hash, mask) is in secret.go.
package access

import "time"

// Right allows calls to one API.
type Right struct {
	// API is the id of the API, or "*" for every API of the organisation.
	API string `json:"api"`
	// Endpoints narrows the right. Absent: every endpoint.
	Endpoints []EndpointRight `json:"endpoints,omitempty"`
}

// EndpointRight allows methods on a path template inside an API.
type EndpointRight struct {
	// Methods allowed; absent is every method.
	Methods []string `json:"methods,omitempty"`
	// Path is a template below the listen path, as in an endpoint of a definition.
	Path string `json:"path"`
}

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

// KeyState is the state of a key. An expired key keeps its state.
type KeyState string

// The states of a key.
const (
	KeyActive    KeyState = "active"
	KeySuspended KeyState = "suspended"
	KeyRevoked   KeyState = "revoked" // for ever: a tombstone stays
)

// Key is a credential's record. The secret itself is never in it.
type Key struct {
	ID        string            `json:"id"`     // public, "k_" and 20 random base62 characters
	Org       string            `json:"org"`    // organisation
	Prefix    string            `json:"prefix"` // printable start of the secret, such as "slc_7Fq2"
	Alias     string            `json:"alias"`
	Owner     string            `json:"owner,omitempty"`
	Policies  []string          `json:"policies,omitempty"`
	Rights    []Right           `json:"rights,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	ExpiresAt time.Time         `json:"expiresAt,omitzero"`
	State     KeyState          `json:"state"`
	Version   int64             `json:"version"` // counts every change; gateways take only newer ones
	CreatedAt time.Time         `json:"createdAt"`
	UpdatedAt time.Time         `json:"updatedAt"`
}

// Session is what a caller may do, merged from a key and its policies. It is
// immutable once made.
type Session struct {
	Org       string
	KeyID     string
	Alias     string
	Owner     string
	Subject   string // who the caller is to the backend; for a key its owner, or its id where it has none
	Policies  []string
	Rights    []Right
	Metadata  map[string]string
	ExpiresAt time.Time
	State     KeyState
	Origins   map[string]string // value path -> "key" or "policy:ID", for previews
	Skipped   []string          // disabled or unknown policies
}
