package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/listen"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

// expiresSoon is how long before a certificate ends /hello begins to warn.
const expiresSoon = 14 * 24 * time.Hour

// openCertificates reads the folder. A listener with TLS wants one certificate at
// least, of the folder or published; while it has none, clients are refused with an
// alert. A folder that has some, but none of use, is a mistake.
func openCertificates(c Config, log *slog.Logger) (*certs.Store, error) {
	s, err := certs.Open(certs.Options{Dir: c.certsDir(), Default: c.Certificates.Default, Log: log})
	if err != nil {
		return nil, err
	}
	if len(s.Names()) > 0 || !slices.ContainsFunc(c.listeners(), func(l Listener) bool { return l.TLS }) {
		return s, nil
	}
	if problems := s.Problems(); len(problems) > 0 {
		err := fmt.Errorf("a listener has tls, and certificates.dir %s has no certificate of use; mend what is there", c.certsDir())
		for _, p := range problems {
			err = errors.Join(err, fmt.Errorf("certificate %s: %w", p.Name, p.Err))
		}
		return nil, err
	}
	log.Warn("a listener has tls, and there is no certificate with its key yet; publish one, or put <name>.crt and <name>.key into certificates.dir", "dir", c.certsDir())
	return s, nil
}

// openFronts takes the ports of all listeners, those that systemd opened first.
func (a *App) openFronts(ctx context.Context) error {
	sockets, err := listen.Inherited(mainListener)
	if err != nil {
		return err
	}
	defer func() {
		if left := sockets.Close(); len(left) > 0 {
			a.log.Warn("systemd passed sockets that no listener has the name of; they are closed", "names", left)
		}
	}()
	for i, l := range a.c.listeners() {
		key := "listen.address"
		if i > 0 {
			key = fmt.Sprintf("listeners[%d].address", i-1)
		}
		nl, err := sockets.Take(l.Name)
		if nl == nil && err == nil {
			nl, err = listen.Open(ctx, key, l.Address)
		}
		if err != nil {
			return err
		}
		a.fronts = append(a.fronts, listen.New(nl, a.front(l)))
		a.cleanup.Push("listener "+l.Name, func(context.Context) error { _ = nl.Close(); return nil })
		if i == 0 {
			a.self.Store(listen.Self(nl))
		}
	}
	return nil
}

// front says what a listener does with its connections.
func (a *App) front(l Listener) listen.Config {
	if p := a.streams[l.Name]; p != nil {
		return a.streamFront(l, p)
	}
	one, two := a.engines.protocols(l.Engine)
	c := listen.Config{
		Name: l.Name, Proxy: l.ProxyProtocol, Trusted: a.c.proxies(), Timeout: a.c.Listen.HeaderTimeout,
		MaxConnections: a.c.Listen.MaxConnections, MaxConnectionsPerClient: a.c.Listen.MaxConnectionsPerClient,
		HTTP1: one, HTTP2: two, H2C: l.H2C, NewID: a.newID, Log: a.log,
	}
	if l.TLS {
		c.TLS = a.certs.ServerConfig("h2", "http/1.1")
	}
	return c
}

// connections are those of all listeners.
func (a *App) connections() int64 {
	var open int64
	for _, f := range a.fronts {
		open += f.Stats().Open
	}
	return open
}

// inside is a connection to the own engine, whatever its listeners want of others:
// TLS, PROXY headers, a place within the limits.
func (a *App) inside(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	self := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	go a.engines.own.ServeConn(context.WithoutCancel(ctx), server, http1.Peer{Remote: self, Local: self})
	return client, nil
}

// checkCertificates warns of files that cannot be used and of certificates that
// end soon.
func (a *App) checkCertificates(context.Context) (httpd.Status, string) {
	if w := a.certs.Warnings(expiresSoon); len(w) > 0 {
		return httpd.Warn, strings.Join(w, "; ")
	}
	return httpd.Pass, fmt.Sprintf("%d in use", len(a.certs.Names()))
}

// hangups reads certificates and the level of the log again at each SIGHUP.
func (a *App) hangups(ctx context.Context, asked <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
			a.reread()
		}
	}
}

// reread takes what may change while the gateway runs. What cannot be read stays
// as it is.
func (a *App) reread() {
	// Reload logs its error
	_ = a.certs.Reload()
	a.health.Recheck()
	if a.Reread == nil {
		return
	}
	c, err := a.Reread()
	if err == nil {
		err = logs.SetLevel(a.log, c.Log.Level)
	}
	if err != nil {
		a.log.Error("the configuration was not read again", "error", err)
		return
	}
	a.log.Info("certificates and the level of the log were read again", "level", c.Log.Level)
}
