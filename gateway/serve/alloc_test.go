//go:build !race

package serve_test

import (
	"bytes"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// quiet is an origin and a client that allocate nothing per request, so that what
// is counted is the gateway's.
func quiet(t testing.TB) (roundTrip func()) {
	response := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: o\r\nContent-Length: 1024\r\n\r\n" + string(make([]byte, 1024)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 4096)
				for n := 0; ; {
					m, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					if n += m; bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						n = 0
						if _, err := c.Write(response); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	r := newRig(t, map[string]string{"a": open("a", "/a/", l.Addr().String(), "")})
	r.seen.quiet = true
	c := http1test.Dial(t, r.addr).Conn()
	request := []byte("GET /a/things/42?page=2 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n")
	buf := make([]byte, 8192)
	return func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		n := 0
		for want := 8192; n < want; {
			m, err := c.Read(buf[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
			if i := bytes.Index(buf[:n], []byte("\r\n\r\n")); i >= 0 {
				want = i + 4 + 1024
			}
		}
	}
}

// The budget of a proxied GET, the engine included, is two heap objects.
func TestAllocationsPerRequest(t *testing.T) {
	roundTrip := quiet(t)
	for range 200 {
		roundTrip()
	}
	if n := testing.AllocsPerRun(3000, roundTrip); n > 2 {
		t.Errorf("%.1f heap objects per proxied GET; want at most 2", n)
	} else {
		t.Logf("%.1f heap objects per proxied GET", n)
	}
}

func BenchmarkProxiedGet(b *testing.B) {
	roundTrip := quiet(b)
	roundTrip()
	b.ReportAllocs()
	for b.Loop() {
		roundTrip()
	}
}
