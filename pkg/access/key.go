// Package access says what a caller may do: a key (key.go), the policies it
// names (policy.go), and how both merge into the session that a gateway enforces
// (merge.go, right.go). Merging is pure, so the dashboard previews exactly what
// gateways do. Key material (generate, check, mask) is in secret.go.
package access

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

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

// ValidateKey checks what people set of a key: alias, owner, policies, rights,
// metadata, tags and state. Whether the policies and APIs exist, and whether the
// expiry lies ahead, is the store's to check. Paths are JSON pointers into the key.
func ValidateKey(k Key) []fault.Problem {
	v := &findings{}
	v.text("/alias", k.Alias, 1, maxName)
	v.text("/owner", k.Owner, 0, maxName)
	if len(k.Policies) > maxList {
		v.length("/policies", len(k.Policies), maxList)
	} else {
		for i, id := range k.Policies {
			v.id("/policies/"+strconv.Itoa(i), id)
		}
		v.unique("/policies", k.Policies)
	}
	v.rights(k.Rights)
	v.metadata(k.Metadata)
	v.tags(k.Tags)
	switch k.State {
	case "", KeyActive, KeySuspended, KeyRevoked:
	default:
		v.add("/state", strictjson.CodeEnum, map[string]any{"allowed": []string{"active", "suspended", "revoked"}},
			"%q is not one of active, suspended, revoked", strictjson.Brief(string(k.State)))
	}
	return v.problems
}

// Expired tells whether the key's time is over at that instant.
func (k Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// String names the key in logs without any secret.
func (k Key) String() string { return fmt.Sprintf("%s (%s)", k.ID, k.Alias) }
