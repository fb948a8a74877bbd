package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin is an h2c server; conns counts its connections.
type origin struct {
	addr     string
	accepted atomic.Int64
	open     atomic.Int64
}

func newOrigin(t testing.TB, h http.HandlerFunc, more ...func(*http.Server)) *origin {
	t.Helper()
	o := &origin{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = l.Addr().String()
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	s.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			o.accepted.Add(1)
			o.open.Add(1)
		case http.StateClosed:
			o.open.Add(-1)
		}
	}
	for _, f := range more {
		f(s)
	}
	done := make(chan struct{})
	go func() { _ = s.Serve(l); close(done) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return o
}

func newClient(t testing.TB, addr string, more ...func(*Config)) *Client {
	t.Helper()
	c := Config{Address: addr, H2C: true}
	for _, f := range more {
		f(&c)
	}
	p := New(c)
	t.Cleanup(func() {
		p.Close()
		testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Open == 0 })
	})
	return p
}

func request(method, body string) *message.Request {
	r := &message.Request{Method: method, Host: "client.example", Context: context.Background(), Abort: new(message.Abort), Body: message.NoBody}
	if body != "" {
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	return r
}

// streamed is a request whose body comes from a pipe.
func streamed(method string) (*message.Request, *io.PipeWriter) {
	r := request(method, "")
	pr, pw := io.Pipe()
	r.Body, r.ContentLength = pr, -1
	return r, pw
}

func do(t testing.TB, p *Client, r *message.Request, target string) *message.Response {
	t.Helper()
	resp, err := p.Do(r.Context, r, message.Outbound{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func read(t testing.TB, resp *message.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantFailure(t testing.TB, err error, kind message.Kind) *message.Failure {
	t.Helper()
	var f *message.Failure
	if !errors.As(err, &f) || f.Kind != kind {
		t.Fatalf("%v; want %s", err, kind)
	}
	return f
}

func TestARequestIsSentAsItIs(t *testing.T) {
	got := make(chan *http.Request, 1)
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		got <- r
		w.Header().Set("X-B", "2")
		w.Header().Add("X-A", "1")
		w.Header().Add("X-A", "one")
		w.WriteHeader(201)
		_, _ = w.Write([]byte("made"))
	})
	p := newClient(t, o.addr)
	r := request("POST", "hello")
	for _, f := range [][2]string{
		{"Host", "x"},
		{"content-length", "9"},
		{"Connection", "close"},
		{"Keep-Alive", "1"},
		{"TE", "gzip, trailers"},
		{"x-many", "1"},
		{"X-Many", "2"},
		{"Cookie", "a=1; b=2"},
		{"Upgrade", "websocket"},
		{"Transfer-Encoding", "chunked"},
	} {
		r.Header.Add(f[0], f[1])
	}
	r.Upgrade = "websocket"
	resp := do(t, p, r, "/a%2Fb//c?x=%20&y")
	if resp.Status != 201 || resp.ContentLength != 4 || resp.Stream || resp.Reason != "" {
		t.Errorf("%+v", resp)
	}
	var names []string
	for f := range resp.Header.Fields() {
		if f.Known != message.Date && f.Known != message.ContentType {
			names = append(names, f.Name+": "+f.Value)
		}
	}
	if strings.Join(names, ", ") != "X-A: 1, X-A: one, X-B: 2" {
		t.Errorf("%q", names)
	}
	if b := read(t, resp); b != "made" {
		t.Errorf("%q", b)
	}
	q := <-got
	b, _ := io.ReadAll(q.Body)
	if q.Method != "POST" || q.RequestURI != "/a%2Fb//c?x=%20&y" || q.Host != "client.example" || q.ProtoMajor != 2 || q.ContentLength != 5 || string(b) != "hello" {
		t.Errorf("%s %s %s %d %q", q.Method, q.RequestURI, q.Host, q.ContentLength, b)
	}
	want := http.Header{"Te": {"trailers"}, "X-Many": {"1", "2"}, "Cookie": {"a=1; b=2"}, "Content-Length": {"5"}}
	if fmt.Sprint(q.Header) != fmt.Sprint(want) {
		t.Errorf("fields %v", q.Header)
	}
	resp = do(t, p, request("GET", ""), "//twice/x?")
	read(t, resp)
	if q = <-got; q.RequestURI != "//twice/x?" {
		t.Errorf("target %q", q.RequestURI)
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	o := newOrigin(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	p := newClient(t, o.addr)
	for name, change := range map[string]func(*message.Request, *message.Outbound){
		"method":       func(_ *message.Request, o *message.Outbound) { o.Method = "GE T" },
		"no target":    func(_ *message.Request, o *message.Outbound) { o.Target = "" },
		"target":       func(_ *message.Request, o *message.Outbound) { o.Target = "/a b" },
		"bare target":  func(_ *message.Request, o *message.Outbound) { o.Target = "a" },
		"line end":     func(_ *message.Request, o *message.Outbound) { o.Target = "/a\r\nx: y" },
		"host":         func(_ *message.Request, o *message.Outbound) { o.Host = "a\nb" },
		"field":        func(r *message.Request, _ *message.Outbound) { r.Header.Add("X", "a\r\nb") },
		"field name":   func(r *message.Request, _ *message.Outbound) { r.Header.Add(":path", "/") },
		"target twice": func(_ *message.Request, o *message.Outbound) { o.Target = "//a/%zz" },
	} {
		r, out := request("GET", ""), message.Outbound{Target: "/"}
		change(r, &out)
		_, err := p.Do(r.Context, r, out)
		if f := wantFailure(t, err, message.ErrRequest); f.Consumed {
			t.Errorf("%s: consumed", name)
		}
	}
}

func TestBothSidesStreamAtTheSameTimeWithTrailers(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Header().Set("Trailer", "Grpc-Status")
		_ = http.NewResponseController(w).Flush()
		buf := make([]byte, 64)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				_, _ = fmt.Fprintf(w, "echo %s", buf[:n])
				_ = http.NewResponseController(w).Flush()
			}
			if err != nil {
				break
			}
		}
		w.Header().Set("Grpc-Status", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "done")
	})
	p := newClient(t, o.addr)
	r, in := streamed("POST")
	r.Header.Add("Content-Type", "application/grpc")
	r.Header.Add("Trailer", "X-Sum, Content-Length")
	resp := do(t, p, r, "/svc/Chat") // its head comes before anything was sent
	if !resp.Stream || resp.ContentLength != -1 || resp.Trailer != nil {
		t.Errorf("stream %v, length %d", resp.Stream, resp.ContentLength)
	}
	buf := make([]byte, 64)
	for i := range 100 {
		if _, err := fmt.Fprintf(in, "%d", i); err != nil {
			t.Fatal(err)
		}
		n, err := resp.Body.Read(buf)
		if want := fmt.Sprintf("echo %d", i); err != nil || string(buf[:n]) != want {
			t.Fatalf("%q, %v; want %q", buf[:n], err, want)
		}
	}
	r.Trailer = &message.Header{}
	r.Trailer.Add("X-Sum", "7")
	r.Trailer.Add("Content-Length", "7")
	_ = in.Close()
	if b := read(t, resp); b != "" {
		t.Errorf("%q", b)
	}
	if resp.Trailer == nil || resp.Trailer.Get("Grpc-Status") != "7" || resp.Trailer.Get("Grpc-Message") != "done" || resp.Trailer.Len() != 2 {
		t.Errorf("trailer %+v", resp.Trailer)
	}
}

func TestTrailersOnlyAndResponsesWithoutABody(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/grpc":
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "12")
		case "/304":
			w.Header().Set("Content-Length", "77")
			w.WriteHeader(304)
		case "/204":
			w.WriteHeader(204)
		case "/head":
			w.Header().Set("Content-Length", "77")
		}
	})
	p := newClient(t, o.addr)
	for path, want := range map[string]struct {
		method string
		status int
		length int64
	}{"/grpc": {"POST", 200, 0}, "/304": {"GET", 304, -1}, "/204": {"GET", 204, 0}, "/head": {"HEAD", 200, 77}} {
		resp := do(t, p, request(want.method, ""), path)
		if b := read(t, resp); b != "" || resp.Status != want.status || want.length >= 0 && resp.ContentLength != want.length {
			t.Errorf("%s: %d, length %d, %q", path, resp.Status, resp.ContentLength, b)
		}
		if path == "/grpc" && (resp.Header.Get("Grpc-Status") != "12" || !resp.Stream) {
			t.Errorf("%+v", resp)
		}
	}
}

func TestOneConnectionServesManyAtOnce(t *testing.T) {
	var busy atomic.Int64
	all := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if busy.Add(1) == 50 {
			close(all)
		}
		<-all
		_, _ = w.Write([]byte(r.URL.Path))
	})
	p := newClient(t, o.addr)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			path := fmt.Sprintf("/%d", i)
			r := request("GET", "")
			resp, err := p.Do(r.Context, r, message.Outbound{Target: path})
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != path {
				t.Errorf("%q, %v", b, err)
			}
			_ = resp.Body.Close()
		})
	}
	wg.Wait()
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if st := p.Stats(); st.Dials != 1 || st.Reused != 49 || st.Errors != 0 {
		t.Errorf("%+v", st)
	}
}

func TestStreamsBeyondWhatATargetTakes(t *testing.T) {
	gate := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-gate
		}
	}, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1} })
	p := newClient(t, o.addr, func(c *Config) { c.MaxConnections, c.Queue = 2, 1 })
	read(t, do(t, p, request("GET", ""), "/")) // so that the target's settings are known
	var wg sync.WaitGroup
	get := func(path string) {
		r := request("GET", "")
		resp, err := p.Do(r.Context, r, message.Outbound{Target: path})
		if err != nil {
			t.Error(err)
			return
		}
		_ = resp.Body.Close()
	}
	for n := range 2 {
		wg.Go(func() { get("/hold") })
		testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Streams == int64(n+1) })
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return o.open.Load() == 2 })
	wg.Go(func() { get("/waits") })
	testenv.Eventually(t, 5*time.Second, func() bool { return p.Stats().Waiting == 1 })
	r := request("GET", "")
	_, err := p.Do(r.Context, r, message.Outbound{Target: "/"})
	wantFailure(t, err, message.ErrQueueFull)
	close(gate)
	wg.Wait()
	if st := p.Stats(); st.Waiting != 0 || o.accepted.Load() != 2 {
		t.Errorf("%+v, %d connections", st, o.accepted.Load())
	}
}

// Close of a response comes back at once, though a client holds its body back.
func TestCloseDoesNotWaitForTheClient(t *testing.T) {
	cancelled := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(cancelled)
	})
	p := newClient(t, o.addr)
	r, in := streamed("POST")
	resp := do(t, p, r, "/")
	_ = resp.Body.Close()
	<-cancelled
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body can be read")
	}
	_ = in.Close()
}

func TestABrokenRequestBody(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	p := newClient(t, o.addr)
	r, in := streamed("POST")
	go func() {
		_, _ = in.Write([]byte("a"))
		_ = in.CloseWithError(message.ErrSlow)
	}()
	_, err := p.Do(r.Context, r, message.Outbound{Target: "/"})
	if f := wantFailure(t, err, message.ErrRequestBody); !errors.Is(f, message.ErrSlow) || !f.Consumed {
		t.Errorf("%+v", f)
	}
	for _, body := range []string{"abc", "abcdef"} {
		r = request("POST", "")
		r.Body, r.ContentLength = io.MultiReader(strings.NewReader(body)), 5
		_, err = p.Do(r.Context, r, message.Outbound{Target: "/"})
		wantFailure(t, err, message.ErrRequestBody)
	}
}

func TestContinue(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(417)
			return
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	})
	p := newClient(t, o.addr, func(c *Config) { c.ContinueTimeout = time.Minute })
	for path, want := range map[string]bool{"/yes": true, "/no": false} {
		var asked atomic.Bool
		r := request("PUT", "")
		r.ExpectContinue, r.ContentLength = true, 5
		r.Body = readFunc(func(p []byte) (int, error) {
			asked.Store(true)
			return copy(p, "hello"), io.EOF
		})
		resp := do(t, p, r, path)
		if b := read(t, resp); asked.Load() != want || want && b != "hello" || !want && resp.Status != 417 {
			t.Errorf("%s: %d %q, asked for the body: %v", path, resp.Status, b, asked.Load())
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestEarlyHintsAreHandedOn(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		w.WriteHeader(200)
	})
	p := newClient(t, o.addr)
	r := request("GET", "")
	var got []string
	resp, err := p.Do(r.Context, r, message.Outbound{Target: "/", Informational: func(status int, h *message.Header) error {
		got = append(got, fmt.Sprint(status, h.Get("Link")))
		return nil
	}})
	if err != nil || resp.Status != 200 || strings.Join(got, ",") != "103</a>" {
		t.Fatalf("%v, %q", err, got)
	}
	_ = resp.Body.Close()
	_, err = p.Do(r.Context, request("GET", ""), message.Outbound{Target: "/", Informational: func(int, *message.Header) error { return io.ErrClosedPipe }})
	wantFailure(t, err, message.ErrAborted)
}
