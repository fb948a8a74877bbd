package httpd_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// Browsers open connections in advance: they are no reason to be late at a stop, nor an error.
func TestConnectionsWithoutARequestDoNotDelayAStop(t *testing.T) {
	s := listen(t, http.NotFoundHandler())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, time.Second) }()
	unused, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unused.Close() }()
	_ = fetch(s.URL()) // the listener hands out connections in order: the unused one was accepted
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("a stop with a connection that sent nothing: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
	}
}
