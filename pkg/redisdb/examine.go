package redisdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// clockRounds is how often Examine asks for the time; the quickest answer counts.
const clockRounds = 3

// Facts are what a Redis says of itself. What it does not say (an ACL without INFO) is
// empty.
type Facts struct {
	Latency time.Duration // of one question
	Version string        // such as "7.0.15"
	// Replica is set where the server follows another one, so that it refuses writes.
	Replica bool
	// Persistence is what went wrong when it last wrote to its disk, in its own words;
	// some servers refuse writes then. Empty: nothing.
	Persistence string
	// Offset is the server's clock less this machine's, at most Error off.
	Offset, Error time.Duration
	// Memory is the warning of Memory; empty: none.
	Memory string
}

// Examine asks a Redis what a diagnosis wants to know. It changes nothing. ctx bounds
// it; of a cluster it asks one node.
func Examine(ctx context.Context, c redis.UniversalClient) (f Facts, err error) {
	start := time.Now()
	if err := c.Ping(ctx).Err(); err != nil {
		return f, fmt.Errorf("ask for an answer: %w", err)
	}
	f.Latency = time.Since(start)
	for i := range clockRounds {
		asked := time.Now()
		server, err := c.Time(ctx).Result()
		if err != nil {
			return f, fmt.Errorf("ask for the time: %w", err)
		}
		took := time.Since(asked)
		// Round keeps the wall clock alone: the monotonic one knows nothing of offsets.
		if off := server.Sub(asked.Round(0).Add(took / 2)); i == 0 || took/2 < f.Error {
			f.Offset, f.Error = off, took/2
		}
	}
	f.Memory = Memory(ctx, c)
	info, err := c.Info(ctx).Result()
	if err != nil {
		return f, nil // an ACL without INFO is no failure; the facts stay empty
	}
	f.read(info)
	return f, nil
}

// read takes facts from the answer to INFO.
func (f *Facts) read(info string) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			f.Version = value
		case "role":
			f.Replica = value == "slave"
		case "rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status":
			if value != "ok" {
				f.Persistence = strings.TrimPrefix(f.Persistence+", "+name+":"+value, ", ")
			}
		}
	}
}
