package redisdb_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMemory(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one has no limit of memory")
	}
	rdb := s.Client()
	for _, c := range []struct{ limit, policy, want string }{
		{"0", "noeviction", ""},
		{"0", "allkeys-lru", ""}, // without a limit nothing is evicted
		{"100gb", "noeviction", ""},
		{"100gb", "allkeys-lru", "maxmemory-policy is allkeys-lru"},
		{"100gb", "volatile-ttl", "set it to noeviction"},
		{"1", "noeviction", "refuses writes"},
	} {
		for name, value := range map[string]string{"maxmemory": c.limit, "maxmemory-policy": c.policy} {
			if err := rdb.ConfigSet(t.Context(), name, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		got := redisdb.Memory(t.Context(), rdb)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.limit, c.policy, got, c.want)
		}
	}
}

func TestMemoryOfAServerThatDoesNotSay(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb := s.Client()
	s.Stop()
	if got := redisdb.Memory(t.Context(), rdb); got != "" {
		t.Errorf("%q", got)
	}
}
