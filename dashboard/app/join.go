package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Join takes the platform's keys with o.Token and puts them where a dashboard with
// the configuration c, which was loaded with settings, reads them; see join.Run. Of o
// the token, Force and Out are needed.
func Join(ctx context.Context, c Config, settings config.Options, o join.Options) error {
	o, err := join.Configured(o, Default, func(c *Config) *redisdb.Config { return &c.Redis }, settings)
	if err != nil {
		return err
	}
	o.Role, o.Data, o.Keys, o.Redis = bus.JoinDashboard, c.Data, c.trustDir(), c.Redis
	o.Open = func(r redisdb.Config) (join.Desk, error) {
		rdb, err := redisdb.Open(r)
		if err != nil {
			return nil, err
		}
		return bus.NewHandover(rdb), nil
	}
	return join.Run(ctx, o)
}

// NewNode is a process that is to join the platform.
type NewNode struct {
	Role bus.JoinRole
	Name string        // of the node, for people; may be empty
	TTL  time.Duration // how long its token works
}

// NodeToken lays this dashboard's keys ready in Redis for one new process, and
// returns the command that takes them and what to know beside it. It does not
// disturb a dashboard that runs.
func NodeToken(ctx context.Context, c Config, n NewNode) (line string, notes []string, err error) {
	keys, err := trust.LoadDashboard(c.trustDir())
	if err != nil {
		return "", nil, err
	}
	rdb, err := redisdb.Open(c.Redis)
	if err != nil {
		return "", nil, err
	}
	desk := bus.NewHandover(rdb)
	defer func() { err = errors.Join(err, desk.Close()) }()
	t, err := desk.Offer(ctx, keys, bus.Offer{Role: n.Role, Name: n.Name, TTL: n.TTL, Redis: join.Where(c.Redis)})
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("sluice-%s join %s", n.Role, t), joinNotes(c, n.Role), nil
}

// joinNotes says what a token cannot carry.
func joinNotes(c Config, role bus.JoinRole) []string {
	var notes []string
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	note(slices.ContainsFunc(c.Redis.Addresses, loopback),
		"this dashboard reaches Redis on its own machine, so the token works here only; on another machine set redis.addresses of the %s first", role)
	note(c.Redis.Username != "" || c.Redis.Password != "" || c.Redis.SentinelPassword != "",
		"Redis asks for a password, which no token carries: set redis.username and redis.password of the %s first", role)
	note(c.Redis.TLS.CAFile != "" || c.Redis.TLS.CertFile != "",
		"Redis is reached with certificates of this host: set redis.tls.ca_file, and what else it takes, of the %s first", role)
	note(role == bus.JoinDashboard, "a second dashboard needs the same store: set store and mongodb as they are set here")
	return notes
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
