package publish

import (
	"time"

	"github.com/sluice-gateway/sluice/pkg/notice"
)

// NodeState is how far one gateway is with one revision.
type NodeState string

// The states of a gateway in the status of a revision.
const (
	Pending  NodeState = "pending"
	Applied  NodeState = "applied"
	Rejected NodeState = "rejected" // the generation is live, but not the objects of this revision
	Offline  NodeState = "offline"
)

// Status tells which gateways run a revision.
type Status struct {
	Revision  int64        `json:"revision"`
	Hash      string       `json:"hash,omitempty"` // SHA-256 of the root of the group "default"; absent for revisions before this dashboard's start
	Started   time.Time    `json:"started"`
	Published bool         `json:"published"` // the signed roots are in Redis
	Nodes     []NodeStatus `json:"nodes"`     // gateways by name
}

// NodeStatus is one gateway's part of a Status.
type NodeStatus struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	State    NodeState         `json:"state"`
	Millis   int64             `json:"ms,omitempty"` // from the revision to the acknowledgement as seen here; absent when only a beat told
	Rejected []notice.Rejected `json:"rejected,omitempty"`
}

// Condition is the engine's health.
type Condition struct {
	Revision    int64  `json:"revision"`  // newest that this dashboard knows
	Published   int64  `json:"published"` // newest that it knows to be in Redis
	StoreBehind bool   `json:"storeBehind"`
	Error       string `json:"error,omitempty"` // why repair last did not succeed
}
