package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// browser is a request head of usual size.
func browser() []byte {
	return []byte("GET /api/v1/orders/4711?expand=lines HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nAuthorization: Bearer " +
		strings.Repeat("a", 64) + "\r\nX-Request-Id: 0123456789abcdef\r\nConnection: keep-alive\r\nCookie: session=" + strings.Repeat("c", 40) + "\r\n\r\n")
}

type forward struct{ p *Pool }

func (f forward) Serve(w message.Writer, r *message.Request) {
	resp, err := f.p.Do(r.Context, r, message.Outbound{Target: r.Target})
	if err != nil {
		w.Fail()
		return
	}
	if err := w.WriteHead(resp); err == nil {
		_, _ = io.Copy(w, resp.Body)
		_ = w.Finish(nil)
	}
	_ = resp.Body.Close()
}

// loop starts an origin and a proxy and returns a function that runs one exchange
// of 1 KiB over loopback without allocating on the client's or origin's side.
func loop(tb testing.TB, request string) func() {
	tb.Helper()
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	answer := []byte("HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" +
		strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := origin.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 16<<10)
				for {
					if _, err := c.Read(b); err != nil {
						_ = c.Close()
						return
					}
					_, _ = c.Write(answer)
				}
			}()
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	clock := wire.NewClock()
	p := NewPool(PoolConfig{Address: origin.Addr().String(), Clock: clock})
	s := NewServer(forward{p}, ServerConfig{Clock: clock})
	done := make(chan struct{})
	go func() {
		_ = s.Serve(context.Background(), l)
		close(done)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Close()
		_ = s.Shutdown(context.Background())
		<-done
		p.Close()
		_ = origin.Close()
	})
	in, r := []byte(request), bufio.NewReaderSize(c, 32<<10)
	return func() {
		if _, err := c.Write(in); err != nil {
			tb.Fatal(err)
		}
		length := 0
		for {
			l, err := r.ReadSlice('\n')
			if err != nil {
				tb.Fatal(err)
			}
			if len(l) == 2 {
				break
			}
			if strings.HasPrefix(wire.Str(l), "Content-Length: 1024") {
				length = 1024
			}
		}
		if _, err := r.Discard(length); err != nil || length == 0 {
			tb.Fatal(length, err)
		}
	}
}

func TestAnExchangeAllocatesNextToNothing(t *testing.T) {
	post := "POST /orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nabcde"
	for name, in := range map[string]string{"GET": string(browser()), "POST": post} {
		run := loop(t, in)
		for range 100 {
			run()
		}
		limit := 2.0
		if wire.RaceDetector { // sync.Pool then forgets on purpose
			limit = 20
		}
		if n := testing.AllocsPerRun(2000, run); n > limit {
			t.Errorf("%v objects per proxied %s, at most %v are allowed", n, name, limit)
		} else {
			t.Logf("%v objects per proxied %s", n, name)
		}
	}
}

func BenchmarkProxy(b *testing.B) {
	run := loop(b, string(browser()))
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
