package drafts_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func now(merge bool) drafts.Publication { return drafts.Publication{Condition: latest, Merge: merge} }

func TestPublishMakesARevision(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/orders/", url, "b"))
	plan, err := d.Publish(t.Context(), kim, n.ID, drafts.Publication{Condition: drafts.Condition{IfMatch: n.ETag(), DryRun: true}})
	must(t, err)
	if len(plan.Result.Plan) != 1 || plan.Result.Plan[0].Action != "update" || d.revisions(t) != 1 {
		t.Errorf("a dry run: %+v", plan)
	}
	if got := d.is(t, n.ID, drafts.Open); !reflect.DeepEqual(got, n) {
		t.Errorf("a dry run left %+v", got)
	}
	done, err := d.Publish(t.Context(), lee, n.ID, drafts.Publication{Condition: drafts.Condition{IfMatch: n.ETag()}})
	must(t, err)
	got := d.is(t, n.ID, drafts.Published)
	if done.Result.Revision != 2 || got.Published != 2 || got.Claim != nil || done.Merged != nil || !reflect.DeepEqual(done.Draft, got) {
		t.Errorf("%+v\n%+v", done, got)
	}
	if d.text(t, id) != string(n.Text) {
		t.Errorf("published is %s", d.text(t, id))
	}
	r, err := d.engine.Revision(t.Context(), 2)
	must(t, err)
	if r.Author != lee.Author || r.Note != "why" {
		t.Errorf("%+v", r)
	}
}

func TestPublishCreatesAnObject(t *testing.T) {
	d := newSite(t).dashboard()
	d.made(t, "orders")
	n := d.begin(t, "", api("orders", "/two/", url, "b"))
	d.begin(t, "", api("orders", "/three/", url, "b")) // another one that creates is no second one of an object
	_, err := d.Publish(t.Context(), kim, n.ID, drafts.Publication{Condition: latest, Note: "now"})
	must(t, err)
	if got := d.is(t, n.ID, drafts.Published); got.Object != "orders-2" || d.text(t, "orders-2") != string(got.Text) {
		t.Errorf("%+v", got)
	}
	named := d.begin(t, "", []byte(`{"id":"orders-2",`+string(api("x", "/four/", url, "b")[1:])))
	_, err = d.Publish(t.Context(), kim, named.ID, now(false))
	wantCode(t, err, "api.exists")
	if got := d.is(t, named.ID, drafts.Open); got.Claim != nil {
		t.Errorf("%+v", got)
	}
}

func TestARefusalLeavesTheDraft(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	d.made(t, "other")
	n := d.begin(t, id, api("orders", "/other/", url, "b"))
	_, err := d.Publish(t.Context(), kim, n.ID, now(false))
	wantCode(t, err, "api.path_taken")
	if got := d.is(t, n.ID, drafts.Open); !reflect.DeepEqual(got, n) {
		t.Errorf("%+v", got)
	}
}

func TestAnObjectThatMoved(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	base := d.text(t, id)
	n := d.begin(t, id, []byte(strings.Replace(base, `"a"`, `"mine"`, 1)))
	if rev, moved, err := d.Present(t.Context(), n); rev != 1 || moved || err != nil {
		t.Errorf("%d %t %v", rev, moved, err)
	}
	d.set(t, id, `{"listen":{"path":"/theirs/"}}`)
	if rev, moved, err := d.Present(t.Context(), n); rev != 2 || !moved || err != nil {
		t.Errorf("%d %t %v", rev, moved, err)
	}
	theirs := d.text(t, id)
	_, err := d.Publish(t.Context(), kim, n.ID, now(false))
	wantCode(t, err, "draft.object_moved")
	_, planned := d.Schedule(t.Context(), kim, n.ID, latest, time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), false)
	wantCode(t, planned, "draft.object_moved")
	f := fault.As(err)
	want := map[string]any{
		"base": json.RawMessage(base), "mine": json.RawMessage(n.Text), "theirs": json.RawMessage(theirs), "revision": int64(2), "current": `"2"`,
		"changedHere": []string{"/tags/0"}, "changedThere": []string{"/listen/path"}, "conflicts": []string{}, "mergeable": true,
	}
	if f.Kind != fault.Stale || !reflect.DeepEqual(f.Params, want) {
		t.Errorf("told is %v %v", f.Kind, f.Params)
	}
	done, err := d.Publish(t.Context(), kim, n.ID, now(true))
	must(t, err)
	if !reflect.DeepEqual(done.Merged, &drafts.Merged{Revision: 2, Mine: []string{"/tags/0"}, Theirs: []string{"/listen/path"}}) {
		t.Errorf("%+v", done.Merged)
	}
	if got := d.text(t, id); got != strings.Replace(theirs, `["a"]`, `["mine"]`, 1) {
		t.Errorf("merged to %s", got)
	}
	if got := d.is(t, n.ID, drafts.Published); got.Merged != 2 || got.Published != 3 {
		t.Errorf("%+v", got)
	}
}

func TestWhatBothChangedIsNotMerged(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, []byte(strings.Replace(d.text(t, id), "/orders/", "/mine/", 1)))
	rev := d.set(t, id, `{"listen":{"path":"/theirs/"}}`)
	_, err := d.Publish(t.Context(), kim, n.ID, now(true))
	wantCode(t, err, "draft.object_moved")
	if f := fault.As(err); f.Params["mergeable"] != false || !reflect.DeepEqual(f.Params["conflicts"], []string{"/listen/path"}) {
		t.Errorf("%v", f.Params)
	}
	// somebody decides, and says which version that was about
	_, _, err = d.Update(t.Context(), kim, n.ID, latest, drafts.Change{Base: &rev, Object: []byte(strings.Replace(d.text(t, id), `"a"`, `"both"`, 1))})
	must(t, err)
	done, err := d.Publish(t.Context(), kim, n.ID, now(false))
	must(t, err)
	if done.Merged != nil || !strings.Contains(d.text(t, id), "/theirs/") || !strings.Contains(d.text(t, id), "both") {
		t.Errorf("%+v %s", done, d.text(t, id))
	}
}

func TestWhatOthersDidAlreadyIsPublished(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, []byte(strings.Replace(d.text(t, id), "/orders/", "/same/", 1)))
	d.set(t, id, `{"listen":{"path":"/same/"}}`)
	done, err := d.Publish(t.Context(), kim, n.ID, now(false))
	must(t, err)
	if got := d.is(t, n.ID, drafts.Published); got.Published != 2 || done.Result.Revision != 0 || d.revisions(t) != 2 {
		t.Errorf("%+v %+v", got, done.Result)
	}
}

func TestAnObjectThatWentAndCameBackToItsBase(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, []byte(strings.Replace(d.text(t, id), "/orders/", "/mine/", 1)))
	d.set(t, id, `{"tags":["b"]}`)
	d.set(t, id, `{"tags":["a"]}`)
	if _, err := d.Publish(t.Context(), kim, n.ID, now(false)); err != nil {
		t.Error(err)
	}
}

func TestAnObjectThatWasDeleted(t *testing.T) {
	d := newSite(t).dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/mine/", url, "b"))
	_, err := d.apis.Delete(t.Context(), write(), id)
	must(t, err)
	_, err = d.Publish(t.Context(), kim, n.ID, now(true))
	wantCode(t, err, "draft.object_deleted")
	if f := fault.As(err); f.Kind != fault.Stale || f.Params["theirs"] != nil || f.Params["base"] == nil {
		t.Errorf("%v", f.Params)
	}
}

func TestAChangeBetweenJudgementAndCommit(t *testing.T) {
	for name, c := range map[string]struct {
		merge bool
		code  fault.Code
	}{"is told": {false, "draft.object_moved"}, "is merged": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			d := newSite(t).dashboard()
			id, _ := d.made(t, "orders")
			n := d.begin(t, id, []byte(strings.Replace(d.text(t, id), "/orders/", "/mine/", 1)))
			d.calls.before = func() error {
				d.calls.before = nil
				d.set(t, id, `{"tags":["theirs"]}`)
				return nil
			}
			_, err := d.Publish(t.Context(), kim, n.ID, now(c.merge))
			if c.code != "" {
				wantCode(t, err, c.code)
				if got := d.is(t, n.ID, drafts.Open); got.Claim != nil {
					t.Errorf("%+v", got)
				}
				return
			}
			must(t, err)
			d.is(t, n.ID, drafts.Published)
			if text := d.text(t, id); !strings.Contains(text, "/mine/") || !strings.Contains(text, "theirs") {
				t.Error(text)
			}
		})
	}
}

// TestAProcessThatEndsWhileItPublishes ends it at each step, for a draft that
// changes and for one that creates. Another dashboard finds out what became of it.
func TestAProcessThatEndsWhileItPublishes(t *testing.T) {
	for _, creates := range []bool{false, true} {
		for _, step := range []string{"before the commit", "after the commit", "before the note"} {
			t.Run(step+map[bool]string{true: " of a creation"}[creates], func(t *testing.T) {
				s := newSite(t)
				dying, heir := s.dashboard(), s.dashboard()
				id, _ := dying.made(t, "orders")
				if creates {
					id = ""
				}
				n := dying.begin(t, id, api("orders", "/mine/", url, "b"))
				kill := func() error { return errKilled }
				switch step {
				case "before the commit":
					dying.calls.before = kill
				case "after the commit":
					dying.calls.after = kill
				default:
					dying.shelf.replace = func(d drafts.Draft) error {
						if d.State == drafts.Published {
							return errKilled
						}
						return nil
					}
				}
				if _, err := dying.Publish(t.Context(), kim, n.ID, now(false)); err != nil && !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				_, err := heir.Publish(t.Context(), kim, n.ID, now(false))
				wantCode(t, err, "draft.publishing")
				if fault.As(err).Retry < 1 {
					t.Error("nobody is told when to come back")
				}
				must(t, heir.Look(t.Context()))
				if got, err := heir.Get(t.Context(), "default", n.ID); err != nil || got.Claim == nil {
					t.Fatalf("a claim that counts was ended: %+v %v", got, err)
				}
				if !creates && step != "before the commit" { // somebody goes on with the object: it stays found
					heir.set(t, id, `{"tags":["later"]}`)
				}
				s.pass(time.Minute)
				must(t, heir.Look(t.Context()))
				if step == "before the commit" {
					if got := heir.is(t, n.ID, drafts.Open); got.Claim != nil {
						t.Errorf("%+v", got)
					}
					_, err = heir.Publish(t.Context(), kim, n.ID, now(false))
					must(t, err)
				}
				got := heir.is(t, n.ID, drafts.Published)
				if got.Published != 2 || got.Object == "" || publish.Sum(got.Text) == "" || !strings.Contains(string(got.Text), `"/mine/"`) {
					t.Errorf("%+v %s", got, got.Text)
				}
				if want := map[bool]string{true: "orders-2", false: "orders"}[creates]; got.Object != want {
					t.Errorf("it became %s, want %s", got.Object, want)
				}
				if list, err := heir.apis.List(t.Context(), publish.Query{Org: "default", Limit: 10}); err != nil || list.Total != 1+len(map[bool][]int{true: {1}}[creates]) {
					t.Errorf("there are %d APIs, %v", list.Total, err)
				}
			})
		}
	}
}

func TestWhoChangesADraftAfterACrashLearnsThatItIsPublished(t *testing.T) {
	s := newSite(t)
	d := s.dashboard()
	id, _ := d.made(t, "orders")
	n := d.begin(t, id, api("orders", "/mine/", url, "b"))
	d.calls.after = func() error { return errKilled }
	if _, err := d.Publish(t.Context(), kim, n.ID, now(false)); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	note := "x"
	_, _, err := d.Update(t.Context(), kim, n.ID, latest, drafts.Change{Note: &note})
	wantCode(t, err, "draft.published")
	d.is(t, n.ID, drafts.Published)
}
