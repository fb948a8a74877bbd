package bus_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func someOffer() bus.Offer {
	return bus.Offer{
		Role: bus.JoinGateway, Name: "edge-1", TTL: time.Hour,
		Redis: bus.RedisAt{Addresses: []string{"redis.example:6379"}, Database: 3},
	}
}

func TestATokenHandsTheNodesKeysOverOnce(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		ctx := testenv.Context(t, 20*time.Second)
		desk, k := bus.NewHandover(s.Client()), testenv.Must(trust.Generate())(t)
		offered := testenv.Must(desk.Offer(ctx, k, someOffer()))(t)
		token := testenv.Must(bus.ParseJoinToken(" " + offered.String() + "\n"))(t)
		if token.Role != bus.JoinGateway || token.Keys != k.Fingerprint() || token.Redis.Addresses[0] != "redis.example:6379" || token.Redis.Database != 3 {
			t.Errorf("%+v", token)
		}
		if left := time.Until(token.Expires); left > time.Hour+time.Second || left < time.Hour-5*time.Second {
			t.Errorf("expires in %s", left)
		}
		got := testenv.Must(desk.Take(ctx, token, "gateway on edge-1"))(t)
		if got.Name != "edge-1" || got.Keys.Signing != nil || got.Keys.Fingerprint() != k.Fingerprint() || !bytes.Equal(got.Keys.Pepper, k.Pepper) {
			t.Errorf("a gateway got %+v", got)
		}
		_, err := desk.Take(ctx, token, "thief")
		if !fault.Is(err, "join.used") || !strings.Contains(err.Error(), `"gateway on edge-1"`) {
			t.Errorf("the second time: %v", err)
		}
	})
}

func TestOnlyADashboardGetsTheSigningKey(t *testing.T) {
	ctx := testenv.Context(t, 20*time.Second)
	desk, k := bus.NewHandover(testenv.Redis(t)), testenv.Must(trust.Generate())(t)
	for role, signs := range map[bus.JoinRole]bool{bus.JoinGateway: false, bus.JoinPump: false, bus.JoinDashboard: true} {
		o := someOffer()
		o.Role = role
		got := testenv.Must(desk.Take(ctx, testenv.Must(desk.Offer(ctx, k, o))(t), "x"))(t)
		if (got.Keys.Signing != nil) != signs || signs && !got.Keys.Signing.Equal(k.Signing) {
			t.Errorf("%s: signing key %v", role, got.Keys.Signing != nil)
		}
	}
}

func TestOfManyTakersOneWins(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		ctx := testenv.Context(t, 30*time.Second)
		desk := bus.NewHandover(s.Client())
		for range 20 {
			token := testenv.Must(desk.Offer(ctx, testenv.Must(trust.Generate())(t), someOffer()))(t)
			var won, used atomic.Int32
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					switch _, err := desk.Take(ctx, token, "one of many"); {
					case err == nil:
						won.Add(1)
					case fault.Is(err, "join.used"):
						used.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || used.Load() != 15 {
				t.Fatalf("%d won, %d were told that it is used", won.Load(), used.Load())
			}
		}
	})
}

func TestAnExpiredTokenSaysSo(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		ctx := testenv.Context(t, 20*time.Second)
		rdb := s.Client()
		desk, o := bus.NewHandover(rdb), someOffer()
		o.TTL = bus.MinJoinTTL
		token := testenv.Must(desk.Offer(ctx, testenv.Must(trust.Generate())(t), o))(t)
		testenv.Eventually(t, 10*time.Second, func() bool {
			n, err := rdb.DBSize(ctx).Result()
			return err == nil && n == 0
		})
		if _, err := desk.Take(ctx, token, "late"); !fault.Is(err, "join.expired") {
			t.Error(err)
		}
	})
}

func TestTokensThatNameNothing(t *testing.T) {
	ctx := testenv.Context(t, 20*time.Second)
	s := testenv.RedisServer(t)
	desk := bus.NewHandover(s.Client())
	token := testenv.Must(desk.Offer(ctx, testenv.Must(trust.Generate())(t), someOffer()))(t)
	for name, change := range map[string]func(*bus.JoinToken){
		"another role": func(x *bus.JoinToken) { x.Role = bus.JoinDashboard },
		"a later end":  func(x *bus.JoinToken) { x.Expires = x.Expires.Add(time.Hour) },
		"other keys":   func(x *bus.JoinToken) { x.Keys[0]++ },
	} {
		refusedUnused(t, desk, token, name, change)
	}
	if _, err := desk.Take(ctx, token, "the right one"); err != nil {
		t.Errorf("the forged ones used the token up: %v", err)
	}
	s.Flush()
	refusedUnused(t, desk, token, "an emptied Redis", func(*bus.JoinToken) {})
}

func refusedUnused(t *testing.T, desk *bus.Handover, token bus.JoinToken, name string, change func(*bus.JoinToken)) {
	t.Helper()
	forged := token
	change(&forged)
	// Its text is whole, as a forger's would be.
	parsed := testenv.Must(bus.ParseJoinToken(forged.String()))(t)
	if _, err := desk.Take(t.Context(), parsed, "forger"); !fault.Is(err, "join.unknown") {
		t.Errorf("%s: %v", name, err)
	}
}

func TestAHandOverChangedInRedisIsRefused(t *testing.T) {
	ctx := testenv.Context(t, 20*time.Second)
	rdb := testenv.Redis(t)
	desk, k := bus.NewHandover(rdb), testenv.Must(trust.Generate())(t)
	for name, write := range map[string]func(sealed, other []byte) []byte{
		"a bit":             func(b, _ []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut short":         func(b, _ []byte) []byte { return b[:20] },
		"nothing but a tag": func(b, _ []byte) []byte { return b[:1] },
		"another hand-over": func(_, other []byte) []byte { return other },
	} {
		rdb.FlushAll(ctx)
		testenv.Must(desk.Offer(ctx, testenv.Must(trust.Generate())(t), someOffer()))(t)
		name2 := testenv.Must(rdb.Keys(ctx, "sluice:join:*").Result())(t)[0]
		other := testenv.Must(rdb.Get(ctx, name2).Bytes())(t)
		rdb.Del(ctx, name2)
		token := testenv.Must(desk.Offer(ctx, k, someOffer()))(t)
		key := testenv.Must(rdb.Keys(ctx, "sluice:join:*").Result())(t)[0]
		sealed := testenv.Must(rdb.Get(ctx, key).Bytes())(t)
		for _, secret := range [][]byte{k.Bus, k.Sealing, k.Pepper} {
			if bytes.Contains(sealed, secret) || strings.Contains(key, token.String()) {
				t.Fatal("a secret lies open in Redis")
			}
		}
		rdb.Set(ctx, key, write(sealed, other), time.Hour)
		if _, err := desk.Take(ctx, token, "x"); !fault.Is(err, "join.forged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOffersThatCannotBeMade(t *testing.T) {
	s := testenv.RedisServer(t)
	desk, k := bus.NewHandover(s.Client()), testenv.Must(trust.Generate())(t)
	for code, change := range map[fault.Code]func(*bus.Offer){
		"join.ttl":       func(o *bus.Offer) { o.TTL = 0 },
		"join.role":      func(o *bus.Offer) { o.Role = "broker" },
		"join.too_large": func(o *bus.Offer) { o.Redis.Addresses = []string{strings.Repeat("a", bus.MaxToken)} },
	} {
		o := someOffer()
		change(&o)
		if _, err := desk.Offer(t.Context(), k, o); !fault.Is(err, code) {
			t.Errorf("%s: %v", code, err)
		}
	}
	token := testenv.Must(desk.Offer(t.Context(), k, someOffer()))(t)
	s.Stop()
	if _, err := desk.Offer(t.Context(), k, someOffer()); !fault.Is(err, "join.unavailable") {
		t.Error(err)
	}
	if _, err := desk.Take(t.Context(), token, "x"); !fault.Is(err, "join.unavailable") || errors.Unwrap(err) == nil {
		t.Error(err)
	}
}
