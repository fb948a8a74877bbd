package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/commands"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// nodes is a fixed list.
type nodes []fleet.Beat

func (n nodes) List(context.Context) ([]fleet.Beat, error) { return n, nil }

type noNodes struct{}

func (noNodes) List(context.Context) ([]fleet.Beat, error) { return nil, errors.New("no Redis") }

// asker answers by node; one that it does not know hangs.
type asker struct {
	mu      sync.Mutex
	answers map[string]any
	asked   []string
}

func (a *asker) Ask(ctx context.Context, node string, _ notice.Command, _, reply any) error {
	a.mu.Lock()
	a.asked = append(a.asked, node)
	answer, ok := a.answers[node]
	a.mu.Unlock()
	if !ok {
		<-ctx.Done()
		return ctx.Err()
	}
	if err, bad := answer.(error); bad {
		return err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, reply)
}

func beat(node, group string, state fleet.State, age time.Duration) fleet.Beat {
	return fleet.Beat{Node: node, Name: node, Service: "gateway", Group: group, State: state, At: time.Unix(1000, 0).Add(-age)}
}

func TestCheckAsksOneGatewayOfEachGroup(t *testing.T) {
	fleetOf := nodes{
		beat("a1", "a", fleet.Current, 0), beat("a2", "a", fleet.Current, time.Second),
		beat("b1", "b", fleet.Current, 0), beat("b2", "b", fleet.Current, time.Second),
		beat("c1", "c", fleet.Offline, 0), beat("d1", "", fleet.Current, 0),
		{Node: "p", Service: "pump", State: fleet.Current},
	}
	bad := notice.Rejected{Kind: "api", ID: "x", Code: "regex.invalid", Message: "no"}
	good, rejecting := notice.CheckReply{}, notice.CheckReply{Rejected: []notice.Rejected{bad}}
	for _, c := range []struct {
		name     string
		groups   []string
		answers  map[string]any
		rejected int
		silent   []string
		asked    []string
	}{
		{"one group", []string{"a"}, map[string]any{"a1": good}, 0, nil, []string{"a1"}},
		{"every group that lives", nil, map[string]any{"a1": good, "b1": good, "d1": good}, 0, nil, []string{"a1", "b1", "d1"}},
		{"the same finding of two is one", []string{"a", "b"}, map[string]any{"a1": rejecting, "b1": rejecting}, 1, nil, []string{"a1", "b1"}},
		{"the next one after an error", []string{"a"}, map[string]any{"a1": errors.New("gone"), "a2": rejecting}, 1, nil, []string{"a1", "a2"}},
		{"the next one after silence", []string{"b"}, map[string]any{"b2": good}, 0, nil, []string{"b1", "b2"}},
		{"nobody answers", []string{"b"}, nil, 0, []string{"b"}, []string{"b1", "b2"}},
		{"nobody is there", []string{"c", "none"}, nil, 0, []string{"c", "none"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := &asker{answers: c.answers}
			start := time.Now()
			rejected, silent := commands.New(a, fleetOf).Check(t.Context(), c.groups, notice.Check{})
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			slices.Sort(a.asked)
			if len(rejected) != c.rejected || !slices.Equal(silent, c.silent) || !slices.Equal(a.asked, c.asked) {
				t.Errorf("rejected %v, silent %v, asked %v", rejected, silent, a.asked)
			}
		})
	}
	if _, silent := commands.New(&asker{}, noNodes{}).Check(t.Context(), nil, notice.Check{}); !slices.Equal(silent, []string{"default"}) {
		t.Errorf("without Redis: %v", silent)
	}
	if _, silent := commands.New(&asker{}, nodes{}).Check(t.Context(), nil, notice.Check{}); !slices.Equal(silent, []string{"default"}) {
		t.Errorf("without gateways: %v", silent)
	}
}

func TestProbeAndRunOverTheBus(t *testing.T) {
	redis := testenv.RedisServer(t)
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	start := func(b *bus.Bus) {
		ready := make(chan struct{})
		b.OnGap(sync.OnceFunc(func() { close(ready) }))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = b.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
		<-ready
	}
	gateway := bus.New(redis.Client(), k.Node(), bus.Options{Node: "n1", Name: "gw-1"})
	gateway.Handle(notice.ProbeCommand, func(_ context.Context, payload json.RawMessage) (any, error) {
		var p notice.Probe
		err := json.Unmarshal(payload, &p)
		if p.URL == "bad" {
			return nil, fault.New(fault.Unprocessable, "probe.url", "no URL")
		}
		return notice.ProbeReply{Status: 200, Millis: p.TimeoutMillis}, err
	})
	gateway.Handle(notice.RunCommand, func(_ context.Context, payload json.RawMessage) (any, error) {
		return notice.RunReply{Status: 204, Body: payload}, nil
	})
	start(gateway)
	dashboard := bus.New(redis.Client(), k, bus.Options{Name: "dashboard"})
	start(dashboard)
	s := commands.New(dashboard, nodes{beat("n1", "edge", fleet.Current, 0)})

	reply, name, err := s.Probe(t.Context(), "", notice.Probe{URL: "http://x"})
	if err != nil || reply.Status != 200 || reply.Millis != 5000 || name != "n1" {
		t.Errorf("got %+v, %s, %v", reply, name, err)
	}
	if reply, _, err = s.Probe(t.Context(), "edge", notice.Probe{URL: "x", TimeoutMillis: 999_999}); err != nil || reply.Millis != 30_000 {
		t.Errorf("got %+v, %v", reply, err)
	}
	if _, _, err = s.Probe(t.Context(), "", notice.Probe{URL: "bad"}); !fault.Is(err, "probe.url") {
		t.Errorf("got %v", err)
	}
	if _, _, err = s.Probe(t.Context(), "other", notice.Probe{URL: "x"}); !fault.Is(err, "commands.no_gateway") {
		t.Errorf("got %v", err)
	}
	ran, err := s.Run(t.Context(), "", notice.Run{Method: "GET", Target: "/"})
	if err != nil || ran.Status != 204 || !json.Valid(ran.Body) {
		t.Errorf("got %+v, %v", ran, err)
	}
	if _, err := s.Run(t.Context(), "n2", notice.Run{}); fault.As(err) == nil {
		t.Errorf("a node that is not there: %v", err)
	}
}
