package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestARunKeepsToTheAPIsOwnPath(t *testing.T) {
	plain := apidef.Definition{Listen: apidef.Listen{Path: "/orders/", Domains: []string{"api.example.com"}}}
	templated := apidef.Definition{Listen: apidef.Listen{Path: "/shops/{shop}/orders", Domains: []string{"*.example.com"}}}
	root := apidef.Definition{Listen: apidef.Listen{Path: "/"}}
	for _, c := range []struct {
		name string
		d    apidef.Definition
		in   runRequest
		want string // method host target, or a code
	}{
		{"all defaults", plain, runRequest{}, "GET api.example.com /orders"},
		{"below it", plain, runRequest{Method: "POST", Host: "h", Path: "/orders/1?x=/y"}, "POST h /orders/1?x=/y"},
		{"another API's", plain, runRequest{Path: "/stock/"}, "run.path_outside"},
		{"one that begins alike", plain, runRequest{Path: "/orders2"}, "run.path_outside"},
		{"a template", templated, runRequest{Path: "/shops/7/orders"}, "GET localhost /shops/7/orders"},
		{"a template without values", templated, runRequest{}, "run.path_missing"},
		{"outside of a template", templated, runRequest{Path: "/stock"}, "run.path_outside"},
		{"a header without a value", plain, runRequest{Headers: [][]string{{"Accept"}}}, "run.header_invalid"},
		{"the root", root, runRequest{Path: "/anything"}, "GET localhost /anything"},
	} {
		r, err := c.in.request(&c.d)
		got := r.Method + " " + r.Host + " " + r.Target
		if f := fault.As(err); f != nil {
			got = string(f.Code)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestGatewaysRunAndProbe(t *testing.T) {
	d, _ := start(t, adminPassword)
	node := d.node("gw-1")
	node.Handle(notice.RunCommand, func(_ context.Context, payload json.RawMessage) (any, error) {
		var r notice.Run
		if err := json.Unmarshal(payload, &r); err != nil {
			return nil, err
		}
		return notice.RunReply{Status: 418, Millis: 3, Headers: [][2]string{{"Set-Cookie", "a"}, {"Set-Cookie", "b"}}, Body: fmt.Appendf(nil, "%s%s%q", r.Target, r.Body, r.Headers)}, nil
	})
	node.Handle(notice.ProbeCommand, func(context.Context, json.RawMessage) (any, error) {
		return notice.ProbeReply{Status: 204, Millis: 4}, nil
	})
	d.runBuses(node)
	must(t, d.beats.Beat(t.Context(), fleet.Beat{Node: "gw-1", Name: "gateway one", Service: "gateway", Group: "default", State: fleet.Current, Start: "s", Source: "live"}))
	c := d.as(people.Operator)
	c.do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	testenv.Eventually(t, 10*time.Second, func() bool { return c.do("POST", "/apis/orders/run", "{}").status == 200 })
	var got runAnswer
	c.do("POST", "/apis/orders/run", `{"path":"/orders/1","body":"é","headers":[["Authorization","s"],["X-A",""]]}`).want(t, 200, "").into(t, &got)
	if got.Status != 418 || got.Body != `/orders/1é[["Authorization" "s"] ["X-A" ""]]` || got.Encoding != "utf-8" || len(got.Headers) != 2 {
		t.Errorf("got %+v", got)
	}
	if a := c.do("POST", "/upstreams/probe", `{"url":"http://x/"}`).want(t, 200, ""); a.body != `{"status":204,"ms":4,"gateway":"gateway one"}`+"\n" {
		t.Errorf("got %s", a.body)
	}
	c.do("POST", "/apis/nothing/run", "{}").want(t, 404, "api.not_found")
}
