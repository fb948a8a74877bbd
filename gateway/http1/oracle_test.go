package http1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
)

// FuzzSmuggling sends arbitrary bytes through server and pool to a raw origin.
// What arrives must be, request by request, what net/http takes the bytes for;
// and a request on another connection must get its own answer.
func FuzzSmuggling(f *testing.F) {
	for _, s := range []string{
		"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcdeGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGPOST / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a\n=b\r\na\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabcGET http://h/b HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	o := http1test.NewOrigin(f, http1test.Echo)
	r := newRig(f, o.Addr(), http1.ServerConfig{BodyGrace: time.Second}, http1.PoolConfig{})
	r.takes = func(target string) bool { // net/http refuses a bad escape, the engine leaves that to the router
		_, err := url.ParseRequestURI(target)
		return err == nil
	}
	probes := 0
	f.Fuzz(func(t *testing.T, words []byte) {
		in := http1test.Spell(words)
		before := len(o.Requests())
		c := http1test.Dial(t, r.addr)
		c.Send(string(in))
		c.CloseWrite()
		if _, ended := c.Rest(); !ended {
			t.Fatalf("%q: the connection does not end", in)
		}
		got := o.Requests()[before:]
		if err := http1test.Compare(http1test.Sent(in), got); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if faults := o.Faults(); len(faults) > 0 {
			t.Fatalf("%q: the origin got %q", in, faults)
		}
		probes++
		p := http1test.Dial(t, r.addr)
		path := fmt.Sprintf("/probe-%d", probes)
		p.Send("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if a := p.MustRead("GET"); a.Body != "GET "+path {
			t.Fatalf("%q: the probe got %+v", in, a)
		}
		p.Close()
		c.Close()
	})
}

// FuzzOrigin lets an origin answer with arbitrary bytes. The client must see a
// well-formed response, the same that net/http reads from the origin's bytes or a
// 502, or one that visibly breaks off; and the next request its own answer.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nabc", "HTTP/1.1 304 Not\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	var mu sync.Mutex
	var out []byte
	o := http1test.NewScripted(f, func(n int, c net.Conn, r *bufio.Reader) {
		for {
			q, err := http1test.ReadRequest(r)
			if err != nil {
				return
			}
			if q.Target != "/fuzz" {
				_, _ = io.WriteString(c, http1test.Echo(q))
				continue
			}
			mu.Lock()
			b := out
			mu.Unlock()
			if _, err := c.Write(b); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 2")) {
				return
			}
			_ = c.(*net.TCPConn).CloseWrite()
		}
	})
	r := newRig(f, o.Addr(), http1.ServerConfig{}, http1.PoolConfig{})
	probes := 0
	f.Fuzz(func(t *testing.T, words []byte) {
		in := http1test.Spell(words)
		mu.Lock()
		out = in
		mu.Unlock()
		c := http1test.Dial(t, r.addr)
		c.Send("POST /fuzz HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\na")
		if got, err := c.Read("POST"); err == nil && got.Status != 502 {
			if want, err := final(in); err != nil || want.Status != got.Status || want.Body != got.Body {
				t.Fatalf("%q: net/http reads %+v, %v, and the client got %+v", in, want, err, got)
			}
		}
		if rest, ended := c.Rest(); rest != "" || !ended {
			t.Fatalf("%q: the client got %q behind the response, ended %v", in, rest, ended)
		}
		c.Close()
		probes++
		p := http1test.Dial(t, r.addr)
		path := fmt.Sprintf("/probe-%d", probes)
		p.Send("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if a := p.MustRead("GET"); a.Body != "GET "+path {
			t.Fatalf("%q: the probe got %+v", in, a)
		}
		p.Close()
	})
}

// final is what net/http makes of a response behind informational ones.
func final(b []byte) (*http1test.Response, error) {
	r := bufio.NewReader(bytes.NewReader(b))
	for {
		h, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		if err != nil {
			return nil, err
		}
		if h.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(h.Body)
		return &http1test.Response{Status: h.StatusCode, Body: string(body)}, err
	}
}
