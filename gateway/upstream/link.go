package upstream

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/http2/client"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// link is everything that the connections to a target depend on. Targets of one
// organisation with equal links share their connections, whatever API they are of.
type link struct {
	org      string
	scheme   string // http or https
	host     string // without port, in lower case
	port     string
	version  apidef.HTTPVersion
	tls      string             // its options as JSON; empty for http
	timeouts apidef.Timeouts    // with defaults, without the total one, which is a call's
	conns    apidef.Connections // with defaults
}

// linkOf is the link to a target; at is its URL.
func linkOf(org string, at *url.URL, u apidef.Upstream) (link, error) {
	l := link{
		org: org, scheme: at.Scheme, host: strings.ToLower(at.Hostname()), port: at.Port(), version: u.HTTP.OrDefault(),
		timeouts: u.Timeouts.WithDefaults(), conns: u.Connections.WithDefaults(),
	}
	l.timeouts.Total = 0
	if l.scheme == "http" {
		l.port = cmp.Or(l.port, "80")
		if l.version == apidef.HTTPAuto {
			l.version = apidef.HTTP11 // that is what auto means without TLS
		}
		return l, nil
	}
	l.port = cmp.Or(l.port, "443")
	o := u.TLS
	o.ServerName = cmp.Or(o.ServerName, l.host)
	o.Pins = slices.Compact(slices.Sorted(slices.Values(o.Pins)))
	text, err := json.Marshal(o)
	if err != nil {
		return link{}, fmt.Errorf("TLS options: %w", err)
	}
	l.tls = string(text)
	return l, nil
}

func (l link) address() string { return net.JoinHostPort(l.host, l.port) }

// open makes the connections of a link. o are the TLS options that it was made of.
func (l link) open(o apidef.UpstreamTLS, d deps) (conns, error) {
	h1, h2 := l.configs(d.clock)
	if l.scheme == "http" {
		switch l.version {
		case apidef.HTTP2:
			return nil, fmt.Errorf("the target http://%s is not https, which upstream.http 2 is for; use h2c", l.address())
		case apidef.H2C:
			h2.H2C = true
			return client.New(h2), nil
		default:
			return http1.NewPool(h1), nil
		}
	}
	s, err := newSecure(l.org, o, l.host, d.certs)
	if err != nil {
		return nil, err
	}
	switch l.version {
	case apidef.H2C:
		return nil, fmt.Errorf("the target https://%s is https, which upstream.http h2c is not for; use 2 or auto", l.address())
	case apidef.HTTP2:
		h2.Dial = s.http2Only
		return client.New(h2), nil
	case apidef.HTTP11:
		h1.Dial = s.http1Only
		return http1.NewPool(h1), nil
	default:
		return newAuto(s, h1, h2), nil
	}
}

// configs are the same options for both clients.
func (l link) configs(clock *http1.Clock) (http1.PoolConfig, client.Config) {
	h1 := http1.PoolConfig{
		Address:          l.address(),
		MaxConnections:   l.conns.Max,
		MaxIdle:          l.conns.Idle,
		IdleTimeout:      time.Duration(l.conns.IdleTimeout),
		Queue:            l.conns.Queue,
		QueueTimeout:     time.Duration(l.timeouts.FirstByte),
		ConnectTimeout:   time.Duration(l.timeouts.Connect),
		FirstByteTimeout: time.Duration(l.timeouts.FirstByte),
		BodyTimeout:      time.Duration(l.timeouts.Idle),
		Clock:            clock,
	}
	return h1, client.Config{
		Address:          h1.Address,
		MaxConnections:   h1.MaxConnections,
		IdleTimeout:      h1.IdleTimeout,
		Queue:            h1.Queue,
		QueueTimeout:     h1.QueueTimeout,
		ConnectTimeout:   h1.ConnectTimeout,
		FirstByteTimeout: h1.FirstByteTimeout,
		BodyTimeout:      h1.BodyTimeout,
	}
}
