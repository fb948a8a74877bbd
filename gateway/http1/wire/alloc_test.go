package wire

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// browser is a request head of usual size.
func browser() []byte {
	return []byte("GET /api/v1/orders/4711?expand=lines HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nAuthorization: Bearer " +
		strings.Repeat("a", 64) + "\r\nX-Request-Id: 0123456789abcdef\r\nConnection: keep-alive\r\nCookie: session=" + strings.Repeat("c", 40) + "\r\n\r\n")
}

func parseOnce(tb testing.TB, b []byte, q *message.Request, f *Framing, lim *Limits) {
	q.Header.Reset()
	if n, bad := ParseRequest(b, q, f, lim); bad != nil || n != len(b) {
		tb.Fatal(n, bad)
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	b, lim := browser(), defaultLimits()
	var q message.Request
	var f Framing
	if n := testing.AllocsPerRun(1000, func() { parseOnce(t, b, &q, &f, lim) }); n != 0 {
		t.Errorf("%v objects per head", n)
	}
}

func BenchmarkParseHead(b *testing.B) {
	in, lim := browser(), defaultLimits()
	var q message.Request
	var f Framing
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		parseOnce(b, in, &q, &f, lim)
	}
}
