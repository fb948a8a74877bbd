package drafts_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func TestADraftIsOutsideTheLog(t *testing.T) {
	d := newSite(t).dashboard()
	id, rev := d.made(t, "orders")
	text := `{"id":"orders","name":"Orders 2" , "nonsense":1.0}`
	n, problems, err := d.Create(t.Context(), kim, drafts.NewDraft{Kind: publish.KindAPI, ObjectID: id, Object: json.RawMessage(text)}, false)
	must(t, err)
	if len(problems) == 0 || n.Name != "Orders 2" || n.Base.Revision != rev || n.State != drafts.Open || n.Owner != kim.User {
		t.Errorf("%+v, problems %v", n, problems)
	}
	if got := d.is(t, n.ID, drafts.Open); string(got.Text) != text || !reflect.DeepEqual(got, n) {
		t.Errorf("stored is %+v %s", got, got.Text)
	}
	if d.revisions(t) != rev || strings.Contains(d.text(t, id), "Orders 2") {
		t.Error("the log has it")
	}
	if _, _, err := d.Create(t.Context(), ann, drafts.NewDraft{Kind: publish.KindAPI, Object: api("x", "/x/", url, "a")}, true); err != nil {
		t.Error(err)
	}
	if p, err := d.List(t.Context(), drafts.Query{Org: "default", Limit: 10}); err != nil || p.Total != 1 {
		t.Errorf("after a dry run there are %d, %v", p.Total, err)
	}
}

func TestWhatCannotBeADraft(t *testing.T) {
	d := newSite(t).dashboard()
	id, rev := d.made(t, "orders")
	other, _ := d.made(t, "other")
	good := api("orders", "/orders/", url, "a")
	mine := d.begin(t, id, good)
	for name, c := range map[string]struct {
		n    drafts.NewDraft
		code fault.Code
	}{
		"a kind that is none":         {drafts.NewDraft{Kind: "key", Object: good}, "draft.kind_unknown"},
		"no object of that id":        {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: "none", Object: good}, "draft.object_not_found"},
		"a base of another object":    {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: other, Base: rev, Object: good}, "draft.base_unknown"},
		"a base to come":              {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: other, Base: 99, Object: good}, "draft.base_unknown"},
		"a base of what is to create": {drafts.NewDraft{Kind: publish.KindAPI, Base: rev, Object: good}, "draft.base_unknown"},
		"no document":                 {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: other}, "draft.object_invalid"},
		"a list":                      {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: other, Object: []byte(`[]`)}, "draft.object_invalid"},
		"a long note":                 {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: other, Object: good, Note: strings.Repeat("한", 501)}, "draft.note_invalid"},
		"a second one":                {drafts.NewDraft{Kind: publish.KindAPI, ObjectID: id, Object: good}, "draft.exists"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := d.Create(t.Context(), kim, c.n, false)
			wantCode(t, err, c.code)
			if c.code == "draft.exists" && fault.As(err).Params["id"] != mine.ID {
				t.Errorf("told is %v", fault.As(err).Params)
			}
		})
	}
	if _, _, err := d.Create(t.Context(), ann, drafts.NewDraft{Kind: publish.KindAPI, ObjectID: id, Object: good}, false); err != nil {
		t.Errorf("another person's: %v", err)
	}
}

func TestOnlyItsAuthorChangesADraft(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/orders/", url, "a"))
	note := "another"
	_, _, err := d.Update(t.Context(), lee, n.ID, latest, drafts.Change{Note: &note})
	wantCode(t, err, "draft.not_yours")
	wantCode(t, d.Delete(t.Context(), ann, n.ID, latest), "draft.not_yours")
	_, _, err = d.Update(t.Context(), kim, n.ID, drafts.Condition{}, drafts.Change{Note: &note})
	wantCode(t, err, "precondition.required")
	_, _, err = d.Update(t.Context(), kim, n.ID, drafts.Condition{IfMatch: `"7"`}, drafts.Change{Note: &note})
	wantCode(t, err, "precondition.stale")
	_, _, err = d.Update(t.Context(), kim, "d_none", latest, drafts.Change{Note: &note})
	wantCode(t, err, "draft.not_found")
	_, _, err = d.Update(t.Context(), drafts.By{Org: "other", User: kim.User}, n.ID, latest, drafts.Change{Note: &note})
	wantCode(t, err, "draft.not_found")
	if dry, _, err := d.Update(t.Context(), kim, n.ID, drafts.Condition{IfMatch: "*", DryRun: true}, drafts.Change{Note: &note}); err != nil || dry.Note != note {
		t.Errorf("%+v %v", dry, err)
	}
	if got := d.is(t, n.ID, drafts.Open); got.Note != "why" || got.Version != 1 {
		t.Errorf("a dry run left %+v", got)
	}
	changed, _, err := d.Update(t.Context(), kim, n.ID, drafts.Condition{IfMatch: n.ETag()}, drafts.Change{Note: &note})
	must(t, err)
	if changed.Note != note || changed.Version != 2 || string(changed.Text) != string(n.Text) {
		t.Errorf("%+v", changed)
	}
	must(t, d.Delete(t.Context(), lee, n.ID, drafts.Condition{IfMatch: "*", DryRun: true}))
	must(t, d.Delete(t.Context(), lee, n.ID, drafts.Condition{IfMatch: changed.ETag()}))
	_, err = d.Get(t.Context(), "default", n.ID)
	wantCode(t, err, "draft.not_found")
}

func TestReview(t *testing.T) {
	s := newSite(t)
	s.needed = true
	d := s.dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/orders/", url, "b"))
	publishIt := func(who drafts.By) error {
		_, err := d.Publish(t.Context(), who, n.ID, drafts.Publication{Condition: latest})
		return err
	}
	wantCode(t, publishIt(kim), "draft.approval_needed")
	_, err := d.Review(t.Context(), lee, n.ID, latest, drafts.Approve, "")
	wantCode(t, err, "draft.state")
	_, err = d.Submit(t.Context(), lee, n.ID, latest)
	wantCode(t, err, "draft.not_yours")
	_, err = d.Submit(t.Context(), kim, n.ID, latest)
	must(t, err)
	wantCode(t, publishIt(lee), "draft.approval_needed")
	_, err = d.Schedule(t.Context(), kim, n.ID, latest, s.clock().Add(time.Hour), false)
	wantCode(t, err, "draft.approval_needed")
	_, err = d.Review(t.Context(), ann, n.ID, latest, drafts.Approve, "")
	wantCode(t, err, "draft.reviewers_only")
	own := kim
	own.Reviewer = true
	_, err = d.Review(t.Context(), own, n.ID, latest, drafts.Approve, "")
	wantCode(t, err, "draft.own")
	_, err = d.Review(t.Context(), lee, n.ID, latest, drafts.Reject, "")
	wantCode(t, err, "draft.reason_missing")
	_, err = d.Review(t.Context(), lee, n.ID, latest, drafts.Reject, "too much")
	must(t, err)
	d.is(t, n.ID, drafts.Rejected)
	wantCode(t, publishIt(kim), "draft.state")
	note := "less"
	_, _, err = d.Update(t.Context(), kim, n.ID, latest, drafts.Change{Note: &note})
	must(t, err)
	d.is(t, n.ID, drafts.Open)
	_, err = d.Submit(t.Context(), kim, n.ID, latest)
	must(t, err)
	approved, err := d.Review(t.Context(), lee, n.ID, latest, drafts.Approve, "good")
	must(t, err)
	want := []drafts.Review{{By: lee.Author, At: s.clock(), Verdict: drafts.Reject, Note: "too much"}, {By: lee.Author, At: s.clock(), Verdict: drafts.Approve, Note: "good"}}
	if approved.State != drafts.Approved || !reflect.DeepEqual(approved.Reviews, want) {
		t.Errorf("%+v", approved)
	}
	_, _, err = d.Update(t.Context(), kim, n.ID, latest, drafts.Change{Object: api("orders", "/orders/", url, "c")})
	must(t, err)
	wantCode(t, publishIt(kim), "draft.approval_needed") // the approval was for another text
	_, err = d.Submit(t.Context(), kim, n.ID, latest)
	must(t, err)
	_, err = d.Review(t.Context(), lee, n.ID, latest, drafts.Approve, "")
	must(t, err)
	wantCode(t, publishIt(ann), "draft.not_yours")
	must(t, publishIt(kim))
	wantCode(t, publishIt(kim), "draft.published")
	_, err = d.Submit(t.Context(), kim, n.ID, latest)
	wantCode(t, err, "draft.published")
	if !strings.Contains(d.text(t, id), `"tags":["c"]`) {
		t.Error(d.text(t, id))
	}
}
