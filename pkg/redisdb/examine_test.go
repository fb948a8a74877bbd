package redisdb_test

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestExamine(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		f, err := redisdb.Examine(testenv.Context(t, 5*time.Second), s.Client())
		if err != nil || f.Latency <= 0 || f.Replica || f.Memory != "" || f.Persistence != "" {
			t.Errorf("%+v, %v", f, err)
		}
		if f.Offset < -time.Second || f.Offset > time.Second || f.Error <= 0 {
			t.Errorf("the clock of the same machine is %s ± %s off", f.Offset, f.Error)
		}
		if s.Real() && f.Version == "" {
			t.Error("redis-server did not say its version")
		}
		s.Stop()
		if f, err := redisdb.Examine(testenv.Context(t, 5*time.Second), s.Client()); err == nil {
			t.Errorf("a stopped server said %+v", f)
		}
	})
}
