package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/httpapi/resource"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// written is the answer to a write, with the document as it was sent.
type written struct {
	Object     json.RawMessage `json:"object"`
	Meta       *resource.Meta  `json:"meta"`
	Revision   int64           `json:"revision"`
	PublishURL string          `json:"publishUrl"`
	DryRun     bool            `json:"dryRun"`
	Problems   []fault.Problem `json:"problems"`
	Plan       []struct{ Action, Kind, ID string }
}

func TestADocumentComesBackByteForByte(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	text := "{\"id\": \"orders\",\n  \"name\":\"Orders <&> \\u00e9\",  \"x-note\":1.50,\n" + definition("", "/orders/")[len(`{"name":"",`):]
	a := c.do("POST", "/apis?note=the+first", text).want(t, 201, "")
	var w written
	a.into(t, &w)
	if string(w.Object) != text {
		t.Errorf("got  %q\nwant %q", w.Object, text)
	}
	if a.header.Get("Location") != "/api/v1/apis/orders" || a.header.Get("Etag") != `"1"` || w.Meta.ETag != `"1"` || w.Revision != 1 || w.PublishURL != "/api/v1/publishes/1" {
		t.Errorf("got %v %+v", a.header, w)
	}
	for _, h := range []string{"Cache-Control", "X-Content-Type-Options", "Content-Security-Policy", "X-Request-Id"} {
		if a.header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	got := c.do("GET", "/apis/orders", "").want(t, 200, "")
	if !strings.Contains(got.body, text) || got.header.Get("Etag") != `"1"` {
		t.Errorf("got %v %s", got.header, got.body)
	}
	if list := c.do("GET", "/apis", "").want(t, 200, ""); !strings.Contains(list.body, text) || !strings.HasSuffix(list.body, `],"next":"","total":1,"totalExact":true}`+"\n") {
		t.Errorf("got %s", list.body)
	}
	var r struct {
		Note   string
		Author struct{ Kind, Name string }
	}
	c.do("GET", "/revisions/1", "").want(t, 200, "").into(t, &r)
	if r.Note != "the first" || r.Author.Kind != "token" || r.Author.Name != "operator (admin)" {
		t.Errorf("got %+v", r)
	}
}

func TestChangesNeedTheVersionThatTheyStartedFrom(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	next := `{"id": "orders", ` + definition("Orders 2", "/orders/")[1:]
	for _, change := range []struct{ method, body string }{{"PUT", next}, {"PATCH", `{"name":"Orders 2"}`}, {"DELETE", ""}} {
		c.do(change.method, "/apis/orders", change.body).want(t, 428, "precondition.required")
		p := c.do(change.method, "/apis/orders", change.body, "If-Match", `"77"`).want(t, 412, "precondition.stale").problem(t)
		if p.Params["current"] != `"1"` {
			t.Errorf("%s: the present version is not told: %v", change.method, p.Params)
		}
		c.do(change.method, "/apis/nothing", change.body, "If-Match", `"1"`).want(t, 404, "api.not_found")
	}
	c.do("PUT", "/apis/orders", next, "If-Match", `"1"`).want(t, 200, "")
	a := c.do("PATCH", "/apis/orders", `{"name":"Orders 3"}`, "If-Match", `"2"`, "Content-Type", "application/merge-patch+json").want(t, 200, "")
	var w written
	a.into(t, &w)
	if want := strings.Replace(next, "Orders 2", "Orders 3", 1); string(w.Object) != want || a.header.Get("Etag") != `"3"` {
		t.Errorf("got %s", a.body)
	}
	c.do("PATCH", "/apis/orders", `{"name":"Orders 3"}`, "If-Match", `"3"`).want(t, 200, "").into(t, &w)
	gone := c.do("DELETE", "/apis/orders", "", "If-Match", "*").want(t, 200, "")
	gone.into(t, &w)
	if string(w.Object) != "null" || w.Meta != nil || w.Revision != 4 || w.Plan[0].Action != "delete" {
		t.Errorf("got %s", gone.body)
	}
	c.do("GET", "/apis/orders", "").want(t, 404, "api.not_found")
}

func TestADryRunStoresNothing(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	var w written
	c.do("POST", "/apis?dry_run=1", definition("Orders", "/orders/")).want(t, 200, "").into(t, &w)
	if !w.DryRun || w.Revision != 0 || w.PublishURL != "" || len(w.Plan) != 1 || w.Plan[0].Action != "create" || !strings.Contains(string(w.Object), `"id": "orders"`) {
		t.Errorf("got %+v", w)
	}
	c.do("GET", "/apis/orders", "").want(t, 404, "")
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	c.do("PATCH", "/apis/orders?dry_run=true", `{"name":"Changed"}`, "If-Match", `"1"`).want(t, 200, "")
	c.do("DELETE", "/apis/orders?dry_run=1", "", "If-Match", `"1"`).want(t, 200, "")
	c.do("POST", "/keys?dry_run=1", `{"alias":"a"}`).want(t, 200, "")
	c.do("POST", "/policies?dry_run=1", `{"name":"Gold"}`).want(t, 200, "")
	if a := c.do("GET", "/apis/orders", ""); a.header.Get("Etag") != `"1"` || strings.Contains(a.body, "Changed") {
		t.Errorf("a dry run changed something: %s", a.body)
	}
	for _, list := range []string{"/keys", "/policies"} {
		if a := c.do("GET", list, ""); !strings.Contains(a.body, `"total":0`) {
			t.Errorf("%s: a dry run made something: %s", list, a.body)
		}
	}
	c.do("POST", "/apis?dry_run=maybe", "{}").want(t, 400, "query.invalid")
}

func TestAClashNamesTheOther(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	p := c.do("POST", "/apis", definition("Second", "/orders")).want(t, 409, "api.path_taken").problem(t)
	if p.Params["name"] != "Orders" || p.Params["id"] != "orders" || !strings.Contains(p.Title, `"Orders"`) || len(p.Problems) == 0 || p.Problems[0].Path != "/listen/path" {
		t.Errorf("got %+v", p)
	}
	var a struct {
		Available bool
		Problems  []fault.Problem
	}
	c.do("GET", "/apis/availability?path=/orders", "").want(t, 200, "").into(t, &a)
	if a.Available || a.Problems[0].Params["name"] != "Orders" {
		t.Errorf("got %+v", a)
	}
	c.do("GET", "/apis/availability?path=/orders&id=orders", "").want(t, 200, "").into(t, &a)
	if !a.Available {
		t.Errorf("an API is in its own way: %+v", a)
	}
	c.do("GET", "/apis/availability", "").want(t, 400, "query.invalid")
	c.do("POST", "/policies", `{"name":"Gold","rights":[{"api":"orders"}]}`).want(t, 201, "")
	c.do("POST", "/keys", `{"alias":"shop","policies":["gold"]}`).want(t, 201, "")
	p = c.do("DELETE", "/policies/gold", "", "If-Match", "*").want(t, 409, "policy.in_use").problem(t)
	if !strings.Contains(p.Title, "shop") {
		t.Errorf("the key is not named: %+v", p)
	}
}

func TestEveryProblemHasItsShape(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Admin)
	ok := definition("Orders", "/orders/")
	for _, v := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{"no such address", "GET", "/nothing", "", nil, 404, "route.not_found"},
		{"no such object", "GET", "/apis/nothing", "", nil, 404, "api.not_found"},
		{"no such revision", "GET", "/revisions/1", "", nil, 404, "revision.not_found"},
		{"a revision that is no number", "GET", "/publishes/1x", "", nil, 404, "revision.not_found"},
		{"no such key", "GET", "/keys/k", "", nil, 404, "key.not_found"},
		{"no such token", "DELETE", "/tokens/t", "", nil, 404, "people.token_not_found"},
		{"no such gateway", "GET", "/gateways/g", "", nil, 404, "fleet.unknown_node"},
		{"another method", "PUT", "/apis", "{}", nil, 405, "route.method_not_allowed"},
		{"no body", "POST", "/apis", "", nil, 400, "body.missing"},
		{"a form", "POST", "/apis", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "body.type"},
		{"another charset", "POST", "/apis", ok, []string{"Content-Type", "application/json; charset=latin1"}, 415, "body.type"},
		{"a compressed body", "POST", "/apis", "\x1f\x8b", []string{"Content-Encoding", "gzip"}, 415, "body.encoding"},
		{"two codings", "POST", "/tokens", "\x1f\x8b", []string{"Content-Encoding", "identity, br"}, 415, "body.encoding"},
		{"no coding, in words", "POST", "/tokens", "[]", []string{"Content-Encoding", "Identity"}, 400, "body.invalid"},
		{"no JSON", "POST", "/apis", "{", nil, 422, "api.invalid"},
		{"an unknown member", "POST", "/tokens", `{"nmae":"x"}`, nil, 400, "body.invalid"},
		{"a member twice", "POST", "/tokens", `{"name":"x","name":"y"}`, nil, 400, "body.invalid"},
		{"too large", "POST", "/apis", strings.Repeat(" ", exchange.MaxBody+1), nil, 413, "body.too_large"},
		{"an unknown parameter", "GET", "/apis?statte=active", "", nil, 400, "query.unknown"},
		{"a parameter twice", "GET", "/apis?q=a&q=b", "", nil, 400, "query.repeated"},
		{"a state that is none", "GET", "/apis?state=on", "", nil, 400, "query.invalid"},
		{"a page of no size", "GET", "/apis?limit=0", "", nil, 400, "query.invalid"},
		{"a cursor of nobody", "GET", "/apis?cursor=x", "", nil, 400, "list.cursor_invalid"},
		{"an object without its kind", "GET", "/revisions?id=x", "", nil, 400, "query.invalid"},
		{"a topic that is none", "GET", "/events?topics=weather", "", nil, 400, "query.invalid"},
		{"no gateway to run it", "POST", "/upstreams/probe", `{"url":"http://127.0.0.1:1"}`, nil, 503, "commands.no_gateway"},
		{"a timeout that is none", "POST", "/upstreams/probe", `{"url":"http://127.0.0.1:1","timeout":"soon"}`, nil, 422, "probe.timeout_invalid"},
		{"a role that is none", "POST", "/tokens", `{"name":"x","role":"king"}`, nil, 422, "people.role_unknown"},
	} {
		t.Run(v.name, func(t *testing.T) {
			d.in(t)
			c.do(v.method, v.path, v.body, v.headers...).want(t, v.status, v.code)
		})
	}
	if a := c.do("PUT", "/apis", "{}"); a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	if a := c.do("POST", "/apis", ok, "Content-Encoding", "gzip"); a.header.Get("Accept-Encoding") != "identity" || !strings.Contains(a.body, "Content-Encoding: gzip") {
		t.Errorf("a compressed body: %v %s", a.header, a.body)
	}
	p := c.do("POST", "/apis", strings.Replace(ok, `"name"`, `"nmae"`, 1)).want(t, 422, "api.invalid").problem(t)
	if len(p.Problems) == 0 || p.Problems[0].Path != "/nmae" || p.Problems[0].Fix != "name" {
		t.Errorf("got %+v", p)
	}
	p = c.do("GET", "/apis?statte=active", "").problem(t)
	if p.Params["nearest"] != "state" {
		t.Errorf("got %+v", p)
	}
}

func TestListsComeInPages(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	for i := range 5 {
		c.do("POST", "/apis", definition(fmt.Sprintf("API %d", i), fmt.Sprintf("/p%d/", i))).want(t, 201, "")
	}
	var names []string
	cursor := ""
	for pages := 0; ; pages++ {
		var p struct {
			Items []struct{ Object struct{ Name string } }
			Next  string
			Total int
		}
		c.do("GET", "/apis?limit=2&sort=name&cursor="+cursor, "").want(t, 200, "").into(t, &p)
		for _, item := range p.Items {
			names = append(names, item.Object.Name)
		}
		if p.Total != 5 || pages > 2 {
			t.Fatalf("page %d: %+v", pages, p)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if got := strings.Join(names, ","); got != "API 0,API 1,API 2,API 3,API 4" {
		t.Errorf("got %s", got)
	}
	var found exchange.Page[json.RawMessage]
	c.do("GET", "/apis?q=P3", "").want(t, 200, "").into(t, &found)
	if found.Total != 1 {
		t.Errorf("got %+v", found)
	}
	var numbers []string
	for cursor = ""; ; {
		var p struct {
			Items      []struct{ Revision int64 }
			Next       string
			Total      int
			TotalExact bool
		}
		c.do("GET", "/revisions?limit=2&cursor="+cursor, "").want(t, 200, "").into(t, &p)
		if p.Total != 5 || !p.TotalExact {
			t.Errorf("cursor %q: %d of all, exact %t", cursor, p.Total, p.TotalExact)
		}
		for _, r := range p.Items {
			numbers = append(numbers, strconv.FormatInt(r.Revision, 10))
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if got := strings.Join(numbers, ","); got != "5,4,3,2,1" {
		t.Errorf("got %s", got)
	}
}

func TestAKeysSecretIsShownOnce(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	c.do("POST", "/policies", `{"name":"Gold","rights":[{"api":"*"}],"metadata":{"grade":"gold"}}`).want(t, 201, "")
	a := c.do("POST", "/keys", `{"alias":"shop","policies":["gold"]}`).want(t, 201, "")
	var k keyWritten
	a.into(t, &k)
	if !strings.HasPrefix(k.Secret, "slc_") || k.Object.ID == "" || a.header.Get("Location") != "/api/v1/keys/"+k.Object.ID {
		t.Fatalf("got %s", a.body)
	}
	custom := c.do("POST", "/keys", `{"alias":"old","secret":"brought-along-1"}`).want(t, 201, "")
	own := "/keys/" + k.Object.ID
	c.do("PATCH", own, `{"alias":"shop 2"}`).want(t, 428, "precondition.required")
	later := []answer{
		custom, c.do("GET", own, ""), c.do("GET", "/keys", ""), c.do("GET", "/keys?q="+k.Object.Prefix, ""),
		c.do("PATCH", own, `{"alias":"shop 2"}`, "If-Match", a.header.Get("Etag")).want(t, 200, ""), c.do("GET", "/revisions", ""),
		c.do("POST", own+"/revoke", "").want(t, 200, ""), c.do("POST", own+"/revoke", "").want(t, 200, ""),
	}
	for _, b := range later {
		if strings.Contains(b.body, k.Secret) || strings.Contains(b.body, "brought-along-1") || strings.Contains(b.body, `"secret"`) {
			t.Errorf("the secret is shown again: %s", b.body)
		}
	}
	if log := d.log.String(); strings.Contains(log, k.Secret) || strings.Contains(log, "brought-along-1") {
		t.Error("the log has the secret")
	}
	c.do("PATCH", own, `{"alias":"x"}`, "If-Match", "*").want(t, 409, "key.revoked")
	var p previewDTO
	c.do("POST", "/keys/preview", `{"alias":"shop","policies":["gold"]}`).want(t, 200, "").into(t, &p)
	if len(p.Rights) != 1 || p.Rights[0].API != "*" || p.Metadata["grade"] != "gold" || p.Origins["/metadata/grade"] != "policy:gold" || p.Skipped == nil {
		t.Errorf("got %+v", p)
	}
}

func TestAPITokensOverTheAPI(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Admin)
	var made struct {
		Object tokenDTO
		Secret string
	}
	c.do("POST", "/tokens", `{"name":"ci","role":"viewer","expiresAt":"2099-01-01T00:00:00Z"}`).want(t, 201, "").into(t, &made)
	ci := client{d: d, token: made.Secret}
	ci.do("GET", "/apis", "").want(t, 200, "")
	ci.do("POST", "/apis", "{}").want(t, 403, "auth.denied")
	if a := c.do("GET", "/tokens", "").want(t, 200, ""); strings.Contains(a.body, made.Secret) || !strings.Contains(a.body, made.Object.ID) {
		t.Errorf("got %s", a.body)
	}
	c.do("DELETE", "/tokens/"+made.Object.ID, "").want(t, 204, "")
	ci.do("GET", "/apis", "").want(t, 401, "auth.invalid")
}

func TestAbout(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Viewer)
	if a := (client{d: d}).do("GET", "/openapi.yaml", "").want(t, 200, ""); !strings.HasPrefix(a.body, "openapi: 3.1") {
		t.Errorf("got %.60s", a.body)
	}
	var m struct{ Version, Store string }
	c.do("GET", "/meta", "").want(t, 200, "").into(t, &m)
	if m.Version == "" || m.Store != "sqlite" {
		t.Errorf("got %+v", m)
	}
	var schema map[string]any
	c.do("GET", "/schema/api", "").want(t, 200, "").into(t, &schema)
	if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("got %v", schema["$schema"])
	}
	var f exchange.Page[filterDTO]
	c.do("GET", "/filters", "").want(t, 200, "").into(t, &f)
	catalog, err := apidef.DefaultCatalog()
	must(t, err)
	if f.Total != len(catalog.Entries()) || f.Total != len(f.Items) {
		t.Errorf("got %d filters, want those of the catalogue", f.Total)
	}
	for i, name := range catalog.Names() {
		if f.Items[i].Name != name || f.Items[i].Summary["ko"] == "" || len(f.Items[i].Schema) == 0 {
			t.Errorf("got %+v", f.Items[i])
		}
	}
	var u userDTO
	c.do("PATCH", "/me", `{"locale":"ko","timeZone":"Asia/Seoul"}`).want(t, 200, "").into(t, &u)
	if u.Locale != "ko" || u.TimeZone != "Asia/Seoul" {
		t.Errorf("got %+v", u)
	}
	c.do("PATCH", "/me", `{"locale":"xx"}`).want(t, 422, "people.locale_unknown")
	if a := c.do("GET", "/me", ""); !strings.Contains(a.body, `"locale":"ko"`) || strings.Contains(a.body, "argon2") {
		t.Errorf("got %s", a.body)
	}
}

func TestRevisionsShowTheDocumentsThatTheyChanged(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	first := `{"id":"orders",` + definition("Orders", "/orders/")[1:]
	second := `{"id":"orders",` + definition("Orders 2", "/orders/")[1:]
	c.do("POST", "/apis", first).want(t, 201, "")
	c.do("PUT", "/apis/orders", second, "If-Match", `"1"`).want(t, 200, "")
	c.do("DELETE", "/apis/orders", "", "If-Match", `"2"`).want(t, 200, "")
	for n, want := range [][2]string{{"null", first}, {first, second}, {second, "null"}} {
		var got struct{ Before, After json.RawMessage }
		d.as(people.Viewer).do("GET", fmt.Sprintf("/revisions/%d/changes/api/orders", n+1), "").want(t, 200, "").into(t, &got)
		var before, after bytes.Buffer
		must(t, errors.Join(json.Compact(&before, []byte(want[0])), json.Compact(&after, []byte(want[1]))))
		if string(got.Before) != before.String() || string(got.After) != after.String() {
			t.Errorf("revision %d: got %s and %s", n+1, got.Before, got.After)
		}
	}
	type revision struct{ Changes []struct{ ID, Name string } }
	var list struct{ Items []revision }
	d.as(people.Viewer).do("GET", "/revisions", "").want(t, 200, "").into(t, &list)
	for i, want := range []string{"Orders 2", "Orders 2", "Orders"} { // the newest first; the first of them deleted it
		if got := list.Items[i].Changes[0]; got.ID != "orders" || got.Name != want {
			t.Errorf("entry %d: got %+v", i, got)
		}
	}
	var one revision
	c.do("GET", "/revisions/1", "").want(t, 200, "").into(t, &one)
	if got := one.Changes[0].Name; got != "Orders" {
		t.Errorf("got %q", got)
	}
	c.do("GET", "/revisions/4/changes/api/orders", "").want(t, 404, "revision.not_found")
	for _, other := range []string{"api/other", "policy/orders", "key/orders"} {
		c.do("GET", "/revisions/1/changes/"+other, "").want(t, 404, "revision.no_change")
	}
}

func TestPublishingSaysWhatReachedRedis(t *testing.T) {
	d, _ := start(t, adminPassword)
	d.as(people.Operator).do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	var got struct {
		Revision, Published int64
		StoreBehind         bool
		Error               string
	}
	d.as(people.Viewer).do("GET", "/publishing", "").want(t, 200, "").into(t, &got)
	if got.Revision != 1 || got.Published != 1 || got.StoreBehind || got.Error != "" {
		t.Errorf("got %+v", got)
	}
}
