// Package http1test holds the other ends of the wire for tests: a raw origin that
// records the exact bytes that reach it, a raw client that sends whatever it is
// told, and an oracle that compares what a client sent with what an origin got.
// None of it shares code with package http1.
package http1test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Request is one request as it reached an Origin.
type Request struct {
	Conn   int    // number of the connection, from 0
	Raw    []byte // head and body, framing included
	Method string
	Target string
	Head   string // field lines with CRLF, without the request line and the empty line
	Body   []byte // without framing
}

// Field returns the first value of a field, or "".
func (r *Request) Field(name string) string {
	for l := range strings.SplitSeq(r.Head, "\r\n") {
		if n, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Origin is a raw server. It reads requests with a parser that takes nothing but
// the canonical form, and records all bytes.
type Origin struct {
	l      net.Listener
	answer func(*Request) string

	mu       sync.Mutex
	conns    map[net.Conn]int
	count    int
	requests []*Request
	faults   []string
	partial  int
	wg       sync.WaitGroup
}

// Echo answers with the method and target as the body.
func Echo(r *Request) string {
	body := r.Method + " " + r.Target
	if r.Method == "HEAD" {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// NewOrigin starts an origin on a free port of the loopback that answers each
// request with answer's bytes; an empty answer closes the connection. It stops
// with the test.
func NewOrigin(t testing.TB, answer func(*Request) string) *Origin {
	o := &Origin{answer: answer, conns: make(map[net.Conn]int)}
	o.start(t, o.serve)
	return o
}

// NewScripted starts an origin that hands each connection to script, which owns
// it; it is closed behind script.
func NewScripted(t testing.TB, script func(n int, c net.Conn, r *bufio.Reader)) *Origin {
	o := &Origin{conns: make(map[net.Conn]int)}
	o.start(t, func(n int, c net.Conn) { script(n, c, bufio.NewReader(c)) })
	return o
}

func (o *Origin) start(t testing.TB, serve func(int, net.Conn)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.l = l
	o.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			n := o.count
			o.count++
			o.conns[c] = n
			o.mu.Unlock()
			o.wg.Go(func() {
				defer func() {
					_ = c.Close()
					o.mu.Lock()
					delete(o.conns, c)
					o.mu.Unlock()
				}()
				serve(n, c)
			})
		}
	})
	t.Cleanup(o.Close)
}

// Close stops the origin and waits for its goroutines.
func (o *Origin) Close() {
	_ = o.l.Close()
	o.CloseConns()
	o.wg.Wait()
}

// CloseConns closes every open connection.
func (o *Origin) CloseConns() {
	o.mu.Lock()
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
}

// Addr is "host:port".
func (o *Origin) Addr() string { return o.l.Addr().String() }

// Requests returns the whole requests so far.
func (o *Origin) Requests() []*Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*Request(nil), o.requests...)
}

// Open is the number of open connections; Accepted that of all so far.
func (o *Origin) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// Accepted is the number of connections so far.
func (o *Origin) Accepted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count
}

// Partial is the number of requests that broke off.
func (o *Origin) Partial() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.partial
}

// Faults returns what reached the origin and was not in canonical form.
func (o *Origin) Faults() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.faults...)
}

func (o *Origin) serve(n int, c net.Conn) {
	r := bufio.NewReader(c)
	for {
		q, err := ReadRequest(r)
		o.mu.Lock()
		if err != nil {
			if f, ok := err.(fault); ok {
				o.faults = append(o.faults, string(f))
			} else if q != nil && len(q.Raw) > 0 {
				o.partial++
			}
			o.mu.Unlock()
			return
		}
		q.Conn = n
		o.requests = append(o.requests, q)
		o.mu.Unlock()
		a := o.answer(q)
		if a == "" {
			return
		}
		if _, err := io.WriteString(c, a); err != nil {
			return
		}
	}
}

type fault string

func (f fault) Error() string { return string(f) }

// ReadRequest reads one request in canonical form: CRLF alone, no white space
// around names, one framing. On an error it returns what had come.
func ReadRequest(r *bufio.Reader) (*Request, error) {
	q := new(Request)
	line := func() (string, error) {
		l, err := r.ReadBytes('\n')
		q.Raw = append(q.Raw, l...)
		if err != nil {
			return "", err
		}
		if len(l) < 2 || l[len(l)-2] != '\r' || bytes.Count(l, []byte("\r")) != 1 {
			return "", fault(fmt.Sprintf("line end in %q", l))
		}
		return string(l[:len(l)-2]), nil
	}
	l, err := line()
	if err != nil {
		return q, err
	}
	p := strings.Split(l, " ")
	if len(p) != 3 || p[2] != "HTTP/1.1" {
		return q, fault(fmt.Sprintf("request line %q", l))
	}
	q.Method, q.Target = p[0], p[1]
	length, chunked := -1, false
	for {
		l, err := line()
		if err != nil {
			return q, err
		}
		if l == "" {
			break
		}
		n, v, ok := strings.Cut(l, ": ")
		if !ok || strings.ContainsAny(n, " \t") {
			return q, fault(fmt.Sprintf("field line %q", l))
		}
		q.Head += l + "\r\n"
		switch strings.ToLower(n) {
		case "content-length":
			x, err := strconv.Atoi(v)
			if err != nil || length >= 0 || chunked {
				return q, fault("framing by " + l)
			}
			length = x
		case "transfer-encoding":
			if v != "chunked" || chunked || length >= 0 {
				return q, fault("framing by " + l)
			}
			chunked = true
		}
	}
	if !chunked {
		return q, q.read(r, max(length, 0))
	}
	for {
		l, err := line()
		if err != nil {
			return q, err
		}
		n, err := strconv.ParseUint(l, 16, 31)
		if err != nil {
			return q, fault(fmt.Sprintf("chunk size %q", l))
		}
		if n == 0 {
			for l != "" {
				if l, err = line(); err != nil {
					return q, err
				}
			}
			return q, nil
		}
		if err := q.read(r, int(n)); err != nil {
			return q, err
		}
		if l, err := line(); err != nil || l != "" {
			return q, fault(fmt.Sprintf("chunk end %q, %v", l, err))
		}
	}
}

func (q *Request) read(r io.Reader, n int) error {
	b := make([]byte, n)
	m, err := io.ReadFull(r, b)
	q.Raw = append(q.Raw, b[:m]...)
	q.Body = append(q.Body, b[:m]...)
	return err
}
