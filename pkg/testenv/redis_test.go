package testenv_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestServerKeepsItsPromises(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		ctx, rdb := testenv.Context(t, 30*time.Second), s.Client()
		if n := rdb.DBSize(ctx).Val(); n != 0 {
			t.Fatalf("a new server holds %d keys", n)
		}
		must(t, rdb.Set(ctx, "a", "1", 0).Err())

		addr := s.Addr()
		s.Stop()
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		if err := rdb.Ping(short).Err(); err == nil {
			t.Error("a stopped server answers")
		}
		cancel()
		s.Stop()
		s.Start(true)
		if s.Addr() != addr {
			t.Errorf("the address changed from %s to %s", addr, s.Addr())
		}
		if got := rdb.Get(ctx, "a").Val(); got != "1" {
			t.Errorf("after Start(true) a = %q", got)
		}
		s.Stop()
		s.Start(false)
		if n := rdb.DBSize(ctx).Val(); n != 0 {
			t.Errorf("after Start(false) there are %d keys", n)
		}
		must(t, rdb.Set(ctx, "b", "1", 0).Err())
		s.Flush()
		if n := rdb.Exists(ctx, "b").Val(); n != 0 {
			t.Error("Flush left a key")
		}
	})
}

func TestKeysExpireInRealTime(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		ctx, rdb := testenv.Context(t, 30*time.Second), s.Client()
		must(t, rdb.Set(ctx, "a", "1", 100*time.Millisecond).Err())
		testenv.Eventually(t, 5*time.Second, func() bool { return rdb.Exists(ctx, "a").Val() == 0 })
		s.Stop()
		s.Start(true)
		must(t, rdb.Set(ctx, "b", "1", 100*time.Millisecond).Err())
		testenv.Eventually(t, 5*time.Second, func() bool { return rdb.Exists(ctx, "b").Val() == 0 })
	})
}

func TestRestoreBringsBackOlderData(t *testing.T) {
	s := testenv.RedisServer(t)
	ctx, rdb := testenv.Context(t, 30*time.Second), s.Client()
	must(t, rdb.Set(ctx, "a", "old", 0).Err())
	must(t, rdb.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "1"}}).Err())
	dump := s.Dump()
	must(t, rdb.Set(ctx, "a", "new", 0).Err())
	must(t, rdb.Set(ctx, "b", "new", 0).Err())
	s.Restore(dump)
	if got := rdb.Get(ctx, "a").Val(); got != "old" {
		t.Errorf("a = %q, want old", got)
	}
	if n := rdb.Exists(ctx, "b").Val(); n != 0 {
		t.Error("b survived the restore")
	}
	if n := rdb.XLen(ctx, "s").Val(); n != 1 {
		t.Errorf("the stream has %d entries, want 1", n)
	}
}

func TestServersAreApart(t *testing.T) {
	ctx := testenv.Context(t, 30*time.Second)
	a, b := testenv.Redis(t), testenv.Redis(t)
	must(t, a.Set(ctx, "k", "1", 0).Err())
	if n := b.Exists(ctx, "k").Val(); n != 0 {
		t.Error("one server sees the other's key")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
