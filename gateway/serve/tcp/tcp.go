// Package tcp forwards connections that are no HTTP: raw TCP to a pool of targets,
// and TLS, unopened, to the pool that the server name of its ClientHello asks for.
//
// tcp.go is a connection's path, hello.go reads the server name, pool.go chooses and
// calls a target; serve/tunnel passes the bytes.
package tcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
)

// Target is one address behind a listener.
type Target struct {
	// Address is host:port.
	Address string
	// Weight is its share of the connections. Default 0: 1. Below 0 it takes none.
	Weight int
}

// Route sends TLS connections with certain server names to targets of their own.
type Route struct {
	// Names are host names; "*.example.com" matches every name below it, not
	// example.com itself. An exact name wins, then the longest wildcard.
	Names []string
	// Targets are the pool.
	Targets []Target
}

// Options of a Proxy.
type Options struct {
	// Name is the listener's, for logs, counts and lists.
	Name string
	// Targets are the pool of every connection or, with SNI, of TLS connections whose
	// name no route has. Without them those are refused.
	Targets []Target
	// SNI routes TLS by server name (RFC 6066, 3). With it connections that do not begin
	// with a ClientHello are closed. Default: nothing is looked at.
	SNI []Route
	// Allow are the networks that may connect; Deny those that may not, whatever Allow
	// says. Default: everybody may.
	Allow, Deny []netip.Prefix
	// IdleTimeout closes a connection through which nothing passed for so long. Default
	// 0: never.
	IdleTimeout time.Duration
	// MaxAge closes a connection so long after it began. Default 0: never.
	MaxAge time.Duration
	// ConnectTimeout bounds each attempt to reach a target. Default 5s.
	ConnectTimeout time.Duration
	// HelloTimeout bounds the wait for the whole ClientHello. Default 10s.
	HelloTimeout time.Duration
	// EjectTime is how long a target that could not be reached is passed over while
	// others can be. Default 10s.
	EjectTime time.Duration
	// MaxConnections bounds the open connections, MaxConnectionsPerClient those of one
	// client address; more are closed at once. Default 0: no bound.
	MaxConnections, MaxConnectionsPerClient int
	// Dial opens a connection to a target. Default: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log gets one line per connection that could not be passed on. Default: nothing.
	Log *slog.Logger
}

// Proxy forwards the connections of one listener. Safe for concurrent use.
type Proxy struct {
	o        Options
	fallback *pool            // nil: none
	exact    map[string]*pool // by server name; nil: nothing is looked at
	wildcard map[string]*pool // "example.com" for *.example.com
	tunnels  *tunnel.Set

	mu        sync.Mutex
	open      int
	perClient map[netip.Addr]int
	early     map[net.Conn]context.CancelFunc // those that are no tunnel yet
	draining  bool
	gone      chan struct{} // closed by the last one during a drain

	accepted, denied, full, noHello, unknown, unreachable atomic.Uint64
	in, out                                               atomic.Int64
}

// New makes a proxy. The error names the option that is wrong.
func New(o Options) (*Proxy, error) {
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.HelloTimeout = cmp.Or(o.HelloTimeout, 10*time.Second)
	o.EjectTime = cmp.Or(o.EjectTime, 10*time.Second)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{
		o: o, perClient: map[netip.Addr]int{}, early: map[net.Conn]context.CancelFunc{}, gone: make(chan struct{}),
		tunnels: tunnel.NewSet(tunnel.Limits{IdleTimeout: o.IdleTimeout, MaxAge: o.MaxAge}),
	}
	if len(o.Targets) > 0 {
		if err := check("targets", o.Targets); err != nil {
			return nil, err
		}
		p.fallback = newPool(o.Targets)
	} else if len(o.SNI) == 0 {
		return nil, errors.New("targets: name at least one, or routes by server name in sni")
	}
	return p, p.routes()
}

func (p *Proxy) routes() error {
	if len(p.o.SNI) == 0 {
		return nil
	}
	p.exact, p.wildcard = map[string]*pool{}, map[string]*pool{}
	for i, r := range p.o.SNI {
		at := fmt.Sprintf("sni[%d]", i)
		if len(r.Names) == 0 || len(r.Targets) == 0 {
			return fmt.Errorf("%s: names and targets need at least one element", at)
		}
		if err := check(at+".targets", r.Targets); err != nil {
			return err
		}
		to := newPool(r.Targets)
		for _, n := range r.Names {
			name, names := strings.ToLower(n), p.exact
			if rest, ok := strings.CutPrefix(name, "*."); ok {
				name, names = rest, p.wildcard
			}
			if !validName(name) {
				return fmt.Errorf("%s.names: %q is no host name: write one like a.example.com or *.example.com", at, n)
			}
			if names[name] != nil {
				return fmt.Errorf("%s.names: %q stands in two routes", at, n)
			}
			names[name] = to
		}
	}
	return nil
}

func check(at string, list []Target) error {
	for i, t := range list {
		host, port, err := net.SplitHostPort(t.Address)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("%s[%d].address: %q is not host:port", at, i, t.Address)
		}
	}
	return nil
}

// ServeConn forwards one connection until its end and closes it. remote is the
// client, which is the socket's peer or what the PROXY protocol says. ctx's end does
// not end an open connection; Shutdown does.
func (p *Proxy) ServeConn(ctx context.Context, nc net.Conn, remote netip.AddrPort) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := remote.Addr().Unmap().WithZone("")
	if !p.enter(nc, client, cancel) {
		_ = nc.Close()
		return
	}
	defer p.leave(client)
	up, first, err := p.begin(ctx, nc)
	p.settled(nc)
	if err != nil {
		_ = nc.Close()
		p.o.Log.Debug("connection not forwarded", "listener", p.o.Name, "client", client, "error", err)
		return
	}
	protocol := "tcp"
	if p.exact != nil {
		protocol = "tls"
	}
	r := p.tunnels.Run(tunnel.Ends{Client: nc, Upstream: up, FromClient: first, Name: p.o.Name, Address: client.String(), Protocol: protocol})
	p.in.Add(r.In)
	p.out.Add(r.Out)
}

// enter counts a connection, unless its client may not or a cap is reached.
func (p *Proxy) enter(nc net.Conn, client netip.Addr, cancel context.CancelFunc) bool {
	p.accepted.Add(1)
	if within(p.o.Deny, client) || len(p.o.Allow) > 0 && !within(p.o.Allow, client) {
		p.denied.Add(1)
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := &p.o
	if p.draining || o.MaxConnections > 0 && p.open >= o.MaxConnections ||
		o.MaxConnectionsPerClient > 0 && p.perClient[client] >= o.MaxConnectionsPerClient {
		p.full.Add(1)
		return false
	}
	p.open++
	p.perClient[client]++
	p.early[nc] = cancel
	return true
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, n := range list {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// settled notes that a connection waits neither for a hello nor for a target.
func (p *Proxy) settled(nc net.Conn) {
	p.mu.Lock()
	delete(p.early, nc)
	p.mu.Unlock()
}

func (p *Proxy) leave(client netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.perClient[client]--; p.perClient[client] == 0 {
		delete(p.perClient, client)
	}
	if p.open--; p.open == 0 && p.draining {
		close(p.gone)
	}
}

// begin finds the target: with SNI it reads the hello first, which is passed on.
func (p *Proxy) begin(ctx context.Context, nc net.Conn) (up net.Conn, first []byte, err error) {
	to := p.fallback
	if p.exact != nil {
		var name string
		if name, first, err = p.hello(nc); err != nil {
			p.noHello.Add(1)
			return nil, nil, err
		}
		if to = p.find(name); to == nil {
			p.unknown.Add(1)
			_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = nc.Write([]byte{21, 3, 1, 0, 2, 2, 112}) // fatal alert: unrecognized_name (RFC 6066, 3)
			return nil, nil, fmt.Errorf("no route for the server name %q", name)
		}
	}
	if up, err = p.connect(ctx, to); err != nil {
		p.unreachable.Add(1)
	}
	return up, first, err
}

// hello reads until the whole ClientHello is there.
func (p *Proxy) hello(nc net.Conn) (name string, read []byte, err error) {
	if err := nc.SetReadDeadline(time.Now().Add(p.o.HelloTimeout)); err != nil {
		return "", nil, err
	}
	read = make([]byte, 0, 2<<10)
	for {
		n, err := nc.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		name, whole, bad := parseHello(read)
		switch {
		case bad != nil:
			return "", nil, bad
		case whole:
			return name, read, nc.SetReadDeadline(time.Time{})
		case err != nil:
			return "", nil, fmt.Errorf("read the ClientHello: %w", err)
		case len(read) >= maxHello:
			return "", nil, errLongHello
		case len(read) == cap(read):
			read = append(make([]byte, 0, 2*cap(read)), read...)
		}
	}
}

// find is the pool for a server name.
func (p *Proxy) find(name string) *pool {
	if to := p.exact[name]; to != nil {
		return to
	}
	for rest := name; ; {
		_, below, ok := strings.Cut(rest, ".")
		if !ok {
			return p.fallback
		}
		if to := p.wildcard[below]; to != nil {
			return to
		}
		rest = below
	}
}

// Shutdown refuses new connections from now on, lets open ones live until ctx ends
// and then cuts them. It returns when none is left.
func (p *Proxy) Shutdown(ctx context.Context) {
	p.mu.Lock()
	if !p.draining {
		p.draining = true
		if p.open == 0 {
			close(p.gone)
		}
	}
	p.mu.Unlock()
	select {
	case <-p.gone:
		return
	case <-ctx.Done():
	}
	p.mu.Lock()
	for nc, cancel := range p.early {
		cancel()
		_ = nc.Close()
	}
	p.mu.Unlock()
	p.tunnels.Shutdown(ctx)
	<-p.gone
}

// Tunnels are the connections that are passed on: counts and a list.
func (p *Proxy) Tunnels() *tunnel.Set { return p.tunnels }

// Stats are counts of a proxy since its start, and gauges.
type Stats struct {
	Open        int    // connections
	Accepted    uint64 // connections that came
	Denied      uint64 // by allow and deny
	Full        uint64 // turned away by a cap or a drain
	NoHello     uint64 // that did not begin with a ClientHello
	UnknownName uint64 // of TLS without a route
	Unreachable uint64 // for which no target could be reached
	In, Out     int64  // bytes from and to clients, of connections that have ended
	// Failed are the attempts that failed, by address of the target.
	Failed map[string]uint64
}

// Stats returns counts and gauges.
func (p *Proxy) Stats() Stats {
	st := Stats{
		Accepted: p.accepted.Load(), Denied: p.denied.Load(), Full: p.full.Load(), NoHello: p.noHello.Load(),
		UnknownName: p.unknown.Load(), Unreachable: p.unreachable.Load(), In: p.in.Load(), Out: p.out.Load(), Failed: map[string]uint64{},
	}
	p.mu.Lock()
	st.Open = p.open
	p.mu.Unlock()
	seen := map[*pool]bool{nil: true}
	count := func(list *pool) {
		if seen[list] {
			return
		}
		seen[list] = true
		for _, t := range list.list {
			st.Failed[t.address] += t.failed.Load()
		}
	}
	count(p.fallback)
	for _, names := range []map[string]*pool{p.exact, p.wildcard} {
		for _, list := range names {
			count(list)
		}
	}
	return st
}
