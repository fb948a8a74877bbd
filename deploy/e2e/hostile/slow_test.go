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

// slowEnv is the number of slow connections of TestHostile: 10000 by hand, 200 of each kind otherwise.
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

// slowClients is A29: connections that send or take too little are ended, and disturb nobody. All play
// at once, since most of the time they wait.
func slowClients(t *testing.T, w *world) {
	var cut atomic.Int64
	w.publish(t, api("Slow", "slow.test", "/", listenRaw(t, greedyOrigin(&cut)), open()))
	var all sync.WaitGroup
	for _, k := range w.kinds() {
		for name, play := range k.slowly(w.gates[k.name], &cut) {
			all.Go(func() {
				if err := play(); err != nil {
					t.Errorf("%s, %s: %v", k.name, name, err)
				}
			})
		}
	}
	all.Wait()
}

func (k kind) slowly(g gate, cut *atomic.Int64) map[string]func() error {
	post := "POST /hold HTTP/1.1\r\nHost: slow.test\r\n"
	const head, body = 10 * time.Second, 25 * time.Second
	return map[string]func() error{
		"nothing after the connect": func() error { return k.ended(g, "", "", head) },
		"a head byte by byte":       func() error { return k.ended(g, "GET /a HTTP/1.1\r\nHost: slow.test\r\nX: ", "x", head) },
		"a head behind a request":   func() error { return k.ended(g, "GET /first HTTP/1.1\r\nHost: slow.test\r\n\r\nGET /", "x", head) },
		"a body byte by byte":       func() error { return k.ended(g, post+"Content-Length: 100000000\r\n\r\n", "x", body) },
		"chunks byte by byte":       func() error { return k.ended(g, post+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", body) },
		"many slow heads":           func() error { return k.slowloris(g) },
		"a reader that does not read": func() error {
			before := cut.Load()
			c, err := k.dial(g)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "GET /big HTTP/1.1\r\nHost: slow.test\r\n\r\n")
			tick, late := time.NewTicker(20*time.Millisecond), time.After(body)
			defer tick.Stop()
			for cut.Load() == before {
				select {
				case <-tick.C:
				case <-late:
					return errors.New("its answer is still being sent")
				}
			}
			return nil
		},
	}
}

// ended sends a beginning, then a piece every 200 ms, and wants the connection ended in time. An
// answer to what is not whole must be a 408; net/http takes a request line that stops for a malformed one.
func (k kind) ended(g gate, begin, piece string, within time.Duration) error {
	c, err := k.dial(g)
	if err != nil {
		return err
	}
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
	in := bufio.NewReader(c)
	for err == nil {
		var s said
		if s, err = readAnswer(in, "GET"); err != nil || string(s.body) == "/first" {
			continue
		}
		if n := s.resp.StatusCode; n != http.StatusRequestTimeout && !(k.lenient && strings.HasSuffix(begin, "\r\nGET /") && n == http.StatusBadRequest) {
			err = fmt.Errorf("answered %d %.100s", n, s.body)
			break
		}
	}
	close(stop)
	sender.Wait()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the connection is open after %s", within)
	case strings.HasPrefix(err.Error(), "answered"):
		return err
	}
	return nil
}

// slowloris opens many connections that never end their head. Beside them good requests are answered
// at once, and all of them are ended.
func (k kind) slowloris(g gate) error {
	n := 200
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
		c, err := k.dial(g)
		if err != nil {
			return err
		}
		slow = append(slow, c)
		_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: slow.test\r\nX: ")
	}
	for i := range 50 {
		began := time.Now()
		want := fmt.Sprintf("/good-%d", i)
		a, err := k.exchange(g, "GET", "GET "+want+" HTTP/1.1\r\nHost: slow.test\r\nConnection: close\r\n\r\n")
		if err != nil || string(a.body) != want {
			return fmt.Errorf("a good request beside them: %q, %w", a.body, err)
		}
		if took := time.Since(began); took > 3*time.Second {
			return fmt.Errorf("a good request beside them took %s", took)
		}
	}
	for _, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.New("one of them is not ended")
		}
	}
	return nil
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
					if a, err := readAnswer(bufio.NewReader(c), "GET"); err == nil && a.resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge && a.resp.StatusCode != http.StatusRequestTimeout {
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
	text := testenv.Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID())))(t)
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return testenv.Must(strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB")))(t) << 10
		}
	}
	t.Fatal("/proc tells no memory")
	return 0
}
