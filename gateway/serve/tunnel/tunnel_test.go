package tunnel_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is both ends of a TCP connection.
func pair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

// secure puts TLS on both ends.
func secure(t testing.TB, near, far net.Conn) (server, client net.Conn) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	server, client = tls.Server(near, s.TLS), tls.Client(far, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- server.(*tls.Conn).Handshake() }()
	if err := client.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestEveryByteArrivesInOrder(t *testing.T) {
	for name, kinds := range map[string][2]bool{"plain": {false, false}, "TLS client": {true, false}, "TLS upstream": {false, true}, "TLS both": {true, true}} {
		t.Run(name, func(t *testing.T) {
			in, client := pair(t)
			up, origin := pair(t)
			if kinds[0] {
				in, client = secure(t, in, client)
			}
			if kinds[1] {
				up, origin = secure(t, up, origin)
			}
			s := tunnel.NewSet(tunnel.Limits{IdleTimeout: time.Minute})
			result := make(chan tunnel.Result, 1)
			go func() {
				s.Run(tunnel.Ends{Client: in, Upstream: up, FromClient: []byte("early "), FromUpstream: []byte("greeting "), Ended: func(r tunnel.Result) { result <- r }})
			}()
			// pieces of every size around those of the buffers, each waited for
			rnd := rand.New(rand.NewPCG(1, 2))
			pass := func(from, to net.Conn, first string) int {
				_ = to.SetReadDeadline(time.Now().Add(20 * time.Second))
				total := len(first)
				if got := make([]byte, total); true {
					if _, err := io.ReadFull(to, got); err != nil || string(got) != first {
						t.Fatalf("%q, %v", got, err)
					}
				}
				for _, n := range []int{1, 2, 1023, 1024, 1025, 2048, 16384, 32767, 32768, 32769, 200000, 1, 1024, 1} {
					b := make([]byte, n)
					for i := range b {
						b[i] = byte(rnd.Uint32())
					}
					go func() { _, _ = from.Write(b) }()
					got := make([]byte, n)
					if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, b) {
						t.Fatalf("%d bytes: %v", n, err)
					}
					total += n
				}
				return total
			}
			up1, down1 := pass(client, origin, "early "), pass(origin, client, "greeting ")
			if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := origin.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the half's end arrives as %v", err)
			}
			_, _ = origin.Write([]byte("last"))
			_ = origin.Close()
			if b, err := io.ReadAll(client); err != nil || string(b) != "last" {
				t.Errorf("%q, %v", b, err)
			}
			if r := <-result; r.In != int64(up1) || r.Out != int64(down1+4) || r.Reason != tunnel.Over {
				t.Errorf("%+v, %d up, %d down", r, up1, down1)
			}
		})
	}
}

func TestABrokenSideEndsBoth(t *testing.T) {
	in, client := pair(t)
	up, origin := pair(t)
	s := tunnel.NewSet(tunnel.Limits{})
	result := make(chan tunnel.Result, 1)
	go func() { result <- s.Run(tunnel.Ends{Client: in, Upstream: up}) }()
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
	if r := <-result; r.Reason != tunnel.Broken {
		t.Errorf("%+v", r)
	}
	_ = origin.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := origin.Read(make([]byte, 1)); err == nil {
		t.Error("the other side is open")
	}
}

func TestAStopRefusesNewTunnels(t *testing.T) {
	s := tunnel.NewSet(tunnel.Limits{})
	s.Shutdown(context.Background())
	in, client := pair(t)
	up, _ := pair(t)
	if r := s.Run(tunnel.Ends{Client: in, Upstream: up}); r.Reason != tunnel.Refused {
		t.Errorf("%+v", r)
	}
	_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v", err)
	}
	if st := s.Stats(); st.Total != 0 || st.Ended[tunnel.Refused] != 1 {
		t.Errorf("%+v", st)
	}
}

// A peer that takes nothing must not keep a tunnel beyond its limits.
func TestAStuckWriterIsCut(t *testing.T) {
	in, client := pair(t)
	up, _ := pair(t)
	s := tunnel.NewSet(tunnel.Limits{IdleTimeout: 200 * time.Millisecond, Grace: 100 * time.Millisecond})
	result := make(chan tunnel.Result, 1)
	go func() { result <- s.Run(tunnel.Ends{Client: in, Upstream: up, WebSocket: true}) }()
	go func() {
		frame := append([]byte("\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00"), make([]byte, 1<<20)...)
		for {
			if _, err := client.Write(frame); err != nil {
				return
			}
		}
	}()
	select {
	case r := <-result:
		if r.Reason != tunnel.Idle {
			t.Errorf("%+v", r)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it hangs")
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return s.Stats().Total == 0 })
}

// BenchmarkThroughput passes 64 KiB from one side to the other.
func BenchmarkThroughput(b *testing.B) {
	in, client := pair(b)
	up, origin := pair(b)
	s := tunnel.NewSet(tunnel.Limits{})
	go s.Run(tunnel.Ends{Client: in, Upstream: up, WebSocket: true})
	piece, got := append([]byte("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xf6"), make([]byte, 64<<10-10)...), make([]byte, 64<<10)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(piece); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(origin, got); err != nil {
			b.Fatal(err)
		}
	}
	_ = client.Close()
	_ = origin.Close()
}
