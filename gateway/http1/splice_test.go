package http1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// large is a body that the kernel moves, different in every page.
func large(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func download(t *testing.T, r *bufio.Reader, c io.Writer) []byte {
	t.Helper()
	if _, err := io.WriteString(c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	length := -1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLargeBodiesArriveAsTheyWere(t *testing.T) {
	for _, size := range []int{127 << 10, 128 << 10, 200_001, 4<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			body := large(size)
			o := http1test.NewOrigin(t, func(*http1test.Request) string {
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body)
			})
			r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
			c := http1test.Dial(t, r.addr).Conn()
			in := bufio.NewReader(c)
			for i := range 3 {
				if got := download(t, in, c); !bytes.Equal(got, body) {
					t.Fatalf("answer %d differs", i)
				}
			}
			if st := r.pool.Stats(); st.Dials != 1 || o.Accepted() != 1 {
				t.Errorf("the connection was not kept: %+v", st)
			}
		})
	}
}

// halfway answers with half of a large body, then does what it is told.
func halfway(t *testing.T, size int, then func(c net.Conn)) *http1test.Origin {
	return http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http1test.ReadRequest(r); err != nil {
			return
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		_, _ = c.Write(large(size / 2))
		then(c)
	})
}

func TestALargeBodyThatEndsTooSoonIsCutShort(t *testing.T) {
	const size = 4 << 20
	for name, then := range map[string]struct {
		do   func(net.Conn)
		kind message.Kind
	}{
		"closed": {func(net.Conn) {}, message.ErrClosed},
		"reset":  {func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, message.ErrClosed},
		"silent": {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }, message.ErrBodyTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			o := halfway(t, size, then.do)
			r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{BodyTimeout: 300 * time.Millisecond})
			c := http1test.Dial(t, r.addr)
			c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			rest, _ := c.Rest()
			if len(rest) >= size {
				t.Errorf("%d bytes came", len(rest))
			}
			eventually(t, "the failure is told", func() bool { return len(r.errors()) == 1 })
			if err := r.errors()[0]; message.KindOf(err) != then.kind {
				t.Errorf("%v, want %s", err, then.kind)
			}
		})
	}
}

func TestALargeBodyWhoseClientLeavesOrSleepsEnds(t *testing.T) {
	const size = 64 << 20
	t.Run("leaves", func(t *testing.T) {
		o := halfway(t, size, func(net.Conn) {})
		r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
		c := http1test.Dial(t, r.addr)
		c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := c.Line(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		eventually(t, "the exchange is over", func() bool { return len(r.errors()) == 1 && r.pool.Stats().Open == 0 })
		if err := r.errors()[0]; message.KindOf(err) != 0 && message.KindOf(err) != message.ErrAborted {
			t.Errorf("the target is blamed: %v", err)
		}
	})
	t.Run("sleeps", func(t *testing.T) {
		o := halfway(t, size, func(net.Conn) {})
		r := newRig(t, o.Addr(), http1.ServerConfig{WriteTimeout: 300 * time.Millisecond}, http1.PoolConfig{})
		c := http1test.Dial(t, r.addr)
		c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		eventually(t, "the exchange is over", func() bool { return len(r.errors()) == 1 && r.pool.Stats().Open == 0 })
		if err := r.errors()[0]; message.KindOf(err) != 0 {
			t.Errorf("the target is blamed: %v", err)
		}
		if n := r.srv.Stats().Timeouts; n != 1 {
			t.Errorf("%d timeouts", n)
		}
	})
}

// BenchmarkLargeBody is a body of 1 MiB through server and pool, over the loopback.
func BenchmarkLargeBody(b *testing.B) {
	const size = 1 << 20
	body := large(size)
	o := http1test.NewScripted(b, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http1test.ReadRequest(r); err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = c.Write(body)
		}
	})
	r := newRig(b, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(b, r.addr).Conn()
	in := bufio.NewReaderSize(c, 256<<10)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := in.Discard(size); err != nil {
			b.Fatal(err)
		}
	}
}
