package httpapi

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

// setAnswer is what POST /changes and a rollback answer.
type setAnswer struct {
	Revision   int64
	PublishURL string
	DryRun     bool
	Plan       []objects.Step
	Later      []history.Later
}

func TestASetOfChangesIsOneRevision(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	set := func(changes string) string { return `{"note":"together","changes":[` + changes + `]}` }
	two := `{"kind":"api","action":"put","object":` + definition("Orders", "/orders") + `},{"kind":"policy","id":"gold","action":"put","object":{"name":"Gold"}}`

	var planned, done setAnswer
	c.do("POST", "/changes?dry_run=1", set(two)).want(t, 200, "").into(t, &planned)
	if !planned.DryRun || planned.Revision != 0 || len(planned.Plan) != 2 || planned.Plan[0].Differences[0].Message != "created Orders" {
		t.Errorf("%+v", planned)
	}
	c.do("POST", "/changes", set(two)).want(t, 200, "").into(t, &done)
	if done.Revision != 1 || done.PublishURL != Base+"/publishes/1" || done.Plan[0].ID != "orders" || done.Plan[0].Differences != nil {
		t.Errorf("%+v", done)
	}
	if a := c.do("GET", "/apis/orders", "").want(t, 200, ""); !strings.Contains(a.body, `"name":"Orders",  "listen"`) {
		t.Errorf("the document is not stored byte for byte: %s", a.body)
	}
	if a := c.do("GET", "/revisions/1", "").want(t, 200, ""); !strings.Contains(a.body, `"note":"together"`) {
		t.Error(a.body)
	}
	a := c.do("POST", "/changes", set(`{"kind":"policy","id":"gold","action":"delete","ifMatch":"*"},{"kind":"api","action":"put","object":`+definition("Other", "/orders/")+`}`))
	if p := a.want(t, 409, "api.path_taken").problem(t); p.Problems[0].Path != "/changes/1/object/listen/path" || p.Problems[0].Params["change"] != 1.0 {
		t.Errorf("%+v", p.Problems)
	}
	c.do("GET", "/policies/gold", "").want(t, 200, "")
	c.do("POST", "/changes", set(`{"kind":"api","action":"put"}`)).want(t, 422, "set.object_missing")
	c.do("POST", "/changes", set(`{"kind":"api","id":"orders","action":"delete","ifMatch":"\"9\""}`)).want(t, 412, "precondition.stale")
	c.do("POST", "/changes", `{"changes":[]}`).want(t, 422, "set.empty")
	c.do("POST", "/changes?note=x", set(two)).want(t, 400, "query.unknown")
	c.do("POST", "/changes", `{"change":[]}`).want(t, 400, "body.invalid")
	d.as(people.Viewer).do("POST", "/changes?dry_run=1", set(two)).want(t, 403, "auth.denied")
}

func TestDryRunsSayWhatChanges(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/apis", definition("Orders", "/orders")).want(t, 201, "")
	for _, w := range []struct{ method, path, body, want string }{
		{"POST", "/apis?dry_run=1", definition("Stock", "/stock"), "created Stock"},
		{"PUT", "/apis/orders?dry_run=1", definition("Orders", "/o"), "listen › path: /orders → /o"},
		{"PATCH", "/apis/orders?dry_run=1", `{"state":"disabled"}`, "disabled"},
		{"DELETE", "/apis/orders?dry_run=1", "", "deleted Orders"},
		{"POST", "/policies?dry_run=1", `{"name":"Gold"}`, "created Gold"},
	} {
		var out struct {
			Plan []struct{ Differences []struct{ Message string } }
		}
		c.do(w.method, w.path, w.body, "If-Match", "*").into(t, &out)
		if len(out.Plan) != 1 || len(out.Plan[0].Differences) != 1 || out.Plan[0].Differences[0].Message != w.want {
			t.Errorf("%s %s: %+v", w.method, w.path, out)
		}
	}
}
