package httpapi

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

func TestRevisionsAreComparedAndRolledBack(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/apis?note=first", definition("Orders", "/orders")).want(t, 201, "")
	c.do("PUT", "/apis/orders?note=moved", definition("Orders", "/shop"), "If-Match", "*").want(t, 200, "")
	c.do("POST", "/policies", `{"name":"Gold"}`).want(t, 201, "")

	var between struct {
		From, To int64
		Objects  []history.ObjectDiff
	}
	d.as(people.Viewer).do("GET", "/revisions/1/diff/3", "").want(t, 200, "").into(t, &between)
	if between.From != 1 || between.To != 3 || len(between.Objects) != 2 || between.Objects[0].Name != "Orders" ||
		between.Objects[0].Differences[0].Path != "/listen/path" || between.Objects[1].Action != "create" {
		t.Errorf("%+v", between)
	}
	for _, path := range []string{"/revisions/1/diff/4", "/revisions/x/diff/1", "/revisions/-1/diff/1", "/revisions/01/diff/1"} {
		c.do("GET", path, "").want(t, 404, "revision.not_found")
	}

	var planned, done setAnswer
	c.do("POST", "/revisions/1/rollback?dry_run=1", `{}`).want(t, 200, "").into(t, &planned)
	if !planned.DryRun || len(planned.Plan) != 2 || planned.Plan[0].Differences[0].Message != "listen › path: /shop → /orders" || planned.Plan[1].Action != "delete" ||
		len(planned.Later) != 2 || planned.Later[0].Revisions[0].Note != "moved" {
		t.Errorf("%+v", planned)
	}
	c.do("POST", "/revisions/1/rollback", `{"note":"wrong path","scope":[{"kind":"api","id":"orders"}]}`).want(t, 200, "").into(t, &done)
	if done.Revision != 4 || done.PublishURL != Base+"/publishes/4" || len(done.Plan) != 1 {
		t.Errorf("%+v", done)
	}
	if a := c.do("GET", "/apis/orders", "").want(t, 200, ""); !strings.Contains(a.body, `"path":"/orders"`) {
		t.Error(a.body)
	}
	c.do("GET", "/policies/gold", "").want(t, 200, "")
	if a := c.do("POST", "/revisions/4/rollback", `{"note":"nothing"}`).want(t, 200, ""); !strings.Contains(a.body, `"plan":[],"later":[]`) {
		t.Error(a.body)
	}
	c.do("POST", "/revisions/1/rollback", `{"note":" "}`).want(t, 422, "rollback.note_missing")
	c.do("POST", "/revisions/1/rollback", `{"note":"x","scope":[]}`).want(t, 422, "rollback.scope_empty")
	c.do("POST", "/revisions/1/rollback", `{"note":"x","scope":[{"kind":"api","id":"none"}]}`).want(t, 422, "rollback.object_unknown")
	c.do("POST", "/revisions/9/rollback", `{"note":"x"}`).want(t, 404, "revision.not_found")
	d.as(people.Viewer).do("POST", "/revisions/1/rollback?dry_run=1", `{}`).want(t, 403, "auth.denied")

	c.do("PUT", "/apis/orders", definition("Orders", "/elsewhere"), "If-Match", "*").want(t, 200, "")
	c.do("POST", "/apis", definition("Thief", "/orders")).want(t, 201, "")
	a := c.do("POST", "/revisions/1/rollback", `{"note":"x","scope":[{"kind":"api","id":"orders"}]}`).want(t, 409, "api.path_taken")
	if p := a.problem(t).Problems[0]; p.Params["objectId"] != "orders" || p.Params["name"] != "Thief" {
		t.Errorf("%+v", p)
	}
}

func TestRevisionsAreSearched(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/apis?note=first", definition("Orders", "/orders")).want(t, 201, "")
	c.do("POST", "/policies", `{"name":"Gold"}`).want(t, 201, "")
	for _, q := range []struct {
		query string
		want  []int64
	}{{"q=GOLD", []int64{2}}, {"q=first", []int64{1}}, {"q=order", []int64{1}}, {"q=o", []int64{2, 1}}, {"q=nothing", nil}} {
		var page struct {
			Items []revisionDTO
			Next  string
		}
		c.do("GET", "/revisions?"+q.query, "").want(t, 200, "").into(t, &page)
		if len(page.Items) != len(q.want) || page.Next != "" {
			t.Errorf("%s: %+v", q.query, page)
			continue
		}
		for i, n := range q.want {
			if page.Items[i].N != n || page.Items[i].Changes[0].Name == "" {
				t.Errorf("%s: %+v", q.query, page.Items[i])
			}
		}
	}
	c.do("GET", "/revisions?q=x&kind=api&id=orders", "").want(t, 400, "query.invalid")
}
