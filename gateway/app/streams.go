package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/listen"
	"github.com/sluice-gateway/sluice/gateway/serve/tcp"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
)

// newStreams makes what is behind the listeners that pass TCP on, by their names.
func newStreams(c Config, log *slog.Logger) (map[string]*tcp.Proxy, error) {
	out := map[string]*tcp.Proxy{}
	for i, l := range c.Listeners {
		t := l.TCP
		if !t.on() {
			continue
		}
		o := tcp.Options{
			Name: l.Name, Targets: targets(t.Targets), Allow: prefixes(t.Allow), Deny: prefixes(t.Deny),
			IdleTimeout: cmp.Or(t.IdleTimeout, time.Hour), ConnectTimeout: t.ConnectTimeout, HelloTimeout: c.Listen.HeaderTimeout, Log: log,
		}
		for _, s := range t.SNI {
			o.SNI = append(o.SNI, tcp.Route{Names: s.Names, Targets: targets(s.Targets)})
		}
		p, err := tcp.New(o)
		if err != nil {
			return nil, fmt.Errorf("listeners[%d].tcp.%w", i, err)
		}
		out[l.Name] = p
	}
	return out, nil
}

func targets(list []TCPTarget) []tcp.Target {
	out := make([]tcp.Target, len(list))
	for i, t := range list {
		out[i] = tcp.Target{Address: t.Address, Weight: t.Weight}
	}
	return out
}

// stream is one of them as listen knows it.
type stream struct{ p *tcp.Proxy }

var _ listen.Protocol = stream{}

// ServeConn passes one connection on.
func (s stream) ServeConn(ctx context.Context, nc net.Conn, p http1.Peer) {
	s.p.ServeConn(ctx, nc, p.Remote)
}

// streamFront says what a listener does whose connections are passed on. The
// limits are listen's, which knows the address of a PROXY header before.
func (a *App) streamFront(l Listener, p *tcp.Proxy) listen.Config {
	return listen.Config{
		Name: l.Name, Proxy: l.ProxyProtocol, Trusted: a.c.proxies(), Timeout: a.c.Listen.HeaderTimeout, Opaque: true,
		MaxConnections:          cmp.Or(l.TCP.MaxConnections, a.c.Listen.MaxConnections),
		MaxConnectionsPerClient: cmp.Or(l.TCP.MaxConnectionsPerClient, a.c.Listen.MaxConnectionsPerClient),
		HTTP1:                   stream{p}, Log: a.log,
	}
}

// tunnels are those of HTTP and of all TCP listeners.
func (a *App) tunnels() []*tunnel.Set {
	out := []*tunnel.Set{a.handler.Tunnels()}
	for _, name := range slices.Sorted(maps.Keys(a.streams)) {
		out = append(out, a.streams[name].Tunnels())
	}
	return out
}

// prefixes are networks that were checked when the configuration was read.
func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p).Masked())
	}
	return out
}
