package app

import (
	"context"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// Join takes the platform's keys with o.Token and puts them where a pump with
// the configuration c, which was loaded with settings, reads them; see join.Run. Of o
// the token, Force and Out are needed.
func Join(ctx context.Context, c Config, settings config.Options, o join.Options) error {
	o, err := join.Configured(o, Default, func(c *Config) *redisdb.Config { return &c.Redis }, settings)
	if err != nil {
		return err
	}
	o.Role, o.Data, o.Keys, o.Redis = bus.JoinPump, c.Data, c.trustDir(), c.Redis
	o.Named, o.Name = true, c.Name
	o.Open = func(r redisdb.Config) (join.Desk, error) {
		rdb, err := redisdb.Open(r)
		if err != nil {
			return nil, err
		}
		return bus.NewHandover(rdb), nil
	}
	return join.Run(ctx, o)
}
