package http1

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway/http1/wire"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Do sends r and returns the head of the response. The response lives in the
// connection: it, its fields and its body are valid until its Body is closed, and
// the caller closes it in any case; that also ends a Tunnel. Errors are *message.Failure.
//
// r.Header is sent without hop-by-hop fields, Host, Content-Length and Expect,
// which are written from r and o. A body that is not there at once is sent by a
// goroutine of its own, so that a response may come before its end. The request
// is sent again once, on a new connection, when the one it went to had been used
// before and broke before a byte of the response, and the method is idempotent
// with the whole request at hand, or nothing had been sent.
func (p *Pool) Do(ctx context.Context, r *message.Request, o message.Outbound) (*message.Response, error) {
	resp, err := p.do(ctx, r, &o)
	if err != nil {
		p.errors.Add(1)
		return nil, err
	}
	return resp, nil
}

func (p *Pool) do(ctx context.Context, r *message.Request, o *message.Outbound) (*message.Response, *message.Failure) {
	if o.Method == "" {
		o.Method = r.Method
	}
	if o.Host == "" {
		o.Host = r.Host
	}
	var out *wire.Buffer
	var m outgoing
	defer func() { p.bufs.Put(out) }()
	for retry := false; ; {
		c, err := p.borrow(ctx, retry, o.Deadline)
		if err != nil {
			return nil, asError(err)
		}
		if out == nil {
			out = p.bufs.Get(m.size(r))
			if err := m.assemble(out, r, o); err != nil {
				p.giveBack(c)
				return nil, &message.Failure{Kind: message.ErrRequest, Err: err}
			}
		}
		e := c.do(ctx, r, o, out.B[:m.n], &m)
		if e == nil {
			return &c.res.Response, nil
		}
		stale, again := e.Err == errStale, c.repeatable(e, o.Method, &m)
		c.body.Done = false
		c.end()
		switch {
		case stale:
			p.stale.Add(1)
		case again && !retry:
			p.retried.Add(1)
			retry = true
		default:
			e.Consumed = c.send.active || !m.rewind(r)
			return nil, e
		}
	}
}

func asError(err error) *message.Failure {
	var e *message.Failure
	if errors.As(err, &e) {
		return e
	}
	return &message.Failure{Kind: message.ErrConnect, Err: err}
}

// repeatable tells whether the request may be sent again by itself.
func (c *upConn) repeatable(e *message.Failure, method string, m *outgoing) bool {
	if e.Kind != message.ErrClosed || !c.used || c.got || len(c.d.Buffered()) > 0 || m.streamed {
		return false
	}
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return c.wrote == 0
}

// do runs one exchange up to the response's head.
func (c *upConn) do(ctx context.Context, r *message.Request, o *message.Outbound, out []byte, m *outgoing) *message.Failure {
	c.wrote, c.got, c.reuse = 0, false, false
	c.total = c.p.c.Clock.At(o.Deadline)
	c.send.begin()
	if !c.idle.Set(0) {
		return &message.Failure{Kind: message.ErrClosed, Err: errStale}
	}
	if !c.watch(ctx, r) {
		return &message.Failure{Kind: message.ErrAborted, Err: context.Cause(ctx)}
	}
	if c.used {
		c.p.reused.Add(1)
	}
	c.res = &response{c: c}
	c.res.Header = c.store
	err := c.start(out, m.streamed)
	if err == nil && m.streamed {
		c.read.Set(c.total)
		c.send.start(c, r, m.chunked, m.wait)
	}
	if err == nil {
		err = c.head(o, r)
	}
	c.send.headSeen()
	if err == nil && !c.read.Set(0) {
		err = message.ErrSlow
	}
	if err != nil {
		if err == errStale {
			return &message.Failure{Kind: message.ErrClosed, Err: errStale}
		}
		return c.failure(err, message.ErrFirstByteTimeout)
	}
	c.res.Body = c.res
	return nil
}

// outgoing is the request as it is sent: head and, if it is at hand, body.
type outgoing struct {
	n        int // bytes in the buffer
	body     int // of those, body
	streamed bool
	chunked  bool
	wait     bool // for 100 (Continue)
}

// size is how much buffer the request needs, with a head of usual size.
func (m *outgoing) size(r *message.Request) int {
	if r.ContentLength > wire.SmallBuffer/2 && r.ContentLength <= wire.MediumBuffer {
		return wire.SmallBuffer/2 + int(r.ContentLength)
	}
	return wire.SmallBuffer
}

// assemble writes the head, and the body if it can be read without waiting.
func (m *outgoing) assemble(out *wire.Buffer, r *message.Request, o *message.Outbound) error {
	if !message.ValidName(o.Method) || o.Target == "" || !wire.AllChars(o.Target, wire.CharQuery) ||
		!wire.AllChars(o.Host, wire.CharQuery) {
		return errors.New("method, target or host cannot be written")
	}
	b := append(append(append(out.B[:0], o.Method...), ' '), o.Target...)
	b = wire.AppendField(append(b, " HTTP/1.1\r\n"...), "Host", o.Host)
	for f := range r.Header.Fields() {
		if f.Known == message.Host || f.Known == message.ContentLength || f.Known == message.Expect || f.Known.HopByHop() {
			continue
		}
		if !f.Writable() {
			return errors.New("the header field " + strconv.Quote(f.Name) + " has a character that cannot be written")
		}
		b = wire.AppendField(b, f.Name, f.Value)
	}
	switch {
	case r.ContentLength < 0:
		m.streamed, m.chunked = true, true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.ContentLength > 0 || o.Method == "POST" || o.Method == "PUT" || o.Method == "PATCH":
		m.streamed = r.ContentLength > 0
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), r.ContentLength, 10), "\r\n"...)
	}
	if r.ExpectContinue && m.streamed {
		m.wait = true
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if r.Upgrade != "" {
		b = wire.AppendField(append(b, "Connection: Upgrade\r\n"...), "Upgrade", r.Upgrade)
	}
	b = append(b, "\r\n"...)
	if l, ok := r.Body.(interface{ Len() int }); ok && !m.wait && r.ContentLength > 0 &&
		r.ContentLength <= wire.MediumBuffer && int64(l.Len()) == r.ContentLength {
		n := len(b)
		b = append(b, make([]byte, r.ContentLength)...)
		if _, err := io.ReadFull(r.Body, b[n:]); err != nil {
			return err
		}
		m.streamed, m.body = false, int(r.ContentLength)
	}
	m.n, out.B = len(b), b[:cap(b)]
	return nil
}

// rewind takes back the reading of the body, so that the request may be tried
// elsewhere; it tells whether the body is whole.
func (m *outgoing) rewind(r *message.Request) bool {
	n := m.body
	m.body = 0
	if n == 0 {
		return true
	}
	switch b := r.Body.(type) {
	case interface{ Rewind(n int) }:
		b.Rewind(n)
		return true
	case io.Seeker:
		_, err := b.Seek(-int64(n), io.SeekCurrent)
		return err == nil
	}
	return false
}
