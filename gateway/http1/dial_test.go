package http1_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// TestADialThatEndsWithItsContextIsAborted has the dialer keep to the context's deadline
// a moment before the context does, as net.Dialer may.
func TestADialThatEndsWithItsContextIsAborted(t *testing.T) {
	p := http1.NewPool(http1.PoolConfig{Address: "127.0.0.1:1", Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}})
	defer p.Close()
	r := &message.Request{Method: "GET", Host: "h", Body: message.NoBody, Context: context.Background()}
	if _, err := p.Do(t.Context(), r, message.Outbound{Target: "/"}); message.KindOf(err) != message.ErrConnectTimeout {
		t.Errorf("without a deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := p.Do(ctx, r, message.Outbound{Target: "/"}); message.KindOf(err) != message.ErrAborted {
		t.Errorf("with one: %v", err)
	}
}
