// Package listen opens the ports that clients call.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Open takes a TCP address such as ":8080". The error says what holds the port
// and the mend.
func Open(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen.address %s is in use by another process; stop it or choose another port", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen.address %s is not allowed for this user; ports below 1024 need CAP_NET_BIND_SERVICE", address)
	case err != nil:
		return nil, fmt.Errorf("listen.address %s: %w", address, err)
	}
	return l, nil
}

// Self is the base URL under which this process reaches a plain listener of its
// own.
func Self(l net.Listener) string {
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(a.Port))
}
