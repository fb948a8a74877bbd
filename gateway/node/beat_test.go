package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/node"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func TestMain(m *testing.M) {
	// the engine's clock ends by itself some seconds after its last connection
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/sluice-gateway/sluice/gateway/http1/wire.(*Clock).run"))
}

var errAway = errors.New("redis is away")

// script is a source that gives one answer after another.
type script struct {
	hints chan struct{}
	next  chan answer
}

type answer struct {
	u   *route.Update
	err error
}

func (s *script) Fetch(ctx context.Context, _ route.State) (*route.Update, error) {
	select {
	case a := <-s.next:
		return a.u, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *script) Hints() <-chan struct{} { return s.hints }

// gateway is a node with a world that a script fills, in a fleet over Redis.
type gateway struct {
	t      *testing.T
	redis  *testenv.Server
	keys   *trust.Keys
	world  *route.World
	script *script
	beater *node.Beater
	bus    *bus.Bus
	acks   chan notice.Applied
	beats  *fleet.Reader
	stop   context.CancelFunc
	done   chan error
	ended  bool
}

const text = `{"id":"a","name":"A","listen":{"path":"/a/"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`

func compiler() *route.Compiler {
	return route.NewCompiler(chain.Order(chain.Deps{}), upstream.NewManager(http1.NewClock(), nil))
}

func newGateway(t *testing.T, s *testenv.Server) *gateway {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	rdb := s.Client()
	g := &gateway{
		t: t, redis: s, keys: keys, world: route.NewWorld(), script: &script{make(chan struct{}), make(chan answer)}, acks: make(chan notice.Applied, 64),
		beats: fleet.NewReader(rdb, keys), done: make(chan error, 1),
	}
	g.bus = bus.New(rdb, keys, bus.Options{MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond})
	subscribed := make(chan struct{}, 16)
	g.bus.OnGap(func() { subscribed <- struct{}{} })
	g.bus.On(notice.AppliedKind, func(payload json.RawMessage) {
		var a notice.Applied
		if err := json.Unmarshal(payload, &a); err != nil {
			t.Error(err)
		}
		g.acks <- a
	})
	g.beater = node.NewBeater(fleet.NewWriter(rdb, keys), g.bus, node.Options{
		Node: &filter.Node{ID: "node-1", Name: "gw-1", Group: "edge"}, Version: "1.2.3", Address: func() string { return "127.0.0.1:8080" }, Start: "start-1",
		Every: 20 * time.Millisecond, World: g.world, Load: func() fleet.Load { return fleet.Load{RPS: 7, Goroutines: 3} },
		Spool: func() fleet.Spool { return fleet.Spool{DiskBytes: 9, Dropped: 2} }, Log: slog.New(slog.DiscardHandler),
	})
	reloader := route.NewReloader(g.world, compiler(), g.script, route.Options{Applied: g.beater.Applied, Coalesce: time.Millisecond, Poll: time.Hour, Timeout: time.Hour})
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	others := make(chan error, 2)
	go func() { others <- g.bus.Run(ctx) }()
	<-subscribed
	go func() { others <- reloader.Run(ctx) }()
	go func() { g.done <- g.beater.Run(ctx) }()
	t.Cleanup(func() {
		g.end()
		<-others
		<-others
	})
	return g
}

func (g *gateway) end() {
	g.stop()
	if !g.ended {
		g.ended = true
		if err := <-g.done; err != nil {
			g.t.Error(err)
		}
	}
}

// apply gives the world its next answer.
func (g *gateway) apply(generation int64, origin, text string, err error) {
	g.t.Helper()
	a := answer{err: err}
	if generation > 0 {
		a.u = &route.Update{
			State: route.State{Epoch: 1, Generation: generation, Root: fmt.Sprintf("%064d", generation), Origin: origin}, Full: true,
			Set: []route.Item{{Org: "default", Kind: "api", ID: "a", SHA: fmt.Sprint(generation, len(text)), Text: []byte(text)}},
		}
	}
	for {
		select {
		case g.script.next <- a:
			return
		case g.script.hints <- struct{}{}:
		case <-time.After(10 * time.Second):
			g.t.Fatal("the reloader does not fetch")
		}
	}
}

// until waits for a beat that fits.
func (g *gateway) until(what string, fits func(b fleet.Beat) bool) {
	g.t.Helper()
	ctx := testenv.Context(g.t, 20*time.Second)
	testenv.EventuallyNoError(g.t, 10*time.Second, func() error {
		list, err := g.beats.List(ctx)
		if err != nil {
			return err
		}
		if len(list) != 1 || !fits(list[0]) {
			return fmt.Errorf("no beat that is %s: %+v", what, list)
		}
		return nil
	})
}

func (g *gateway) ack() notice.Applied {
	g.t.Helper()
	select {
	case a := <-g.acks:
		return a
	case <-time.After(10 * time.Second):
		g.t.Fatal("no acknowledgement")
		return notice.Applied{}
	}
}

func TestBeatsAndAcknowledgementsTellWhatIsServed(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		g := newGateway(t, s)
		g.until("catching up", func(b fleet.Beat) bool {
			return b.State == fleet.CatchingUp && b.ReasonCode == fleet.CodeNoConfig && b.Source == "none" && b.Node == "node-1" && b.Name == "gw-1" && b.Group == "edge" && b.Service == "gateway" &&
				b.Version == "1.2.3" && b.Address == "127.0.0.1:8080" && b.Start == "start-1" && b.RedisOK && b.Load.RPS == 7 && b.Spool == (fleet.Spool{DiskBytes: 9, Dropped: 2}) && !b.StartedAt.IsZero()
		})
		g.apply(1, "disk", text, errAway)
		g.until("on disk", func(b fleet.Beat) bool {
			return b.State == fleet.Degraded && b.Source == "disk" && b.Generation == 1 && b.LastError == errAway.Error() &&
				b.Reason == errAway.Error() && b.ReasonCode == "" && b.ErrorCode == "" // nobody gave these words a code
		})
		if a := g.ack(); a.Node != "node-1" || a.Name != "gw-1" || a.Group != "edge" || a.Generation != 1 || a.Epoch != 1 || a.Root != fmt.Sprintf("%064d", 1) {
			t.Errorf("%+v", a)
		}
		g.apply(2, "live", text, nil)
		g.until("current", func(b fleet.Beat) bool {
			return b.State == fleet.Current && b.Reason == "" && b.ReasonCode == "" && b.Source == "live" && b.Generation == 2 && b.LastError == "" && b.ErrorCode == ""
		})
		if a := g.ack(); a.Generation != 2 || len(a.Rejected) != 0 {
			t.Errorf("%+v", a)
		}
		g.apply(3, "live", strings.Replace(text, `"/a/"`, `"no path"`, 1), nil)
		g.until("rejected", func(b fleet.Beat) bool {
			return b.State == fleet.Rejected && b.Generation == 3 && len(b.Rejected) == 1 && b.Rejected[0].Kept && b.Reason == b.Rejected[0].Message &&
				b.ReasonCode != "" && string(b.ReasonCode) == b.Rejected[0].Code
		})
		if a := g.ack(); a.Generation != 3 || len(a.Rejected) != 1 || a.Rejected[0].ID != "a" {
			t.Errorf("%+v", a)
		}
		g.apply(4, "disk", text, nil)
		g.until("on disk without an error", func(b fleet.Beat) bool {
			return b.State == fleet.Degraded && b.Generation == 4 && b.ReasonCode == fleet.CodeFromDisk && b.ErrorCode == ""
		})
		g.apply(5, "live", text, nil)
		g.apply(0, "", "", errAway)
		g.until("degraded", func(b fleet.Beat) bool {
			return b.State == fleet.Degraded && b.Generation == 5 && b.Reason == errAway.Error()
		})
		odd := fault.New(fault.Denied, "root.key", "another key").With("group", "edge")
		g.apply(0, "", "", errors.Join(fmt.Errorf("asking: %w", odd), errAway))
		g.until("degraded with a code", func(b fleet.Beat) bool {
			return b.State == fleet.Degraded && b.ReasonCode == "root.key" && b.ErrorCode == "root.key" && b.ReasonWith["group"] == "edge" &&
				b.ErrorWith["group"] == "edge" && strings.Contains(b.LastError, errAway.Error())
		})
		g.beater.Drain()
		g.until("draining", func(b fleet.Beat) bool {
			return b.State == fleet.Draining && b.ReasonCode == fleet.CodeDraining && b.ReasonWith == nil && b.ErrorCode == "root.key"
		})
		g.end()
		if list, err := g.beats.List(testenv.Context(t, 5*time.Second)); err != nil || len(list) != 0 {
			t.Errorf("after the stop: %+v, %v", list, err)
		}
	})
}

func TestBeatsComeBackWithRedis(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		g := newGateway(t, s)
		g.apply(1, "live", text, nil)
		g.until("current", func(b fleet.Beat) bool { return b.Generation == 1 })
		s.Stop()
		g.apply(2, "live", text, nil)
		s.Start(false)
		g.until("back, with what was applied meanwhile", func(b fleet.Beat) bool { return b.Generation == 2 && b.State == fleet.Current })
	})
}

// A gateway stops in time although nobody can be told.
func TestTheEndDoesNotWaitForRedis(t *testing.T) {
	g := newGateway(t, testenv.RedisServer(t))
	g.apply(1, "live", text, nil)
	g.until("current", func(b fleet.Beat) bool { return b.Generation == 1 })
	g.redis.Stop()
	began := time.Now()
	g.end()
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("the end took %s", d)
	}
}

// stuck is a wire that takes nothing until it is let go.
type stuck struct {
	let  chan struct{}
	acks []int64
}

func (s *stuck) Beat(ctx context.Context, _ fleet.Beat) error {
	select {
	case <-s.let:
	case <-ctx.Done():
	}
	return nil
}
func (s *stuck) Leave(context.Context, string) error { return nil }
func (s *stuck) Publish(_ context.Context, _ notice.Kind, payload any) error {
	s.acks = append(s.acks, payload.(notice.Applied).Generation)
	return nil
}

func TestAppliedNeverBlocksAndKeepsTheNewest(t *testing.T) {
	w := &stuck{let: make(chan struct{})}
	b := node.NewBeater(w, w, node.Options{
		Node: &filter.Node{ID: "n"}, Every: time.Hour, World: route.NewWorld(), Load: func() fleet.Load { return fleet.Load{} }, Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	for i := range 1000 { // nobody listens
		b.Applied(route.Report{State: route.State{Epoch: 1, Generation: int64(i + 1)}})
	}
	stop()
	close(w.let)
	go func() { done <- b.Run(ctx) }()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(w.acks); n == 0 || n > 16 || w.acks[n-1] != 1000 {
		t.Errorf("acknowledged %v; want the newest few", w.acks)
	}
}

func TestAFailedFirstFetchIsNoAcknowledgement(t *testing.T) {
	w := &stuck{let: make(chan struct{})}
	b := node.NewBeater(w, w, node.Options{
		Node: &filter.Node{ID: "n"}, World: route.NewWorld(), Load: func() fleet.Load { return fleet.Load{} }, Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	close(w.let)
	b.Applied(route.Report{Err: errAway})
	if err := b.Run(ctx); err != nil || len(w.acks) != 0 {
		t.Errorf("%v, acknowledged %v", err, w.acks)
	}
}
