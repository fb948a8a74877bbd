package messagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

func requests(t *testing.T, start New) {
	long := strings.Repeat("0123456789abcdef", 20000)
	for _, tc := range []struct {
		name, method, path string
		body               io.Reader
		fields             []string
		length             int64
		want               string
		trailer            string
	}{
		{name: "no body", method: "GET", path: "/a/%2e/b?x=1&y=%20"},
		{name: "no query", method: "DELETE", path: "/"},
		{name: "an empty query", method: "GET", path: "/a?"},
		{name: "a method of its own", method: "PuRGE", path: "/a"},
		{name: "length", method: "POST", path: "/", body: strings.NewReader("abc"), length: 3, want: "abc"},
		{name: "no length", method: "PUT", path: "/", body: text("abc"), length: -1, want: "abc"},
		{name: "long", method: "POST", path: "/", body: strings.NewReader(long), length: int64(len(long)), want: long},
		{name: "long, no length", method: "POST", path: "/", body: text(long), length: -1, want: long},
		{name: "trailers", method: "POST", path: "/", body: text("abc"), length: -1, want: "abc", trailer: "1"},
		{name: "expects 100", method: "POST", path: "/", body: strings.NewReader("abc"), length: 3, want: "abc", fields: []string{"Expect", "100-continue"}},
		{name: "fields", method: "GET", path: "/", fields: []string{"X-A", "1", "X-A", "2", "Cookie", "a=1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, Func(func(w message.Writer, r *message.Request) {
				path, query, has := strings.Cut(tc.path, "?")
				if r.Method != tc.method || r.Path != path || r.Query != query || r.HasQuery != has || r.Target != tc.path {
					t.Errorf("%s %q: %q %q %v", r.Method, r.Target, r.Path, r.Query, r.HasQuery)
				}
				if !strings.HasPrefix(r.Host, "127.0.0.1:") || r.Header.Get("Host") != r.Host || r.Scheme != "http" || r.TLS != nil {
					t.Errorf("host %q, %q, scheme %q", r.Host, r.Header.Get("Host"), r.Scheme)
				}
				if !r.Remote.Addr().IsLoopback() || r.Local.Port() == 0 || r.Context == nil || r.Context.Err() != nil {
					t.Errorf("from %v to %v", r.Remote, r.Local)
				}
				for i := 0; i < len(tc.fields); i += 2 {
					found := tc.fields[i] == "Expect" // is the engine's
					for v := range r.Header.Values(tc.fields[i]) {
						found = found || v == tc.fields[i+1]
					}
					if !found {
						t.Errorf("no field %s: %s", tc.fields[i], tc.fields[i+1])
					}
				}
				body := r.Body
				b, err := io.ReadAll(body)
				if string(b) != tc.want || err != nil || r.ContentLength != tc.length {
					t.Errorf("length %d, body of %d bytes, %v", r.ContentLength, len(b), err)
				}
				if n, ok := body.(interface{ Received() int64 }); tc.want != "" && (!ok || n.Received() != int64(len(b))) {
					t.Errorf("the body does not say what was received")
				}
				sum := ""
				if r.Trailer != nil {
					sum = r.Trailer.Get("x-sum")
				}
				if sum != tc.trailer {
					t.Errorf("trailer %q", sum)
				}
				if err := whole(w, "ok"); err != nil {
					t.Error(err)
				}
			}))
			r, err := http.NewRequestWithContext(t.Context(), tc.method, s.URL+tc.path, tc.body)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(tc.fields); i += 2 {
				r.Header.Add(tc.fields[i], tc.fields[i+1])
			}
			if tc.trailer != "" {
				r.Trailer = http.Header{"X-Sum": {tc.trailer}}
			}
			got, err := s.do(t, r)
			if err != nil || got.body != "ok" {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
}

func streams(t *testing.T, start New) {
	t.Run("flushed bytes come at once", func(t *testing.T) {
		next := make(chan struct{})
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(head(200, -1))
			for i := range 3 {
				_, _ = fmt.Fprintf(w, "part %d", i)
				if err := w.Flush(); err != nil {
					t.Error(err)
				}
				await(t, r, next)
			}
			_ = w.Finish(nil)
		}))
		resp := open(t, s, nil)
		b := make([]byte, 6)
		for i := range 3 {
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != fmt.Sprint("part ", i) {
				t.Fatalf("%q %v", b, err)
			}
			next <- struct{}{}
		}
		if _, err := resp.Body.Read(b); !errors.Is(err, io.EOF) {
			t.Errorf("the end: %v", err)
		}
	})
	t.Run("a flushed head comes before the body", func(t *testing.T) {
		next := make(chan struct{})
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			_ = w.WriteHead(head(200, -1))
			_ = w.Flush()
			await(t, r, next)
			_, _ = io.WriteString(w, "ok")
			_ = w.Finish(nil)
		}))
		resp := open(t, s, nil)
		close(next)
		if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
			t.Errorf("%q %v", b, err)
		}
	})
	t.Run("the context ends when the client leaves", func(t *testing.T) {
		at, seen := make(chan struct{}), make(chan bool, 1)
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			close(at)
			select {
			case <-r.Context.Done():
				seen <- r.Abort == nil || r.Abort.Fired()
			case <-time.After(wait):
				seen <- false
			}
			w.Fail()
		}))
		leave(t, s, at)
		if !<-seen {
			t.Error("it did not")
		}
	})
}

func bodies(t *testing.T, start New) {
	t.Run("a body that nobody reads does not hold the answer back", func(t *testing.T) {
		s := start(t, Func(func(w message.Writer, _ *message.Request) { _ = whole(w, "ok") }))
		for range 3 {
			if got := s.send(t, "POST", "/", strings.NewReader("unread")); got.body != "ok" {
				t.Errorf("%q", got.body)
			}
		}
	})
	t.Run("both ways at once", func(t *testing.T) {
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			if r.Major == 1 {
				_, _ = io.ReadAll(r.Body) // HTTP/1.1 clients write first
			}
			_ = w.WriteHead(head(200, -1))
			_ = w.Flush()
			b := make([]byte, 100)
			for {
				n, err := r.Body.Read(b)
				_, _ = w.Write(b[:n])
				_ = w.Flush()
				if err != nil {
					break
				}
			}
			_ = w.Finish(nil)
		}))
		if s.Major == 1 {
			return
		}
		pr, pw := io.Pipe()
		resp := open(t, s, pr)
		b := make([]byte, 4)
		for i := range 5 {
			_, _ = fmt.Fprintf(pw, "%04d", i)
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != fmt.Sprintf("%04d", i) {
				t.Fatalf("%q %v", b, err)
			}
		}
		_ = pw.Close()
		if _, err := resp.Body.Read(b); !errors.Is(err, io.EOF) {
			t.Errorf("the end: %v", err)
		}
	})
	t.Run("a body is over with its exchange", func(t *testing.T) {
		var late sync.WaitGroup
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			body := r.Body
			reading := make(chan struct{})
			late.Go(func() {
				close(reading)
				if _, err := io.ReadAll(body); err == nil {
					t.Error("it was read to its end")
				}
			})
			<-reading
			_ = whole(w, "ok")
		}))
		pr, pw := io.Pipe()
		go func() { _, _ = io.WriteString(pw, "begin") }()
		resp := open(t, s, pr)
		b, _ := io.ReadAll(resp.Body)
		late.Wait()
		_ = pw.Close()
		if string(b) != "ok" {
			t.Errorf("%q", b)
		}
	})
}

func crowd(t *testing.T, start New) {
	t.Run("many at once", func(t *testing.T) {
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			b, _ := io.ReadAll(r.Body)
			_ = whole(w, r.Path+string(b))
		}))
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				for j := range 10 {
					body := strings.Repeat("b", 1000*i+j)
					if got := s.send(t, "POST", fmt.Sprint("/", i, "-", j), strings.NewReader(body)); got.body != fmt.Sprint("/", i, "-", j)+body {
						t.Errorf("%d-%d: %d bytes", i, j, len(got.body))
					}
				}
			})
		}
		all.Wait()
	})
}

func await(t *testing.T, r *message.Request, c <-chan struct{}) {
	select {
	case <-c:
	case <-r.Context.Done():
		t.Error("the client left")
	case <-time.After(wait):
		t.Error("the test did not go on")
	}
}

// open makes a request and returns the response with its head read.
func open(t *testing.T, s Server, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// leave makes a request and abandons it once it is in work.
func leave(t *testing.T, s Server, at <-chan struct{}) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-at
		stop()
	}()
	if resp, err := s.Client.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("an answer came")
	}
}
