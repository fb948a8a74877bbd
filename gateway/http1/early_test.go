package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// TestEarlyAnswerKeepsItsPromise: the origin answers before the client has sent its body. A client
// that is not told of the connection's end sends the rest and its next request, and gets its answer;
// where the rest is more than is thrown away it is told.
func TestEarlyAnswerKeepsItsPromise(t *testing.T) {
	half := strings.Repeat("a", 20_000)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(half), half)
	cases := []struct {
		name, framing, first, rest string
		kept                       bool
	}{
		{"length", "Content-Length: 40000", half, half, true},
		{"chunked", "Transfer-Encoding: chunked", chunk, chunk + "0\r\n\r\n", true},
		{"chunked, nothing yet", "Transfer-Encoding: chunked", "", chunk + "0\r\n\r\n", true},
		{"chunked, much", "Transfer-Encoding: chunked", chunk, strings.Repeat(chunk, 6) + "0\r\n\r\n", true},
		{"much", "Content-Length: 4000000", half, half, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			o := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) {
				for {
					q, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					if _, err := io.Copy(io.Discard, q.Body); err != nil {
						return
					}
				}
			})
			r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
			c := http1test.Dial(t, r.addr)
			c.Send("POST /a HTTP/1.1\r\nHost: h\r\n" + tc.framing + "\r\n\r\n" + tc.first)
			got := c.MustRead("POST")
			if got.Status != 200 || got.Body != "ok" || got.Close == tc.kept {
				t.Fatalf("got %+v", got)
			}
			if !tc.kept {
				return
			}
			c.Send(tc.rest + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
			if got := c.MustRead("GET"); got.Status != 200 || got.Body != "ok" {
				t.Errorf("the next request got %+v", got)
			}
		})
	}
}
