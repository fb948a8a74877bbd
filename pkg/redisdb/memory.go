package redisdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// nearlyFull is the part of maxmemory, in percent, from which Memory warns.
const nearlyFull = 90

// Memory tells what is wrong with the memory of a Redis, for a health check: that it
// deletes keys by itself when it is full (maxmemory-policy is not noeviction), or that it
// is nearly full. It is empty when all is well, and when the server does not say (an ACL
// without INFO). Of a cluster it asks one node; ctx bounds it.
func Memory(ctx context.Context, c redis.UniversalClient) (warning string) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return ""
	}
	said := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	most, err := strconv.ParseInt(said["maxmemory"], 10, 64)
	if err != nil || most <= 0 {
		return "" // no limit, so nothing is ever evicted
	}
	if policy := said["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		return fmt.Sprintf("maxmemory-policy is %s: a full Redis deletes records and configuration without a word; set it to noeviction", policy)
	}
	used, err := strconv.ParseInt(said["used_memory"], 10, 64)
	if err != nil || used < most/100*nearlyFull {
		return ""
	}
	return fmt.Sprintf("Redis uses %d of %d bytes (maxmemory), and refuses writes when it is full; give it more, or records.budget less", used, most)
}
