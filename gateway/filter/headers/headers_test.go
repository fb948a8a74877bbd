package headers

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
)

func TestRequestHeaders(t *testing.T) {
	for _, c := range []struct {
		name, options string
		b             *filtertest.Builder
		want          string
	}{
		{"set replaces every line", `{"set":{"X-A":"1"}}`, filtertest.Get("/").Header("x-a", "old").Header("X-B", "b").Header("X-A", "older"), "X-A: 1\nX-B: b\n"},
		{"add keeps", `{"add":{"X-A":"2"}}`, filtertest.Get("/").Header("X-A", "1"), "X-A: 1\nX-A: 2\n"},
		{"remove", `{"remove":["x-debug","User-Agent"]}`, filtertest.Get("/").Header("X-Debug", "1").Header("X-Debug", "2").Header("User-Agent", "u"), ""},
		{"remove, then add", `{"add":{"X-A":"new"},"remove":["X-A"]}`, filtertest.Get("/").Header("X-A", "old"), "X-A: new\n"},
		{"in the order of names", `{"set":{"X-C":"3","X-A":"1","X-B":"2"}}`, filtertest.Get("/"), "X-A: 1\nX-B: 2\nX-C: 3\n"},
		{"variables", `{"set":{"X-Ip":"{client.ip}","X-Sub":"{subject}"}}`, filtertest.Get("/"), "X-Ip: 192.0.2.10\nX-Sub: \n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := filtertest.Run(t, RequestSpec(), c.options, c.b).Passed(t).Sent(); got != c.want {
				t.Errorf("sent\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestResponseHeaders(t *testing.T) {
	o := filtertest.Run(t, ResponseSpec(), `{"set":{"X-Api":"{api.id}"},"remove":["server"]}`, filtertest.Get("/").Header("X-Api", "mine")).Passed(t)
	if got := filtertest.Lines(&o.Response.Header); got != "Content-Type: text/plain\nX-Api: orders\n" {
		t.Errorf("answered\n%s", got)
	}
	if o.Sent() != "X-Api: mine\n" {
		t.Errorf("the request was changed: %s", o.Sent())
	}
}

func TestValuesFromTheRequestCannotSplitHeaders(t *testing.T) {
	o := filtertest.Run(t, RequestSpec(), `{"set":{"X-Q":"{request.query.q}"}}`, filtertest.Get("/?q=a%0d%0aX-Admin:%201"))
	o.Refused(t, 400, "request.value_control")
	filtertest.Run(t, ResponseSpec(), `{"add":{"X-Q":"a{request.query.q}"}}`, filtertest.Get("/?q=%0a")).Refused(t, 400, "request.value_control")
}

func TestOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		spec          filter.Spec
		options, want string
	}{
		{RequestSpec(), `{"set":{"Host":"x"}}`, "/set/Host header.reserved"},
		{RequestSpec(), `{"add":{"content-length":"1"}}`, "/add/content-length header.reserved"},
		{RequestSpec(), `{"remove":["Transfer-Encoding"]}`, "/remove/0 header.reserved"},
		{RequestSpec(), `{"remove":["Connection","TE","X-Ok"]}`, "/remove/0 header.reserved\n/remove/1 header.reserved"},
		{RequestSpec(), `{"set":{"X A":"x"}}`, "/set/X A header.name"},
		{RequestSpec(), `{"set":{"":"x"}}`, "/set/ header.name"},
		{RequestSpec(), `{"set":{"a/b":"x"}}`, "/set/a~1b header.name"},
		{RequestSpec(), `{"set":{"X-A":"1","x-a":"2"}}`, "/set/x-a header.twice"},
		{RequestSpec(), `{"set":{"X-A":"1"},"remove":["x-a"]}`, "/remove/0 header.twice"},
		{RequestSpec(), `{"set":{"X-A":"{nope}","X-B":"{claim.a}"}}`, "/set/X-A value.unknown_variable\n/set/X-B not_available"},
		{RequestSpec(), `{"set":{"X-A":"a\r\nb"}}`, "/set/X-A value.control"},
		{RequestSpec(), `{"put":{}}`, " unknown_field"},
		{RequestSpec(), `{"set":{"Date":"x"}}`, ""},
		{ResponseSpec(), `{"set":{"Date":"x"}}`, "/set/Date header.reserved"},
		{ResponseSpec(), `{"set":{"Keep-Alive":"x"}}`, "/set/Keep-Alive header.reserved"},
		{ResponseSpec(), `{}`, ""},
	} {
		if got := filtertest.BuildFault(t, c.spec, c.options); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.spec.Name, c.options, got, c.want)
		}
	}
}
