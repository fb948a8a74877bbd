package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// many is a source of objects that are rejected with long reasons.
type many struct{}

func (m many) Fetch(_ context.Context, have route.State) (*route.Update, error) {
	if have != (route.State{}) {
		return nil, nil
	}
	u := &route.Update{State: route.State{Epoch: 1, Generation: 1, Root: "r", Origin: "live"}, Full: true}
	for i := range 200 {
		u.Set = append(u.Set, route.Item{
			Org: "default", Kind: "api", ID: fmt.Sprint(i), SHA: fmt.Sprint(i),
			Text: fmt.Appendf(nil, `{"id":"%d","name":"x","listen":{"path":"/{a:(%s}"}}`, i, strings.Repeat("<", 4000)),
		})
	}
	return u, errors.New(strings.Repeat("é", 100_000))
}

func (m many) Hints() <-chan struct{} { return nil }

type noUpstreams struct{}

func (noUpstreams) Acquire(string, string, apidef.Upstream) (filter.Forwarder, error) {
	return nil, errors.New("none")
}
func (noUpstreams) Release(filter.Forwarder) {}

// TestAGatewayWithManyTroublesStillBeats: a beat that is too large would make it
// look offline.
func TestAGatewayWithManyTroublesStillBeats(t *testing.T) {
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	rdb, w := testenv.Redis(t), route.NewWorld()
	ctx, cancel := context.WithCancel(t.Context())
	r := route.NewReloader(w, route.NewCompiler(nil, noUpstreams{}), many{}, route.Options{Applied: func(rep route.Report) {
		if rep.Generation == 1 {
			cancel()
		}
	}})
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(w.Report().Rejected) != 200 {
		t.Fatalf("%d rejected", len(w.Report().Rejected))
	}
	b := NewBeater(fleet.NewWriter(rdb, k), nil, Options{
		Node: &filter.Node{ID: "n", Name: "n", Group: "default"}, World: w,
		Load: func() fleet.Load { return fleet.Load{} }, Log: slog.New(slog.DiscardHandler),
	})
	b.beat(t.Context())
	beats, err := fleet.NewReader(rdb, k).List(t.Context())
	if err != nil || len(beats) != 1 || len(beats[0].Rejected) == 0 || beats[0].LastError == "" {
		t.Errorf("%d beats, %v", len(beats), err)
	}
}
