package keys

import (
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Write is what every change of a key comes with.
type Write struct {
	Org     string
	IfMatch string // ETag of the key, or "*"; not for creation and revocation
	DryRun  bool
}

// Created is a new key with its secret, which is never shown again.
type Created struct {
	Key      access.Key
	Secret   string // empty in a dry run and for imported secrets
	ETag     string
	Problems []fault.Problem // warnings
}

// Result is a key after a change.
type Result struct {
	Key      access.Key
	ETag     string
	Problems []fault.Problem // warnings
}

// draft is the body of a creation.
type draft struct {
	Alias     string            `json:"alias"`
	Owner     string            `json:"owner,omitempty"`
	Policies  []string          `json:"policies,omitempty"`
	Rights    []access.Right    `json:"rights,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	ExpiresAt *time.Time        `json:"expiresAt,omitempty"` // null: never; absent: one year, or the shortest keyTtl of the policies
	State     access.KeyState   `json:"state,omitempty"`
	Secret    string            `json:"secret,omitempty"` // creation only: a secret that callers have already
}
