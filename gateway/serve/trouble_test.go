package serve_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestTroubleBehindTheGatewayIsToldOnceWithItsCause(t *testing.T) {
	o := http1test.NewOrigin(t, func(*http1test.Request) string {
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + strings.Repeat("x", 100<<10) + "\r\nnonsense\r\n"
	})
	r := newRig(t, map[string]string{"down": open("down", "/down/", "127.0.0.1:1", ""), "cut": open("cut", "/cut/", o.Addr(), "")})
	for range 3 {
		c := http1test.Dial(t, r.addr)
		c.Send("GET /down/ HTTP/1.1\r\nHost: h\r\n\r\n")
		wantRefusal(t, c.MustRead("GET"), 502, "upstream.unreachable")
	}
	if n := strings.Count(r.log.String(), "upstream.unreachable"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
	for _, want := range []string{"api=down", "target=http://127.0.0.1:1", "refused", "request="} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not hold %q:\n%s", want, r.log)
		}
	}
	c := http1test.Dial(t, r.addr)
	c.Send("GET /cut/ HTTP/1.1\r\nHost: h\r\n\r\n")
	testenv.EventuallyNoError(t, 5*time.Second, func() error {
		if log := r.log.String(); !strings.Contains(log, "response cut short") || !strings.Contains(log, "upstream.malformed") {
			return fmt.Errorf("not told: %s", log)
		}
		return nil
	})
}
