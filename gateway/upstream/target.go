package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http2/client"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// target is one server.
type target struct {
	url    string // as configured, for records
	host   string // of the Host field
	prefix string // of every path, without a slash at its end
	takes  bool   // calls: its weight is not 0
	conns  conns
}

// deps is what targets are made with.
type deps struct {
	clock *http1.Clock
	certs Certificates
}

func newTarget(t apidef.Target, u apidef.Upstream, d deps) (*target, error) {
	at, err := url.Parse(t.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" {
		return nil, fmt.Errorf("the target %q is not a URL such as http://10.0.0.5:3000", t.URL)
	}
	made := &target{
		url:    t.URL,
		host:   at.Host,
		prefix: strings.TrimSuffix(at.EscapedPath(), "/") + strings.TrimSuffix(u.Path, "/"),
	}
	port, version := "80", u.HTTP.OrDefault()
	if at.Scheme == "https" {
		port = "443"
	}
	h1, h2 := configs(net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), port)), u, d.clock)
	if at.Scheme == "http" {
		switch version {
		case apidef.HTTP2:
			return nil, fmt.Errorf("the target %q is not https, which upstream.http 2 is for; use h2c", t.URL)
		case apidef.H2C:
			h2.H2C = true
			made.conns = client.New(h2)
		default:
			made.conns = http1.NewPool(h1)
		}
		return made, nil
	}
	s, err := newSecure(u.TLS, at.Hostname(), d.certs)
	if err != nil {
		return nil, err
	}
	switch version {
	case apidef.H2C:
		return nil, fmt.Errorf("the target %q is https, which upstream.http h2c is not for; use 2 or auto", t.URL)
	case apidef.HTTP2:
		h2.Dial = s.http2Only
		made.conns = client.New(h2)
	case apidef.HTTP11:
		h1.Dial = s.http1Only
		made.conns = http1.NewPool(h1)
	default:
		made.conns = newAuto(s, h1, h2)
	}
	return made, nil
}

// configs are the same options for both clients.
func configs(address string, u apidef.Upstream, clock *http1.Clock) (http1.PoolConfig, client.Config) {
	timeouts, conns := u.Timeouts.WithDefaults(), u.Connections.WithDefaults()
	h1 := http1.PoolConfig{
		Address:          address,
		MaxConnections:   conns.Max,
		MaxIdle:          conns.Idle,
		IdleTimeout:      time.Duration(conns.IdleTimeout),
		Queue:            conns.Queue,
		QueueTimeout:     time.Duration(timeouts.FirstByte),
		ConnectTimeout:   time.Duration(timeouts.Connect),
		FirstByteTimeout: time.Duration(timeouts.FirstByte),
		BodyTimeout:      time.Duration(timeouts.Idle),
		Clock:            clock,
	}
	return h1, client.Config{
		Address:          address,
		MaxConnections:   h1.MaxConnections,
		IdleTimeout:      h1.IdleTimeout,
		Queue:            h1.Queue,
		QueueTimeout:     h1.QueueTimeout,
		ConnectTimeout:   h1.ConnectTimeout,
		FirstByteTimeout: h1.FirstByteTimeout,
		BodyTimeout:      h1.BodyTimeout,
	}
}
