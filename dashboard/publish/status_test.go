package publish_test

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

func TestStatusTellsWhatEachGatewayDid(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	put(t, e, api("a", ""))
	put(t, e, api("b", ""))
	w := fleet.NewWriter(s.redis.Client(), s.keys)
	beat := func(node string, generation int64, rejected ...notice.Rejected) {
		t.Helper()
		if err := w.Beat(t.Context(), fleet.Beat{
			Node: node, Name: node, Service: "gateway", Group: "default", State: fleet.Current,
			Source: "live", Epoch: 1, Generation: generation, Rejected: rejected,
		}); err != nil {
			t.Fatal(err)
		}
	}
	bad := notice.Rejected{Kind: "api", Org: "default", ID: "b", Code: "api.x", Message: "no", Kept: false}
	beat("acked", 1)
	beat("beaten", 2)
	beat("slow", 1)
	beat("refusing", 1)
	beat("refusing-by-beat", 2, bad)
	if err := w.Beat(t.Context(), fleet.Beat{Node: "pump", Name: "pump", Service: "pump", State: fleet.Current}); err != nil {
		t.Fatal(err)
	}
	e.Acknowledge(notice.Applied{Node: "acked", Name: "acked", Epoch: 1, Generation: 2})
	e.Acknowledge(notice.Applied{Node: "slow", Name: "slow", Epoch: 1, Generation: 1})
	e.Acknowledge(notice.Applied{Node: "refusing", Name: "refusing", Epoch: 1, Generation: 2, Rejected: []notice.Rejected{bad}})

	st, err := e.Status(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]publish.NodeState{
		"acked": publish.Applied, "beaten": publish.Applied, "slow": publish.Pending,
		"refusing": publish.Rejected, "refusing-by-beat": publish.Rejected,
	}
	if len(st.Nodes) != len(want) || !st.Published || st.Hash == "" || time.Since(st.Started) > time.Minute {
		t.Fatalf("got %+v", st)
	}
	for _, n := range st.Nodes {
		if n.State != want[n.ID] || (n.State == publish.Rejected) != (len(n.Rejected) > 0) {
			t.Errorf("%s: got %+v, want %s", n.ID, n, want[n.ID])
		}
		if (n.ID == "acked") != (n.Millis > 0) && n.ID != "refusing" {
			t.Errorf("%s: %d ms", n.ID, n.Millis)
		}
	}
	// Another object's rejection is not revision 1's trouble.
	if st, err = e.Status(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, n := range st.Nodes {
		if n.State != publish.Applied {
			t.Errorf("revision 1, %s: got %+v", n.ID, n)
		}
	}
	if _, err := e.Status(t.Context(), 3); !fault.Is(err, "revision.not_found") {
		t.Errorf("got %v", err)
	}
}

func TestTheExpectedRootIsTheOneInRedis(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	put(t, e, api("a", ""))
	want, _, ok := e.Expected("default")
	if !ok {
		t.Fatal("the group is not known")
	}
	got, _, err := s.published("default")
	if err != nil || got != want {
		t.Errorf("got %v, want %v, %v", got, want, err)
	}
	if st, err := e.Status(t.Context(), 1); err != nil || st.Hash != want.SHA {
		t.Errorf("got %+v, %v", st, err)
	}
}

// TestALaterAcknowledgementOfTheSameGenerationCounts: a text could not be fetched
// at first, then it could.
func TestALaterAcknowledgementOfTheSameGenerationCounts(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	put(t, e, api("a", ""))
	if err := fleet.NewWriter(s.redis.Client(), s.keys).Beat(t.Context(), fleet.Beat{
		Node: "n", Name: "n", Service: "gateway", Group: "default",
		State: fleet.Current, Source: "live", Epoch: 1, Generation: 1,
	}); err != nil {
		t.Fatal(err)
	}
	missing := notice.Rejected{Kind: "api", Org: "default", ID: "a", Code: "item.missing", Message: "no", Kept: true}
	for _, step := range []struct {
		rejected []notice.Rejected
		want     publish.NodeState
	}{{[]notice.Rejected{missing}, publish.Rejected}, {nil, publish.Applied}, {[]notice.Rejected{missing}, publish.Rejected}} {
		e.Acknowledge(notice.Applied{Node: "n", Name: "n", Epoch: 1, Generation: 1, Rejected: step.rejected})
		st, err := e.Status(t.Context(), 1)
		if err != nil || len(st.Nodes) != 1 || st.Nodes[0].State != step.want {
			t.Errorf("after %v: %+v, %v; want %s", step.rejected, st.Nodes, err, step.want)
		}
	}
}
