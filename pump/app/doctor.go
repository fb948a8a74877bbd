package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// What a pump needs of the machine.
const (
	leastRoom   = 16 << 20
	leastFiles  = 256
	wantedFiles = 4096
)

// lagWarn is how far behind a sink may be before somebody should look. It fails where
// the streams begin to lose what it has not read, which is 9/10 of their budget.
const lagWarn = time.Minute

// Doctor are the checks of a pump with this configuration, whether it runs or not. They
// change nothing in Redis and in sinks. end closes what they use, after the last has
// come back.
func Doctor(c Config) (checks []doctor.Check, end func()) {
	keys := doctor.NewKeys(c.trustDir(), trust.LoadNode)
	redisdb.LogTo(slog.New(slog.DiscardHandler))
	rdb, err := redisdb.Open(c.Redis)
	server := doctor.NewRedis(c.Redis.Addresses, func(ctx context.Context) (redisdb.Facts, error) {
		if err != nil {
			return redisdb.Facts{}, err
		}
		return redisdb.Examine(ctx, rdb)
	})
	checks = []doctor.Check{
		// the dashboard's user may read records below it
		doctor.Folder{Name: "data", Setting: "data", Path: c.Data, Others: 0o022, Least: leastRoom}.Check(),
		keys.Check(),
	}
	checks = append(checks, server.Checks()...)
	checks = append(checks, server.Needs("fleet", keys.With(func(ctx context.Context, k *trust.Keys) doctor.Finding {
		return doctor.Fleet(ctx, buildinfo.Version(), fleet.NewReader(rdb, k))
	})))
	ports := doctor.Ports{Service: "pump", Version: buildinfo.Version(), Hello: doctor.Port{Setting: "listen.address", Address: c.Listen.Address}}
	if len(c.Sinks) == 0 {
		checks = append(checks, doctor.Check{Name: "sinks", Run: func(context.Context) doctor.Finding {
			return doctor.Warning("name one in sinks", "There is no sink: nothing is drained, and the streams keep what fits their budget.")
		}})
	}
	for _, s := range c.Sinks {
		checks = append(checks, sinkChecks(c, s, &ports)...)
		checks = append(checks, server.Needs("lag of "+s.Name, func(ctx context.Context, _ redisdb.Facts) doctor.Finding { return lookAtLag(ctx, rdb, c, s) }))
	}
	checks = append(checks, server.Needs("dead letters", func(ctx context.Context, _ redisdb.Facts) doctor.Finding { return lookAtDead(ctx, rdb, c) }))
	checks = append(checks, ports.Checks()...)
	checks = append(checks, doctor.OpenFiles(leastFiles, wantedFiles))
	return checks, func() {
		if rdb != nil {
			_ = rdb.Close() // nothing was written
		}
	}
}

// backlog is what a sink has not got yet, of all shards.
type backlog struct {
	reads   int // shards that its group reads
	streams int // shards that have a stream
	entries int64
	lag     time.Duration
	fullest int // percent of a shard's budget
	dead    uint64
	missing uint64 // records that it will not get
}

// lookAtLag says how far a sink is behind. A group that does not exist yet has read
// nothing.
func lookAtLag(ctx context.Context, rdb redis.UniversalClient, c Config, s Sink) doctor.Finding {
	var b backlog
	budget := int64(c.Streams.Budget) / int64(c.Streams.Shards)
	for shard := range c.Streams.Shards {
		p, err := spool.Locate(ctx, rdb, shard, s.Name)
		switch {
		case err == nil:
		case strings.Contains(err.Error(), "no such key"): // nothing was ever recorded there
			continue
		case strings.Contains(err.Error(), "there is no such group"):
			b.streams++
			continue
		default:
			return doctor.Failure("see the check of redis, and which commands its user may use", "How far the sink %s is cannot be asked: %v.", s.Name, err)
		}
		b.streams, b.reads = b.streams+1, b.reads+1
		b.entries, b.lag = b.entries+p.Entries, max(b.lag, p.Lag)
		b.fullest = max(b.fullest, int(p.Bytes*100/max(budget, 1)))
		b.dead, b.missing = b.dead+p.Dead, b.missing+p.Forgotten
		for _, g := range p.Gaps {
			if !g.Provisional {
				b.missing += g.Records
			}
		}
	}
	return b.judge(s.Name)
}

func (b backlog) judge(sink string) doctor.Finding {
	said := fmt.Sprintf("The sink %s is %s behind, by %d batches, which fill its shards up to %d %% of streams.budget", sink, b.lag.Round(100*time.Millisecond), b.entries, b.fullest)
	switch {
	case b.streams == 0:
		return doctor.Well("The sink %s has nothing to read: no gateway has recorded a call yet.", sink)
	case b.fullest >= 90:
		return doctor.Failure("mend the sink, or start more pumps with it; to keep more meanwhile raise streams.budget here and records.budget of the gateways", "%s: its oldest records are being lost, or will be.", said)
	case b.reads < b.streams:
		return doctor.Warning("start a pump with this sink, or see why the one that runs cannot read", "The sink %s has never read %d of %d streams: its consumer group is not there.", sink, b.streams-b.reads, b.streams)
	case b.lag > lagWarn:
		return doctor.Warning("see that a pump runs, and what its /state says of the sink; a slow sink wants more pumps", "%s.", said)
	case b.missing > 0:
		return doctor.Warning("nothing brings them back; /state of a pump lists the gaps, and the logs of gateways and pumps of that time say why", "%s; %d records of the last days never came to it.", said, b.missing)
	}
	return doctor.Well("%s.", said)
}

// lookAtDead counts what no sink could take.
func lookAtDead(ctx context.Context, rdb redis.UniversalClient, c Config) doctor.Finding {
	var letters int64
	newest, why := "", ""
	for shard := range c.Streams.Shards {
		last, err := rdb.XRevRangeN(ctx, spool.DeadKey(shard), "+", "-", 1).Result()
		if err == nil && len(last) > 0 {
			var n int64
			if n, err = rdb.XLen(ctx, spool.DeadKey(shard)).Result(); err == nil {
				letters += n
			}
			if last[0].ID > newest {
				newest = last[0].ID
				why = fmt.Sprintf("the sink %v: %v", last[0].Values["group"], last[0].Values["reason"])
			}
		}
		if err != nil && !errors.Is(err, redis.Nil) {
			return doctor.Failure("see the check of redis, and which commands its user may use", "The dead letters cannot be counted: %v.", err)
		}
	}
	if letters > 0 {
		return doctor.Warning(fmt.Sprintf("see what the sink refuses; the batches are in the streams that redis-cli xrange %s - + shows, one per shard, and the newest thousand of each stay", spool.DeadKey(0)),
			"Of dead letters, batches or records that no sink could take, there are %d; the newest is of %s.", letters, why)
	}
	return doctor.Well("There are no dead letters.")
}
