package platform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Arrived is one whole request as it reached an Origin.
type Arrived struct {
	Raw            []byte // head and body, framing included
	Method, Target string
	Head           string // field lines, each with CRLF
	Body           []byte // without framing
}

// Field is the first value of a header field, or "".
func (a Arrived) Field(name string) string {
	for line := range strings.SplitSeq(a.Head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Catch is what reached an Origin in some time.
type Catch struct {
	Arrived []Arrived // whole requests
	Bytes   int       // all bytes, also of what was not whole
	Faults  []string  // what was not in canonical form
	Broken  []string  // requests that broke off
}

// Origin is a raw backend for hostile requests: it takes nothing but the canonical form of HTTP/1.1,
// records every byte, and answers with method and target.
type Origin struct {
	URL string

	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]*counted
	catch    Catch
	gate     int           // requests to wait for
	waiting  int           // requests that wait
	open     chan struct{} // closed when they are there
}

// NewOrigin starts an origin on a free port.
func NewOrigin() (*Origin, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &Origin{URL: "http://" + l.Addr().String(), listener: l, conns: map[net.Conn]*counted{}}
	o.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := &counted{Conn: c, o: o}
			o.mu.Lock()
			o.conns[c] = n
			o.mu.Unlock()
			o.work.Go(func() { o.serve(n) })
		}
	})
	return o, nil
}

// Close stops it.
func (o *Origin) Close() {
	_ = o.listener.Close()
	o.mu.Lock()
	for c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.work.Wait()
}

// Take returns what arrived since the last Take.
func (o *Origin) Take() Catch {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.catch
	o.catch = Catch{}
	return c
}

// Open is the number of open connections.
func (o *Origin) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// Settled tells whether every open connection stands between two requests.
func (o *Origin) Settled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		if c.pending > 0 {
			return false
		}
	}
	return true
}

// Hold keeps the answers of the next n requests back until all of them are there, so that each has a
// connection of its own. At most one may be under way.
func (o *Origin) Hold(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gate, o.waiting, o.open = n, 0, make(chan struct{})
}

// pass waits at the gate.
func (o *Origin) pass() {
	o.mu.Lock()
	open := o.open
	if open == nil {
		o.mu.Unlock()
		return
	}
	if o.waiting++; o.waiting == o.gate {
		close(open)
		o.open = nil
	}
	o.mu.Unlock()
	select {
	case <-open:
	case <-time.After(10 * time.Second): // those that are missing are missed by the test
	}
}

func (o *Origin) serve(c *counted) {
	defer func() {
		_ = c.Close()
		o.mu.Lock()
		delete(o.conns, c.Conn)
		o.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		a, err := readArrived(in)
		o.mu.Lock()
		switch {
		case err == io.EOF:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
			if len(a.Raw) > 0 { // a reset between two requests is an end like another
				o.catch.Broken = append(o.catch.Broken, fmt.Sprintf("%v after %q", err, a.Raw))
			}
		case err != nil:
			o.catch.Faults = append(o.catch.Faults, fmt.Sprintf("%v after %q", err, a.Raw))
		default:
			o.catch.Arrived = append(o.catch.Arrived, a)
			c.pending = in.Buffered()
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
		o.pass()
		said := a.Method + " " + a.Target
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(said))
		if a.Method == "HEAD" {
			said = ""
		}
		if _, err := io.WriteString(c, head+said); err != nil {
			return
		}
	}
}

type counted struct {
	net.Conn
	o       *Origin
	pending int // bytes of the request that has begun
}

// Read counts what comes.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.o.mu.Lock()
	c.o.catch.Bytes += n
	c.pending += n
	c.o.mu.Unlock()
	return n, err
}

// readArrived reads one request: CRLF alone, no white space around names, one framing. io.EOF where
// the connection ended between two requests.
func readArrived(in *bufio.Reader) (a Arrived, err error) {
	line := func() (string, error) {
		l, err := in.ReadBytes('\n')
		a.Raw = append(a.Raw, l...)
		if err != nil {
			return "", err
		}
		if len(l) < 2 || l[len(l)-2] != '\r' || bytes.Count(l, []byte("\r")) != 1 {
			return "", fmt.Errorf("line end in %q", l)
		}
		return string(l[:len(l)-2]), nil
	}
	first, err := line()
	if err != nil {
		if len(a.Raw) == 0 && err == io.EOF {
			return a, io.EOF
		}
		return a, fmt.Errorf("a broken-off request: %w", err)
	}
	part := strings.Split(first, " ")
	if len(part) != 3 || part[2] != "HTTP/1.1" {
		return a, fmt.Errorf("request line %q", first)
	}
	a.Method, a.Target = part[0], part[1]
	length, chunked := -1, false
	for {
		l, err := line()
		if err != nil {
			return a, fmt.Errorf("in the head: %w", err)
		}
		if l == "" {
			break
		}
		name, value, ok := strings.Cut(l, ": ")
		if !ok || strings.ContainsAny(name, " \t") {
			return a, fmt.Errorf("field line %q", l)
		}
		a.Head += l + "\r\n"
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.Atoi(value)
			if err != nil || length >= 0 || chunked {
				return a, fmt.Errorf("framing by %q", l)
			}
			length = n
		case "transfer-encoding":
			if value != "chunked" || length >= 0 || chunked {
				return a, fmt.Errorf("framing by %q", l)
			}
			chunked = true
		}
	}
	if chunked {
		return a, readChunks(in, line, &a)
	}
	return a, readBody(in, &a, max(length, 0))
}

func readBody(in *bufio.Reader, a *Arrived, length int) error {
	body := make([]byte, length)
	n, err := io.ReadFull(in, body)
	a.Raw = append(a.Raw, body[:n]...)
	a.Body = append(a.Body, body[:n]...)
	if err != nil {
		return fmt.Errorf("in the body: %w", err)
	}
	return nil
}

func readChunks(in *bufio.Reader, line func() (string, error), a *Arrived) error {
	for {
		l, err := line()
		if err != nil {
			return fmt.Errorf("at a chunk's size: %w", err)
		}
		size, err := strconv.ParseUint(l, 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size %q", l)
		}
		if size > 0 {
			if err := readBody(in, a, int(size)); err != nil {
				return err
			}
		}
		for {
			l, err := line()
			if err != nil {
				return fmt.Errorf("behind a chunk: %w", err)
			}
			if l == "" {
				break
			}
			if size > 0 {
				return fmt.Errorf("%q behind a chunk", l)
			}
		}
		if size == 0 {
			return nil
		}
	}
}
