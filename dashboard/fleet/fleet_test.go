package fleet_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/pkg/fault"
	wire "github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// published expects generation 7 of the group default, for some time now.
type published struct{ at time.Time }

func (p published) Expected(group string) (publish.Head, time.Time, bool) {
	return publish.Head{Epoch: 1, Generation: 7, SHA: "good"}, p.at, group == "default"
}

func TestStatesComeFromWhatNodesRun(t *testing.T) {
	redis := testenv.RedisServer(t).Client()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w, r := wire.NewWriter(redis, k.Node()), wire.NewReader(redis, k)
	fresh := fleet.New(r, published{now.Add(-time.Second)}, func() time.Time { return now })
	stale := fleet.New(r, published{now.Add(-time.Minute)}, func() time.Time { return now })
	for _, c := range []struct {
		name         string
		beat         wire.Beat
		fresh, stale string
	}{
		{"up-to-date", wire.Beat{State: wire.Current, Epoch: 1, Generation: 7, Root: "good"}, "current", "current"},
		{"late", wire.Beat{State: wire.Current, Epoch: 1, Generation: 6, Root: "old"}, "catching-up", "behind"},
		{"other-root", wire.Beat{State: wire.Current, Epoch: 1, Generation: 7, Root: "bad"}, "behind", "behind"},
		{"old-epoch", wire.Beat{State: wire.Current, Epoch: 0, Generation: 9, Root: "x"}, "catching-up", "behind"},
		{"ahead-of-us", wire.Beat{State: wire.Current, Epoch: 1, Generation: 8, Root: "new"}, "current", "current"},
		{"behind-itself", wire.Beat{State: wire.Behind, Reason: "disk", Epoch: 1, Generation: 6}, "behind", "behind"},
		{"caught-up-since", wire.Beat{State: wire.Behind, Epoch: 1, Generation: 7, Root: "good"}, "current", "current"},
		{"rejecting", wire.Beat{State: wire.Rejected, Epoch: 1, Generation: 7, Root: "good"}, "rejected", "rejected"},
		{"draining", wire.Beat{State: wire.Draining, Epoch: 1, Generation: 1}, "draining", "draining"},
		{"degraded", wire.Beat{State: wire.Degraded, Epoch: 1, Generation: 1}, "degraded", "degraded"},
		{"another-group", wire.Beat{State: wire.Current, Group: "lab", Epoch: 1, Generation: 1}, "current", "current"},
		{"a-pump", wire.Beat{Service: "pump", State: wire.Current}, "current", "current"},
	} {
		c.beat.Node, c.beat.Name, c.beat.Source = c.name, c.name, "live"
		if c.beat.Service == "" {
			c.beat.Service = "gateway"
		}
		if err := w.Beat(t.Context(), c.beat); err != nil {
			t.Fatal(err)
		}
		for s, want := range map[*fleet.Service]string{fresh: c.fresh, stale: c.stale} {
			n, err := s.Get(t.Context(), c.name)
			if err != nil || n.State != want || n.State == "behind" && n.Reason == "" {
				t.Errorf("%s: got %+v, %v, want %s", c.name, n, err, want)
			}
		}
	}
	list, err := fresh.List(t.Context())
	if err != nil || len(list) != 12 {
		t.Errorf("%d nodes, %v", len(list), err)
	}
	if _, err := fresh.Get(t.Context(), "none"); !fault.Is(err, "fleet.unknown_node") {
		t.Errorf("got %v", err)
	}
}

func TestReasonsHaveTheirCodes(t *testing.T) {
	redis := testenv.RedisServer(t).Client()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w, s := wire.NewWriter(redis, k.Node()), fleet.New(wire.NewReader(redis, k), published{time.Now().Add(-time.Minute)}, time.Now)
	with := map[string]any{"sink": "calls"}
	for name, c := range map[string]struct {
		beat wire.Beat
		code fault.Code
		with any // of "sink"
	}{
		"silent":       {wire.Beat{State: wire.Current, Generation: 6}, wire.CodeBehind, nil},
		"other-root":   {wire.Beat{State: wire.Current, Generation: 7, Root: "bad"}, wire.CodeOtherRoot, nil},
		"late":         {wire.Beat{State: wire.CatchingUp, Generation: 6, Reason: "x", ReasonCode: wire.CodeNoConfig}, wire.CodeNoConfig, nil},
		"own-words":    {wire.Beat{State: wire.Rejected, Generation: 6, Reason: "x"}, "", nil},
		"degraded":     {wire.Beat{State: wire.Degraded, Generation: 6, Reason: "x", ReasonCode: "root.key", LastError: "x", ErrorCode: "root.key", ErrorWith: with}, "root.key", nil},
		"caught-up":    {wire.Beat{State: wire.Behind, Generation: 7, Root: "good", Reason: "x", ReasonCode: "root.key", ReasonWith: with}, "", nil},
		"pump-failing": {wire.Beat{Service: "pump", State: wire.Degraded, Reason: "x", ReasonCode: wire.CodeSinkFailing, ReasonWith: with}, wire.CodeSinkFailing, "calls"},
	} {
		b := c.beat
		b.Node, b.Name, b.Source, b.Epoch = name, name, "live", 1
		if b.Service == "" {
			b.Service = "gateway"
		}
		if err := w.Beat(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		n, err := s.Get(t.Context(), name)
		if err != nil || n.ReasonCode != c.code || n.ReasonWith["sink"] != c.with || n.ErrorCode != b.ErrorCode || n.ErrorWith["sink"] != b.ErrorWith["sink"] {
			t.Errorf("%s: got %+v, %v", name, n, err)
		}
	}
}

func TestRecordsThatWaitOrWereLostAreTold(t *testing.T) {
	redis := testenv.RedisServer(t).Client()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w, s := wire.NewWriter(redis, k.Node()), fleet.New(wire.NewReader(redis, k), published{time.Now()}, time.Now)
	for name, spool := range map[string]wire.Spool{"well": {}, "pressed": {DiskBytes: 4096, Dropped: 7, Volatile: true}} {
		if err := w.Beat(t.Context(), wire.Beat{Node: name, Name: name, Service: "gateway", State: wire.Current, Source: "live", Spool: spool}); err != nil {
			t.Fatal(err)
		}
		n, err := s.Get(t.Context(), name)
		if err != nil || n.Spool != fleet.Spool(spool) {
			t.Errorf("%s: got %+v, %v", name, n.Spool, err)
		}
		text, err := json.Marshal(n)
		if err != nil || bytes.Contains(text, []byte(`"spool"`)) == (spool == wire.Spool{}) {
			t.Errorf("%s: got %s, %v", name, text, err)
		}
	}
}
