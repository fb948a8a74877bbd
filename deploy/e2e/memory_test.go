package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// The bounds of memory, of the gateway's whole process as the kernel counts it.
const (
	transferBound  = 4 << 20  // that a transfer of any size adds, at its highest
	idleBound      = 12 << 10 // for each idle keep-alive connection
	webSocketBound = 24 << 10 // for each idle WebSocket
)

// soakBytes is how much a transfer carries: SLUICE_SOAK_BYTES, default 1 GiB.
func soakBytes(t *testing.T) int64 {
	t.Helper()
	text := os.Getenv("SLUICE_SOAK_BYTES")
	if text == "" {
		return 1 << 30
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1<<20 {
		t.Fatalf("SLUICE_SOAK_BYTES is %q; write a number of bytes of at least 1048576", text)
	}
	return n
}

// memoryOf is what a process holds: now, and at most since resetPeak.
func memoryOf(t *testing.T, pid int) (now, peak int64) {
	t.Helper()
	text := string(testenv.Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t))
	value := func(name string) int64 {
		_, rest, found := strings.Cut(text, name+":")
		line, _, _ := strings.Cut(rest, "kB")
		n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if !found || err != nil {
			t.Fatalf("/proc/%d/status has no %s: %v", pid, name, err)
		}
		return n << 10
	}
	return value("VmRSS"), value("VmHWM")
}

// resetPeak makes the peak begin anew (proc_pid_clear_refs(5)).
func resetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// measured is a gateway in front of an origin that generates and discards.
type measured struct{ gw *platform.Service }

func newMeasured(t *testing.T) measured {
	t.Helper()
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		testenv.Missing(t, "/proc", "run on Linux with /proc mounted")
	}
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serveBulk(c) })
		}
	})
	p := platform.For(t, platform.Options{Env: map[string]string{"SLUICE_GATEWAY_LISTEN_IDLE_TIMEOUT": "30m"}})
	t.Cleanup(func() { // before the platform stops: its idle connections to the origin end
		_ = l.Close()
		p.Gateways[0].Kill()
		conns.Wait()
	})
	def := definition("Bulk", "/", "http://"+l.Addr().String(), map[string]any{"open": true})
	def["upstream"].(map[string]any)["connections"] = map[string]any{"max": 4096} // each WebSocket has one
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", def))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	return measured{p.Gateways[0]}
}

// serveBulk answers /length/N and /chunked/N with so many bytes, an upgrade with 101 and everything
// back that comes then, and everything else with the number of bytes that came.
func serveBulk(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		size, _ := strconv.ParseInt(filepath.Base(r.URL.Path), 10, 64)
		switch {
		case r.Header.Get("Upgrade") != "":
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_, _ = io.Copy(c, in)
			return
		case strings.HasPrefix(r.URL.Path, "/length/"):
			_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			if err == nil {
				err = generate(c, size, false)
			}
		case strings.HasPrefix(r.URL.Path, "/chunked/"):
			_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			if err == nil {
				err = generate(c, size, true)
			}
		default:
			said := strconv.FormatInt(n, 10)
			_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(said), said)
		}
		if err != nil {
			return
		}
	}
}

// generate writes size bytes, as they are or in chunks.
func generate(w io.Writer, size int64, chunked bool) error {
	block := []byte(strings.Repeat("0123456789abcdef", 4<<10))
	for size > 0 {
		n := min(size, int64(len(block)))
		size -= n
		if chunked {
			if _, err := fmt.Fprintf(w, "%x\r\n", n); err != nil {
				return err
			}
		}
		if _, err := w.Write(block[:n]); err != nil {
			return err
		}
		if chunked {
			if _, err := io.WriteString(w, "\r\n"); err != nil {
				return err
			}
		}
	}
	if chunked {
		_, err := io.WriteString(w, "0\r\n\r\n")
		return err
	}
	return nil
}

// transfer runs one transfer to its end and fails unless all bytes came through.
func (m measured) transfer(t *testing.T, how string, size int64) {
	t.Helper()
	c := testenv.Must(net.Dial("tcp", m.gw.Addr()))(t)
	defer func() { _ = c.Close() }()
	upload := strings.HasPrefix(how, "upload")
	chunked := strings.HasSuffix(how, "chunked")
	sent := make(chan error, 1)
	switch {
	case upload:
		framing := fmt.Sprintf("Content-Length: %d", size)
		if chunked {
			framing = "Transfer-Encoding: chunked"
		}
		go func() {
			_, err := fmt.Fprintf(c, "POST /up HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n\r\n", framing)
			if err == nil {
				err = generate(c, size, chunked)
			}
			sent <- err
		}()
	default:
		kind := "length"
		if chunked {
			kind = "chunked"
		}
		_, err := fmt.Fprintf(c, "GET /%s/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", kind, size)
		sent <- err
	}
	resp := testenv.Must(http.ReadResponse(bufio.NewReader(c), nil))(t)
	if upload {
		body := testenv.Must(io.ReadAll(resp.Body))(t)
		if got := string(body); resp.StatusCode != 200 || got != strconv.FormatInt(size, 10) {
			t.Errorf("the origin took %.200s of %d bytes, status %d", got, size, resp.StatusCode)
		}
	} else if n := testenv.Must(io.Copy(io.Discard, resp.Body))(t); resp.StatusCode != 200 || n != size {
		t.Errorf("%d of %d bytes came, status %d", n, size, resp.StatusCode)
	}
	if err := <-sent; err != nil {
		t.Errorf("sending: %v", err)
	}
}

// TestSoakMemoryOfTransfers: a body of any size passes through buffers of fixed size.
func TestSoakMemoryOfTransfers(t *testing.T) {
	size := soakBytes(t)
	m := newMeasured(t)
	kinds := []string{"upload", "upload chunked", "download", "download chunked"}
	for _, how := range kinds { // buffers of every class, and the heap's first growth
		m.transfer(t, how, 32<<20)
	}
	for _, how := range kinds {
		t.Run(strings.ReplaceAll(how, " ", "-"), func(t *testing.T) {
			resetPeak(t, m.gw.PID())
			before, _ := memoryOf(t, m.gw.PID())
			began := time.Now()
			m.transfer(t, how, size)
			took := time.Since(began)
			_, peak := memoryOf(t, m.gw.PID())
			t.Logf("%d MiB in %s: %d KiB resident before, %d KiB more at most", size>>20, took.Round(time.Millisecond), before>>10, (peak-before)>>10)
			if peak-before > transferBound {
				t.Errorf("the transfer added %d KiB, more than %d", (peak-before)>>10, transferBound>>10)
			}
		})
	}
}

// hold opens n connections from several addresses of the loopback, as many at once as a busy server
// sees, lets open speak on each, and keeps them.
func hold(t *testing.T, addr string, n int, open func(c net.Conn) error) {
	t.Helper()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if files.Max < uint64(n)+1000 {
		testenv.Missing(t, "files", fmt.Sprintf("%d open files are allowed; raise the hard limit (ulimit -Hn) to %d", files.Max, n+1000))
	}
	const atOnce = 32
	conns := make(chan net.Conn, n)
	errs := make(chan error, atOnce)
	for w := range atOnce {
		go func() {
			for i := w; i < n; i += atOnce {
				d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%16))}}
				c, err := d.DialContext(t.Context(), "tcp", addr)
				if err != nil {
					errs <- err
					return
				}
				conns <- c
				if err := open(c); err != nil {
					errs <- fmt.Errorf("connection %d: %w", i, err)
					return
				}
			}
			errs <- nil
		}()
	}
	t.Cleanup(func() {
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	})
	var failed error
	for range atOnce {
		if err := <-errs; err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		t.Fatal(failed)
	}
}

// held measures what each of n connections holds. What their opening took beyond that, the runtime
// gives back to the kernel in the background: the bound must hold within a minute.
func (m measured) held(t *testing.T, n int, bound int64, open func(c net.Conn) error) {
	t.Helper()
	hold(t, m.gw.Addr(), 100, open) // what many connections share
	before, _ := memoryOf(t, m.gw.PID())
	hold(t, m.gw.Addr(), n, open)
	first, _ := memoryOf(t, m.gw.PID())
	each := func(rss int64) int64 { return (rss - before) / int64(n) }
	now := first
	began := time.Now()
	testenv.Eventually(t, time.Minute, func() bool {
		now, _ = memoryOf(t, m.gw.PID())
		return each(now) <= bound || time.Since(began) > 50*time.Second
	})
	f := footprintOf(t, m.gw.Admin)
	t.Logf("%d connections: %d bytes each at once, %d after %s (%d KiB resident, before %d); goroutines %v, files %v, heap in use %v KiB",
		n, each(first), each(now), time.Since(began).Round(time.Millisecond), now>>10, before>>10, f.goroutines, f.files, f.bytes/1024)
	if f.files < float64(n) {
		t.Errorf("the gateway has %v files open; the connections did not stay", f.files)
	}
	if each(now) > bound {
		t.Errorf("a connection holds %d bytes, more than %d", each(now), bound)
	}
}

// TestSoakMemoryOfIdleConnections: a connection that waits for a request holds no buffer.
func TestSoakMemoryOfIdleConnections(t *testing.T) {
	newMeasured(t).held(t, 10_000, idleBound, func(c net.Conn) error {
		if _, err := io.WriteString(c, "GET /length/10 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			return err
		}
		resp, body, err := readAnswer(bufio.NewReaderSize(c, 512), "GET")
		if err == nil && (resp.StatusCode != 200 || len(body) != 10) {
			err = fmt.Errorf("answered %d %.100s", resp.StatusCode, body)
		}
		return err
	})
}

// TestSoakMemoryOfWebSockets: one that is silent holds what its two connections need.
func TestSoakMemoryOfWebSockets(t *testing.T) {
	newMeasured(t).held(t, 1_000, webSocketBound, func(c net.Conn) error {
		_, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err != nil {
			return err
		}
		in := bufio.NewReaderSize(c, 512)
		resp, err := http.ReadResponse(in, nil)
		if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("answered %d", resp.StatusCode)
		}
		if err != nil {
			return err
		}
		frame := "\x82\x85\x00\x00\x00\x00hello" // a masked binary frame; the origin sends it back as it is
		if _, err := io.WriteString(c, frame); err != nil {
			return err
		}
		back := make([]byte, len(frame))
		_, err = io.ReadFull(in, back)
		if err == nil && string(back) != frame {
			err = fmt.Errorf("the frame came back as %q", back)
		}
		return err
	})
}
