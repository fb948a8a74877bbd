package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// earlyOrigin answers a POST behind its head with a 403, before the body, and goes on with the
// connection as its length says. It notes request lines.
type earlyOrigin struct {
	mu    sync.Mutex
	lines []string
	open  int
}

func (o *earlyOrigin) serve(c net.Conn) {
	o.mu.Lock()
	o.open++
	o.mu.Unlock()
	defer func() {
		_ = c.Close()
		o.mu.Lock()
		o.open--
		o.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		first, length := "", 0
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return
			}
			l = strings.TrimSpace(l)
			if l == "" {
				break
			}
			if first == "" {
				first = strings.TrimSuffix(l, " HTTP/1.1")
			}
			if n, v, _ := strings.Cut(l, ": "); strings.EqualFold(n, "content-length") {
				length, _ = strconv.Atoi(v)
			}
		}
		o.mu.Lock()
		o.lines = append(o.lines, first)
		o.mu.Unlock()
		status := "200 OK"
		if strings.HasPrefix(first, "POST") {
			status = "403 Forbidden"
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(first), first); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, in, int64(length)); err != nil {
			return
		}
	}
}

func (o *earlyOrigin) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

// listenRaw serves connections of a free port until the test ends.
func listenRaw(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}

// earlyAnswers is the rest of A24: a final answer comes while the body is still to come. What the
// client sends then is a body, whatever it looks like, or the connection is closed.
func earlyAnswers(t *testing.T, w *world) {
	o := &earlyOrigin{}
	w.publish(t, api("Early", "early.test", "/", listenRaw(t, o.serve), open()))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: early.test\r\n\r\n"
	n := 0
	for _, k := range w.kinds() {
		for name, expect := range map[string]string{"without asking": "", "after 100-continue was asked for": "Expect: 100-continue\r\n"} {
			for _, length := range []int{len(smuggled), len(smuggled) + 5, 300 << 10} {
				n++
				t.Run(fmt.Sprintf("%s %s %d", k.name, name, length), func(t *testing.T) {
					c := testenv.Must(k.dial(w.gates[k.name]))(t)
					defer func() { _ = c.Close() }()
					_, _ = fmt.Fprintf(c, "POST /early HTTP/1.1\r\nHost: early.test\r\n%sContent-Length: %d\r\n\r\n", expect, length)
					in := bufio.NewReader(c)
					a, err := readAnswer(in, "POST")
					if err != nil || a.resp.StatusCode != 403 {
						t.Fatalf("the early answer: %v, %v", a.resp, err)
					}
					body := smuggled + strings.Repeat("x", length-len(smuggled))
					_, _ = fmt.Fprintf(c, "%sGET /probe-%d HTTP/1.1\r\nHost: early.test\r\nConnection: close\r\n\r\n", body, n)
					all := readAnswers(in, false)
					want := fmt.Sprintf("GET /probe-%d", n)
					if len(all) > 1 || len(all) == 1 && string(all[0].body) != want {
						t.Errorf("behind the early answer came %d answers, the first %q", len(all), all[0].body)
					}
				})
			}
		}
	}
	for _, l := range o.seen() {
		if l != "POST /early" && !strings.HasPrefix(l, "GET /probe-") {
			t.Errorf("the origin got %q", l)
		}
	}
}

// expectations: a client that waits for 100 gets it when the origin said so, or in time.
func expectations(t *testing.T, w *world) {
	silent := listenRaw(t, func(c net.Conn) {
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		for {
			if _, err := readHead(in); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, in, 5); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	w.publish(t, api("Silent", "silent.test", "/", silent, open()))
	for _, k := range w.kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			c := testenv.Must(k.dial(w.gates[k.name]))(t)
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "POST /a HTTP/1.1\r\nHost: silent.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			in := bufio.NewReader(c)
			began := time.Now()
			if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") || time.Since(began) > 5*time.Second {
				t.Fatalf("waiting for 100: %q, %v after %s", line, err, time.Since(began))
			}
			_, _ = in.ReadString('\n')
			_, _ = io.WriteString(c, "abcde")
			if a, err := readAnswer(in, "POST"); err != nil || string(a.body) != "ok" {
				t.Errorf("behind 100 came %q, %v", a.body, err)
			}
		})
		t.Run(k.name+" never sent", func(t *testing.T) {
			t.Parallel()
			c := testenv.Must(k.dial(w.gates[k.name]))(t)
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "POST /a HTTP/1.1\r\nHost: silent.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			closeWrite(c)
			if all := readAnswers(bufio.NewReader(c), false); len(all) > 0 && all[0].resp.StatusCode == 200 {
				t.Error("a body that never came was answered 200")
			}
		})
	}
}

// earlyUpgrades is the rest of A30: bytes behind a refused upgrade are requests like others, and an
// origin gets them written by the gateway, never as they are.
func earlyUpgrades(t *testing.T, w *world) {
	for _, l := range []struct{ name, lines string }{
		{"websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"},
		{"something else", "Connection: Upgrade\r\nUpgrade: smuggle/1\r\n"},
		{"websocket with a length", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"},
	} {
		o := &earlyOrigin{}
		name := strings.ReplaceAll(l.name, " ", "-")
		w.publish(t, api("Upgrades "+name, name+".upgrades.test", "/", listenRaw(t, o.serve), open()))
		for _, k := range w.kinds() {
			t.Run(k.name+" "+l.name, func(t *testing.T) {
				before := len(o.seen())
				host := "Host: " + name + ".upgrades.test\r\n"
				c := testenv.Must(k.dial(w.gates[k.name]))(t)
				defer func() { _ = c.Close() }()
				_, _ = io.WriteString(c, "GET /up HTTP/1.1\r\n"+host+l.lines+"\r\nGET /admin\\x HTTP/1.1\r\n"+host+"\r\nGET /raw HTTP/1.1\r\n\r\n")
				all := readAnswers(bufio.NewReader(c), false)
				if len(all) != 2 || all[0].resp.StatusCode != 200 || all[1].resp.StatusCode != 400 {
					t.Errorf("%d answers, want a 200 and a 400", len(all))
				}
				testenv.Eventually(t, 5*time.Second, func() bool { return len(o.seen()) > before })
				if got := o.seen()[before:]; !slices.Equal(got, []string{"GET /up"}) {
					t.Errorf("the origin got %q", got)
				}
			})
		}
	}
}
