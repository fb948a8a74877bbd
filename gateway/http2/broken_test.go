package http2_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
)

// TestNothingBehindABrokenBodyIsServed: where a body's end is not known, what stands
// behind it is no request, whenever the handler answers.
func TestNothingBehindABrokenBodyIsServed(t *testing.T) {
	const behind = "GET /behind HTTP/1.1\r\nHost: h\r\n\r\n"
	chunked := func(body string) string {
		return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body
	}
	for name, send := range map[string]string{
		"a bare LF behind the data": chunked("3\r\nabc\n0\r\n\r\n" + behind),
		"no size":                   chunked("\r\nabc\r\n0\r\n\r\n" + behind),
		"data beyond its size":      chunked("2\r\nabc\r\n0\r\n\r\n" + behind),
		"a size with a bare LF":     chunked("3\nabc\r\n0\r\n\r\n" + behind),
		"a forbidden trailer": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: Cookie\r\n\r\n" +
			"3\r\nabc\r\n0\r\nCookie: a\r\n\r\n" + behind,
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answered early %v", name, early), func(t *testing.T) {
				var others atomic.Int64
				_, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
					if r.Path != "/" {
						others.Add(1)
					}
					head := func() { _ = w.WriteHead(&message.Response{Status: http.StatusBadRequest, ContentLength: 3}) }
					if early {
						head()
						_ = w.Flush()
					}
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						t.Error("the body had an end")
					}
					if !early {
						head()
					}
					_, _ = io.WriteString(w, "bad")
					_ = w.Finish(nil)
				}), http2.ServerConfig{HTTP1: true})
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(reading))
				_, _ = io.WriteString(c, send)
				in := bufio.NewReader(c)
				r, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(r.Body); string(b) != "bad" || r.Close == early {
					t.Errorf("the answer is %q, %v; it says it closes: %v", b, err, r.Close)
				}
				if rest, err := io.ReadAll(in); err != nil || strings.Contains(string(rest), " 200 ") {
					t.Errorf("behind it came %q, %v", rest, err)
				}
				if n := others.Load(); n > 0 {
					t.Errorf("%d requests were served behind it", n)
				}
			})
		}
	}
}

// TestEarlyAnswerReachesAClientThatGoesOnSending: a reset does not overtake it.
func TestEarlyAnswerReachesAClientThatGoesOnSending(t *testing.T) {
	_, addr := serve(t, messagetest.Func(func(w message.Writer, _ *message.Request) { _ = answer(w, "no") }), http2.ServerConfig{HTTP1: true})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(reading))
	body := strings.Repeat("x", 300<<10)
	_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "\r\n\r\nno") {
		t.Errorf("it read %q, %v", b, err)
	}
}
