// Package line is a record as one line of JSON, for sinks that write text: the
// names of its fields, which the option ignore_fields has too, and the encoding.
package line

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// Append appends an entry as one JSON object (RFC 8259) with a line feed at its
// end and none within. Fields without a value are left out, but for id, at, status
// and totalMs. Times are RFC 3339 in UTC with microseconds, durations milliseconds.
// Text that is not UTF-8 has U+FFFD where it is not; bodies that are not UTF-8 are
// in bodyBase64. What some readers take for the end of a line is escaped.
func Append(b []byte, e *record.Entry) []byte {
	w := writer{b: append(b, '{')}
	w.b = append(appendString(append(w.b, `"id":`...), e.ID), `,"at":"`...)
	w.b = append(e.At.UTC().AppendFormat(w.b, "2006-01-02T15:04:05.000000Z"), '"')
	w.b = strconv.AppendInt(append(w.b, `,"status":`...), int64(e.Status), 10)
	w.b = appendMillis(append(w.b, `,"totalMs":`...), e.Total)
	if e.Upstream > 0 {
		w.name("upstreamMs")
		w.b = appendMillis(w.b, e.Upstream)
	}
	w.text("node", e.Node)
	w.text("group", e.Group)
	w.text("method", e.Method)
	w.text("scheme", e.Scheme)
	w.text("host", e.Host)
	w.text("path", e.Path)
	w.text("query", e.Query)
	w.text("org", e.Org)
	w.text("api", e.API)
	w.text("version", e.Version)
	w.text("endpoint", e.Endpoint)
	w.text("route", e.Route)
	w.text("key", e.Key)
	w.text("keyAlias", e.KeyAlias)
	w.text("oauthClient", e.OAuthClient)
	w.list("policies", e.Policies)
	w.list("tags", e.Tags)
	w.text("client", e.Client)
	w.text("country", e.Country)
	w.text("userAgent", e.UserAgent)
	w.text("protocol", e.Protocol)
	w.text("requestId", e.RequestID)
	w.text("traceId", e.TraceID)
	w.number("bytesIn", e.BytesIn)
	w.number("bytesOut", e.BytesOut)
	w.text("target", e.Target)
	w.number("attempts", int64(e.Attempts))
	w.text("refusal", e.Refusal)
	w.text("error", e.Error)
	w.number("generation", e.Generation)
	w.flags(e.Flags)
	if e.Sample > 0 {
		w.name("sample")
		w.b = strconv.AppendFloat(w.b, e.Sample, 'g', -1, 64)
	}
	w.capture("request", e.Request)
	w.capture("response", e.Response)
	return append(w.b, "}\n"...)
}

type writer struct{ b []byte }

// name begins a field. The first field of the object is always id.
func (w *writer) name(name string) {
	w.b = append(w.b, `,"`...)
	w.b = append(w.b, name...)
	w.b = append(w.b, `":`...)
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.name(name)
		w.b = appendString(w.b, value)
	}
}

func (w *writer) number(name string, value int64) {
	if value != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, value, 10)
	}
}

func (w *writer) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.name(name)
	for i, v := range values {
		w.b = appendString(append(w.b, "[,"[min(i, 1)]), v)
	}
	w.b = append(w.b, ']')
}

// flagNames are those of record.Flags, from the lowest bit.
func flagNames() [11]string {
	return [...]string{"cacheHit", "limited", "retried", "shadow", "upgraded", "aborted", "mocked", "countOnly", "shrunk", "clientTls", "upstreamTimeout"}
}

func (w *writer) flags(f record.Flags) {
	if f == 0 {
		return
	}
	w.name("flags")
	n := 0
	w.b = append(w.b, '[')
	for bit, name := range flagNames() {
		if f.Has(1 << bit) {
			if n++; n > 1 {
				w.b = append(w.b, ',')
			}
			w.b = appendString(w.b, name)
		}
	}
	w.b = append(w.b, ']')
}

func (w *writer) capture(name string, c *record.Capture) {
	if c == nil {
		return
	}
	w.name(name)
	w.b = strconv.AppendInt(append(w.b, `{"size":`...), c.Size, 10)
	if c.Truncated {
		w.b = append(w.b, `,"truncated":true`...)
	}
	if len(c.Header) > 0 {
		w.name("header")
		for i, h := range c.Header {
			w.b = append(w.b, "[,"[min(i, 1)])
			w.b = appendString(append(w.b, `{"name":`...), h.Name)
			w.b = append(appendString(append(w.b, `,"value":`...), h.Value), '}')
		}
		w.b = append(w.b, ']')
	}
	switch {
	case len(c.Body) == 0:
	case utf8.Valid(c.Body):
		w.name("body")
		w.b = appendString(w.b, string(c.Body))
	default:
		w.name("bodyBase64")
		w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), c.Body), '"')
	}
	w.b = append(w.b, '}')
}

func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', -1, 64)
}

// appendString appends a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if printable := r > 0x9f && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1); printable {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		b = appendEscape(b, r)
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
