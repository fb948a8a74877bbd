package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

const (
	// atHandMax is the largest request body that is taken at once where it is there
	// already, so that the request can be sent again.
	atHandMax = 64 << 10
	// blobMax is the largest head whose strings are copied as one piece. The
	// transport's compression table keeps some of them, and with them the piece.
	blobMax = 4 << 10
	// maxInformational bounds the 1xx heads before a final one.
	maxInformational = 16
)

// begin readies an exchange.
func (p *Client) begin(ctx context.Context, r *message.Request, o *message.Outbound) (*exchange, *message.Failure) {
	e := &exchange{p: p, deadline: o.Deadline}
	if !e.watch(ctx, r) {
		cause := context.Cause(ctx)
		if cause == nil {
			cause = errGone
		}
		return nil, e.abandon(&message.Failure{Kind: message.ErrAborted, Err: cause})
	}
	if err := e.assemble(r, o); err != nil {
		f := &message.Failure{Kind: message.ErrRequest, Err: err}
		if e.readErr(err) {
			f.Kind = message.ErrRequestBody
		}
		return nil, e.abandon(f)
	}
	return e, nil
}

// bodyError marks an error of reading the request's body.
type bodyError struct{ error }

func (b bodyError) Unwrap() error { return b.error }

func (e *exchange) readErr(err error) bool {
	var b bodyError
	return errors.As(err, &b)
}

// assemble makes the request that the transport sends. All strings are copied:
// the transport keeps some of them for longer than the exchange.
func (e *exchange) assemble(r *message.Request, o *message.Outbound) error {
	c := newCopier(r, o)
	q := &e.base
	q.Method, q.Host = c.copy(o.Method), c.copy(o.Host)
	q.Proto, q.ProtoMajor = "HTTP/2.0", 2
	target := c.copy(o.Target)
	if !message.ValidName(o.Method) || o.Host == "" || !visible(target) || !visible(o.Host) || target[0] != '/' && target != "*" {
		return errors.New("method, target or host cannot be written")
	}
	q.URL = &url.URL{Scheme: e.p.scheme, Host: e.p.c.Address, Opaque: target}
	if strings.HasPrefix(target, "//") { // which Opaque takes for an authority
		path, query, has := strings.Cut(target, "?")
		plain, err := url.PathUnescape(path)
		if err != nil {
			return fmt.Errorf("the target cannot be written: %w", err)
		}
		q.URL.Opaque, q.URL.Path, q.URL.RawPath, q.URL.RawQuery, q.URL.ForceQuery = "", plain, path, query, has
	}
	q.Header = make(http.Header, r.Header.Len()+2)
	values := make([]string, 0, r.Header.Len())
	for f := range r.Header.Fields() {
		switch {
		case f.Known == message.TE && trailers(f.Value):
			q.Header["Te"] = []string{"trailers"} // the one value that HTTP/2 has (RFC 9113, 8.2.2)
			continue
		case framing(f.Known):
			continue
		case !f.Writable():
			return fmt.Errorf("the header field %q has a character that cannot be written", f.Name)
		}
		name := c.name(f)
		if had := q.Header[name]; had != nil {
			q.Header[name] = append(had, c.copy(f.Value))
			continue
		}
		values = append(values, c.copy(f.Value))
		q.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if q.Header["User-Agent"] == nil {
		q.Header["User-Agent"] = nil // or the transport adds its own
	}
	if strings.HasPrefix(q.Header.Get("Content-Type"), "application/grpc") {
		e.within(q.Header.Get("Grpc-Timeout"))
	}
	if o.Informational != nil {
		e.inform(o.Informational)
	}
	return e.content(r)
}

// content readies the body.
func (e *exchange) content(r *message.Request) error {
	q := &e.base
	if q.ContentLength = r.ContentLength; r.ContentLength == 0 {
		return nil
	}
	l, ok := r.Body.(interface{ Len() int })
	if ok && !r.ExpectContinue && r.ContentLength > 0 && r.ContentLength <= atHandMax && int64(l.Len()) == r.ContentLength {
		e.atHand = make([]byte, r.ContentLength)
		e.body = nil
		if _, err := io.ReadFull(r.Body, e.atHand); err != nil {
			return bodyError{err}
		}
		e.back = r.Body
		return nil
	}
	e.body = newSender(e, r, nil)
	if r.ContentLength < 0 {
		q.Trailer = http.Header{} // not nil: there may be one, announced or not
		for list := range r.Header.Values("Trailer") {
			for name := range strings.SplitSeq(list, ",") {
				if name = strings.Trim(name, " \t"); message.ValidName(name) && !framing(message.KnownName(name)) {
					q.Trailer[http.CanonicalHeaderKey(strings.Clone(name))] = nil
				}
			}
		}
	}
	if r.ExpectContinue {
		q.Header["Expect"] = []string{"100-continue"}
	}
	return nil
}

// rewind gives back a body that was taken at once, so that the request may be
// tried elsewhere; it tells whether the body is whole.
func (e *exchange) rewind() bool {
	n := len(e.atHand)
	if n == 0 {
		return true
	}
	e.atHand = nil
	switch b := e.back.(type) {
	case interface{ Rewind(n int) }:
		b.Rewind(n)
		return true
	case io.Seeker:
		_, err := b.Seek(-int64(n), io.SeekCurrent)
		return err == nil
	}
	return false
}

// within bounds the exchange by the time that a gRPC client gives it (gRPC over
// HTTP2, "Timeout"): up to eight digits and a unit. What is not of this form is left
// to the target.
func (e *exchange) within(timeout string) {
	if len(timeout) < 2 || len(timeout) > 9 {
		return
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	unit, n := units[timeout[len(timeout)-1]], time.Duration(0)
	for _, d := range []byte(timeout[:len(timeout)-1]) {
		if d < '0' || d > '9' {
			return
		}
		n = n*10 + time.Duration(d-'0')
	}
	if unit == 0 || n > 1<<62/unit {
		return
	}
	if at := time.Now().Add(n * unit); e.deadline.IsZero() || at.Before(e.deadline) {
		e.deadline = at
	}
}

// inform passes 102 and 103 on.
func (e *exchange) inform(f func(int, *message.Header) error) {
	count := 0
	e.ctx = httptrace.WithClientTrace(e.ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		e.informed.Store(true)
		if count++; count > maxInformational {
			return errors.New("malformed response: too many informational ones")
		}
		if code != http.StatusProcessing && code != http.StatusEarlyHints {
			return nil
		}
		var out message.Header
		fields(&out, http.Header(h))
		if err := f(code, &out); err != nil {
			e.cancel(&message.Failure{Kind: message.ErrAborted, Err: err})
			return err
		}
		return nil
	}})
}

// answer takes the head of the response.
func (e *exchange) answer(resp *http.Response) *message.Failure {
	e.mu.Lock()
	e.head = true
	e.rest()
	e.kind = 0
	e.mu.Unlock()
	e.resp = resp
	r := &e.res
	r.Status, r.ContentLength, r.Body = resp.StatusCode, resp.ContentLength, e
	if r.Status < 200 || r.Status > 999 {
		_ = resp.Body.Close()
		return &message.Failure{Kind: message.ErrMalformed, Sent: true, Err: fmt.Errorf("the status %d", r.Status)}
	}
	if r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		_ = resp.Body.Close() // the length of a 304 is that of a body that is not there
		resp.Body = message.NoBody
	}
	if r.Status == http.StatusNoContent {
		r.ContentLength = 0
	}
	fields(&r.Header, resp.Header)
	kind, _ := r.Header.Known(message.ContentType)
	r.Stream = strings.HasPrefix(kind, "application/grpc") || strings.HasPrefix(kind, "text/event-stream")
	return nil
}

// fields appends what was received, by name. The transport has checked it.
func fields(h *message.Header, from http.Header) {
	names := make([]string, 0, 16)
	for name := range from {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		k := message.KnownName(name)
		if framing(k) {
			continue
		}
		for _, v := range from[name] {
			h.Append(message.Field{Name: name, Value: strings.Trim(v, " \t"), Known: k})
		}
	}
}

// trailer is a received trailer section, or nil.
func trailer(from http.Header) *message.Header {
	h := &message.Header{}
	if fields(h, from); h.Len() == 0 {
		return nil
	}
	return h
}

// framing tells whether a field belongs to one connection or to the framing of a
// message, which each side writes for itself.
func framing(k message.Known) bool {
	return k == message.Host || k == message.ContentLength || k == message.Expect || k.HopByHop()
}

// trailers tells whether a TE field asks for trailers (RFC 9110, 10.1.4).
func trailers(te string) bool {
	for t := range strings.SplitSeq(te, ",") {
		if message.EqualFold(strings.Trim(t, " \t"), "trailers") {
			return true
		}
	}
	return false
}

// visible tells whether s has nothing that would end or break a line of a head.
func visible(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// copier copies strings of a head, all of a small one into one piece.
type copier struct{ b strings.Builder }

func newCopier(r *message.Request, o *message.Outbound) *copier {
	n := len(o.Method) + len(o.Host) + len(o.Target)
	for f := range r.Header.Fields() {
		n += len(f.Name) + len(f.Value)
	}
	c := &copier{}
	if n <= blobMax {
		c.b.Grow(n)
	}
	return c
}

func (c *copier) copy(s string) string {
	if s == "" {
		return ""
	}
	if c.b.Cap()-c.b.Len() < len(s) {
		return strings.Clone(s)
	}
	n := c.b.Len()
	c.b.WriteString(s)
	return c.b.String()[n:]
}

// name is the field's name as http.Header has it.
func (c *copier) name(f *message.Field) string {
	switch f.Known {
	case message.Unknown:
		return http.CanonicalHeaderKey(c.copy(f.Name))
	case message.SetCookie:
		return "Set-Cookie"
	}
	return http.CanonicalHeaderKey(f.Known.String())
}
