package http1

import (
	"context"
	"errors"
	"net"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Server answers HTTP/1.x clients. Make it with NewServer.
type Server struct {
	h message.Handler
	c ServerConfig
}

// NewServer makes a server that hands well-formed requests to h.
func NewServer(h message.Handler, c ServerConfig) *Server {
	return &Server{h: h, c: c.WithDefaults()}
}

// Serve accepts connections until ctx ends, l fails or Shutdown is called.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return errors.ErrUnsupported }

// Shutdown stops accepting and waits for the exchanges in work.
func (s *Server) Shutdown(ctx context.Context) error { return errors.ErrUnsupported }

// Stats returns counts and gauges.
func (s *Server) Stats() ServerStats { return ServerStats{} }
