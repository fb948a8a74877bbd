package lease_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/lease"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

const (
	key  = "sluice:{a49}:lease:minutes"
	long = time.Hour
)

func held(t *testing.T, l *lease.Lease) int64 {
	t.Helper()
	token, ok, err := l.Hold(t.Context())
	if err != nil || !ok || token <= 0 {
		t.Fatalf("token %d, held %t, %v", token, ok, err)
	}
	return token
}

func refused(t *testing.T, l *lease.Lease) {
	t.Helper()
	token, ok, err := l.Hold(t.Context())
	if err != nil || ok || token != 0 || !l.Until().IsZero() {
		t.Fatalf("token %d, held %t until %s, %v", token, ok, l.Until(), err)
	}
}

func released(t *testing.T, l *lease.Lease) {
	t.Helper()
	if err := l.Release(t.Context()); err != nil || !l.Until().IsZero() {
		t.Fatal(err, l.Until())
	}
}

func grown(t *testing.T, before, after int64) {
	t.Helper()
	if after <= before {
		t.Fatalf("token %d after %d", after, before)
	}
}

func TestOneHolderAtATime(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		a, b := lease.New(s.Client(), key, "a", long), lease.New(s.Client(), key, "b", long)
		began := time.Now()
		first := held(t, a)
		if until := a.Until(); until.Before(began.Add(long)) || until.After(time.Now().Add(long)) {
			t.Errorf("held until %s", until)
		}
		refused(t, b)
		if again := held(t, a); again != first {
			t.Errorf("token %d became %d by renewal", first, again)
		}
		released(t, b) // of one that never had it
		refused(t, b)
		released(t, a)
		second := held(t, b)
		grown(t, first, second)
		refused(t, a)
		released(t, a)
		released(t, a)
		refused(t, a)
		released(t, b)
		grown(t, second, held(t, a))
		if other := lease.New(s.Client(), key+"2", "b", long); held(t, other) <= 0 {
			t.Error("another key's lease is not free")
		}
	})
}

func TestALeaseEndsByItself(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		zombie, next := lease.New(s.Client(), key, "a", 50*time.Millisecond), lease.New(s.Client(), key, "b", long)
		first := held(t, zombie)
		var second int64
		testenv.Eventually(t, 10*time.Second, func() bool {
			token, ok, err := next.Hold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			second = token
			return ok
		})
		grown(t, first, second)
		if time.Now().Before(zombie.Until()) {
			t.Error("another has it before the holder believes that it ended")
		}
		refused(t, zombie)
		released(t, zombie)
		if again := held(t, next); again != second {
			t.Errorf("the zombie's release took the lease: token %d after %d", again, second)
		}
	})
}

func TestARenewalThatIsLateAndNobodyMissedKeepsItsToken(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		l := lease.New(s.Client(), key, "a", time.Millisecond)
		first := held(t, l)
		testenv.Eventually(t, 10*time.Second, func() bool { return time.Now().After(l.Until().Add(10 * time.Millisecond)) })
		if again := held(t, l); again != first {
			t.Errorf("token %d, then %d", first, again)
		}
	})
}

func TestTheNextLifeTakesOverAtOnceAndForGood(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		before, after := lease.New(s.Client(), key, "pump-1", long), lease.New(s.Client(), key, "pump-1", long)
		first := held(t, before)
		second := held(t, after)
		grown(t, first, second)
		refused(t, before)
		released(t, before)
		if again := held(t, after); again != second {
			t.Errorf("token %d, then %d", second, again)
		}
	})
}

// TestRacingHolders lets each holder take and release as fast as it can. What it does
// under the lease is not locked otherwise: the race detector sees two holders too.
func TestRacingHolders(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		const holders, turns = 4, 25
		var tokens []int64
		inside := make(chan string, 1) // full while somebody is
		var wait sync.WaitGroup
		for i := range holders {
			name := fmt.Sprint("holder ", i)
			l := lease.New(s.Client(), key, name, long)
			wait.Go(func() {
				for done := 0; done < turns; {
					token, ok, err := l.Hold(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if !ok {
						continue
					}
					select {
					case inside <- name:
					default:
						t.Errorf("%s has what %s has", name, <-inside)
						return
					}
					tokens = append(tokens, token)
					done++
					<-inside
					if err := l.Release(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		if len(tokens) != holders*turns {
			t.Errorf("%d turns of %d", len(tokens), holders*turns)
		}
		for i := range tokens[1:] {
			grown(t, tokens[i], tokens[i+1])
		}
	})
}

func TestTokensGrowAfterRedisLostItsData(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		a, b := lease.New(s.Client(), key, "a", long), lease.New(s.Client(), key, "b", long)
		first := held(t, a)
		s.Flush()
		second := held(t, b)
		grown(t, first, second)
		refused(t, a)
		s.Flush()
		third := held(t, a)
		grown(t, second, third)
		s.Flush()
		grown(t, third, held(t, a)) // another may have had it, and its data was lost
		s.Stop()
		if token, ok, err := a.Hold(testenv.Context(t, 5*time.Second)); err == nil || ok || token != 0 {
			t.Error(token, ok, err)
		}
		if a.Until().IsZero() {
			t.Error("an error ended a lease that is still held")
		}
		s.Start(false)
		grown(t, third, held(t, b))
	})
}

// TestAClockThatWentBack stores a token of the future, as a server whose clock was
// ahead left it.
func TestAClockThatWentBack(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		ahead := time.Now().Add(24 * time.Hour).UnixMicro()
		if err := rdb.HSet(t.Context(), key, "holder", "x", "token", ahead, "until", 1).Err(); err != nil {
			t.Fatal(err)
		}
		a := lease.New(rdb, key, "a", long)
		if first := held(t, a); first != ahead+1 {
			t.Errorf("token %d, not the one after %d", first, ahead)
		}
		s.Flush()
		if next := held(t, a); next != ahead+2 {
			t.Errorf("token %d: what the holder knew was forgotten", next)
		}
		if ttl := rdb.PTTL(t.Context(), key).Val(); ttl < 29*24*time.Hour || ttl > 31*24*time.Hour {
			t.Errorf("the hash stays for %s", ttl)
		}
	})
}

func TestAKeyOfAnotherTypeIsAnError(t *testing.T) {
	rdb := testenv.Redis(t)
	if err := rdb.Set(t.Context(), key, "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if token, ok, err := lease.New(rdb, key, "a", 0).Hold(t.Context()); err == nil || ok || token != 0 {
		t.Error(token, ok, err)
	}
}

func TestAFullRedisGivesLeases(t *testing.T) {
	s := testenv.RedisServer(t)
	if !s.Real() {
		testenv.Missing(t, "redis", "install redis-server; the embedded one knows no limit of memory")
	}
	if err := s.Client().ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	l := lease.New(s.Client(), key, "a", long)
	token := held(t, l)
	if again := held(t, l); again != token {
		t.Errorf("renewed with token %d, held with %d", again, token)
	}
	refused(t, lease.New(s.Client(), key, "b", long))
	released(t, l)
}
