package http1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// counter makes ids that count.
func counter() (next func() string, last func() string) {
	var n atomic.Int64
	return func() string { return fmt.Sprintf("id%d", n.Add(1)) }, func() string { return fmt.Sprintf("id%d", n.Load()) }
}

// wantOwn checks an answer that the engine made itself.
func wantOwn(t *testing.T, got *http1test.Response, status int, code, id string) {
	t.Helper()
	var e struct {
		Status                   int
		Code, Message, RequestID string
	}
	if err := json.Unmarshal([]byte(got.Body), &e); err != nil {
		t.Fatalf("%q: %v", got.Body, err)
	}
	if got.Status != status || e.Status != status || e.Code != code || e.Message == "" || !got.Close {
		t.Errorf("%d %q, close %v; want %d %s", got.Status, got.Body, got.Close, status, code)
	}
	if e.RequestID != id || got.Header.Get("X-Request-Id") != id {
		t.Errorf("the id is %q in the body and %q in the head, want %q", e.RequestID, got.Header.Get("X-Request-Id"), id)
	}
	if d, err := http.ParseTime(got.Header.Get("Date")); err != nil || time.Since(d).Abs() > time.Minute {
		t.Errorf("Date %q", got.Header.Get("Date"))
	}
}

func TestRefusalsHaveAnIDAndAreCountedByCode(t *testing.T) {
	cases := []struct {
		in     string
		status int
		code   string
	}{
		{"GET / HTTP/1.1\r\n\r\n", 400, wire.CodeMalformed},
		{"GET / HTTP/1.1\nHost: h\n\n", 400, wire.CodeMalformed},
		{"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405, wire.CodeMethod},
		{"GET / HTT", 408, wire.CodeTimeout},
		{"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, wire.CodeLineTooLong},
		{get + "Expect: more\r\n\r\n", 417, wire.CodeExpectation},
		{get + strings.Repeat("X: y\r\n", 200) + "\r\n", 431, wire.CodeHeadTooLarge},
		{"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, wire.CodeVersion},
	}
	newID, last := counter()
	told := make(chan string, len(cases))
	s, addr := serve(t, handler(func(w message.Writer, r *message.Request) { answer(w, 200, 2, "ok") }),
		http1.ServerConfig{HeaderTimeout: 300 * time.Millisecond, NewID: newID, Refused: func(status int, code, id string, peer netip.Addr) {
			told <- fmt.Sprint(status, " ", code, " ", id, " ", peer)
		}})
	want := map[string]uint64{}
	for _, tc := range cases {
		c := http1test.Dial(t, addr)
		c.Send(tc.in)
		got := c.MustRead("GET")
		wantOwn(t, got, tc.status, tc.code, last())
		if got, want := <-told, fmt.Sprint(tc.status, " ", tc.code, " ", last(), " 127.0.0.1"); got != want {
			t.Errorf("told of %q, want %q", got, want)
		}
		if allow := got.Header.Get("Allow"); (allow != "") != (tc.status == 405) {
			t.Errorf("%d with Allow %q", tc.status, allow)
		}
		want[tc.code]++
	}
	for _, code := range wire.Codes() {
		if want[code] == 0 {
			t.Errorf("%s is not tried", code)
		}
	}
	st := s.Stats()
	if !maps.Equal(st.Refused, want) || st.Malformed != uint64(len(cases)) || st.Requests != 0 {
		t.Errorf("counted %+v, want %v", st, want)
	}
}

func TestAnswersOfTheEngineHaveAnID(t *testing.T) {
	newID, last := counter()
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) { panic("x") }), http1.ServerConfig{NewID: newID})
	c := http1test.Dial(t, addr)
	c.Send(get + "\r\n")
	wantOwn(t, c.MustRead("GET"), 500, "gateway.internal", last())
}

func TestWithoutAMakerAnswersHaveNoID(t *testing.T) {
	_, addr := serve(t, handler(func(w message.Writer, r *message.Request) {}), http1.ServerConfig{})
	for in, want := range map[string]struct {
		status int
		code   string
	}{"GET / HTTP/1.1\r\n\r\n": {400, wire.CodeMalformed}, get + "\r\n": {500, "gateway.internal"}} {
		c := http1test.Dial(t, addr)
		c.Send(in)
		got := c.MustRead("GET")
		wantOwn(t, got, want.status, want.code, "")
		if strings.Contains(got.Body, "requestId") || got.Header.Values("X-Request-Id") != nil {
			t.Errorf("%+v", got)
		}
	}
}
