package app

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/meter"
	"github.com/sluice-gateway/sluice/gateway/serve"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// shipLast is how long the last records may take to reach Redis at the stop; what
// does not stays on disk for the next start.
const shipLast = 3 * time.Second

// recorder is what makes records, or nothing where they are switched off.
type recorder struct {
	spool *spool.Producer
	meter *meter.Meter
}

// openRecords takes the folder for records over.
func openRecords(c Config, rdb redis.UniversalClient, keys *trust.Keys, me *filter.Node, log *slog.Logger) (*recorder, error) {
	if !c.Records.Enabled {
		return nil, nil
	}
	hash, err := addressHash(keys)
	if err != nil {
		return nil, err
	}
	r := c.Records
	p, err := spool.Open(rdb, spool.Options{
		Dir: c.spoolDir(), Node: me.ID, Group: me.Group, Shards: r.Shards, Budget: int64(r.Budget), DiskBudget: int64(r.DiskBudget),
		FlushEvery: r.FlushEvery, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("records: %w (records.dir)", err)
	}
	return &recorder{p, meter.New(meter.Options{Spool: p, Address: record.AddressMode(r.ClientAddress), Hash: hash})}, nil
}

// addressHash makes the hash of client addresses. Its key comes from the pepper
// (HKDF, RFC 5869), so all gateways of an installation agree, and nobody else can
// try addresses out.
func addressHash(keys *trust.Keys) (func([]byte) string, error) {
	key, err := hkdf.Key(sha256.New, keys.Pepper, nil, "sluice client address", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of client addresses: %w", err)
	}
	return func(address []byte) string {
		mac := hmac.New(sha256.New, key)
		mac.Write(address)
		return hex.EncodeToString(mac.Sum(nil)[:12])
	}, nil
}

// run ships batches until ctx ends.
func (r *recorder) run(ctx context.Context) error {
	err := r.spool.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// close ships the rest, for a while.
func (r *recorder) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shipLast)
	defer cancel()
	return r.spool.Close(ctx)
}

// pressed tells that bodies are not wanted: never looked at where nothing is
// recorded. Safe on nil.
func (r *recorder) pressed() bool { return r == nil || r.spool.Pressed() }

// start is the id of this start, which the ids of its records begin with.
func (r *recorder) start(without string) string {
	if r == nil {
		return without
	}
	return r.spool.Start().String()
}

// observer fans out to the counters and, where there is one, the meter.
func (r *recorder) observer(c *serve.Counters) serve.Observer {
	if r == nil {
		return c
	}
	return observers{c, r.meter}
}

type observers [2]serve.Observer

// Observe tells both.
func (o observers) Observe(x *filter.Exchange, out serve.Outcome) {
	o[0].Observe(x, out)
	o[1].Observe(x, out)
}

// Keep lets both take what they need for the end of a tunnel.
func (o observers) Keep(x *filter.Exchange, out serve.Outcome) func(serve.Outcome) {
	first, second := o[0].Keep(x, out), o[1].Keep(x, out)
	return func(out serve.Outcome) {
		for _, end := range []func(serve.Outcome){first, second} {
			if end != nil {
				end(out)
			}
		}
	}
}

// beat is what the fleet is told. Safe on nil.
func (r *recorder) beat() fleet.Spool {
	if r == nil {
		return fleet.Spool{}
	}
	s := r.spool.Stats()
	return fleet.Spool{DiskBytes: s.DiskBytes, Dropped: dropped(s), Volatile: s.Volatile}
}

// check is the component "records" of /hello. Nothing about records keeps a
// gateway from serving.
func (r *recorder) check() httpd.Check {
	var before spool.Stats
	return func(context.Context) (httpd.Status, string) {
		now := r.spool.Stats()
		lost := dropped(now) - dropped(before)
		before = now
		switch {
		case lost > 0:
			return httpd.Warn, fmt.Sprintf("%d records were dropped since the last look", lost)
		case now.DiskBytes > 0:
			return httpd.Warn, fmt.Sprintf("records go over the disk: %d bytes wait there for Redis", now.DiskBytes)
		case !now.RedisOK:
			return httpd.Warn, "Redis does not take records: they wait in memory, then on the disk"
		case now.Volatile:
			return httpd.Warn, "the disk had no room for open batches, and a crash loses them: make room, and start the gateway again"
		case r.spool.Pressed():
			return httpd.Warn, "the streams hold half of their budget: bodies are not recorded"
		}
		return httpd.Pass, fmt.Sprintf("%d records shipped", now.Sent)
	}
}

func dropped(s spool.Stats) (n uint64) {
	for _, v := range s.Dropped {
		n += v
	}
	return n
}
