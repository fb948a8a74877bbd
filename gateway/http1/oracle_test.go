package http1_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// FuzzSmuggling sends arbitrary bytes through server and pool to a raw origin.
// What arrives must be, request by request, what net/http takes the bytes for;
// and a request on another connection must get its own answer.
func FuzzSmuggling(f *testing.F) {
	for _, s := range []string{
		"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcdeGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGPOST / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a\n=b\r\na\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabcGET http://h/b HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	o := http1test.NewOrigin(f, http1test.Echo)
	r := newRig(f, o.Addr(), http1.ServerConfig{BodyGrace: time.Second}, http1.PoolConfig{})
	probes := 0
	f.Fuzz(func(t *testing.T, in []byte) {
		before := len(o.Requests())
		c := http1test.Dial(t, r.addr)
		c.Send(string(in))
		c.CloseWrite()
		if _, ended := c.Rest(); !ended {
			t.Fatalf("%q: the connection does not end", in)
		}
		got := o.Requests()[before:]
		if err := http1test.Compare(http1test.Sent(in), got); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if faults := o.Faults(); len(faults) > 0 {
			t.Fatalf("%q: the origin got %q", in, faults)
		}
		probes++
		p := http1test.Dial(t, r.addr)
		path := fmt.Sprintf("/probe-%d", probes)
		p.Send("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if a := p.MustRead("GET"); a.Body != "GET "+path {
			t.Fatalf("%q: the probe got %+v", in, a)
		}
		p.Close()
		c.Close()
	})
}
