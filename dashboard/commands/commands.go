// Package commands is the asking side of the bus: what dashboards let gateways do.
package commands

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Asker sends a command to a node and waits for the reply; pkg/bus.Bus.
type Asker interface {
	Ask(ctx context.Context, node string, cmd notice.Command, req, reply any) error
}

// Nodes lists the gateways that are alive; pkg/fleet.Reader.
type Nodes interface {
	List(ctx context.Context) ([]fleet.Beat, error)
}

// Time limits of commands.
const (
	checkTimeout = 500 * time.Millisecond // of a check, all gateways together
	runTimeout   = 30 * time.Second
	probeExtra   = 2 * time.Second // beyond the probe's own timeout
	maxProbe     = 30 * time.Second
)

// defaultGroup is the group of gateways that name none.
const defaultGroup = "default"

// Service asks gateways. Safe for concurrent use.
type Service struct {
	asker Asker
	nodes Nodes
}

// New makes the service.
func New(a Asker, n Nodes) *Service { return &Service{a, n} }

// Check lets one gateway of each group compile an object, within 500 ms. No
// groups is every group that has a live gateway. silent are the groups of which
// none answered; rejected are the findings, each once.
func (s *Service) Check(ctx context.Context, groups []string, c notice.Check) (rejected []notice.Rejected, silent []string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	live, err := s.live(ctx)
	if err != nil {
		return nil, orDefault(groups)
	}
	if len(groups) == 0 {
		for g := range live {
			groups = append(groups, g)
		}
		slices.Sort(groups)
		groups = orDefault(groups)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, group := range groups {
		all.Go(func() {
			reply, ok := s.checkIn(ctx, live[group], c)
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				silent = append(silent, group)
				return
			}
			for _, x := range reply.Rejected {
				if !slices.Contains(rejected, x) {
					rejected = append(rejected, x)
				}
			}
		})
	}
	all.Wait()
	slices.Sort(silent)
	return rejected, silent
}

func orDefault(groups []string) []string {
	if len(groups) == 0 {
		return []string{defaultGroup}
	}
	return groups
}

// checkIn asks the gateways of one group until one answers.
func (s *Service) checkIn(ctx context.Context, group []fleet.Beat, c notice.Check) (reply notice.CheckReply, ok bool) {
	for i, b := range group {
		// Half of what is left for each but the last: one that hangs must not cost all.
		budget, cancel := context.WithCancel(ctx)
		if deadline, set := ctx.Deadline(); set && i < len(group)-1 {
			cancel()
			budget, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		}
		reply = notice.CheckReply{}
		err := s.asker.Ask(budget, b.Node, notice.CheckCommand, c, &reply)
		cancel()
		if err == nil {
			return reply, true
		}
		if ctx.Err() != nil {
			break
		}
	}
	return notice.CheckReply{}, false
}

// Probe lets a gateway call an upstream once; group "" is any. It returns the
// name of the gateway that did. Faults: "commands.no_gateway", "commands.url",
// bus.… and fleet.unavailable.
func (s *Service) Probe(ctx context.Context, group string, p notice.Probe) (reply notice.ProbeReply, gateway string, err error) {
	timeout := min(max(time.Duration(p.TimeoutMillis)*time.Millisecond, 0), maxProbe)
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	p.TimeoutMillis = timeout.Milliseconds()
	b, err := s.any(ctx, group)
	if err != nil {
		return reply, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+probeExtra)
	defer cancel()
	return reply, b.Name, s.asker.Ask(ctx, b.Node, notice.ProbeCommand, p, &reply)
}

// Run sends a request through a gateway's own path; node "" is any gateway. It
// waits at most 30 s.
func (s *Service) Run(ctx context.Context, node string, r notice.Run) (reply notice.RunReply, err error) {
	if node == "" {
		b, err := s.any(ctx, "")
		if err != nil {
			return reply, err
		}
		node = b.Node
	}
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	return reply, s.asker.Ask(ctx, node, notice.RunCommand, r, &reply)
}

// any is the first live gateway of a group, or of all.
func (s *Service) any(ctx context.Context, group string) (fleet.Beat, error) {
	live, err := s.live(ctx)
	if err != nil {
		return fleet.Beat{}, err
	}
	var best []fleet.Beat
	for g, beats := range live {
		if group == "" || g == group {
			best = append(best, beats...)
		}
	}
	if len(best) == 0 {
		return fleet.Beat{}, fault.New(fault.Unavailable, "commands.no_gateway",
			"no gateway is connected that could do this; start one, then try again").With("group", group)
	}
	slices.SortFunc(best, compare)
	return best[0], nil
}

// live are the gateways that can be asked, by group, the best ones first.
func (s *Service) live(ctx context.Context) (map[string][]fleet.Beat, error) {
	beats, err := s.nodes.List(ctx)
	if err != nil {
		return nil, err
	}
	groups := map[string][]fleet.Beat{}
	for _, b := range beats {
		if b.Service != "gateway" || b.State == fleet.Offline || b.State == fleet.Draining {
			continue
		}
		if b.Group == "" {
			b.Group = defaultGroup
		}
		groups[b.Group] = append(groups[b.Group], b)
	}
	for _, list := range groups {
		slices.SortFunc(list, compare)
	}
	return groups, nil
}

// compare puts the gateway first that was heard last.
func compare(a, b fleet.Beat) int { return b.At.Compare(a.At) }
