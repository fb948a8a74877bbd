package publish

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
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

// By these codes gateways say that they could not fetch a text, or a part.
const (
	codeMissing    = "item.missing"
	codeIncomplete = "root.incomplete"
)

// keepAcks is how many acknowledgements are kept of each node.
const keepAcks = 1000

// acknowledgements remembers what gateways said about generations, bounded.
type acknowledgements struct {
	mu    sync.Mutex
	nodes map[string]*nodeAcks
}

type nodeAcks struct {
	name, group string
	list        []ack // by generation, ascending
	at          time.Time
}

type ack struct {
	epoch, generation int64
	at                time.Time
	rejected          []notice.Rejected
}

func newAcknowledgements() *acknowledgements {
	return &acknowledgements{nodes: map[string]*nodeAcks{}}
}

// add tells whether it was news. Nodes that were silent for a day are forgotten.
func (a *acknowledgements) add(n notice.Applied, at time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, old := range a.nodes {
		if at.Sub(old.at) > 24*time.Hour {
			delete(a.nodes, id)
		}
	}
	node := a.nodes[n.Node]
	if node == nil {
		node = &nodeAcks{}
		a.nodes[n.Node] = node
	}
	node.name, node.group, node.at = n.Name, n.Group, at
	if last := len(node.list) - 1; last >= 0 {
		l := &node.list[last]
		if n.Epoch == l.epoch && n.Generation == l.generation && !slices.Equal(n.Rejected, l.rejected) {
			l.rejected = n.Rejected // what could not be fetched at first could later
			return true
		}
		if n.Epoch < l.epoch || n.Epoch == l.epoch && n.Generation <= l.generation {
			return false
		}
	}
	if last := len(node.list) - 1; last >= 0 && slices.Equal(n.Rejected, node.list[last].rejected) {
		n.Rejected = node.list[last].rejected // what stays rejected is kept once, not with each generation
	}
	if len(node.list) == keepAcks {
		node.list = slices.Delete(node.list, 0, keepAcks/10)
	}
	node.list = append(node.list, ack{n.Epoch, n.Generation, at, n.Rejected})
	return true
}

// first returns the acknowledgement by which a node came to have the generation.
func (a *acknowledgements) first(node string, epoch, generation int64) (first ack, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.nodes[node]
	if n == nil {
		return ack{}, false
	}
	for _, k := range n.list {
		if k.epoch > epoch || k.epoch == epoch && k.generation >= generation {
			return k, true
		}
	}
	return ack{}, false
}

// Acknowledge takes a gateway's word that it runs a generation. If it could not
// read everything, contents in Redis are missing or wrong, and are written again.
func (e *Engine) Acknowledge(a notice.Applied) {
	if slices.ContainsFunc(a.Rejected, func(r notice.Rejected) bool { return r.Code == codeMissing }) {
		e.damaged.Store(true)
		e.Wake()
	}
	if e.acks.add(a, e.o.Now()) {
		e.emit(EventAcknowledged, a.Generation)
	}
}

// Status tells which gateways run revision n: those that acknowledged it or a
// later one, and, because notices get lost, those whose beat shows such a
// generation. The fault "revision.not_found" otherwise.
func (e *Engine) Status(ctx context.Context, n int64) (Status, error) {
	r, err := e.Revision(ctx, n)
	if err != nil {
		return Status{}, err
	}
	hash, epoch, published := e.public.of(n)
	s := Status{Revision: n, Hash: hash, Started: r.At, Published: published, Nodes: []NodeStatus{}}
	if e.o.Nodes == nil {
		return s, nil
	}
	beats, err := e.o.Nodes.List(ctx)
	if err != nil {
		return s, fault.Wrap(err, fault.Unavailable, "fleet.unavailable",
			"the list of gateways cannot be read because Redis does not answer; gateways serve on with what they have")
	}
	for _, b := range beats {
		if b.Service == "gateway" {
			s.Nodes = append(s.Nodes, e.nodeStatus(r, epoch, b))
		}
	}
	slices.SortFunc(s.Nodes, func(a, b NodeStatus) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return s, nil
}

func (e *Engine) nodeStatus(r Revision, epoch int64, b fleet.Beat) NodeStatus {
	node := NodeStatus{ID: b.Node, Name: b.Name, Group: b.Group, State: Pending}
	if first, ok := e.acks.first(b.Node, epoch, r.N); ok {
		node.State, node.Millis, node.Rejected = Applied, max(first.at.Sub(r.At).Milliseconds(), 1), concerning(first.rejected, r)
	} else if b.Epoch == epoch && b.Generation >= r.N {
		node.State, node.Rejected = Applied, concerning(b.Rejected, r)
	}
	switch {
	case node.State == Applied && len(node.Rejected) > 0:
		node.State = Rejected
	case node.State == Pending && b.State == fleet.Offline:
		node.State = Offline
	}
	return node
}

// concerning keeps the rejections of what the revision changed: another object's
// trouble is not this one's.
func concerning(all []notice.Rejected, r Revision) (some []notice.Rejected) {
	for _, x := range all {
		if slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Kind == x.Kind && c.ID == x.ID && c.Org == x.Org }) {
			some = append(some, x)
		}
	}
	return some
}
