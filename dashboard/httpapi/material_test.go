package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/httpapi/resource"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

func TestSecretsAreWriteOnly(t *testing.T) {
	d, _ := start(t, adminPassword)
	c, viewer := d.as(people.Operator), d.as(people.Viewer)
	const plain = "hunter2-is-no-secret"
	bodies := ""
	do := func(status int, code, method, path, body string, headers ...string) answer {
		t.Helper()
		a := c.do(method, path, body, headers...).want(t, status, code)
		bodies += a.body
		return a
	}
	viewer.do("POST", "/secrets", `{"name":"Origin","value":"x"}`).want(t, 403, "auth.denied")
	do(200, "", "POST", "/secrets?dry_run=1", `{"name":"Origin","value":"`+plain+`"}`)
	made := do(201, "", "POST", "/secrets", `{"name":"Origin","value":"`+plain+`"}`)
	if made.header.Get("Location") != "/api/v1/secrets/origin" {
		t.Errorf("got %v", made.header)
	}
	do(200, "", "PATCH", "/secrets/origin", `{"description":"new"}`, "If-Match", "*")
	do(200, "", "PATCH", "/secrets/origin", `{"value":"`+plain+`2"}`, "If-Match", "*")
	do(422, "secret.invalid", "PUT", "/secrets/origin", `{"name":"","value":"`+plain+`"}`, "If-Match", "*")
	do(201, "", "POST", "/apis", strings.Replace(definition("Orders", "/orders/"), `"auth"`, `"requestHeaders":{"set":{"X-Key":"${secret:origin}"}},"auth"`, 1))
	do(409, "secret.in_use", "DELETE", "/secrets/origin", "", "If-Match", "*")
	var got struct {
		Object json.RawMessage
		SetAt  string
		UsedBy []resource.Use
	}
	do(200, "", "GET", "/secrets/origin", "").into(t, &got)
	if string(got.Object) != `{"id": "origin", "name":"Origin", "description": "new"}` || got.SetAt == "" || len(got.UsedBy) != 1 || got.UsedBy[0] != (resource.Use{Kind: "api", ID: "orders", Name: "Orders"}) {
		t.Errorf("got %s %+v", got.Object, got)
	}
	if list := do(200, "", "GET", "/secrets?q=orig", ""); !strings.Contains(list.body, `"total":1`) || !strings.Contains(list.body, `"setAt":"`) {
		t.Errorf("got %s", list.body)
	}
	do(200, "", "GET", "/revisions?kind=secret&id=origin", "")
	for n := 1; n <= 3; n++ {
		do(200, "", "GET", fmt.Sprintf("/revisions/%d/changes/secret/origin", n), "")
	}
	viewer.do("GET", "/secrets/origin", "").want(t, 200, "")
	bodies = strings.ReplaceAll(bodies+d.log.String(), `"value":"***"`, "") // what a difference says of a secret
	for _, hidden := range []string{plain, `"sealed"`, `"value":`} {
		if strings.Contains(bodies, hidden) {
			t.Errorf("%s is in an answer or the log: %s", hidden, bodies)
		}
	}
}

func TestCertificatesShowWhatTheyAre(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	ca := certstest.NewCA(t, "ca")
	chain, key := ca.Issue(certstest.Options{}, "a.test", "b.test")
	body := fmt.Sprintf(`{"name":"Shop","chain":%q,"key":%q}`, chain, key)
	made := c.do("POST", "/certificates", body).want(t, 201, "")
	var got struct {
		Certificate struct {
			Subject, Issuer, KeyKind, NotAfter string
			Names                              []string
			HasKey                             bool
		}
		UsedBy []resource.Use
	}
	shown := c.do("GET", "/certificates/shop", "").want(t, 200, "")
	shown.into(t, &got)
	if f := got.Certificate; f.Subject != "CN=a.test" || f.Issuer != "CN=ca" || strings.Join(f.Names, " ") != "a.test b.test" || !f.HasKey || f.NotAfter == "" || got.UsedBy == nil {
		t.Errorf("got %+v", got)
	}
	for q, total := range map[string]string{"B.test": `"total":1`, "cn=a.test": `"total":1`, "c.test": `"total":0`} {
		if list := c.do("GET", "/certificates?q="+q, "").want(t, 200, ""); !strings.Contains(list.body, total) {
			t.Errorf("%s: got %s", q, list.body)
		}
	}
	for _, text := range []string{made.body, shown.body, d.log.String()} {
		if strings.Contains(text, `"key":`) || strings.Contains(text, strings.Split(string(key), "\n")[1]) {
			t.Errorf("the key is shown: %s", text)
		}
	}
	c.do("POST", "/certificates", fmt.Sprintf(`{"name":"Shop","chain":%q,"key":%q}`, ca.PEM, key)).want(t, 422, "certificate.invalid")
	c.do("DELETE", "/certificates/shop", "", "If-Match", "*").want(t, 200, "")
}

func TestDocumentsAndSchemas(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Operator)
	text := `{"id": "orders", "name":"Orders","openapi":{"openapi":"3.1.0","info":{"title":"Orders"},"paths":{}}}`
	a := c.do("POST", "/documents", text).want(t, 201, "")
	if !strings.Contains(a.body, text) {
		t.Errorf("got %s", a.body)
	}
	c.do("PATCH", "/documents/orders", `{"openapi":{"openapi":"2.0"}}`, "If-Match", "*").want(t, 422, "document.invalid")
	c.do("DELETE", "/documents/orders", "", "If-Match", "*").want(t, 200, "")
	var all map[string]map[string]any
	c.do("GET", "/schema/material", "").want(t, 200, "").into(t, &all)
	if len(all) != 3 || all["secret"]["type"] != "object" {
		t.Errorf("got %v", all)
	}
}
