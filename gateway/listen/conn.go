package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http1/wire"
)

// conn is one connection on its way to a protocol.
type conn struct {
	s       *Server
	nc      net.Conn
	peer    http1.Peer
	early   bool // Stop closes it
	counted bool // for its client
}

// serve finds out whose connection it is and what it speaks, and leaves it to the
// protocol.
func (c *conn) serve(ctx context.Context) {
	defer c.s.ended(c)
	nc, to, err := c.prepare(ctx)
	if err == nil && c.s.settle(c) {
		to.ServeConn(ctx, nc, c.peer)
		return
	}
	if err != nil {
		c.s.c.Log.Debug("connection turned away", "remote", c.peer.Remote, "error", err)
	}
	_ = c.nc.Close()
}

// prepare is what comes before the first request.
func (c *conn) prepare(ctx context.Context) (net.Conn, Protocol, error) {
	s := c.s
	if s.c.Proxy {
		if err := c.proxied(); err != nil {
			return nil, nil, err
		}
	}
	if s.c.TLS != nil {
		return c.secure(ctx)
	}
	if s.c.H2C {
		return c.look()
	}
	return c.nc, s.c.HTTP1, nil
}

var (
	errUntrusted = errors.New("a PROXY header is taken from trusted_proxies only")
	errBusy      = errors.New("too many connections of this client")
	errPlain     = errors.New("HTTP without TLS")
	errTLS       = errors.New("TLS on a listener without it")
)

// proxied reads the PROXY header, which replaces what the socket says.
func (c *conn) proxied() error {
	s := c.s
	if !within(c.peer.Remote.Addr(), s.c.Trusted) {
		s.untrusted.Add(1)
		return errUntrusted
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(s.c.Timeout)); err != nil {
		return err
	}
	h, err := ReadProxy(c.nc)
	if err != nil {
		s.malformed.Add(1)
		return err
	}
	if h.Source.IsValid() {
		c.peer.Remote, c.peer.Local = h.Source, h.Destination
	}
	s.mu.Lock()
	ok := s.admit(c)
	s.mu.Unlock()
	if !ok {
		s.rejected.Add(1)
		c.busy()
		return errBusy
	}
	return c.nc.SetReadDeadline(time.Time{})
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// secure shakes hands.
func (c *conn) secure(ctx context.Context) (net.Conn, Protocol, error) {
	s := c.s
	if err := c.nc.SetDeadline(time.Now().Add(s.c.Timeout)); err != nil {
		return nil, nil, err
	}
	t := tls.Server(c.nc, s.c.TLS)
	// the deadline bounds it: a context that ends would cost a goroutine more
	if err := t.HandshakeContext(context.WithoutCancel(ctx)); err != nil {
		s.handshakes.Add(1)
		var bad tls.RecordHeaderError
		if errors.As(err, &bad) && bad.Conn != nil && speaksHTTP(bad.RecordHeader) {
			s.plain.Add(1)
			c.tell(&wire.Refusal{Status: http.StatusBadRequest, Code: "listener.tls", Message: "this address speaks TLS: call it by https"})
			err = errPlain
		}
		return nil, nil, err
	}
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	st := t.ConnectionState()
	c.peer.TLS = &st
	if st.DidResume {
		s.resumed.Add(1)
	}
	if st.NegotiatedProtocol == "h2" && s.c.HTTP2 != nil {
		return t, s.c.HTTP2, nil
	}
	return t, s.c.HTTP1, nil
}

// speaksHTTP tells whether a record header is the beginning of a request, in
// which a method comes first.
func speaksHTTP(b [5]byte) bool {
	for i, x := range b {
		if x == ' ' && i >= 3 {
			return true
		}
		if x < 'A' || x > 'Z' {
			return false
		}
	}
	return true
}

// look finds out which HTTP a plain connection speaks.
func (c *conn) look() (net.Conn, Protocol, error) {
	s := c.s
	if err := c.nc.SetReadDeadline(time.Now().Add(s.c.Timeout)); err != nil {
		return nil, nil, err
	}
	nc, o, err := begins(c.nc)
	if err != nil {
		return nil, nil, err
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	switch o {
	case opensTLS:
		return nil, nil, errTLS
	case opensHTTP2:
		return nc, s.c.HTTP2, nil
	}
	return nc, s.c.HTTP1, nil
}

// busy ends a connection beyond a limit. Who waits for a handshake is told
// nothing: it would cost what the limit saves.
func (c *conn) busy() {
	if c.s.c.TLS == nil && !c.s.c.Opaque {
		c.say(&wire.Refusal{Status: http.StatusServiceUnavailable, Code: "listener.busy", Message: "too many connections"})
	}
	_ = c.nc.Close()
}

// say writes an answer, which fits an empty socket buffer; a client that finds
// no room gets none.
func (c *conn) say(r *wire.Refusal) {
	id := ""
	if c.s.c.NewID != nil {
		id = c.s.c.NewID()
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(wire.Tick))
	_, _ = c.nc.Write(r.Answer(time.Now().UTC().Format(http.TimeFormat), id))
}

// tell says r and takes what the client still sends, so that a reset does not
// overtake the answer (RFC 9112, 9.6). Bounded in bytes and time.
func (c *conn) tell(r *wire.Refusal) {
	c.say(r)
	w, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || w.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	b := make([]byte, 4<<10)
	for left := 64 << 10; left > 0; {
		n, err := c.nc.Read(b)
		if left -= n; err != nil {
			return
		}
	}
}
