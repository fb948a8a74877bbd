package app

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/listen"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// engines are what speaks HTTP with clients. All listeners share them.
type engines struct {
	own    *http1.Server
	frames *http2.Server // HTTP/2
	stdlib *http2.Server // HTTP/1.1 for listeners with that engine
}

func newEngines(l Listen, h message.Handler, clock *http1.Clock, newID func() string, refused func(int, string, string, netip.Addr), log *slog.Logger) *engines {
	std := http2.ServerConfig{
		Streams: l.Streams, RequestLine: int(l.RequestLine), Head: int(l.Head), Fields: l.Fields,
		MaxRequestsPerConnection: l.MaxRequestsPerConnection,
		HeaderTimeout:            l.HeaderTimeout, IdleTimeout: l.IdleTimeout, WriteTimeout: l.WriteTimeout, BodyRate: int(l.BodyRate),
		NewID: newID, Refused: refused, Log: log,
	}
	// listen tells the two apart, so each speaks one of them
	frames, stdlib := std, std
	frames.H2C, stdlib.HTTP1 = true, true
	// MaxRequestsPerConnection is of HTTP/1.1 connections: with HTTP/2 it would end those
	// that serve many requests at once
	frames.MaxRequestsPerConnection = 0
	return &engines{
		own: http1.NewServer(h, http1.ServerConfig{
			RequestLine: int(l.RequestLine), Head: int(l.Head), Fields: l.Fields, HeaderTimeout: l.HeaderTimeout, IdleTimeout: l.IdleTimeout,
			WriteTimeout: l.WriteTimeout, BodyRate: int(l.BodyRate), MaxRequestsPerConnection: l.MaxRequestsPerConnection,
			NewID: newID, Refused: refused, Clock: clock, Log: log,
		}),
		frames: http2.NewServer(h, frames),
		stdlib: http2.NewServer(h, stdlib),
	}
}

// protocols are those of a listener with that engine.
func (e *engines) protocols(engine string) (one, two listen.Protocol) {
	if engine == engineStdlib {
		return frameServer{e.stdlib}, frameServer{e.frames}
	}
	return e.own, frameServer{e.frames}
}

// frameServer is a server of http2 as listen knows it.
type frameServer struct{ s *http2.Server }

var (
	_ listen.Protocol = frameServer{}
	_ listen.Protocol = (*http1.Server)(nil)
)

// ServeConn serves one connection.
func (f frameServer) ServeConn(ctx context.Context, nc net.Conn, p http1.Peer) {
	f.s.ServeConn(ctx, nc, http2.Peer(p))
}

// shutdown ends all of them; requests in work are finished until ctx ends.
func (e *engines) shutdown(ctx context.Context) error {
	var wait sync.WaitGroup
	errs := make([]error, 3)
	for i, end := range []func(context.Context) error{e.own.Shutdown, e.frames.Shutdown, e.stdlib.Shutdown} {
		wait.Go(func() { errs[i] = end(ctx) })
	}
	wait.Wait()
	return cmp.Or(errs[0], errs[1], errs[2]) // each is that ctx ended
}

// work is what the engines have to do.
type work struct {
	requests uint64            // handed to the handler so far
	refused  map[string]uint64 // by code, so far
	inFlight int64             // requests in work; for HTTP/1.1 connections that have one
	idle     int64             // connections without a request; of HTTP/2 at least so many
	floods   uint64            // HTTP/2 connections ended because of a flood of frames
	errors   uint64            // of HTTP/2 streams and connections, made by clients
}

func (e *engines) work() work {
	own := e.own.Stats()
	w := work{requests: own.Requests, refused: own.Refused, inFlight: own.Connections - own.Idle, idle: own.Idle}
	for _, s := range []http2.ServerStats{e.frames.Stats(), e.stdlib.Stats()} {
		w.requests += s.Requests
		for code, n := range s.Refused {
			w.refused[code] += n
		}
		w.inFlight += s.Active
		w.idle += max(0, s.Connections-s.Active)
		w.floods += s.Floods
		w.errors += s.Errors
	}
	return w
}
