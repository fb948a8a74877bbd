package wire

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// AppendStatus writes a status line; an empty reason, or one that cannot be
// written, becomes the standard text.
func AppendStatus(b []byte, status int, reason string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = append(b, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10), ' ')
	if reason == "" || !message.ValidValue(reason) {
		reason = http.StatusText(status)
	}
	return append(append(b, reason...), "\r\n"...)
}

// AppendFields writes the end-to-end fields of h; framing is not h's to say.
func AppendFields(b []byte, h *message.Header) ([]byte, error) {
	for f := range h.Fields() {
		if f.Known == message.ContentLength || f.Known.HopByHop() {
			continue
		}
		if !f.Writable() {
			return b, errors.New("the header field " + strconv.Quote(f.Name) + " has a character that cannot be written")
		}
		b = AppendField(b, f.Name, f.Value)
	}
	return b, nil
}

// AppendField writes one field line.
func AppendField(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
}

// AppendTrailer writes the fields of a trailer section that may stand in one.
func AppendTrailer(b []byte, h *message.Header) []byte {
	for f := range h.Fields() {
		if f.Writable() && !f.TrailerForbidden() {
			b = AppendField(b, f.Name, f.Value)
		}
	}
	return b
}

// Answer is the whole response to a refused request, its head included: a small
// JSON document, and the end of the connection. date is of the Date field; id is
// the request's, empty where it has none.
func (r *Refusal) Answer(date, id string) []byte {
	body := message.AppendRefusal(nil, r.Status, r.Code, r.Message, id)
	b := AppendField(AppendStatus(nil, r.Status, ""), "Date", date)
	b = append(b, "Content-Type: application/json\r\nConnection: close\r\n"...)
	if id != "" {
		b = AppendField(b, "X-Request-Id", id)
	}
	if r.Status == 405 {
		b = AppendField(b, "Allow", message.AllowedMethods)
	}
	b = AppendField(b, "Content-Length", strconv.Itoa(len(body)))
	return append(append(b, "\r\n"...), body...)
}
