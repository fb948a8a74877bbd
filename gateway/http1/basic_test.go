package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

func TestForwardsInCanonicalForm(t *testing.T) {
	r, o := echoRig(t)
	c := http1test.Dial(t, r.addr)
	for i := range 3 {
		c.Send(fmt.Sprintf("GET /a?%d HTTP/1.1\r\nX-One:1\r\nHost: EXAMPLE.com.:80\r\nAccept:  */* \r\n\r\n", i))
		if got := c.MustRead("GET"); got.Status != 200 || got.Body != fmt.Sprintf("GET /a?%d", i) || got.Header.Get("Date") == "" {
			t.Fatalf("got %+v", got)
		}
		want := fmt.Sprintf("GET /a?%d HTTP/1.1\r\nHost: example.com:80\r\nX-One: 1\r\nAccept: */*\r\n\r\n", i)
		if q := o.Requests()[i]; string(q.Raw) != want {
			t.Errorf("the origin got %q, want %q", q.Raw, want)
		}
	}
	if n := o.Accepted(); n != 1 {
		t.Errorf("%d connections to the origin, want 1", n)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	r, o := echoRig(t)
	c := http1test.Dial(t, r.addr)
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", i)
	}
	c.Send(b.String())
	for i := range 100 {
		if got := c.MustRead("POST"); got.Body != fmt.Sprintf("POST /%d", i) {
			t.Fatalf("answer %d is %q", i, got.Body)
		}
	}
	if n := len(o.Requests()); n != 100 {
		t.Errorf("the origin got %d requests", n)
	}
}
