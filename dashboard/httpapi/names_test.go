package httpapi

import (
	"maps"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/access"
)

func TestAnswersAboutKeysTellNames(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	created := func(path, body string) (id string, etag string) {
		t.Helper()
		var made struct{ Object struct{ ID string } }
		a := c.do("POST", path, body).want(t, 201, "")
		a.into(t, &made)
		return made.Object.ID, a.header.Get("Etag")
	}
	first, tag := created("/apis", definition("주문", "/orders/"))
	second, _ := created("/apis", definition("결제", "/pay/"))
	gold, _ := created("/policies", `{"name":"골드","rights":[{"api":"`+second+`"}]}`)
	body := `{"alias":"shop","rights":[{"api":"` + first + `"}],"policies":["` + gold + `"]}`
	id, _ := created("/keys", body)
	created("/keys", `{"alias":"all","rights":[{"api":"*"}]}`)

	ask := func(c client, method, path, body string, apis, policies map[string]string) {
		t.Helper()
		var got struct{ Names *names }
		c.do(method, path, body).want(t, 200, "").into(t, &got)
		if got.Names == nil || !maps.Equal(got.Names.APIs, apis) || !maps.Equal(got.Names.Policies, policies) || got.Names.APIs == nil || got.Names.Policies == nil {
			t.Errorf("%s %s: %+v", method, path, got.Names)
		}
	}
	none := map[string]string{}
	bundles := map[string]string{gold: "골드"}
	ask(c, "GET", "/keys", "", map[string]string{first: "주문"}, bundles)
	ask(c, "GET", "/keys?q=nothing", "", none, none)
	ask(c, "GET", "/keys?q=nothing&policy="+gold+"&api="+second, "", map[string]string{second: "결제"}, bundles) // what was asked for has a name, too
	ask(c, "GET", "/keys/"+id, "", map[string]string{first: "주문"}, bundles)
	ask(c, "POST", "/keys/preview", body, map[string]string{first: "주문", second: "결제"}, bundles) // also what comes by the policy

	c.do("PATCH", "/apis/"+first, `{"name":"주문 v2"}`, "If-Match", tag).want(t, 200, "")
	ask(c, "GET", "/keys/"+id, "", map[string]string{first: "주문 v2"}, bundles)
	c.do("DELETE", "/apis/"+first, "", "If-Match", "*").want(t, 200, "")
	ask(c, "GET", "/keys/"+id, "", none, bundles)
}

// Who may not read APIs or policies is not told their names.
func TestNamesAreForThoseWhoMayReadThem(t *testing.T) {
	d, _ := start(t, adminPassword)
	op := d.as(people.Operator)
	op.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	op.do("POST", "/policies", `{"name":"Gold"}`).want(t, 201, "")
	k := access.Key{Rights: []access.Right{{API: "orders"}, {API: "*"}}, Policies: []string{"gold", "gone"}}
	a := &api{Options: Options{Engine: d.engine}}
	as := func(org string, role people.Role) names {
		return a.namesIn(&call{actor: people.Actor{User: people.User{Org: org}, Role: role}}, nil, nil, k)
	}
	if got := as("default", people.Viewer); got.APIs["orders"] != "Orders" || len(got.APIs) != 1 || got.Policies["gold"] != "Gold" || len(got.Policies) != 1 {
		t.Errorf("a viewer: %+v", got)
	}
	for _, got := range []names{as("default", "of nothing"), as("another", people.Viewer)} {
		if len(got.APIs)+len(got.Policies) != 0 || got.APIs == nil || got.Policies == nil {
			t.Errorf("got %+v", got)
		}
	}
}
