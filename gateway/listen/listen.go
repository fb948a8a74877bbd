// Package listen has the ports that clients call. For each connection it finds
// out who is at the other end (PROXY header), shakes hands (TLS), keeps to the
// limits, and leaves the connection to the protocol that its client speaks.
//
// Reading order: server.go (one listener), conn.go (one connection on its way to
// a protocol), proxy.go (the PROXY header), preface.go (HTTP/2 without TLS),
// sockets.go (sockets that systemd passes).
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Open takes a TCP address such as ":8080", which stands in the configuration
// under key. The error says what holds the port and the mend.
func Open(ctx context.Context, key, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s is in use by another process; stop it or choose another port", key, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s %s is not allowed for this user; ports below 1024 need CAP_NET_BIND_SERVICE", key, address)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", key, address, err)
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
