package http1test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// wait bounds the silence in every read of a Client: a test that hangs says where, and
// one that is slow because the machine is busy goes on.
const wait = 10 * time.Second

// Client is one raw connection to a server.
type Client struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

// Response is one response as a Client got it.
type Response struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    string
	Close   bool // the server says that it closes
}

// Dial connects to addr; the connection is closed with the test.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return Use(t, c)
}

// Use makes a client of a connection, which is closed with the test.
func Use(t testing.TB, c net.Conn) *Client {
	t.Cleanup(func() { _ = c.Close() })
	return &Client{t: t, c: c, r: bufio.NewReader(patient{c})}
}

// patient is a connection each of whose reads may wait.
type patient struct{ c net.Conn }

func (p patient) Read(b []byte) (int, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(wait))
	return p.c.Read(b)
}

// Conn is the connection itself.
func (c *Client) Conn() net.Conn { return c.c }

// Send writes bytes as they are. The server may have closed meanwhile: that is
// seen by what is read.
func (c *Client) Send(s string) { _, _ = io.WriteString(c.c, s) }

// CloseWrite ends the sending side.
func (c *Client) CloseWrite() { _ = c.c.(*net.TCPConn).CloseWrite() }

// Close closes the connection.
func (c *Client) Close() { _ = c.c.Close() }

// Read reads the response to a request by method, past informational ones but
// 101. It returns an error when the connection ended first.
func (c *Client) Read(method string) (*Response, error) {
	for {
		h, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if h.StatusCode < 200 && h.StatusCode != 101 {
			continue
		}
		r := &Response{Status: h.StatusCode, Header: h.Header, Close: h.Close}
		if h.StatusCode == 101 {
			return r, nil
		}
		b, err := io.ReadAll(h.Body)
		r.Body, r.Trailer = string(b), h.Trailer
		return r, err
	}
}

// MustRead is Read, fatal on an error.
func (c *Client) MustRead(method string) *Response {
	c.t.Helper()
	r, err := c.Read(method)
	if err != nil {
		c.t.Fatalf("read a response to %s: %v", method, err)
	}
	return r
}

// Line reads one line.
func (c *Client) Line() (string, error) {
	return c.r.ReadString('\n')
}

// Rest reads to the end of the connection, however it ends, and tells whether it
// did end.
func (c *Client) Rest() (string, bool) {
	b, err := io.ReadAll(c.r)
	return string(b), !errors.Is(err, os.ErrDeadlineExceeded)
}
