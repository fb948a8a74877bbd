package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

type draftAnswer struct {
	Object   json.RawMessage
	Draft    drafts.Shown
	Present  int64
	Moved    bool
	DryRun   bool
	Merged   *drafts.Merged
	Revision int64
	Problems []struct{ Code string }
	Plan     []struct{ Action string }
}

func draftOf(t *testing.T, a answer) (d draftAnswer) {
	t.Helper()
	a.into(t, &d)
	if a.header.Get("Etag") != d.Draft.ETag {
		t.Errorf("ETag %s of %s", a.header.Get("Etag"), a.body)
	}
	return d
}

func TestDraftsOverTheAPI(t *testing.T) {
	d, _ := start(t, adminPassword)
	c, admin, viewer := d.as(people.Operator), d.as(people.Admin), d.as(people.Viewer)
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	document := `{"id":"orders",  ` + definition("Orders", "/new/")[1:]
	body := `{"kind":"api","objectId":"orders","note":"move it","object":` + document + `}`

	viewer.do("POST", "/drafts", body).want(t, 403, "auth.denied")
	if dry := draftOf(t, c.do("POST", "/drafts?dry_run=1", body).want(t, 200, "")); !dry.DryRun || dry.Draft.Base.Revision != 1 {
		t.Errorf("%+v", dry)
	}
	made := c.do("POST", "/drafts", body).want(t, 201, "")
	n := draftOf(t, made)
	path := "/drafts/" + n.Draft.ID
	if made.header.Get("Location") != Base+path || string(n.Object) != document || n.Draft.State != drafts.Open || len(n.Problems) != 1 || n.Problems[0].Code != "check.unavailable" {
		t.Errorf("%v %s", made.header, made.body)
	}
	c.do("POST", "/drafts", body).want(t, 409, "draft.exists")
	c.do("POST", "/drafts", `{"kind":"api"}`).want(t, 422, "draft.object_invalid")
	c.do("POST", "/drafts", `{"kind":"api","objekt":{}}`).want(t, 400, "body.invalid")

	got := viewer.do("GET", path, "").want(t, 200, "")
	if !strings.HasPrefix(got.body, `{"object":`+document+`,"draft":`) {
		t.Errorf("not byte for byte: %s", got.body)
	}
	if r := draftOf(t, got); r.Present != 1 || r.Moved {
		t.Errorf("%+v", r)
	}
	list := viewer.do("GET", "/drafts?state=open&kind=api&objectId=orders&mine=1", "").want(t, 200, "")
	if !strings.Contains(list.body, `"total":1`) || strings.Contains(list.body, `"object":`) { // all tokens of the tests are of one user
		t.Errorf("%s", list.body)
	}
	c.do("GET", "/drafts?state=lost", "").want(t, 400, "query.invalid")
	c.do("GET", "/drafts?mine=me", "").want(t, 400, "query.invalid")

	c.do("PATCH", path, `{"note":"n"}`).want(t, 428, "precondition.required")
	c.do("PATCH", path, `{"note":"n"}`, "If-Match", `"9"`).want(t, 412, "precondition.stale")
	changed := draftOf(t, c.do("PATCH", path, `{"note":"moved"}`, "If-Match", `"1"`).want(t, 200, ""))
	if changed.Draft.Note != "moved" || changed.Draft.Version != 2 || string(changed.Object) != document {
		t.Errorf("%+v", changed)
	}
	c.do("POST", path+"/submit", "", "If-Match", `"2"`).want(t, 200, "")
	c.do("POST", path+"/approve", "", "If-Match", `"3"`).want(t, 403, "auth.denied")
	admin.do("POST", path+"/approve", "", "If-Match", `"3"`).want(t, 403, "draft.own")
	admin.do("POST", path+"/reject", `{"note":"no"}`, "If-Match", `"3"`).want(t, 403, "draft.own")
	c.do("POST", path+"/schedule", `{"at":"2020-01-01T00:00:00Z"}`, "If-Match", "*").want(t, 422, "draft.at_invalid")
	c.do("POST", path+"/unschedule", "", "If-Match", "*").want(t, 409, "draft.state")

	c.do("PATCH", "/apis/orders", `{"tags":["theirs"]}`, "If-Match", "*").want(t, 200, "")
	if r := draftOf(t, c.do("GET", path, "").want(t, 200, "")); r.Present != 2 || !r.Moved {
		t.Errorf("%+v", r)
	}
	p := c.do("POST", path+"/publish", "", "If-Match", "*").want(t, 412, "draft.object_moved").problem(t)
	for _, member := range []string{"base", "mine", "theirs"} {
		if text, ok := p.Params[member].(map[string]any); !ok || text["name"] != "Orders" {
			t.Errorf("%s is %v", member, p.Params[member])
		}
	}
	if p.Params["mergeable"] != true || p.Params["current"] != `"2"` {
		t.Errorf("%v", p.Params)
	}
	plan := draftOf(t, c.do("POST", path+"/publish?merge=1&dry_run=1", "", "If-Match", `"3"`).want(t, 200, ""))
	if !plan.DryRun || plan.Revision != 0 || plan.Merged == nil || len(plan.Plan) != 1 || plan.Plan[0].Action != "update" {
		t.Errorf("%+v", plan)
	}
	done := draftOf(t, c.do("POST", path+"/publish?merge=1", `{"note":"both"}`, "If-Match", `"3"`).want(t, 200, ""))
	if done.Revision != 3 || done.Merged.Revision != 2 || done.Draft.State != drafts.Published || done.Draft.Published != 3 {
		t.Errorf("%+v", done)
	}
	if a := c.do("GET", "/apis/orders", ""); !strings.Contains(a.body, `"/new/"`) || !strings.Contains(a.body, "theirs") {
		t.Error(a.body)
	}
	if a := c.do("GET", "/revisions/3", ""); !strings.Contains(a.body, `"note":"both"`) {
		t.Error(a.body)
	}
	c.do("POST", path+"/publish", "", "If-Match", "*").want(t, 409, "draft.published")
	c.do("DELETE", path, "", "If-Match", "*").want(t, 204, "")
	c.do("GET", path, "").want(t, 404, "draft.not_found")
}

func TestADraftOfAPolicyIsScheduled(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	n := draftOf(t, c.do("POST", "/drafts", `{"kind":"policy","object":{"name":"Gold","rights":[{"api":"*"}]}}`).want(t, 201, ""))
	path := "/drafts/" + n.Draft.ID
	s := draftOf(t, c.do("POST", path+"/schedule?merge=1", fmt.Sprintf(`{"at":%q}`, n.Draft.CreatedAt.AddDate(0, 6, 0).Format("2006-01-02T15:04:05Z07:00")), "If-Match", "*").want(t, 200, ""))
	if s.Draft.State != drafts.Scheduled || s.Draft.Plan == nil || !s.Draft.Plan.Merge || s.Draft.Plan.By.Kind != "token" {
		t.Errorf("%+v", s.Draft)
	}
	c.do("POST", path+"/unschedule", "", "If-Match", s.Draft.ETag).want(t, 200, "")
	c.do("POST", path+"/publish", "", "If-Match", "*").want(t, 200, "")
	c.do("GET", "/policies/gold", "").want(t, 200, "")
}
