package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// echo is an origin whose WebSockets send back what they get, until they end with err.
func echo(t *testing.T) (url string, ended <-chan error) {
	t.Helper()
	out := make(chan error, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo.v2"}, CompressionMode: websocket.CompressionContextTakeover, InsecureSkipVerify: true})
		if err != nil {
			out <- err
			return
		}
		c.SetReadLimit(8 << 20)
		for {
			kind, b, err := c.Read(r.Context())
			if err == nil {
				err = c.Write(r.Context(), kind, b)
			}
			if err != nil {
				out <- err
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, out
}

type tunnels struct {
	Tunnels struct {
		Total  int
		Counts map[string]int
		Open   []struct {
			Name, Client, Protocol string
			BytesIn, BytesOut      int64
		}
	}
}

// open asks a gateway for its tunnels.
func open(t *testing.T, g *platform.Service) (st tunnels) {
	t.Helper()
	if err := json.Unmarshal(testenv.Must(g.Ask(t.Context(), "/state"))(t), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestWebSocketsLiveThroughReloadsAndAreToldOfTheStop(t *testing.T) {
	p := platform.For(t, platform.Options{})
	url, ended := echo(t)
	g, c := p.Gateways[0], p.Client(0)
	def := definition("Sockets", "/ws/", url, map[string]any{"open": true})
	def["id"] = "sockets"
	saved := testenv.Must(c.Create(t.Context(), "apis", def))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	ask := func(ws *websocket.Conn, kind websocket.MessageType, b []byte) {
		t.Helper()
		go func() { _ = ws.Write(ctx, kind, b) }()
		if k, got, err := ws.Read(ctx); err != nil || k != kind || !bytes.Equal(got, b) {
			t.Fatalf("%v, %d bytes, %v", k, len(got), err)
		}
	}
	dial := func() *websocket.Conn {
		t.Helper()
		ws, resp, err := websocket.Dial(ctx, g.URL+"/ws/x", &websocket.DialOptions{Subprotocols: []string{"echo.v1", "echo.v2"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.CloseNow() })
		ws.SetReadLimit(8 << 20)
		if ws.Subprotocol() != "echo.v2" || !strings.Contains(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%v", resp.Header)
		}
		return ws
	}

	first, second := dial(), dial()
	ask(first, websocket.MessageText, []byte("안녕"))
	ask(first, websocket.MessageBinary, bytes.Repeat([]byte("0123456789abcdef"), 256<<10))
	pings := make(chan error, 1)
	go func() { pings <- second.Ping(ctx) }()
	go func() { _ = second.Write(ctx, websocket.MessageText, []byte("behind the ping")) }()
	if _, b, err := second.Read(ctx); err != nil || string(b) != "behind the ping" {
		t.Fatalf("%q, %v", b, err)
	}
	go func() { _, _, _ = second.Read(ctx) }() // pongs are read here
	if err := <-pings; err != nil {
		t.Fatal(err)
	}

	st := open(t, g)
	if st.Tunnels.Total != 2 || st.Tunnels.Counts["sockets"] != 2 || len(st.Tunnels.Open) != 2 || st.Tunnels.Open[0].Protocol != "websocket" || st.Tunnels.Open[0].Client != "127.0.0.1" || st.Tunnels.Open[0].BytesIn == 0 {
		t.Errorf("%+v", st)
	}
	if m := string(testenv.Must(g.Ask(t.Context(), "/metrics"))(t)); !strings.Contains(m, `sluice_gateway_tunnels{name="sockets"} 2`) {
		t.Error("the metrics do not count them")
	}

	// another upstream, then no API at all: what is open stays
	gone := testenv.Must(c.Patch(t.Context(), "apis", "sockets", map[string]any{"upstream": map[string]any{"targets": []any{map[string]any{"url": "http://127.0.0.1:1"}}}}, saved.ETag))(t)
	p.Live(t, gone.Revision, 5*time.Second)
	ask(first, websocket.MessageText, []byte("after a change"))
	gone = testenv.Must(c.Delete(t.Context(), "apis", "sockets", gone.ETag))(t)
	p.Live(t, gone.Revision, 5*time.Second)
	ask(first, websocket.MessageText, []byte("after the end of the API"))

	_ = second.Close(websocket.StatusNormalClosure, "done")
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the origin's second socket ended with %v", err)
	}
	if err := g.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client's ended with %v", err)
	}
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the origin's ended with %v", err)
	}
	select {
	case <-g.Exited():
	case <-ctx.Done():
		t.Error("the gateway does not stop")
	}
}

func TestAHandshakeOfAnotherVersionIsRefused(t *testing.T) {
	p := platform.For(t, platform.Options{})
	url, _ := echo(t)
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", definition("Sockets", "/ws/", url, map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	resp, body, err := exchange(p.Gateways[0].Addr(), "GET", "GET /ws/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n")
	if err != nil || resp.StatusCode != 426 || resp.Header.Get("Sec-WebSocket-Version") != "13" || resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("%+v, %q, %v", resp, body, err)
	}
}

// idlers is an origin that accepts WebSockets and then says nothing. It takes as
// little as possible, since it shares the machine.
func idlers(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wait.Go(func() {
				q, err := http.ReadRequest(bufio.NewReader(c))
				if err == nil {
					sum := sha1.Sum([]byte(q.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
					_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	return "http://" + l.Addr().String()
}

// cost is the memory of a process in bytes, and the number of its descriptors.
func cost(t *testing.T, pid int) (bytes, fds int) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	text := string(testenv.Must(os.ReadFile(filepath.Join(dir, "status")))(t))
	_, rest, _ := strings.Cut(text, "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10, len(testenv.Must(os.ReadDir(filepath.Join(dir, "fd")))(t))
}

// A thousand idle WebSockets cost at most 24 KiB of the process each, and two sockets.
func TestIdleWebSocketsAreCheap(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory is measured where there is /proc")
	}
	const sockets = 1000
	p := platform.For(t, platform.Options{})
	g := p.Gateways[0]
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", definition("Sockets", "/ws/", idlers(t), map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	dial := func() net.Conn {
		t.Helper()
		c := testenv.Must(net.Dial("tcp", g.Addr()))(t)
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, "GET /ws/x HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		head := make([]byte, 4096)
		for n := 0; !bytes.Contains(head[:n], []byte("\r\n\r\n")); {
			m, err := c.Read(head[n:])
			if err != nil {
				t.Fatalf("%q, %v", head[:n], err)
			}
			n += m
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
			t.Fatalf("%q", head)
		}
		return c
	}
	var list []net.Conn
	defer func() {
		for _, c := range list {
			_ = c.Close()
		}
	}()
	for range 50 { // whatever is made once is made now
		list = append(list, dial())
	}
	before, fdsBefore := cost(t, g.PID())
	for range sockets {
		list = append(list, dial())
	}
	after, fdsAfter := cost(t, g.PID())
	each, fds := (after-before)/sockets, float64(fdsAfter-fdsBefore)/sockets
	t.Logf("%d idle WebSockets: %d B of resident memory and %.2f descriptors each (%d MiB before, %d MiB after)", sockets, each, fds, before>>20, after>>20)
	if each > 24<<10 || fds > 2.05 {
		t.Errorf("%d B and %.2f descriptors for each are too much", each, fds)
	}
	if st := open(t, g); st.Tunnels.Total != sockets+50 || len(st.Tunnels.Open) != 1000 {
		t.Errorf("%d tunnels, %d listed", st.Tunnels.Total, len(st.Tunnels.Open))
	}
	for _, c := range list {
		_ = c.Close()
	}
	testenv.EventuallyNoError(t, 20*time.Second, func() error {
		if n := open(t, g).Tunnels.Total; n != 0 {
			return fmt.Errorf("%d tunnels are left", n)
		}
		if _, n := cost(t, g.PID()); n > fdsBefore {
			return fmt.Errorf("%d descriptors, %d before", n, fdsBefore)
		}
		return nil
	})
}

// Server-sent events arrive when they are written, and a client that leaves ends the
// origin's stream.
func TestEventsArriveAtOnce(t *testing.T) {
	const events = 41
	ask, left := make(chan struct{}), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		w.Header().Set("Content-Type", "text/event-stream")
		fl := w.(http.Flusher)
		fl.Flush()
		for {
			select {
			case <-ask:
				_, _ = fmt.Fprintf(w, "id: 1\ndata: %d\n\n", time.Now().UnixNano())
				fl.Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer origin.Close()
	p := platform.For(t, platform.Options{})
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", definition("Events", "/events/", origin.URL, map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req := testenv.Must(http.NewRequestWithContext(ctx, http.MethodGet, p.Gateways[0].URL+"/events/", nil))(t)
	client := &http.Client{Transport: &http.Transport{}}
	resp := testenv.Must(client.Do(req))(t) // the head comes before the first event
	defer func() { _ = resp.Body.Close() }()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatal(ct)
	}
	lines := bufio.NewScanner(resp.Body)
	var took []time.Duration
	for range events {
		ask <- struct{}{}
		for lines.Scan() {
			if sent, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				took = append(took, time.Since(time.Unix(0, int64(testenv.Must(strconv.Atoi(sent))(t)))))
			}
			if lines.Text() == "" {
				break
			}
		}
	}
	slices.Sort(took)
	if len(took) != events {
		t.Fatalf("%d events: %v", len(took), lines.Err())
	}
	t.Logf("an event took %v at the median, %v at most", took[events/2], took[events-1])
	if took[events*9/10] > 50*time.Millisecond { // the machine may halt one now and then
		t.Errorf("one event in ten took more than 50 ms: %v", took)
	}
	leave()
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		t.Error("the origin's stream goes on without a client")
	}
}
