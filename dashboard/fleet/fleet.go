package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	wire "github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/publish"
)

// Beats is where nodes say that they live; pkg/fleet.Reader.
type Beats interface {
	List(ctx context.Context) ([]wire.Beat, error)
	Get(ctx context.Context, node string) (wire.Beat, error)
}

// Published tells what gateways should run; publish.Engine.
type Published interface {
	// Expected is the root of a group and the time of its revision.
	Expected(group string) (head publish.Head, at time.Time, ok bool)
}

// patience is how old a revision is when a gateway without it counts as behind
// and no longer as catching up.
const patience = 10 * time.Second

// Service lists nodes.
type Service struct {
	beats     Beats
	published Published
	now       func() time.Time
}

// New makes the service.
func New(b Beats, p Published, now func() time.Time) *Service { return &Service{b, p, now} }

// List returns all nodes of the last 24 hours by name. The fault
// "fleet.unavailable" when Redis does not answer.
func (s *Service) List(ctx context.Context) ([]Node, error) {
	beats, err := s.beats.List(ctx)
	if err != nil {
		return nil, err
	}
	nodes := make([]Node, 0, len(beats))
	for _, b := range beats {
		nodes = append(nodes, s.judge(b))
	}
	return nodes, nil
}

// Get returns one node, or the fault "fleet.unknown_node".
func (s *Service) Get(ctx context.Context, id string) (Node, error) {
	b, err := s.beats.Get(ctx, id)
	if err != nil {
		return Node{}, err
	}
	return s.judge(b), nil
}

// judge compares what a node says of itself with what was published. A root is
// compared by the hash that was computed when it was published, never by a new one.
func (s *Service) judge(b wire.Beat) Node {
	n := Node{
		ID: b.Node, Name: b.Name, Service: b.Service, Version: b.Version, Group: b.Group, Address: b.Address, TLS: b.TLS,
		State: string(b.State), Reason: b.Reason, Epoch: b.Epoch, Generation: b.Generation, Root: b.Root, Source: b.Source,
		Rejected: b.Rejected, RedisOK: b.RedisOK, StartedAt: b.StartedAt, SeenAt: b.At.Add(b.ClockOffset), Load: Load(b.Load),
		OffsetMS: b.ClockOffset.Milliseconds(), LastError: b.LastError, Spool: Spool(b.Spool),
		ReasonCode: b.ReasonCode, ReasonWith: b.ReasonWith, ErrorCode: b.ErrorCode, ErrorWith: b.ErrorWith,
	}
	if b.Service != "gateway" {
		return n
	}
	group := b.Group
	if group == "" {
		group = "default"
	}
	want, at, known := s.published.Expected(group)
	if !known {
		return n
	}
	n.Expected = want.Generation
	have := publish.Head{Epoch: b.Epoch, Generation: b.Generation, SHA: b.Root}
	late := have.Compare(want) < 0
	switch b.State {
	case wire.Offline, wire.Draining, wire.Degraded:
		return n
	case wire.Current, wire.CatchingUp, wire.Rejected:
		switch {
		case late && s.now().Sub(at) < patience:
			n.State = string(wire.CatchingUp)
		case late:
			n.State = string(wire.Behind)
			if b.Reason == "" {
				n.because(wire.CodeBehind, fmt.Sprintf("runs generation %d of %d and has not said why", b.Generation, want.Generation))
			}
		case have.Compare(want) == 0 && have.SHA != "" && have.SHA != want.SHA:
			n.State = string(wire.Behind)
			n.because(wire.CodeOtherRoot, "runs another root of the same generation than was published")
		}
	case wire.Behind:
		if !late && have.SHA == want.SHA {
			n.State = string(wire.Current) // the beat is older than what the gateway did since
			n.because("", "")
		}
	}
	return n
}

// because replaces the reason of the state.
func (n *Node) because(code fault.Code, reason string) {
	n.Reason, n.ReasonCode, n.ReasonWith = reason, code, nil
}
