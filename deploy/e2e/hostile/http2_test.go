package hostile

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// framer is a raw HTTP/2 client.
type framer struct {
	*http2.Framer
	c    net.Conn
	text *hpack.Encoder
	buf  bytes.Buffer
}

// kinds2 are the listeners that speak HTTP/2.
func (w *world) kinds2() []kind {
	return []kind{
		{name: "h1 beside h2c", scheme: "http", connect: plain},
		{name: "h1 TLS", scheme: "https", connect: func(addr string) (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, w.ca.Client("front.test", "h2"))
		}},
	}
}

// frames opens a connection and exchanges the first settings.
func (k kind) frames(g gate, settings ...http2.Setting) (*framer, error) {
	c, err := k.dial(g)
	if err != nil {
		return nil, err
	}
	f := &framer{Framer: http2.NewFramer(c, c), c: c}
	f.AllowIllegalWrites = true
	f.text = hpack.NewEncoder(&f.buf)
	if _, err = c.Write([]byte(http2.ClientPreface)); err == nil {
		err = f.WriteSettings(settings...)
	}
	return f, err
}

// head encodes fields, name and value in turn.
func (f *framer) head(fields ...string) []byte {
	f.buf.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = f.text.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(f.buf.Bytes())
}

func (f *framer) request(stream uint32, end bool, fields ...string) error {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.head(fields...), EndStream: end, EndHeaders: true})
}

// outcome is how a stream ended: a status, "reset", or "closed by" with the connection's error.
func (f *framer) outcome(stream uint32) string {
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	status := ""
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return "nothing"
			}
			return "closed by " + err.Error()
		}
		if fr.Header().StreamID != stream {
			continue
		}
		switch fr := fr.(type) {
		case *http2.MetaHeadersFrame:
			status = fr.PseudoValue("status")
			if fr.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if fr.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame:
			if status != "" && status != "200" { // an answer, and no interest in the rest of the request
				return status
			}
			return "reset"
		}
	}
}

// malformed2 are requests that HTTP/2 forbids, or that would become others in HTTP/1.1.
func malformed2(host string) map[string][]string {
	good := func(more ...string) []string {
		return append([]string{":method", "GET", ":scheme", "http", ":authority", host, ":path", "/a"}, more...)
	}
	path := func(p string) []string {
		return []string{":method", "GET", ":scheme", "http", ":authority", host, ":path", p}
	}
	all := map[string][]string{
		"no method": {":scheme", "http", ":authority", host, ":path", "/a"}, "no path": {":method", "GET", ":scheme", "http", ":authority", host}, "no scheme": {":method", "GET", ":authority", host, ":path", "/a"},
		"two methods": good(":method", "POST")[0:0:0], "an unknown pseudo-header": {":method", "GET", ":scheme", "http", ":authority", host, ":path", "/a", ":x", "y"},
		"a pseudo-header twice": {":method", "GET", ":method", "GET", ":scheme", "http", ":authority", host, ":path", "/a"}, "a pseudo-header late": {":method", "GET", ":scheme", "http", "x", "y", ":authority", host, ":path", "/a"},
		"an upper-case name": good("X-Up", "y"), "connection": good("connection", "close"), "transfer-encoding": good("transfer-encoding", "chunked"), "te": good("te", "gzip"), "keep-alive": good("keep-alive", "x"),
		"proxy-connection": good("proxy-connection", "x"), "upgrade": good("upgrade", "websocket"), "an empty path": path(""), "a path with a space": path("/a b"), "a path with CRLF": path("/a\r\nX: y"), "a path without a slash": path("a"),
		"NUL in a value": good("x", "a\x00b"), "CRLF in a value": good("x", "a\r\nHost: evil"), "LF in a value": good("x", "a\nb"), "CR in a value": good("x", "a\rb"), "a space before a value": good("x", " a"), "a space behind a value": good("x", "a "),
		"a space in a name": good("x y", "z"), "a colon in a name": good("x:y", "z"), "CRLF in a name": good("x\r\ny", "z"), "an empty name": good("", "z"), "two lengths": good("content-length", "0", "content-length", "1"),
		"a length without a body": good("content-length", "5"), "a signed length": good("content-length", "+0"), "a method with a space": {":method", "GET /x", ":scheme", "http", ":authority", host, ":path", "/a"},
		"a method with CRLF": {":method", "GET\r\n", ":scheme", "http", ":authority", host, ":path", "/a"}, "CONNECT": {":method", "CONNECT", ":authority", host + ":80"},
		"extended CONNECT": {":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", host, ":path", "/a"}, "an authority with userinfo": {":method", "GET", ":scheme", "http", ":authority", "u@" + host, ":path", "/a"},
		"another host than the authority": good("host", "other.test"), "two hosts": good("host", host, "host", "other.test"), "an authority with a path": {":method", "GET", ":scheme", "http", ":authority", host + "/x", ":path", "/a"},
		"a fragment": path("/a#b"), "a backslash": path(`/a\b`), "a doubly encoded dot": path("/%252e%252e/admin"), "what wants a key": path("/admin"), "the same in disguise": path("/x/%2e%2e/admin"), "TRACE": {":method", "TRACE", ":scheme", "http", ":authority", host, ":path", "/a"},
	}
	delete(all, "two methods")
	return all
}

// strangeRequests is E09, B09 and E12: stream error or refusal, nothing to the origin, and the next
// request gets its own answer.
func strangeRequests(t *testing.T, w *world) {
	origin := w.protectedOrigin(t, "Strange", "strange.test")
	for _, k := range w.kinds2() {
		for name, fields := range malformed2("strange.test") {
			t.Run(k.name+" "+name, func(t *testing.T) {
				origin.Take()
				f := testenv.Must(k.frames(w.gates[k.name]))(t)
				defer func() { _ = f.c.Close() }()
				_ = f.request(1, true, fields...)
				if got := f.outcome(1); got != "reset" && !strings.HasPrefix(got, "closed") && !strings.HasPrefix(got, "4") && got != "501" {
					t.Errorf("the request ended with %s", got)
				}
				k.goodRequest(t, w, "strange.test")
				if c := origin.Take(); len(c.Arrived) != 1 || len(c.Faults)+len(c.Broken) > 0 {
					t.Errorf("the origin got %q, %q, %q", describe(c.Arrived), c.Faults, c.Broken)
				}
			})
		}
		t.Run(k.name+" DATA beyond the length", func(t *testing.T) {
			f := testenv.Must(k.frames(w.gates[k.name]))(t)
			defer func() { _ = f.c.Close() }()
			_ = f.request(1, false, ":method", "POST", ":scheme", "http", ":authority", "strange.test", ":path", "/a", "content-length", "3")
			_ = f.WriteData(1, true, []byte("abcdefgh"))
			if got := f.outcome(1); got == "200" {
				t.Error("it was answered 200")
			}
			k.goodRequest(t, w, "strange.test")
			for _, r := range origin.Take().Arrived {
				if r.Method == "POST" {
					t.Errorf("the origin got %q", r.Raw)
				}
			}
		})
	}
}

func (w *world) protectedOrigin(t *testing.T, name, host string) *platform.Origin {
	t.Helper()
	origin := testenv.Must(platform.NewOrigin())(t)
	t.Cleanup(origin.Close)
	def := api(name, host, "/", origin.URL, open())
	def["endpoints"] = []any{map[string]any{"id": "admin", "path": "/admin/**", "filters": map[string]any{"auth": keyed()}}}
	w.publish(t, def)
	return origin
}

// goodRequest must be answered, on a connection of its own.
func (k kind) goodRequest(t *testing.T, w *world, host string) {
	t.Helper()
	f := testenv.Must(k.frames(w.gates[k.name]))(t)
	defer func() { _ = f.c.Close() }()
	_ = f.request(1, true, ":method", "GET", ":scheme", k.scheme, ":authority", host, ":path", "/good")
	if got := f.outcome(1); got != "200" {
		t.Errorf("a good request ended with %s", got)
	}
}

// floods are E02 to E06: each must end the connection long before it is over. They write a round of
// frames; streams are odd numbers.
func floods() map[string]func(f *framer, n uint32) error {
	get := []string{":method", "GET", ":scheme", "http", ":authority", "flood.test", ":path", "/a"}
	return map[string]func(f *framer, n uint32) error{
		"E02 rapid reset": func(f *framer, n uint32) error {
			_ = f.request(2*n+1, true, get...)
			return f.WriteRSTStream(2*n+1, http2.ErrCodeCancel)
		},
		"E03 resets that we are made to send": func(f *framer, n uint32) error {
			_ = f.request(2*n+1, true, get...)
			return f.WriteWindowUpdate(2*n+1, 0)
		},
		"E04 CONTINUATION without end": func(f *framer, n uint32) error {
			if n == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(get...)})
			}
			return f.WriteContinuation(1, false, f.head("x", strings.Repeat("a", 100)))
		},
		"E04 empty CONTINUATION without end": func(f *framer, n uint32) error {
			if n == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(get...)})
			}
			return f.WriteContinuation(1, false, nil)
		},
		"E06 PING":     func(f *framer, n uint32) error { return f.WritePing(false, [8]byte{1}) },
		"E06 SETTINGS": func(f *framer, n uint32) error { return f.WriteSettings() },
		"E06 empty DATA": func(f *framer, n uint32) error {
			if n == 0 {
				return f.request(1, false, ":method", "POST", ":scheme", "http", ":authority", "flood.test", ":path", "/a")
			}
			return f.WriteData(1, false, nil)
		},
		"E06 PRIORITY": func(f *framer, n uint32) error { return f.WritePriority(2*n+1, http2.PriorityParam{Weight: 1}) },
	}
}

// A flood goes on over new connections until so many rounds were read. One connection may take half a
// core with 100 000 resets in 10 s, and ends after about a thousand of them. Who comes back at once has
// three times that here: CPU seconds, which for the same work grow two- and threefold on a busy machine.
const (
	floodRounds = 20_000
	floodCPU    = 3 * 5 * time.Second * floodRounds / 100_000
)

func flooded(t *testing.T, w *world) {
	w.protectedOrigin(t, "Flood", "flood.test")
	for _, k := range w.kinds2() {
		g := w.gates[k.name]
		for name, round := range floods() {
			t.Run(k.name+" "+name, func(t *testing.T) {
				before := spent(t, g)
				sent, conns := 0, 0
				for sent < floodRounds {
					n := k.flood(t, g, round)
					if n == floodRounds {
						t.Fatalf("%d rounds did not end the connection", n)
					}
					sent, conns = sent+n, conns+1
				}
				took := spent(t, g) - before
				t.Logf("%d connections ended within %d rounds; %s of CPU", conns, sent, took)
				if took > floodCPU {
					t.Errorf("%d rounds took the gateway %s of CPU, more than %s", sent, took, floodCPU)
				}
				k.goodRequest(t, w, "flood.test")
			})
		}
	}
}

// flood sends rounds over one connection until that ends, and tells how many.
func (k kind) flood(t *testing.T, g gate, round func(f *framer, n uint32) error) (n int) {
	f := testenv.Must(k.frames(g))(t)
	defer func() { _ = f.c.Close() }()
	in, out := f.Framer, bufio.NewWriter(f.c) // unbuffered, the test takes more of the machine than the gateway
	f.Framer = http2.NewFramer(out, nil)
	f.AllowIllegalWrites = true
	var gone atomic.Bool
	ended, read := make(chan struct{}), make(chan struct{}, 1)
	mark := [8]byte{'r', 'e', 'a', 'd', '?'}
	go func() {
		defer close(ended)
		for {
			fr, err := in.ReadFrame()
			if err != nil {
				gone.Store(true)
				return
			}
			if p, ok := fr.(*http2.PingFrame); ok && p.IsAck() && p.Data == mark {
				read <- struct{}{}
			}
		}
	}()
	for err := error(nil); err == nil && n < floodRounds && !gone.Load(); {
		for range 500 {
			err = errors.Join(err, round(f, uint32(n)))
			n++
		}
		// what is sent ahead of the gateway's reading costs it nothing
		if err = errors.Join(err, f.WritePing(false, mark), out.Flush()); err != nil {
			break
		}
		select {
		case <-read:
		case <-ended:
		case <-time.After(patience):
			t.Error("nobody reads the flood, and nobody ends it")
			return floodRounds
		}
	}
	return n
}

// spent is the CPU time of a gateway's process.
func spent(t *testing.T, g gate) time.Duration {
	t.Helper()
	text := string(testenv.Must(os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.PID())))(t))
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the third on
	ticks := testenv.Must(strconv.Atoi(fields[11]))(t) + testenv.Must(strconv.Atoi(fields[12]))(t)
	return time.Duration(ticks) * time.Second / 100
}

// bounds2 are E05, E07, E08 and E10: heads, windows and streams have bounds, and others on the
// connection, or beside it, do not suffer.
func bounds2(t *testing.T, w *world) {
	var cut atomic.Int64
	w.publish(t, api("Bounds", "bounds.test", "/", listenRaw(t, greedyOrigin(&cut)), open()))
	for _, k := range w.kinds2() {
		g := w.gates[k.name]
		get := []string{":method", "GET", ":scheme", k.scheme, ":authority", "bounds.test", ":path", "/a"}
		t.Run(k.name+" E05 HPACK bomb", func(t *testing.T) {
			before, cpu := resident(t, g), spent(t, g)
			f := testenv.Must(k.frames(g, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))(t)
			defer func() { _ = f.c.Close() }()
			for n := range uint32(90) { // 4 000 bytes in the table once, named again and again
				bomb := append(get[:8:8], "x", strings.Repeat("a", 3900))
				for range 300 {
					bomb = append(bomb, "x", strings.Repeat("a", 3900))
				}
				if f.request(2*n+1, true, bomb...) != nil {
					break
				}
			}
			k.goodRequest(t, w, "bounds.test")
			if after := resident(t, g); after > before+64<<20 {
				t.Errorf("the gateway grew from %d to %d MiB", before>>20, after>>20)
			}
			if took := spent(t, g) - cpu; took > time.Second {
				t.Errorf("90 heads took the gateway %s of CPU", took)
			}
		})
		t.Run(k.name+" E08 a head that is too large", func(t *testing.T) {
			f := testenv.Must(k.frames(g))(t)
			defer func() { _ = f.c.Close() }()
			large := get[:8:8]
			for i := range 70 {
				large = append(large, fmt.Sprintf("x-%d", i), strings.Repeat("a", 150))
			}
			for i := range 60 { // more than 100 fields
				large = append(large, fmt.Sprintf("y-%d", i), "b")
			}
			_ = f.request(1, true, large...)
			_ = f.request(3, true, get...)
			if got := f.outcome(3); got != "200" {
				t.Errorf("another stream ended with %s", got)
			}
		})
		t.Run(k.name+" E07 a window that never opens", func(t *testing.T) {
			before := cut.Load()
			f := testenv.Must(k.frames(g, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))(t)
			defer func() { _ = f.c.Close() }()
			_ = f.request(1, true, append(get[:7:7], "/big")...)
			testenv.Eventually(t, patience, func() bool { return cut.Load() > before })
		})
		t.Run(k.name+" E07 a window that opens byte by byte", func(t *testing.T) {
			before := cut.Load()
			f := testenv.Must(k.frames(g, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))(t)
			defer func() { _ = f.c.Close() }()
			_ = f.request(1, true, append(get[:7:7], "/big")...)
			drip(t, f, func() bool { return cut.Load() > before })
		})
		t.Run(k.name+" E10 a thousand streams", func(t *testing.T) {
			f := testenv.Must(k.frames(g))(t)
			defer func() { _ = f.c.Close() }()
			for n := range uint32(1000) {
				if f.request(2*n+1, false, ":method", "POST", ":scheme", k.scheme, ":authority", "bounds.test", ":path", "/hold") != nil {
					break
				}
			}
			k.goodRequest(t, w, "bounds.test")
			if got := f.outcome(1999); got != "reset" && !strings.HasPrefix(got, "closed") {
				t.Errorf("the last of 1 000 streams ended with %s", got)
			}
		})
	}
}

// drip opens the windows of stream 1 byte by byte until done, which must be in time: a client that
// takes a byte now and then is not one that takes its response.
func drip(t *testing.T, f *framer, done func() bool) {
	t.Helper()
	tick, late := time.NewTicker(100*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
			_ = f.WriteWindowUpdate(1, 1)
		case <-late:
			t.Fatal("its response is still being sent")
		}
	}
}

// drained is E11: a stop lets what is under way finish, and says GOAWAY.
func drained(t *testing.T, w *world) {
	g := testenv.Must(w.p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_LISTEN_H2C": "true", "SLUICE_GATEWAY_SHUTDOWN_TIMEOUT": "5s"}))(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	w.publish(t, api("Drained", "drained.test", "/", listenRaw(t, func(c net.Conn) {
		defer func() { _ = c.Close() }()
		buf := make([]byte, 4096)
		if n, _ := c.Read(buf); n == 0 {
			return
		}
		close(asked)
		<-answer
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	}), open()))
	f := testenv.Must(kind{connect: plain}.frames(g))(t)
	defer func() { _ = f.c.Close() }()
	_ = f.request(1, true, ":method", "GET", ":scheme", "http", ":authority", "drained.test", ":path", "/a")
	<-asked
	if err := g.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	away, status, released := false, "", false
	for status == "" {
		fr, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("GOAWAY came: %v; then %v", away, err)
		}
		switch fr := fr.(type) {
		case *http2.GoAwayFrame:
			if away = true; !released {
				released = true
				close(answer)
			}
		case *http2.MetaHeadersFrame:
			status = fr.PseudoValue("status")
		}
	}
	if !away || status != "200" {
		t.Errorf("GOAWAY came: %v; the request under way got %s", away, status)
	}
}

// priorKnowledge is E13: a plain listener without h2c takes no HTTP/2.
func priorKnowledge(t *testing.T, w *world) {
	for _, name := range []string{"h1", "stdlib"} {
		c := testenv.Must(plain(w.gates[name].Addr()))(t)
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write([]byte(http2.ClientPreface))
		_ = http2.NewFramer(c, c).WriteSettings()
		b := make([]byte, 9)
		if n, _ := c.Read(b); n > 3 && !strings.HasPrefix(string(b), "HTTP/1.1") {
			t.Errorf("%s answers the preface of HTTP/2 with %q", name, b[:n])
		}
		_ = c.Close()
	}
}
