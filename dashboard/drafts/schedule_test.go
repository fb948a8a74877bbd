package drafts_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func write() objects.Write { return objects.Write{Org: "default", IfMatch: "*"} }

// planned makes a draft that is to be published in an hour.
func (d *dashboard) planned(t *testing.T, s *site, id string, text []byte) drafts.Draft {
	t.Helper()
	n := d.begin(t, id, text)
	n, err := d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), false)
	must(t, err)
	return n
}

func (d *dashboard) look(t *testing.T) {
	t.Helper()
	must(t, d.Look(t.Context()))
}

func TestSchedule(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/mine/", url, "b"))
	for _, at := range []time.Time{s.clock(), s.clock().Add(-time.Hour), {}, s.clock().AddDate(2, 0, 0)} {
		_, err := d.Schedule(t.Context(), kim, n.ID, latest, at, false)
		wantCode(t, err, "draft.at_invalid")
	}
	_, err := d.Schedule(t.Context(), ann, n.ID, latest, s.clock().Add(time.Hour), false)
	wantCode(t, err, "draft.not_yours")
	_, err = d.Unschedule(t.Context(), kim, n.ID, latest)
	wantCode(t, err, "draft.state")
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Minute), false)
	must(t, err)
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), false) // another time
	must(t, err)
	s.pass(time.Hour - time.Millisecond)
	d.look(t)
	d.is(t, n.ID, drafts.Scheduled)
	_, err = d.Unschedule(t.Context(), ann, n.ID, latest)
	wantCode(t, err, "draft.not_yours")
	_, err = d.Unschedule(t.Context(), lee, n.ID, latest)
	must(t, err)
	s.pass(time.Hour)
	d.look(t)
	d.is(t, n.ID, drafts.Open)
	at := s.clock().Add(time.Second)
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, at, false)
	must(t, err)
	s.pass(time.Second)
	d.look(t)
	got := d.is(t, n.ID, drafts.Published)
	if r, err := d.engine.Revision(t.Context(), got.Published); err != nil || r.Note != "why" || r.Author != kim.Author || !r.At.Equal(at) {
		t.Errorf("%+v %v", r, err)
	}
}

func TestAnApprovedDraftIsApprovedAgainWithoutItsPlan(t *testing.T) {
	s := newSite(t)
	s.needed = true
	d := s.dashboard()
	n := d.begin(t, "", api("orders", "/mine/", url, "b"))
	_, err := d.Submit(t.Context(), kim, n.ID, latest)
	must(t, err)
	_, err = d.Review(t.Context(), lee, n.ID, latest, drafts.Approve, "")
	must(t, err)
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), false)
	must(t, err)
	_, err = d.Unschedule(t.Context(), kim, n.ID, latest)
	must(t, err)
	d.is(t, n.ID, drafts.Approved)
}

func TestADashboardThatWasDownPublishesLate(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	n := d.begin(t, "", api("orders", "/mine/", url, "b"))
	note := strings.Repeat("한", 500)
	_, _, err := d.Update(t.Context(), kim, n.ID, latest, drafts.Change{Note: &note})
	must(t, err)
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), false)
	must(t, err)
	s.pass(3 * time.Hour)
	s.dashboard().look(t)
	got := d.is(t, n.ID, drafts.Published)
	r, err := d.engine.Revision(t.Context(), got.Published)
	must(t, err)
	if want := " (warning: scheduled for 2026-11-22T09:00:00Z, published 2h0m0s late)"; !strings.HasSuffix(r.Note, want) || len([]rune(r.Note)) != 500 {
		t.Errorf("%d letters: %s", len([]rune(r.Note)), r.Note)
	}
}

func TestARefusedPublicationRejectsTheDraft(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *site, d *dashboard)
		code  fault.Code
	}{
		"the path was taken": {func(t *testing.T, _ *site, d *dashboard) { d.made(t, "mine") }, "api.path_taken"},
		"the object moved":   {func(t *testing.T, _ *site, d *dashboard) { d.set(t, "orders", `{"tags":["x"]}`) }, "draft.object_moved"},
		"it was deleted": {func(t *testing.T, _ *site, d *dashboard) {
			_, err := d.apis.Delete(t.Context(), write(), "orders")
			must(t, err)
		}, "draft.object_deleted"},
		"approval is needed now": {func(_ *testing.T, s *site, _ *dashboard) { s.needed = true }, "draft.approval_needed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.dashboard()
			id, _ := d.made(t, "orders")
			n := d.planned(t, s, id, api("orders", "/mine/", url, "b"))
			c.spoil(t, s, d)
			s.pass(time.Hour)
			before := d.revisions(t)
			d.look(t)
			got := d.is(t, n.ID, drafts.Rejected)
			if len(got.Problems) != 1 || got.Problems[0].Code != c.code || got.Problems[0].Message == "" || got.Plan != nil || got.Claim != nil || d.revisions(t) != before {
				t.Errorf("%+v", got)
			}
			for _, document := range []string{"base", "mine", "theirs"} {
				if _, there := got.Problems[0].Params[document]; there {
					t.Errorf("a problem holds the document %s", document)
				}
			}
			list, err := d.List(t.Context(), drafts.Query{Org: "default", Owner: kim.User, State: drafts.Rejected, Limit: 10})
			if err != nil || len(list.Items) != 1 || len(list.Items[0].Problems) != 1 {
				t.Errorf("the list tells %+v, %v", list, err)
			}
			d.look(t)
			d.is(t, n.ID, drafts.Rejected)
		})
	}
}

func TestAScheduledDraftIsMergedWhenItsPlanSaysSo(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, []byte(strings.Replace(d.text(t, id), "/orders/", "/mine/", 1)))
	_, err := d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), true)
	must(t, err)
	rev := d.set(t, id, `{"tags":["theirs"]}`)
	s.pass(time.Hour)
	d.look(t)
	if got := d.is(t, n.ID, drafts.Published); got.Merged != rev || !strings.Contains(d.text(t, id), "theirs") || !strings.Contains(d.text(t, id), "/mine/") {
		t.Errorf("%+v %s", got, d.text(t, id))
	}
}

func TestWhatIsNoRefusalIsTriedAgain(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	n := d.planned(t, s, "", api("orders", "/mine/", url, "b"))
	tried := 0
	d.calls.before = func() error {
		tried++
		return fault.New(fault.Unavailable, "publish.store_unavailable", "away")
	}
	s.pass(time.Hour)
	d.look(t)
	d.look(t)
	if got := d.is(t, n.ID, drafts.Scheduled); tried != 1 || got.Claim != nil {
		t.Errorf("tried %d times: %+v", tried, got)
	}
	s.pass(5 * time.Second)
	d.look(t)
	d.is(t, n.ID, drafts.Scheduled)
	d.calls.before = nil
	s.pass(5 * time.Second)
	d.look(t)
	if d.is(t, n.ID, drafts.Published); tried != 2 {
		t.Errorf("tried %d times", tried)
	}
}

func TestADraftOfAKindThatOnlyANewerDashboardKnowsIsLeftToIt(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	n := d.planned(t, s, "", api("orders", "/mine/", url, "b"))
	n.Kind, n.Version = "later", n.Version+1
	must(t, d.shelf.Replace(t.Context(), n, n.Version-1))
	s.pass(time.Hour)
	d.look(t)
	d.is(t, n.ID, drafts.Scheduled)
	_, err := d.Publish(t.Context(), kim, n.ID, now(false))
	wantCode(t, err, "draft.kind_unknown")
}

// TestEachScheduledDraftIsPublishedOnce lets several dashboards look at once, again
// and again, while one of them dies in the midst of it.
func TestEachScheduledDraftIsPublishedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		const each = 10
		dashboards := []*dashboard{s.dashboard(), s.dashboard(), s.dashboard()}
		var all []drafts.Draft
		for i := range each {
			name := fmt.Sprintf("api%d", i)
			id, _ := dashboards[0].made(t, name)
			all = append(all, dashboards[0].planned(t, s, id, api(name, "/mine"+name+"/", url, "b")))
			all = append(all, dashboards[1].planned(t, s, "", api("new", "/new"+name+"/", url, "b")))
		}
		s.pass(time.Hour)
		var mu sync.Mutex
		deaths := 0
		dashboards[2].calls.after = func() error {
			mu.Lock()
			defer mu.Unlock()
			deaths++
			return errKilled // after the commit
		}
		for range 3 {
			var wait sync.WaitGroup
			for _, d := range dashboards {
				wait.Go(func() {
					if err := d.Look(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
		}
		s.pass(time.Minute)
		dashboards[0].look(t)
		for _, n := range all {
			dashboards[0].is(t, n.ID, drafts.Published)
		}
		if got := dashboards[0].revisions(t); got != each+2*each {
			t.Errorf("%d revisions of %d objects and %d drafts, %d deaths", got, each, len(all), deaths)
		}
		if p, err := dashboards[0].apis.List(t.Context(), publish.Query{Org: "default", Limit: 200}); err != nil || p.Total != 2*each {
			t.Errorf("%d APIs, %v, want %d", p.Total, err, 2*each)
		}
	})
}

func TestRunPublishesWithinTwoSeconds(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	n := d.planned(t, s, "", api("orders", "/mine/", url, "b"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	s.pass(time.Hour)
	began := time.Now()
	testenv.Eventually(t, 20*time.Second, func() bool {
		got, err := d.Get(t.Context(), "default", n.ID)
		return err == nil && got.State == drafts.Published
	})
	t.Logf("published %s after its time", time.Since(began))
	cancel()
	must(t, <-ended)
}

func TestPublishedDraftsAreSweptAfterAMonth(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	n, open := d.begin(t, "", api("orders", "/mine/", url, "b")), d.begin(t, "", api("x", "/x/", url, "b"))
	_, err := d.Publish(t.Context(), kim, n.ID, now(false))
	must(t, err)
	s.pass(31 * 24 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	testenv.Eventually(t, 20*time.Second, func() bool {
		_, err := d.Get(t.Context(), "default", n.ID)
		return fault.Is(err, "draft.not_found")
	})
	cancel()
	must(t, <-ended)
	d.is(t, open.ID, drafts.Open)
}
