// Package messagetest is the contract of message.Handler and message.Writer as a
// test suite: every engine that serves clients runs it, so that a handler need not
// know which one it is behind.
package messagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// wait bounds everything that a test waits for.
const wait = 10 * time.Second

// Server is an engine under test. It ends with the test.
type Server struct {
	URL    string       // "http://127.0.0.1:port"
	Client *http.Client // speaks the version that the engine is tested with
	Major  int          // that version
}

// New starts an engine with the handler. Request ids must be "id".
type New func(t *testing.T, h message.Handler) Server

// Func is a function as a message.Handler.
type Func func(w message.Writer, r *message.Request)

// Serve calls f.
func (f Func) Serve(w message.Writer, r *message.Request) { f(w, r) }

// Run runs the contract.
func Run(t *testing.T, start New) {
	t.Run("responses", func(t *testing.T) { responses(t, start) })
	t.Run("requests", func(t *testing.T) { requests(t, start) })
	t.Run("writer", func(t *testing.T) { writers(t, start) })
	t.Run("ends", func(t *testing.T) { ends(t, start) })
	t.Run("informational", func(t *testing.T) { informational(t, start) })
	t.Run("recovery", func(t *testing.T) { recovery(t, start) })
	t.Run("streams", func(t *testing.T) { streams(t, start) })
	t.Run("bodies", func(t *testing.T) { bodies(t, start) })
	t.Run("crowd", func(t *testing.T) { crowd(t, start) })
}

// reply is what a client got.
type reply struct {
	*http.Response
	body string
	err  error // of the body
}

func (s *Server) do(t *testing.T, r *http.Request) (*reply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	resp, err := s.Client.Do(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return &reply{resp, string(b), err}, nil
}

// send makes a request that must be answered.
func (s *Server) send(t *testing.T, method, path string, body io.Reader, fields ...string) *reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	got, err := s.do(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if got.ProtoMajor != s.Major {
		t.Fatalf("the answer came by HTTP/%d", got.ProtoMajor)
	}
	return got
}

// header makes a header of names and values.
func header(fields ...string) *message.Header {
	h := new(message.Header)
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return h
}

func head(status int, length int64, fields ...string) *message.Response {
	return &message.Response{Status: status, ContentLength: length, Header: *header(fields...)}
}

// response is what a handler writes and what the client must get.
type response struct {
	name, method string
	head         *message.Response
	body         string
	trailer      *message.Header
	want         string // the body
	length       int64
	has          []string // "Name: value, value"
	hasNot       []string
	trailers     []string
}

func responses(t *testing.T, start New) {
	long := strings.Repeat("0123456789abcdef", 20000)
	for _, tc := range []response{
		{name: "length", head: head(200, 3), body: "abc", want: "abc", length: 3},
		{name: "no length", head: head(200, -1), body: "abc", want: "abc", length: -2},
		{name: "empty", head: head(200, 0), length: 0},
		{name: "long, length", head: head(200, int64(len(long))), body: long, want: long, length: int64(len(long))},
		{name: "long, no length", head: head(200, -1), body: long, want: long, length: -1},
		{name: "HEAD", method: "HEAD", head: head(200, 3), body: "abc", length: 3},
		{name: "HEAD, no length", method: "HEAD", head: head(200, -1), body: "abc", length: -1},
		{name: "204", head: head(204, 0), body: "abc", length: 0, hasNot: []string{"Content-Length"}},
		{name: "304", head: head(304, 5, "Etag", `"x"`), body: "abc", length: -2, has: []string{`Etag: "x"`}},
		{name: "205", head: head(205, -1), length: 0},
		{name: "status of no meaning", head: head(799, 1), body: "a", want: "a", length: 1},
		{
			name: "fields of one name keep their order", head: head(200, 0, "Set-Cookie", "a=1", "X-Other", "o", "Set-Cookie", "b=2", "set-cookie", "c=3"),
			has: []string{"Set-Cookie: a=1, b=2, c=3", "X-Other: o"},
		},
		{
			name: "framing and connection fields are the writer's", head: head(200, 1, "Content-Length", "99", "Transfer-Encoding", "gzip", "Connection", "X-A",
				"Keep-Alive", "timeout=1", "Upgrade", "h2c", "Trailer", "X-B", "Proxy-Connection", "x", "X-A", "stays"), body: "a", want: "a", length: 1,
			has: []string{"X-A: stays"}, hasNot: []string{"Transfer-Encoding", "Keep-Alive", "Upgrade", "Trailer", "Proxy-Connection"},
		},
		{name: "no type is guessed", head: head(200, 6), body: "<html>", want: "<html>", length: 6, hasNot: []string{"Content-Type"}},
		{name: "a Date of its own", head: head(200, 0, "Date", "Mon, 01 Jan 2024 00:00:00 GMT"), has: []string{"Date: Mon, 01 Jan 2024 00:00:00 GMT"}},
		{
			name: "trailers", head: head(200, -1), body: "abc", want: "abc", length: -1, trailer: header("Grpc-Status", "0", "X-Sum", "1", "X-Sum", "2"),
			trailers: []string{"Grpc-Status: 0", "X-Sum: 1, 2"},
		},
		{name: "trailers behind no body", head: head(200, -1), length: -1, trailer: header("Grpc-Status", "5"), trailers: []string{"Grpc-Status: 5"}},
		{name: "trailers behind a long body", head: head(200, -1), body: long, want: long, length: -1, trailer: header("X-Sum", "1"), trailers: []string{"X-Sum: 1"}},
		{
			name: "fields that belong in the head are no trailers", head: head(200, -1), body: "abc", want: "abc", length: -1,
			trailer: header("Content-Type", "x", "X-Sum", "1", "Set-Cookie", "a"), trailers: []string{"X-Sum: 1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, start) })
	}
}

func (tc response) run(t *testing.T, start New) {
	s := start(t, Func(func(w message.Writer, _ *message.Request) {
		if err := w.WriteHead(tc.head); err != nil {
			t.Errorf("head: %v", err)
		}
		for p := range slices.Chunk([]byte(tc.body), 30000) {
			if _, err := w.Write(p); err != nil {
				t.Errorf("write: %v", err)
			}
		}
		if err := w.Finish(tc.trailer); err != nil {
			t.Errorf("finish: %v", err)
		}
		if want := int64(len(tc.want)); w.Sent() != want || !w.HeadWritten() {
			t.Errorf("sent %d, want %d", w.Sent(), want)
		}
	}))
	method := tc.method
	if method == "" {
		method = "GET"
	}
	got := s.send(t, method, "/", nil)
	if got.StatusCode != tc.head.Status || got.body != tc.want || got.err != nil {
		t.Errorf("status %d, body of %d bytes, %v", got.StatusCode, len(got.body), got.err)
	}
	if tc.length != -2 && got.ContentLength != tc.length {
		t.Errorf("length %d, want %d", got.ContentLength, tc.length)
	}
	if got.Header.Get("Date") == "" {
		t.Error("no Date")
	}
	compare(t, "field", got.Header, tc.has)
	compare(t, "trailer", got.Trailer, tc.trailers)
	if len(got.Trailer) != len(tc.trailers) {
		t.Errorf("trailers %v", got.Trailer)
	}
	lacks(t, got.Header, tc.hasNot)
}

func compare(t *testing.T, what string, h http.Header, want []string) {
	t.Helper()
	for _, w := range want {
		n, v, _ := strings.Cut(w, ": ")
		if got := strings.Join(h[n], ", "); got != v {
			t.Errorf("%s %s is %q, want %q", what, n, got, v)
		}
	}
}

func lacks(t *testing.T, h http.Header, names []string) {
	t.Helper()
	for _, n := range names {
		if v, ok := h[n]; ok {
			t.Errorf("%s is there: %q", n, v)
		}
	}
}

// refusal is the JSON document of an engine's own answer.
type refusal struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

func isRefusal(t *testing.T, got *reply, status int, code string) {
	t.Helper()
	var r refusal
	if err := json.NewDecoder(strings.NewReader(got.body)).Decode(&r); err != nil {
		t.Fatalf("body %q: %v", got.body, err)
	}
	if got.StatusCode != status || r.Status != status || r.Code != code || r.Message == "" || r.RequestID != "id" ||
		got.Header.Get("X-Request-Id") != "id" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %+v, %v", got.StatusCode, r, got.Header)
	}
}

func ends(t *testing.T, start New) {
	for _, tc := range []struct {
		name string
		do   func(w message.Writer)
	}{
		{"not answered", func(message.Writer) {}},
		{"a panic", func(message.Writer) { panic("of the handler") }},
		{"a head that was taken back", func(w message.Writer) {
			_ = w.WriteHead(head(200, 3))
			w.Discard()
		}},
	} {
		t.Run(tc.name+" is a 500", func(t *testing.T) {
			s := start(t, Func(func(w message.Writer, _ *message.Request) { tc.do(w) }))
			isRefusal(t, s.send(t, "GET", "/", nil), 500, "gateway.internal")
		})
	}
	part := strings.Repeat("x", 100000)
	for _, tc := range []struct {
		name string
		do   func(w message.Writer)
	}{
		{"given up before the head", func(w message.Writer) { w.Fail() }},
		{"given up behind the head", func(w message.Writer) {
			_ = w.WriteHead(head(200, -1))
			_ = w.Flush()
			w.Fail()
		}},
		{"given up inside the body", func(w message.Writer) {
			_ = w.WriteHead(head(200, 200000))
			_, _ = io.WriteString(w, part)
			w.Fail()
		}},
		{"shorter than its length", func(w message.Writer) {
			_ = w.WriteHead(head(200, 200000))
			_, _ = io.WriteString(w, part)
			if w.Finish(nil) == nil {
				panic("a body that is too short is finished")
			}
		}},
		{"not finished", func(w message.Writer) {
			_ = w.WriteHead(head(200, -1))
			_, _ = io.WriteString(w, part)
		}},
		{"a panic inside the body", func(w message.Writer) {
			_ = w.WriteHead(head(200, -1))
			_, _ = io.WriteString(w, part)
			panic("of the handler")
		}},
	} {
		t.Run(tc.name+" is seen by the client", func(t *testing.T) {
			s := start(t, Func(func(w message.Writer, _ *message.Request) { tc.do(w) }))
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, nil) // not tried again
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.do(t, r); err == nil && got.err == nil {
				t.Errorf("a whole response came: %d, %d bytes", got.StatusCode, len(got.body))
			}
		})
	}
}

func recovery(t *testing.T, start New) {
	t.Run("after a response that was given up the next is served", func(t *testing.T) {
		s := start(t, Func(func(w message.Writer, r *message.Request) {
			if r.Path == "/bad" {
				w.Fail()
				return
			}
			_ = w.WriteHead(head(200, 2))
			_, _ = io.WriteString(w, "ok")
			_ = w.Finish(nil)
		}))
		for range 3 {
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/bad", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.do(t, r); err == nil {
				t.Error("an answer came")
			}
			if got := s.send(t, "GET", "/", nil); got.body != "ok" {
				t.Errorf("body %q", got.body)
			}
		}
	})
}

// call is a way to use a Writer that ends with the response "ok".
type call struct {
	name string
	do   func(w message.Writer) error
}

// refusedCalls are those with a call that must be refused.
func refusedCalls() []call {
	return []call{
		{"a head with a line end in a field can be replaced", func(w message.Writer) error {
			if w.WriteHead(head(200, 1, "X-A", "a\r\nEvil: b")) == nil || w.HeadWritten() {
				return fmt.Errorf("it was taken")
			}
			return whole(w, "ok", "X-B", "b")
		}},
		{"a status below 200 or above 999 is refused", func(w message.Writer) error {
			for _, n := range []int{0, 99, 103, 199, 1000} {
				if w.WriteHead(head(n, 0)) == nil {
					return fmt.Errorf("%d was taken", n)
				}
			}
			return whole(w, "ok")
		}},
		{"101 without a wish for it is refused", func(w message.Writer) error {
			if w.WriteHead(head(101, 0, "Upgrade", "x")) == nil {
				return fmt.Errorf("it was taken")
			}
			if _, _, err := w.Hijack(); err == nil {
				return fmt.Errorf("the connection was given away")
			}
			return whole(w, "ok")
		}},
		{"a second head is refused", func(w message.Writer) error {
			_ = w.WriteHead(head(200, 2))
			if w.WriteHead(head(404, 0)) == nil {
				return fmt.Errorf("it was taken")
			}
			_, _ = io.WriteString(w, "ok")
			return w.Finish(nil)
		}},
		{"body bytes without a head are refused", func(w message.Writer) error {
			if _, err := io.WriteString(w, "x"); err == nil || w.HeadWritten() {
				return fmt.Errorf("they were taken")
			}
			if w.Finish(nil) == nil {
				return fmt.Errorf("it was finished")
			}
			return whole(w, "ok")
		}},
		{"more than the length is refused", func(w message.Writer) error {
			_ = w.WriteHead(head(200, 2))
			if _, err := io.WriteString(w, "abc"); err == nil {
				return fmt.Errorf("they were taken")
			}
			_, _ = io.WriteString(w, "ok")
			if _, err := io.WriteString(w, "x"); err == nil || w.Sent() != 2 {
				return fmt.Errorf("one more was taken")
			}
			return w.Finish(nil)
		}},
	}
}

// takenBack are those about Discard and the end.
func takenBack() []call {
	return []call{
		{"a head and what stands behind it can be taken back", func(w message.Writer) error {
			if w.Discard() {
				return fmt.Errorf("nothing was taken back")
			}
			_ = w.WriteHead(head(200, 1000, "X-A", "a", "Content-Type", "text/x"))
			_, _ = io.WriteString(w, "to be forgotten")
			if !w.Discard() || w.HeadWritten() || w.Sent() != 0 {
				return fmt.Errorf("it was not")
			}
			return whole(w, "ok")
		}},
		{"what was sent cannot be taken back", func(w message.Writer) error {
			_ = w.WriteHead(head(200, 2))
			_, _ = io.WriteString(w, "o")
			_ = w.Flush()
			if w.Discard() || !w.HeadWritten() {
				return fmt.Errorf("it was")
			}
			_, _ = io.WriteString(w, "k")
			return w.Finish(nil)
		}},
		{"what is finished is finished", func(w message.Writer) error {
			err := whole(w, "ok")
			if w.Discard() || w.Finish(nil) != nil {
				return fmt.Errorf("it is not")
			}
			return err
		}},
	}
}

func writers(t *testing.T, start New) {
	for _, tc := range append(refusedCalls(), takenBack()...) {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, Func(func(w message.Writer, _ *message.Request) {
				if err := tc.do(w); err != nil {
					t.Error(err)
				}
			}))
			got := s.send(t, "GET", "/", nil)
			if got.body != "ok" || got.err != nil || got.StatusCode != 200 || got.Header["X-A"] != nil || got.Header["Content-Type"] != nil {
				t.Errorf("%d %q %v %v", got.StatusCode, got.body, got.err, got.Header)
			}
		})
	}
}

func informational(t *testing.T, start New) {
	t.Run("informational heads come first", func(t *testing.T) {
		s := start(t, Func(func(w message.Writer, _ *message.Request) {
			_ = w.Informational(102, nil)
			_ = w.Informational(103, header("Link", "</a>", "Link", "</b>", "Connection", "x"))
			_ = w.Informational(101, nil)
			if err := whole(w, "ok"); err != nil {
				t.Error(err)
			}
			if w.Informational(103, nil) == nil {
				t.Error("one was taken behind the head")
			}
		}))
		var seen []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			seen = append(seen, fmt.Sprint(code, h["Link"], len(h)))
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.do(t, r)
		if err != nil || got.body != "ok" || got.Header["Link"] != nil || fmt.Sprint(seen) != "[102 [] 0 103 [</a> </b>] 1]" {
			t.Errorf("%v %+v %v", err, got, seen)
		}
	})
}

// whole writes a response.
func whole(w message.Writer, body string, fields ...string) error {
	if err := w.WriteHead(head(200, int64(len(body)), fields...)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	return w.Finish(nil)
}

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

func text(s string) io.Reader { return plain{bytes.NewReader([]byte(s))} }
