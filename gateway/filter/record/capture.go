package record

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// phases is a recording that looks at messages while they pass.
type phases struct {
	*Recording
	d Deps
}

var (
	_ filter.RequestPhase  = (*phases)(nil)
	_ filter.ResponsePhase = (*phases)(nil)
)

// Capture is what was seen of one exchange's messages.
type Capture struct {
	tags     []string
	head     []record.Field // of the request as the client sent it, not masked yet
	request  *tap
	response *tap
}

// Request notes what later filters may change, and taps the body.
func (p *phases) Request(x *filter.Exchange) error {
	c := &Capture{}
	if p.early {
		c.tags = p.fromRequest(x.Request)
	}
	if p.bodies() {
		c.head = fields(nil, &x.Request.Header)
		c.request = &tap{max: p.max, ended: x.Request.ContentLength == 0}
		if x.Request.ContentLength != 0 {
			x.Request.Body = tapReader(x.Request.Body, c.request)
		}
	}
	x.SetState(c)
	return nil
}

// Response taps the body of whatever answer there is. It runs once more where
// that answer was replaced.
func (p *phases) Response(x *filter.Exchange) error {
	c, _ := x.State().(*Capture)
	if c == nil {
		return nil
	}
	c.response = nil
	if p.bodies() {
		c.response = &tap{max: p.max, ended: x.Response.ContentLength == 0}
		if x.Response.ContentLength != 0 && x.Response.Tunnel == nil {
			x.Response.Body = tapCloser(x.Response.Body, c.response)
		}
	}
	return nil
}

// bodies tells whether messages are recorded now.
func (p *phases) bodies() bool {
	return !p.until.IsZero() && p.d.Now().Before(p.until) && !p.d.Pressed()
}

// Messages ends the capture and returns what may be recorded of the two messages,
// nil for what was not captured. The texts are valid as long as the exchange.
func (r *Recording) Messages(x *filter.Exchange, c *Capture) (request, response *record.Capture) {
	if c.request != nil {
		request = r.redact(c.head, c.request)
	}
	if c.response != nil && x.Response != nil {
		response = r.redact(fields(nil, &x.Response.Header), c.response)
	}
	return request, response
}

func (r *Recording) redact(head []record.Field, t *tap) *record.Capture {
	body, size, whole := t.take()
	kind, coding := "", ""
	for i := range head {
		f := &head[i]
		switch {
		case message.EqualFold(f.Name, "Content-Type"):
			kind = f.Value
		case message.EqualFold(f.Name, "Content-Encoding"):
			coding = f.Value
		}
		f.Value = r.headerValue(f.Name, f.Value)
	}
	clear, readable := decode(coding, body, r.max)
	masked := r.mask.Body(kind, clear)
	return &record.Capture{Header: head, Body: masked, Size: size, Truncated: !whole || !readable || size > int64(len(body))}
}

// headerValue is what may be recorded of a field. Some hold URLs, and a URL may
// hold a key.
func (r *Recording) headerValue(name, value string) string {
	v := r.mask.Header(name, value)
	if v != value {
		return v
	}
	switch strings.ToLower(name) {
	case "location", "content-location", "referer":
		if at, query, ok := strings.Cut(value, "?"); ok {
			query, fragment, has := strings.Cut(query, "#")
			if query = r.mask.Query(query); has {
				query += "#" + fragment
			}
			return at + "?" + query
		}
	}
	return value
}

// decode undoes a content coding, so that masks find what they name; of one that
// it cannot undo nothing is kept. The body may have been cut anywhere.
func decode(coding string, body []byte, limit int) (clear []byte, ok bool) {
	switch coding = strings.ToLower(strings.TrimSpace(coding)); {
	case coding == "" || coding == "identity" || len(body) == 0:
		return body, true
	case coding != "gzip" && coding != "x-gzip":
		return nil, false
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	clear, err = io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if len(clear) > limit {
		return clear[:limit], false
	}
	return clear, err == nil
}

// fields copies the lines of a head. The texts are still the head's.
func fields(list []record.Field, h *message.Header) []record.Field {
	for f := range h.Fields() {
		list = append(list, record.Field{Name: f.Name, Value: f.Value})
	}
	return list
}
