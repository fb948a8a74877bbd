package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// conn sends one ready-made request again and again over a connection that it opens when it needs one.
// It reads HTTP/1.1 only as far as it must, to take little of the machine that is measured.
type conn struct {
	o      Options
	target *url.URL
	wire   []byte
	c      net.Conn
	r      *bufio.Reader
	dials  uint64
}

func newConn(o Options) (*conn, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not an http or https URL", o.URL)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", o.Method, u.RequestURI(), u.Host)
	for _, h := range o.Header {
		b.WriteString(h + "\r\n")
	}
	if len(o.Body) > 0 || (o.Method != "GET" && o.Method != "HEAD") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(o.Body))
	}
	b.WriteString("\r\n")
	b.Write(o.Body)
	return &conn{o: o, target: u, wire: b.Bytes()}, nil
}

func (c *conn) open(ctx context.Context) error {
	address := c.target.Host
	if c.target.Port() == "" {
		address = net.JoinHostPort(c.target.Hostname(), map[string]string{"http": "80", "https": "443"}[c.target.Scheme])
	}
	d := net.Dialer{Timeout: c.o.Timeout}
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if c.target.Scheme == "https" {
		raw = tls.Client(raw, &tls.Config{ServerName: c.target.Hostname(), InsecureSkipVerify: c.o.Insecure}) //nolint:gosec // a flag asks for it
	}
	c.dials++
	c.c = raw
	if c.r == nil {
		c.r = bufio.NewReaderSize(raw, 16<<10)
	} else {
		c.r.Reset(raw)
	}
	return nil
}

func (c *conn) close() {
	if c.c != nil {
		_ = c.c.Close()
		c.c = nil
	}
}

// do sends the request and reads the whole answer.
func (c *conn) do(ctx context.Context) (status int, err error) {
	if c.c == nil {
		if err := c.open(ctx); err != nil {
			return 0, err
		}
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.c.SetDeadline(time.Now().Add(c.o.Timeout)); err != nil {
		return 0, err
	}
	if _, err := c.c.Write(c.wire); err != nil {
		return 0, err
	}
	for status < 200 { // 1xx come before the answer
		var again bool
		if status, again, err = c.read(); err != nil {
			return 0, err
		}
		if !again {
			c.close()
		}
	}
	return status, nil
}

// read takes one head and its body off the connection.
func (c *conn) read() (status int, reusable bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, false, errors.New("the answer is not HTTP/1")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, fmt.Errorf("the status is not a number: %w", err)
	}
	reusable = line[7] == '1'
	length, chunked := int64(-1), false
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, false, errors.New("the content length is not a number")
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			reusable = reusable && !bytes.EqualFold(value, []byte("close"))
		}
	}
	switch {
	case status < 200 || status == 204 || status == 304 || c.o.Method == "HEAD":
	case chunked:
		err = c.chunks()
	case length >= 0:
		_, err = c.r.Discard(int(length))
	default: // until the end of the connection
		_, err = io.Copy(io.Discard, c.r)
		reusable = false
	}
	return status, reusable, err
}

func (c *conn) chunks() error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 32)
		if err != nil || n < 0 {
			return errors.New("a chunk's size is not a number")
		}
		if n > 0 {
			if _, err := c.r.Discard(int(n) + 2); err != nil {
				return err
			}
			continue
		}
		for { // trailers
			if line, err = c.r.ReadSlice('\n'); err != nil {
				return err
			}
			if len(bytes.TrimSpace(line)) == 0 {
				return nil
			}
		}
	}
}
