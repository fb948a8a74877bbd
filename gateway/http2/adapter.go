package http2

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// exchange is what one request and its response need. It is pooled.
type exchange struct {
	s     *Server
	c     *conn
	q     message.Request
	w     writer
	body  *requestBody // nil: the request has none
	major int
	ctx   context.Context // ends with the client
	id    string          // of an answer of the adapter's own, where it was logged
}

// control is what net/http's response writers can do beside writing.
type control interface {
	EnableFullDuplex() error
	FlushError() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// begin makes a pooled exchange this request's.
func (x *exchange) begin(s *Server, c *conn, rw http.ResponseWriter, r *http.Request) {
	x.s, x.c, x.major, x.ctx = s, c, r.ProtoMajor, r.Context()
	ctl, _ := rw.(control)
	x.w.begin(x, rw, ctl)
	x.w.head = r.Method == "HEAD"
}

// clear ends the exchange: nothing of it is used any more.
func (x *exchange) clear() {
	h := x.q.Header
	h.Reset()
	x.q = message.Request{Header: h}
	x.w.clear()
	x.s, x.c, x.body, x.ctx, x.id = nil, nil, nil, nil, ""
}

// prepare checks the request and completes its message.
func (x *exchange) prepare(r *http.Request) *refusal {
	q, c := &x.q, x.c
	q.Scheme, q.Remote, q.Local, q.TLS, q.Context = "http", c.peer.Remote, c.peer.Local, c.peer.TLS, x.ctx
	if q.TLS != nil {
		q.Scheme = "https"
	}
	q.Major, q.Minor, q.Body = r.ProtoMajor, r.ProtoMinor, message.NoBody
	if bad := x.check(r); bad != nil {
		return bad
	}
	x.fields(r)
	n := c.served.Add(1)
	x.w.close = x.s.c.MaxRequestsPerConnection > 0 && n >= int64(x.s.c.MaxRequestsPerConnection)
	if r.ContentLength == 0 {
		if p := r.Header["Upgrade"]; x.major == 1 && len(p) == 1 {
			q.Upgrade = x.upgrade(p[0], r)
		}
		return nil
	}
	q.ContentLength = r.ContentLength
	_ = x.w.ctl.EnableFullDuplex() // or else HTTP/1.1 reads the body before it answers
	x.body = newRequestBody(x, r)
	q.Body = x.body
	q.ExpectContinue = x.major == 1 && r.ProtoMinor == 1 && len(r.Header["Expect"]) > 0
	return nil
}

// fields makes the message's header, Host first. The fields of one name keep their
// order; that of different names is net/http's.
func (x *exchange) fields(r *http.Request) {
	h := &x.q.Header
	if x.q.Host != "" {
		h.Append(message.Field{Name: "Host", Value: r.Host, Known: message.Host})
	}
	for name, values := range r.Header {
		k := message.KnownName(name)
		if k == message.Host {
			continue
		}
		for _, v := range values {
			h.Append(message.Field{Name: name, Value: v, Known: k})
		}
	}
	if x.major == 1 {
		x.dropNominated(h)
	}
}

// dropNominated removes the fields that Connection names (RFC 9110, 7.6.1), but
// for those that are end-to-end by their meaning and those that the gateway vouches
// for.
func (x *exchange) dropNominated(h *message.Header) {
	for v := range h.Values("Connection") {
		for o := range strings.SplitSeq(v, ",") {
			o = strings.Trim(o, " \t")
			if o != "" && message.KnownName(o) == message.Unknown && !x.protected(o) {
				h.Del(o)
			}
		}
	}
}

func (x *exchange) protected(name string) bool {
	for _, p := range x.s.c.Protected {
		if message.EqualFold(p, name) {
			return true
		}
	}
	return false
}

// upgrade is the protocol of a well-formed Upgrade request, else empty.
func (x *exchange) upgrade(p string, r *http.Request) string {
	if r.Method != "GET" || r.ProtoMinor != 1 || message.EqualFold(p, "h2c") || !message.ValidName(strings.Replace(p, "/", "", 1)) {
		return ""
	}
	for _, v := range r.Header["Connection"] {
		for o := range strings.SplitSeq(v, ",") {
			if message.EqualFold(strings.Trim(o, " \t"), "upgrade") {
				return strings.ToLower(p)
			}
		}
	}
	return ""
}

// refuse answers a request that the handler never sees.
func (x *exchange) refuse(bad *refusal) {
	s := x.s
	s.refused[bad.code].Add(1)
	x.id = s.newID()
	s.c.Log.Debug("request refused", "code", bad.code, "message", bad.text, "request", x.id, "remote", x.c.peer.Remote)
	x.answer(bad)
	if s.c.Refused != nil {
		s.c.Refused(bad.status, bad.code, x.id, x.c.peer.Remote.Addr())
	}
}

// answer writes the adapter's own answer, after which an HTTP/1.1 connection ends.
func (x *exchange) answer(bad *refusal) {
	b := message.AppendRefusal(nil, bad.status, bad.code, bad.text, x.id)
	resp := message.Response{Status: bad.status, ContentLength: int64(len(b))}
	resp.Header.Add("Content-Type", "application/json")
	if x.id != "" {
		resp.Header.Add("X-Request-Id", x.id)
	}
	if bad.status == http.StatusMethodNotAllowed {
		resp.Header.Add("Allow", message.AllowedMethods)
	}
	x.w.close = x.w.close || x.major == 1
	if x.w.WriteHead(&resp) == nil {
		_, _ = x.w.Write(b)
		_ = x.w.Finish(nil)
	}
}

// conclude ends the response and the request's body after the handler returned,
// and reports false where the stream, or the connection, must be reset.
func (x *exchange) conclude(panicked bool) bool {
	w := &x.w
	switch {
	case w.hijacked:
		if w.tunnel != nil { // nobody took it
			_ = w.tunnel.Close()
		}
		return true
	case w.err != nil || w.finished:
	case !w.written:
		if x.id == "" {
			x.id = x.s.newID()
		}
		x.answer(&refusal{http.StatusInternalServerError, "gateway.internal", "the request was not answered"})
	case panicked || w.mode == writeUnknown || w.left > 0:
		w.Fail()
	default:
		_ = w.Finish(nil)
	}
	if x.body != nil && !x.body.end() && x.major == 1 && w.err == nil {
		x.body.drain(x)
	}
	if w.err != nil && x.ctx.Err() != nil {
		x.s.aborted.Add(1)
	}
	if x.major == 1 {
		_ = w.ctl.SetWriteDeadline(time.Now().Add(x.s.c.WriteTimeout)) // of what net/http still writes
	}
	return w.err == nil
}

// guard ends a write, or a read, that takes too long. Its timer is made once and
// used again.
type guard struct {
	mu    sync.Mutex
	timer *time.Timer
	until time.Time // zero: nothing is watched
	fire  func()    // called with mu held
}

// arm begins to watch for d.
func (g *guard) arm(d time.Duration) {
	g.mu.Lock()
	g.until = time.Now().Add(d)
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.late)
	} else {
		g.timer.Reset(d)
	}
	g.mu.Unlock()
}

// disarm ends arm, and waits for fire where it runs.
func (g *guard) disarm() {
	g.mu.Lock()
	g.until = time.Time{}
	g.timer.Stop()
	g.mu.Unlock()
}

// late runs on the timer, which may be one that was meant for an earlier use.
func (g *guard) late() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.until.IsZero() && !time.Now().Before(g.until) {
		g.until = time.Time{}
		g.fire()
	}
}
