package client

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// The transport may begin to read a body when the exchange is over and its request
// is another's.
func TestABodyIsReadWithoutItsRequest(t *testing.T) {
	for _, over := range []bool{false, true} {
		p := New(Config{Address: "127.0.0.1:1", H2C: true})
		e := &exchange{p: p}
		e.ctx, e.cancel = context.WithCancelCause(t.Context())
		r := request("POST", "body")
		s := newSender(e, r, nil)
		*r = message.Request{}
		if over {
			e.cancel(errOver)
		}
		b, err := io.ReadAll(s)
		_ = s.Close()
		if !over && (err != nil || string(b) != "body") || over && (!errors.Is(err, errOver) || strings.Contains(string(b), "b") || s.begun.Load()) {
			t.Errorf("over %v: %q, %v", over, b, err)
		}
		e.cancel(nil)
		e.rest()
		p.Close()
	}
}
