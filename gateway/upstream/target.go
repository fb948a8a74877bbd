package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// target is one server.
type target struct {
	url    string // as configured, for records
	host   string // of the Host field
	prefix string // of every path, without a slash at its end
	takes  bool   // calls: its weight is not 0
	conns  *http1.Pool
}

func newTarget(t apidef.Target, u apidef.Upstream, clock *http1.Clock) (*target, error) {
	at, err := url.Parse(t.URL)
	if err != nil || at.Scheme != "http" || at.Hostname() == "" {
		return nil, fmt.Errorf("the target %q is not a URL such as http://10.0.0.5:3000", t.URL)
	}
	timeouts, conns := u.Timeouts.WithDefaults(), u.Connections.WithDefaults()
	return &target{
		url:    t.URL,
		host:   at.Host,
		prefix: strings.TrimSuffix(at.EscapedPath(), "/") + strings.TrimSuffix(u.Path, "/"),
		conns: http1.NewPool(http1.PoolConfig{
			Address:          net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), "80")),
			MaxConnections:   conns.Max,
			MaxIdle:          conns.Idle,
			IdleTimeout:      time.Duration(conns.IdleTimeout),
			Queue:            conns.Queue,
			QueueTimeout:     time.Duration(timeouts.FirstByte),
			ConnectTimeout:   time.Duration(timeouts.Connect),
			FirstByteTimeout: time.Duration(timeouts.FirstByte),
			BodyTimeout:      time.Duration(timeouts.Idle),
			Clock:            clock,
		}),
	}, nil
}
