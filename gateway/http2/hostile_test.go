package http2_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// echo answers with what it understood, and counts.
type echo struct{ n atomic.Int64 }

func (e *echo) Serve(w message.Writer, r *message.Request) {
	e.n.Add(1)
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.Fail()
		return
	}
	body := r.Method + " " + r.Host + r.Path + " " + string(b)
	_ = w.WriteHead(&message.Response{Status: 200, ContentLength: int64(len(body))})
	_, _ = io.WriteString(w, body)
	_ = w.Finish(nil)
}

// TestMalformedRequests: nothing of them comes to the handler, and the connection
// serves the next one where the error is the stream's.
func TestMalformedRequests(t *testing.T) {
	without := func(name string, more ...string) []string {
		var l []string
		for _, f := range get(more...) {
			if !strings.HasPrefix(f, name) {
				l = append(l, f)
			}
		}
		return l
	}
	protocol, bad := "reset PROTOCOL_ERROR", "400"
	for _, tc := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"no method", without(":method"), protocol},
		{"no scheme", without(":scheme"), protocol},
		{"no path", without(":path"), protocol},
		{"no authority", without(":authority"), bad},
		{"two methods", get(":method: GET"), protocol},
		{"two paths", get(":path: /b"), protocol},
		{"an unknown pseudo field", get(":evil: 1"), protocol},
		{"a response's pseudo field", get(":status: 200"), protocol},
		{"a pseudo field behind a field", get("a: b", ":path: /b"), protocol},
		{"extended CONNECT", get(":protocol: websocket"), protocol},
		{"CONNECT", []string{":method: CONNECT", ":authority: a.example:443"}, "405"},
		{"TRACE", append([]string{":method: TRACE"}, get()[1:]...), "405"},
		{"a method that is no token", append([]string{":method: GE T"}, get()[1:]...), bad},
		{"an empty path", append(without(":path"), ":path: "), protocol},
		{"a path with a space", append(without(":path"), ":path: /a b"), bad},
		{"a path with CRLF", append(without(":path"), ":path: /a\r\nX: y"), protocol},
		{"a path with #", append(without(":path"), ":path: /a#b"), bad},
		{"a path with a backslash", append(without(":path"), `:path: /a\b`), bad},
		{"a path that is not ASCII", append(without(":path"), ":path: /\xc3\xa9"), bad},
		{"a path that is relative", append(without(":path"), ":path: a/b"), protocol},
		{"a path that is a URL", append(without(":path"), ":path: http://a.example/b"), bad},
		{"*, not by OPTIONS", append(without(":path"), ":path: *"), bad},
		{"a scheme that is not served", append(without(":scheme"), ":scheme: ftp"), protocol},
		{"an upper case name", get("Upper: x"), protocol},
		{"an empty name", get(": x"), protocol},
		{"a name with a space", get("a b: x"), protocol},
		{"a value with NUL", get("a: x\x00y"), protocol},
		{"a value with CR", get("a: x\ry"), protocol},
		{"a value with LF", get("a: x\nTransfer-Encoding: chunked"), protocol},
		{"a value with DEL", get("a: x\x7f"), protocol},
		{"a value that begins with a space", get("a:  x"), bad},
		{"a value that ends with a tab", get("a: x\t"), bad},
		{"Connection", get("connection: x-a"), bad},
		{"Keep-Alive", get("keep-alive: 1"), bad},
		{"Proxy-Connection", get("proxy-connection: x"), bad},
		{"Transfer-Encoding", get("transfer-encoding: chunked"), bad},
		{"Upgrade", get("upgrade: h2c"), bad},
		{"TE other than trailers", get("te: gzip"), bad},
		{"Host of another name", get("host: b.example"), bad},
		{"Host twice", get("host: a.example", "host: a.example"), bad},
		{"userinfo in the authority", append(without(":authority"), ":authority: u@a.example"), protocol},
		{"an authority with a path", append(without(":authority"), ":authority: a.example/x"), bad},
		{"an authority with percent", append(without(":authority"), ":authority: a%2eexample"), bad},
		{"an authority with a bad port", append(without(":authority"), ":authority: a.example:99999"), bad},
		{"an authority that is not IPv6", append(without(":authority"), ":authority: [::1"), bad},
		{"Content-Length without a body", get("content-length: 5"), bad},
		{"Content-Length twice", get("content-length: 0", "content-length: 0"), bad},
		{"Content-Length that is a list", get("content-length: 0, 0"), bad},
		{"Content-Length with a sign", get("content-length: +0"), bad},
		{"an expectation", get("expect: a pony"), "417"},
		{"more fields than the limit", get(strings.Split(strings.TrimSuffix(strings.Repeat("a: b\n", 101), "\n"), "\n")...), "431"},
		{"a larger head than the limit", get("a: " + strings.Repeat("x", 66<<10)), "431"},
		{"a longer path than the limit", append(without(":path"), ":path: /"+strings.Repeat("x", 8<<10)), "414"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h echo
			_, addr := serve(t, &h, http2.ServerConfig{H2C: true})
			c := dialRaw(t, addr)
			c.headers(1, true, tc.fields...)
			if got := c.outcome(1); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if n := h.n.Load(); n != 0 {
				t.Errorf("the handler saw %d requests", n)
			}
			c.headers(3, true, get("host: A.EXAMPLE.", "te: trailers", "x: in\tside")...)
			if got := c.outcome(3); got != "200 GET a.example/" {
				t.Errorf("the next request: %q", got)
			}
		})
	}
}

// TestMalformedBodies: the handler learns that the body is not whole.
func TestMalformedBodies(t *testing.T) {
	post := func(more ...string) []string {
		return append([]string{":method: POST"}, append(get()[1:], more...)...)
	}
	for _, tc := range []struct {
		name string
		do   func(c *raw)
		want string
	}{
		{"as long as said", func(c *raw) {
			c.headers(1, false, post("content-length: 4")...)
			_ = c.fr.WriteData(1, true, []byte("body"))
		}, "200 POST a.example/ body"},
		{"shorter than said", func(c *raw) {
			c.headers(1, false, post("content-length: 5")...)
			_ = c.fr.WriteData(1, true, []byte("body"))
		}, "reset INTERNAL_ERROR"},
		{"longer than said", func(c *raw) {
			c.headers(1, false, post("content-length: 3")...)
			_ = c.fr.WriteData(1, true, []byte("body"))
		}, "reset PROTOCOL_ERROR"},
		{"a pseudo field in the trailers", func(c *raw) {
			c.headers(1, false, post()...)
			_ = c.fr.WriteData(1, false, []byte("body"))
			c.headers(1, true, ":path: /b")
		}, "reset PROTOCOL_ERROR"},
		{"trailers that do not end the stream", func(c *raw) {
			c.headers(1, false, post("trailer: a")...)
			c.headers(1, false, "a: b")
		}, "reset PROTOCOL_ERROR"},
		{"an announced trailer that belongs in the head", func(c *raw) {
			c.headers(1, false, post("trailer: x-a, host, authorization, cookie")...)
			_ = c.fr.WriteData(1, false, []byte("body"))
			c.headers(1, true, "x-a: 1", "cookie: evil")
		}, "reset INTERNAL_ERROR"},
		{"a trailer that was not announced is dropped", func(c *raw) {
			c.headers(1, false, post()...)
			_ = c.fr.WriteData(1, false, []byte("body"))
			c.headers(1, true, "authorization: evil")
		}, "200 POST a.example/ body"},
		{"DATA on a stream that was not opened", func(c *raw) { _ = c.fr.WriteData(1, true, []byte("x")) }, "goaway PROTOCOL_ERROR"},
		{"a stream of the server's", func(c *raw) { c.headers(2, true, post()...) }, "goaway PROTOCOL_ERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h echo
			_, addr := serve(t, &h, http2.ServerConfig{H2C: true})
			c := dialRaw(t, addr)
			tc.do(c)
			if got := c.outcome(1); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestRefusalsAreTold(t *testing.T) {
	var mu sync.Mutex
	var told []string
	s, addr := serve(t, &echo{}, http2.ServerConfig{H2C: true, Refused: func(status int, code, id string, peer netip.Addr) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, code+" "+id+" "+peer.String())
		if status != 400 {
			t.Errorf("status %d", status)
		}
	}})
	c := dialRaw(t, addr)
	c.headers(1, true, get("host: b.example")...)
	want := `400 {"status":400,"code":"request.malformed","message":"the request's authority and Host name different hosts","requestId":"id"}`
	if got := c.outcome(1); got != want {
		t.Errorf("%q", got)
	}
	testenv.Eventually(t, reading, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) == 1 && told[0] == "request.malformed id 127.0.0.1"
	})
	if st := s.Stats(); st.Malformed != 1 || st.Refused[message.CodeMalformed] != 1 || st.Requests != 0 || st.Accepted != 1 || st.Connections != 1 {
		t.Errorf("%+v", st)
	}
}

// TestFloods: each is ended long before it is through, others are served.
func TestFloods(t *testing.T) {
	const many = 100000
	for _, tc := range []struct {
		name string
		want string
		do   func(c *raw, i int) error
	}{
		{"rapid reset", "ENHANCE_YOUR_CALM", func(c *raw, i int) error {
			id := uint32(2*i + 1)
			c.headers(id, true, get()...)
			return c.fr.WriteRSTStream(id, h2.ErrCodeCancel)
		}},
		{"resets that the server is made to send", "ENHANCE_YOUR_CALM", func(c *raw, i int) error {
			id := uint32(2*i + 1)
			c.headers(id, false, get()...)
			return c.fr.WriteRawFrame(h2.FrameWindowUpdate, 0, id, []byte{0, 0, 0, 0})
		}},
		{"PING", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WritePing(false, [8]byte{}) }},
		{"PING that answers none", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WritePing(true, [8]byte{}) }},
		{"SETTINGS", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WriteSettings() }},
		{"PRIORITY", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WritePriority(1, h2.PriorityParam{StreamDep: 3}) }},
		{"WINDOW_UPDATE", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WriteWindowUpdate(0, 1) }},
		{"frames of no known type", "ENHANCE_YOUR_CALM", func(c *raw, _ int) error { return c.fr.WriteRawFrame(0xbe, 0, 0, nil) }},
		{"empty DATA", "ENHANCE_YOUR_CALM", func(c *raw, i int) error {
			if i == 0 {
				c.headers(1, false, get()...)
			}
			return c.fr.WriteData(1, false, nil)
		}},
		{"empty CONTINUATION", "ENHANCE_YOUR_CALM", func(c *raw, i int) error {
			if i == 0 {
				return c.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(get()...)})
			}
			return c.fr.WriteContinuation(1, false, nil)
		}},
		{"CONTINUATION of many fields", "PROTOCOL_ERROR", func(c *raw, i int) error {
			if i == 0 {
				return c.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(get()...)})
			}
			return c.fr.WriteContinuation(1, false, c.block("a: "+strings.Repeat("x", 10000)))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, addr := serve(t, &echo{}, http2.ServerConfig{H2C: true})
			c := dialRaw(t, addr)
			sent := make(chan int, 1)
			go func() {
				i := 0
				for i < many && tc.do(c, i) == nil {
					i++
				}
				sent <- i
			}()
			how := "closed"
			for {
				_ = c.nc.SetReadDeadline(time.Now().Add(30 * time.Second))
				f, err := c.fr.ReadFrame()
				if err != nil {
					break
				}
				if g, ok := f.(*h2.GoAwayFrame); ok {
					how = g.ErrCode.String()
				}
			}
			// the goodbye may be lost to the reset that unread bytes mean
			if how != tc.want && how != "closed" {
				t.Errorf("ended by %s", how)
			}
			_ = c.nc.Close()
			if n := <-sent; n == many {
				t.Error("all of it was taken")
			}
			if tc.want == "ENHANCE_YOUR_CALM" {
				testenv.Eventually(t, reading, func() bool { return s.Stats().Floods == 1 })
			}
			testenv.Eventually(t, reading, func() bool { return s.Stats().Connections == 0 })
			good := dialRaw(t, addr)
			good.headers(1, true, get()...)
			if got := good.outcome(1); got != "200 GET a.example/" {
				t.Errorf("another client: %q", got)
			}
		})
	}
}

// TestHonestTrafficIsNoFlood: a long download in small windows, cancelled requests
// and pings at human rates.
func TestHonestTrafficIsNoFlood(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 20<<20) // shared: a copy for each request would fill the memory
	s, addr := serve(t, messagetest.Func(func(w message.Writer, _ *message.Request) {
		_ = w.WriteHead(&message.Response{Status: 200, ContentLength: int64(len(body))})
		_, _ = w.Write(body)
		_ = w.Finish(nil)
	}), http2.ServerConfig{H2C: true})
	c := dialRaw(t, addr)
	for i := range 200 {
		c.headers(uint32(2*i+1), true, get()...)
		_ = c.fr.WriteRSTStream(uint32(2*i+1), h2.ErrCodeCancel)
		_ = c.fr.WritePing(false, [8]byte{})
	}
	const id = 401
	c.headers(id, true, get()...)
	for got := 0; got < len(body); {
		f, err := c.next()
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		d, ok := f.(*h2.DataFrame)
		if !ok || len(d.Data()) == 0 {
			continue
		}
		_ = c.fr.WriteWindowUpdate(0, uint32(len(d.Data())))
		if d.StreamID == id {
			got += len(d.Data())
			_ = c.fr.WriteWindowUpdate(id, uint32(len(d.Data())))
		}
	}
	if st := s.Stats(); st.Floods != 0 {
		t.Errorf("%+v", st)
	}
}

// TestHeaderBomb: a few bytes on the wire that mean megabytes of fields.
func TestHeaderBomb(t *testing.T) {
	var h echo
	_, addr := serve(t, &h, http2.ServerConfig{H2C: true})
	c := dialRaw(t, addr, h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0})
	c.headers(1, true, get("x: "+strings.Repeat("x", 3000))...)
	var refs []byte
	for range 3000 {
		refs = append(refs, 0x80|62) // the newest entry of the dynamic table
	}
	for i := range 50 {
		_ = c.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: uint32(2*i + 3), BlockFragment: append(c.block(get()...), refs...), EndStream: true, EndHeaders: true})
	}
	refused := 0
	for refused < 50 {
		f, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := f.(*h2.MetaHeadersFrame); ok && m.PseudoValue("status") == "431" {
			refused++
		}
	}
	if h.n.Load() > 1 {
		t.Errorf("the handler saw %d", h.n.Load())
	}
}

func TestPriorKnowledgeOnlyWhereItIsConfigured(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    http2.ServerConfig
		in   string
		want string
	}{
		{"HTTP/2 where it is not", http2.ServerConfig{HTTP1: true}, h2.ClientPreface, "HTTP/1.1 "},
		{"HTTP/1.1 where it is not", http2.ServerConfig{H2C: true}, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
		{"HTTP/1.1 where both are", http2.ServerConfig{H2C: true, HTTP1: true}, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200"},
		{
			"an upgrade is not taken",
			http2.ServerConfig{H2C: true, HTTP1: true},
			"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
		},
		{"nothing", http2.ServerConfig{}, h2.ClientPreface, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
				if r.Upgrade != "" {
					t.Errorf("upgrade %q", r.Upgrade)
				}
				(&echo{}).Serve(w, r)
			}), tc.c)
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			_, _ = io.WriteString(nc, tc.in)
			_ = nc.SetReadDeadline(time.Now().Add(reading))
			b, _ := io.ReadAll(nc)
			if tc.want == "" && len(b) > 0 || !strings.HasPrefix(string(b), tc.want) || strings.Contains(string(b), " 101 ") {
				t.Errorf("%q", b)
			}
		})
	}
}
