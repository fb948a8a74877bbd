package filter

import (
	"bytes"
	"io"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Respond makes a response with a body of known length that the gateway answers
// by itself.
func Respond(status int, contentType string, body []byte) *message.Response {
	r := &message.Response{Status: status, ContentLength: int64(len(body)), Body: message.NoBody}
	if contentType != "" {
		r.Header.Add("Content-Type", contentType)
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r
}
