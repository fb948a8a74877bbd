package hostile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// slowEnv is the number of slow connections of TestHostile: 10000 by hand, 300 otherwise.
const slowEnv = "SLUICE_HOSTILE_SLOW"

// greedyOrigin sends without end what is asked by /big, and tells when nobody takes it any more; it
// takes without end what comes to /hold.
func greedyOrigin(cut *atomic.Int64) func(net.Conn) {
	return func(c net.Conn) {
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		for {
			target, err := readHead(in)
			if err != nil {
				return
			}
			if target == "/hold" {
				_, _ = io.Copy(io.Discard, in)
				return
			}
			if target != "/big" {
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
				continue
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\n")
			block := make([]byte, 64<<10)
			for err == nil {
				_, err = c.Write(block)
			}
			cut.Add(1)
			return
		}
	}
}

// slowClients is A29: connections that send or take too little are ended, and disturb nobody.
func slowClients(t *testing.T, w *world) {
	var cut atomic.Int64
	w.publish(t, api("Slow", "slow.test", "/", listenRaw(t, greedyOrigin(&cut)), open()))
	for _, k := range w.kinds() {
		g := w.gates[k.name]
		t.Run(k.name, func(t *testing.T) {
			for name, play := range map[string]func(t *testing.T){
				"nothing after the connect": func(t *testing.T) { ended(t, must(k.dial(g))(t), "", "", 0, 8*time.Second) },
				"a head byte by byte": func(t *testing.T) {
					ended(t, must(k.dial(g))(t), "GET /a HTTP/1.1\r\nHost: slow.test\r\nX: ", "x", http.StatusRequestTimeout, 8*time.Second)
				},
				"a head byte by byte behind a request": func(t *testing.T) {
					c := must(k.dial(g))(t)
					_, _ = io.WriteString(c, "GET /first HTTP/1.1\r\nHost: slow.test\r\n\r\nGET")
					if a, err := readAnswer(bufio.NewReaderSize(c, 1), "GET"); err != nil || string(a.body) != "/first" {
						t.Fatalf("the request before: %q, %v", a.body, err)
					}
					ended(t, c, "", " ", 0, 8*time.Second)
				},
				"a body byte by byte": func(t *testing.T) {
					ended(t, must(k.dial(g))(t), "POST /hold HTTP/1.1\r\nHost: slow.test\r\nContent-Length: 100000000\r\n\r\n", "x", http.StatusRequestTimeout, 25*time.Second)
				},
				"chunks byte by byte": func(t *testing.T) {
					ended(t, must(k.dial(g))(t), "POST /hold HTTP/1.1\r\nHost: slow.test\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", http.StatusRequestTimeout, 25*time.Second)
				},
				"a reader that does not read": func(t *testing.T) {
					before := cut.Load()
					c := must(k.dial(g))(t)
					defer func() { _ = c.Close() }()
					_, _ = io.WriteString(c, "GET /big HTTP/1.1\r\nHost: slow.test\r\n\r\n")
					testenv.Eventually(t, patience, func() bool { return cut.Load() > before })
				},
				"slow ones in great number": func(t *testing.T) { slowloris(t, k, g) },
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					play(t)
				})
			}
		})
	}
}

// ended sends a beginning, then a piece every 200 ms, and wants the connection ended in time; with an
// answer, it is of the status.
func ended(t *testing.T, c net.Conn, begin, piece string, status int, within time.Duration) {
	t.Helper()
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(within))
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		_, err := io.WriteString(c, begin)
		for err == nil {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, err = io.WriteString(c, piece)
			}
		}
	})
	all, in := []said(nil), bufio.NewReader(c)
	var last error
	for last == nil {
		var s said
		if s, last = readAnswer(in, "GET"); last == nil {
			all = append(all, s)
		}
	}
	close(stop)
	sender.Wait()
	if errors.Is(last, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open after %s", within)
	}
	for _, s := range all {
		if s.resp.StatusCode != status && status != 0 || s.resp.StatusCode < 400 {
			t.Errorf("answered %d %.100s, want %d", s.resp.StatusCode, s.body, status)
		}
	}
}

// slowloris opens many connections that never end their head. Beside them good requests are answered
// at once, and all of them are ended.
func slowloris(t *testing.T, k kind, g gate) {
	n := 300
	if v, err := strconv.Atoi(os.Getenv(slowEnv)); err == nil {
		n = v
	}
	slow := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range slow {
			_ = c.Close()
		}
	}()
	for range n {
		c := must(k.dial(g))(t)
		slow = append(slow, c)
		_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: slow.test\r\nX: ")
	}
	worst := time.Duration(0)
	for i := range 50 {
		began := time.Now()
		want := fmt.Sprintf("/good-%d", i)
		a, err := k.exchange(g, "GET", "GET "+want+" HTTP/1.1\r\nHost: slow.test\r\nConnection: close\r\n\r\n")
		if err != nil || string(a.body) != want {
			t.Fatalf("beside %d slow connections: %q, %v", n, a.body, err)
		}
		worst = max(worst, time.Since(began))
	}
	if worst > 2*time.Second {
		t.Errorf("beside %d slow connections a good request took %s", n, worst)
	}
	t.Logf("beside %d slow connections the slowest of 50 good requests took %s", n, worst)
	for _, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a slow connection is not ended")
		}
	}
}

// memory is A28: heads without end, from many clients at once, take what the limits say and no more.
func memory(t *testing.T, w *world) {
	const clients, mib = 100, 1 << 20
	for _, k := range w.kinds() {
		g := w.gates[k.name]
		t.Run(k.name, func(t *testing.T) {
			before := resident(t, g)
			var all sync.WaitGroup
			for i := range clients {
				all.Go(func() {
					c, err := k.dial(g)
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = c.Close() }()
					go func() {
						_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: slow.test\r\n")
						line := "X: " + strings.Repeat("a", 1<<10) + "\r\n"
						if i%2 > 0 {
							line = "X: y\r\n"
						}
						for sent := 0; sent < 4*mib; {
							n, err := io.WriteString(c, line)
							if sent += n; err != nil {
								return
							}
						}
					}()
					if a, err := readAnswer(bufio.NewReader(c), "GET"); err == nil && a.resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
						t.Errorf("a head without end was answered %d", a.resp.StatusCode)
					}
				})
			}
			all.Wait()
			if after := resident(t, g); after > before+48*mib {
				t.Errorf("%d heads of 4 MiB took the gateway from %d to %d MiB", clients, before/mib, after/mib)
			}
		})
	}
}

// resident is the memory of a gateway's process.
func resident(t *testing.T, g gate) int {
	t.Helper()
	text := must(os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID())))(t)
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return must(strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB")))(t) << 10
		}
	}
	t.Fatal("/proc tells no memory")
	return 0
}
