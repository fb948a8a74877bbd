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

// TestParsingAndWritingAllocateNothing is the budget of BenchmarkParseAndWrite.
func TestParsingAndWritingAllocateNothing(t *testing.T) {
	run := parseAndWrite(t)
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v objects per request that is read and written", n)
	}
}

// BenchmarkParseAndWrite is a request head of usual size from the client's bytes
// to the upstream's.
func BenchmarkParseAndWrite(b *testing.B) {
	run := parseAndWrite(b)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func parseAndWrite(tb testing.TB) func() {
	tb.Helper()
	in, lim := browser(), &wire.Limits{Line: 8 << 10, Head: 64 << 10, Fields: 100, Trailer: 8 << 10}
	var q message.Request
	var f wire.Framing
	out := &wire.Buffer{B: make([]byte, wire.SmallBuffer)}
	o := message.Outbound{Method: "GET", Target: "/v1/orders/4711?expand=lines", Host: "orders.internal:8080"}
	return func() {
		q.Header.Reset()
		if n, bad := wire.ParseRequest(in, &q, &f, lim); bad != nil || n != len(in) {
			tb.Fatal(n, bad)
		}
		m := outgoing{}
		if err := m.assemble(out, &q, &o); err != nil || m.n < len(in)/2 {
			tb.Fatal(m.n, err)
		}
	}
}

// kilobyte answers every request with 1 KiB.
type kilobyte struct{ body []byte }

// Serve is the whole handler.
func (k kilobyte) Serve(w message.Writer, _ *message.Request) {
	r := message.Response{Status: 200, ContentLength: int64(len(k.body))}
	r.Header.Set("Content-Type", "application/json")
	if err := w.WriteHead(&r); err != nil {
		return
	}
	_, _ = w.Write(k.body)
	_ = w.Finish(nil)
}

// BenchmarkServe is the server's side alone: a request over loopback to a handler
// that answers at once.
func BenchmarkServe(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := NewServer(kilobyte{make([]byte, 1024)}, ServerConfig{Clock: wire.NewClock()})
	done := make(chan struct{})
	go func() {
		_ = s.Serve(context.Background(), l)
		close(done)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = c.Close()
		_ = s.Shutdown(context.Background())
		<-done
	}()
	in, r := browser(), bufio.NewReaderSize(c, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(in); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(1024); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkForward is the client's side alone: a request over loopback on a kept
// connection, and its response read to the end.
func BenchmarkForward(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go origin(l, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n"+strings.Repeat("x", 1024))
	p := NewPool(PoolConfig{Address: l.Addr().String(), Clock: wire.NewClock()})
	defer func() {
		p.Close()
		_ = l.Close()
	}()
	ctx, o := context.Background(), message.Outbound{Target: "/v1/orders/4711?expand=lines", Host: "orders.internal:8080"}
	q := &message.Request{Method: "GET", Target: "/", Host: "api.example.com", Body: message.NoBody, Context: ctx}
	q.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	q.Header.Set("Accept", "application/json")
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := p.Do(ctx, q, o)
		if err != nil {
			b.Fatal(err)
		}
		read := 0
		for err == nil {
			var n int
			n, err = resp.Body.Read(buf)
			read += n
		}
		if err != io.EOF || read != 1024 {
			b.Fatal(read, err)
		}
		_ = resp.Body.Close()
	}
}

// origin answers whatever comes in one piece.
func origin(l net.Listener, response string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			in, out := make([]byte, 16<<10), []byte(response)
			for {
				if _, err := c.Read(in); err != nil {
					return
				}
				if _, err := c.Write(out); err != nil {
					return
				}
			}
		}()
	}
}
