package http1_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// TestBodyIsWholeForAnotherTarget: after a failed try, Consumed tells whether the
// request can go elsewhere, and a small body is still there.
func TestBodyIsWholeForAnotherTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	silent := http1test.NewScripted(t, func(n int, c net.Conn, r *bufio.Reader) { _, _ = http1test.ReadRequest(r) })
	good := http1test.NewOrigin(t, func(q *http1test.Request) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(q.Body), q.Body)
	})
	big := strings.Repeat("b", 100_000)
	cases := []struct {
		name, first, body string
		sent, consumed    bool
		wrapped           bool // by a filter that looks at the body
	}{
		{"nobody listens", nobody, "abc", false, false, false},
		{"nobody listens, large body", nobody, big, false, false, false},
		{"no answer", silent.Addr(), "abc", true, false, false},
		{"no answer, large body", silent.Addr(), big, true, true, false},
		{"nobody listens, wrapped", nobody, "abc", false, false, true},
		{"no answer, wrapped", silent.Addr(), "abc", true, false, true},
		{"no answer, large body, wrapped", silent.Addr(), big, true, true, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			first := http1.NewPool(http1.PoolConfig{Address: tc.first})
			defer first.Close()
			second := &proxy{pool: http1.NewPool(http1.PoolConfig{Address: good.Addr()})}
			defer second.pool.Close()
			var got *message.Failure
			_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {
				if tc.wrapped {
					r.Body = looked{r.Body.(atHand)}
				}
				_, err := first.Do(r.Context, r, message.Outbound{Target: r.Target})
				if !errors.As(err, &got) || got.Consumed {
					answer(w, 502, 0, "")
					return
				}
				second.Serve(w, r)
			}), http1.ServerConfig{})
			c := http1test.Dial(t, addr)
			go c.Send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(tc.body), tc.body))
			a, err := c.Read("POST")
			if err != nil || got == nil || got.Sent != tc.sent || got.Consumed != tc.consumed {
				t.Fatalf("got %+v, %v after %+v", a, err, got)
			}
			if !tc.consumed && (a.Status != 200 || a.Body != tc.body) {
				t.Errorf("got %d with %d bytes", a.Status, len(a.Body))
			}
			if tc.consumed && a.Status != 502 {
				t.Errorf("got %d", a.Status)
			}
		})
	}
}

// atHand is what a wrapper of a request's body passes on.
type atHand interface {
	io.Reader
	Len() int
	Rewind(n int)
}

type looked struct{ atHand }

// TestBufferedBodies: a filter may put a reader of its own in the place of Body.
func TestBufferedBodies(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr()})
	defer p.Close()
	for name, tc := range map[string]struct {
		body   io.Reader
		length int64
		want   string
		kind   message.Kind
	}{
		"at hand":             {strings.NewReader("abc"), 3, "Content-Length: 3\r\n\r\nabc", 0},
		"streamed":            {io.MultiReader(strings.NewReader("ab"), strings.NewReader("c")), 3, "Content-Length: 3\r\n\r\nabc", 0},
		"unknown length":      {io.MultiReader(strings.NewReader("ab"), strings.NewReader("c")), -1, "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 0},
		"nothing, by a chunk": {strings.NewReader(""), -1, "chunked\r\n\r\n0\r\n\r\n", 0},
		"too short":           {strings.NewReader("ab"), 3, "", message.ErrRequestBody},
		"too long":            {strings.NewReader("abcd"), 3, "", message.ErrRequestBody},
		"breaks":              {io.MultiReader(strings.NewReader("a"), broken{}), 3, "", message.ErrRequestBody},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(o.Requests())
			r := &message.Request{Method: "PUT", Host: "h", Body: tc.body, ContentLength: tc.length, Context: t.Context()}
			resp, err := p.Do(t.Context(), r, message.Outbound{Target: "/"})
			if tc.kind != 0 {
				if message.KindOf(err) != tc.kind || len(o.Requests()) != before {
					t.Errorf("got %v, %d requests", err, len(o.Requests())-before)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if got := string(o.Requests()[before].Raw); !strings.HasSuffix(got, tc.want) {
				t.Errorf("the origin got %q, want %q at the end", got, tc.want)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestInformationalIsPassedOn(t *testing.T) {
	o := http1test.NewOrigin(t, func(q *http1test.Request) string {
		return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: x\r\n\r\n" + http1test.Echo(q)
	})
	r := newRig(t, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	c := http1test.Dial(t, r.addr)
	c.Send(get + "\r\n")
	for _, want := range []string{"HTTP/1.1 103 Early Hints\r\n", "Link: </x>\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"} {
		if l, err := c.Line(); l != want {
			t.Fatalf("got %q, %v; want %q", l, err, want)
		}
	}
}

// TestResponseIsDeadAfterClose: what is done with it later touches nobody else.
func TestResponseIsDeadAfterClose(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	p := http1.NewPool(http1.PoolConfig{Address: o.Addr()})
	defer p.Close()
	do := func(target string) *message.Response {
		r := &message.Request{Method: "GET", Host: "h", Body: message.NoBody, Context: t.Context()}
		resp, err := p.Do(t.Context(), r, message.Outbound{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	old := do("/old")
	_, _ = io.Copy(io.Discard, old.Body)
	_ = old.Body.Close()
	young := do("/young")
	_ = old.Body.Close()
	if n, err := old.Body.Read(make([]byte, 9)); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
	if b, err := io.ReadAll(young.Body); string(b) != "GET /young" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	_ = young.Body.Close()
	if o.Accepted() != 1 || p.Stats().Idle != 1 {
		t.Errorf("%d connections, stats %+v", o.Accepted(), p.Stats())
	}
}
