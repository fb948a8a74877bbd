package listen

import (
	"net"
	"strings"
)

// preface begins every HTTP/2 connection (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// opening is how a plain connection begins.
type opening uint8

const (
	undecided opening = iota
	opensHTTP1
	opensHTTP2
	opensTLS
)

// handshakeRecord begins a TLS connection (RFC 8446, section 5.1).
const handshakeRecord = 22

// judge tells what b begins, one byte at least and no more than the preface.
func judge(b []byte) opening {
	switch {
	case b[0] == handshakeRecord:
		return opensTLS
	case len(b) >= len(preface) && string(b) == preface:
		return opensHTTP2
	case len(b) < len(preface) && strings.HasPrefix(preface, string(b)):
		return undecided
	}
	return opensHTTP1
}

// beginsOpaque is begins for a connection that cannot be looked into.
func beginsOpaque(nc net.Conn) (net.Conn, opening, error) {
	b := make([]byte, 0, len(preface))
	for {
		n, err := nc.Read(b[len(b):cap(b)])
		if n == 0 && err != nil {
			return nc, 0, err
		}
		b = b[:len(b)+n]
		if n == 0 {
			continue
		}
		if o := judge(b); o != undecided {
			return &readAgain{Conn: nc, b: b}, o, nil
		}
	}
}

// readAgain is a connection of which something was read.
type readAgain struct {
	net.Conn
	b []byte
}

// Read gives what was read first.
func (c *readAgain) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.b)
	c.b = c.b[n:]
	return n, nil
}
