package keys_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// many makes 450 keys, more than two pages, of which every tenth is revoked.
func many(t *testing.T, f fixture) (secrets []string) {
	t.Helper()
	for i := range 450 {
		r := f.create(fmt.Sprintf(`{"alias":"k%d","rights":[{"api":"*"}]}`, i))
		secrets = append(secrets, r.Secret)
		if i%10 == 0 {
			if _, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return secrets
}

func (f fixture) complete(secrets []string) error {
	for i, s := range secrets {
		e, err := f.entry(s)
		if err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
		if e.Revoked != (i%10 == 0) {
			return fmt.Errorf("key %d: revoked %v", i, e.Revoked)
		}
	}
	return nil
}

func TestAnEmptiedRedisGetsEveryKey(t *testing.T) {
	f := newFixture(t)
	secrets := many(t, f)
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.redis.Flush()
	f.bus.heard = nil
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.complete(secrets); err != nil {
		t.Error(err)
	}
	if len(f.bus.heard) != 45 || !f.bus.has(notice.KeyChanged{Hash: f.trust.HashKey(secrets[0]), Version: 2}) {
		t.Errorf("gateways were told of %d keys again, not of the 45 revoked ones", len(f.bus.heard))
	}
}

// TestARestoredRedisRevivesNoKey: changes between the copy and its return are
// replayed from the copy's watermark, however long ago it was taken.
func TestARestoredRedisRevivesNoKey(t *testing.T) {
	now := time.Now()
	f := newFixture(t, func(o *keys.Options) { o.Now = func() time.Time { return now } })
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	copied := f.redis.Dump()
	now = now.Add(time.Hour)
	if _, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID); err != nil {
		t.Fatal(err)
	}
	late := f.create(`{"alias":"b","rights":[{"api":"*"}]}`)
	now = now.Add(24 * time.Hour)
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.redis.Restore(copied)
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return f.Repair(t.Context()) })
	if e, err := f.entry(r.Secret); err != nil || !e.Revoked {
		t.Errorf("the revoked key: %+v, %v", e, err)
	}
	if e, err := f.entry(late.Secret); err != nil || e.Revoked {
		t.Errorf("the key made after the copy: %+v, %v", e, err)
	}
}

func TestRedisBeingAwayDoesNotStopChanges(t *testing.T) {
	f := newFixture(t)
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	f.redis.Stop()
	f.bus.broken = true
	v, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID)
	if err != nil || len(v.Problems) != 1 || v.Problems[0].Code != "key.pending" {
		t.Fatalf("got %+v, %v", v, err)
	}
	if err := f.Repair(t.Context()); err == nil {
		t.Error("a repair without Redis succeeded")
	}
	f.redis.Start(true)
	f.bus.broken = false
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	f.Wake()
	told := notice.KeyChanged{Hash: f.trust.HashKey(r.Secret), Version: 2}
	testenv.Eventually(t, 10*time.Second, func() bool {
		e, err := f.entry(r.Secret)
		return err == nil && e.Revoked && f.bus.has(told)
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// crashing is a ring that takes nothing, as if the dashboard died before it.
type crashing struct{ keys.Ring }

func (crashing) Put(context.Context, ...keyring.Entry) error { return errors.New("died") }

func TestAnotherDashboardProjectsWhatADeadOneStored(t *testing.T) {
	f := newFixture(t)
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	dying := keys.New(keys.Options{Store: f.store.Keys(), Marks: f.store.Marks(), Ring: crashing{}, Catalog: catalog{}, Hasher: f.trust})
	r, err := dying.Create(t.Context(), keys.Write{Org: "default"}, []byte(`{"alias":"a","rights":[{"api":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.entry(r.Secret); !errors.Is(err, keyring.ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := f.entry(r.Secret); err != nil || e.Version != 1 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestASteadyPassReadsOnlyTheOverlap(t *testing.T) {
	now := time.Now()
	counting := &counter{}
	f := newFixture(t, func(o *keys.Options) {
		o.Now = func() time.Time { return now }
		counting.Store, o.Store = o.Store, counting
	})
	for i := range 5 {
		f.create(fmt.Sprintf(`{"alias":"k%d","rights":[{"api":"*"}]}`, i))
	}
	for _, want := range []int{5, 5, 0} { // all of them, the overlap, nothing
		counting.read = 0
		if err := f.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if counting.read != want {
			t.Errorf("a pass read %d keys, not %d", counting.read, want)
		}
		if want == 5 && counting.passes == 2 {
			now = now.Add(3 * time.Minute)
			if err := f.Repair(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestASweepFindsWhatWasTurnedBackBeneathTheWatermark: somebody who can write to
// Redis has put the genuine entry of before the revocation back.
func TestASweepFindsWhatWasTurnedBackBeneathTheWatermark(t *testing.T) {
	now := time.Now()
	counting := &counter{}
	f := newFixture(t, func(o *keys.Options) {
		o.Now = func() time.Time { return now }
		counting.Store, o.Store = o.Store, counting
	})
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	rdb, name := f.redis.Client(), "sluice:key:"+f.trust.HashKey(r.Secret)
	genuine, err := rdb.HGetAll(t.Context(), name).Result()
	if err != nil || len(genuine) == 0 {
		t.Fatal(genuine, err)
	}
	if _, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID); err != nil {
		t.Fatal(err)
	}
	for i := range 2100 { // more than a step
		k := access.Key{ID: fmt.Sprintf("k%04d", i), Org: "default", Version: 1, State: access.KeyActive, UpdatedAt: now.UTC().Truncate(time.Millisecond)}
		if err := f.store.Keys().Insert(t.Context(), keys.Stored{Key: k, Hashes: []string{fmt.Sprintf("hash-of-%04d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Hour)
	for range 2 {
		if err := f.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	if err := rdb.HSet(t.Context(), name, genuine).Err(); err != nil {
		t.Fatal(err)
	}
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := f.entry(r.Secret); err != nil || e.Revoked {
		t.Fatalf("the test turned nothing back: %+v, %v", e, err)
	}
	step := func() int {
		t.Helper()
		counting.read = 0
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return counting.read
	}
	if n := step(); n != 0 { // it may begin up to an hour later
		t.Errorf("%d keys at once", n)
	}
	now = now.Add(time.Hour)
	if one, two, three := step(), step(), step(); one != 2000 || two != 101 || three != 0 {
		t.Errorf("steps of %d, %d and %d keys", one, two, three)
	}
	if e, err := f.entry(r.Secret); err != nil || !e.Revoked {
		t.Errorf("the revoked key: %+v, %v", e, err)
	}
	now = now.Add(time.Hour)
	if n := step(); n != 2000 {
		t.Errorf("an hour later: %d keys", n)
	}
	now = now.Add(-24 * time.Hour)
	step()
	step()
	if n := step(); n != 0 {
		t.Errorf("%d keys at once after the clock went back", n)
	}
	now = now.Add(time.Hour)
	if n := step(); n != 2000 {
		t.Errorf("an hour after the clock went back: %d keys", n)
	}
}

type counter struct {
	keys.Store
	read, passes int
}

func (c *counter) Changed(ctx context.Context, since time.Time, after string, limit int) ([]keys.Stored, error) {
	list, err := c.Store.Changed(ctx, since, after, limit)
	c.read += len(list)
	c.passes++
	return list, err
}

// TestAClockThatGoesBackHidesNoRevocation: the watermark lies in what is now the
// future, Redis was away at the revocation, and this dashboard has started anew.
func TestAClockThatGoesBackHidesNoRevocation(t *testing.T) {
	now := time.Now().Add(time.Hour)
	clock := func(o *keys.Options) { o.Now = func() time.Time { return now } }
	f := newFixture(t, clock)
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	f.redis.Stop()
	if v, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID); err != nil || len(v.Problems) != 1 {
		t.Fatalf("got %+v, %v", v, err)
	}
	f.redis.Start(true)
	now = now.Add(10 * time.Minute)
	opts := keys.Options{Store: f.store.Keys(), Marks: f.store.Marks(), Ring: keyring.NewWriter(f.redis.Client(), f.trust), Catalog: catalog{}, Hasher: f.trust}
	clock(&opts)
	if err := keys.New(opts).Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := f.entry(r.Secret); err != nil || !e.Revoked {
		t.Errorf("the revoked key: %+v, %v", e, err)
	}

	// An emptied Redis gets the watermark that gateways may have seen: below it they
	// would call no key unknown.
	ring := keyring.NewReader(f.redis.Client(), f.trust)
	if ok, err := ring.Complete(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	f.redis.Flush()
	if err := keys.New(opts).Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, err := ring.Complete(t.Context()); !ok || err != nil {
		t.Errorf("after a repair with a clock that went back: %v, %v", ok, err)
	}
}

// TestGatewaysAreToldAgainOfSuspendedKeys: like a revoked one, a suspended key may
// have been seen alive in a Redis that was restored.
func TestGatewaysAreToldAgainOfSuspendedKeys(t *testing.T) {
	f := newFixture(t)
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	if _, err := f.Patch(t.Context(), keys.Write{Org: "default", IfMatch: "*"}, r.Key.ID, []byte(`{"state":"suspended"}`)); err != nil {
		t.Fatal(err)
	}
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.redis.Flush()
	f.bus.heard = nil
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !f.bus.has(notice.KeyChanged{Hash: f.trust.HashKey(r.Secret), Version: 2}) {
		t.Errorf("gateways were told %v", f.bus.heard)
	}
}

// TestMoreEndedKeysThanAreToldOneByOneAreToldAtOnce: after a loss of Redis gateways
// may have seen any of them alive.
func TestMoreEndedKeysThanAreToldOneByOneAreToldAtOnce(t *testing.T) {
	now := time.Now()
	f := newFixture(t, func(o *keys.Options) { o.Now = func() time.Time { return now } })
	f.RememberAtMost(40)
	many(t, f) // 45 of them ended
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour) // beyond the overlap
	f.redis.Flush()
	f.bus.heard, f.bus.all, f.bus.broken = nil, 0, true
	if err := f.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.bus.broken = false
	for range 2 { // the second has nothing left to say
		if err := f.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(f.bus.heard) != 40 || f.bus.all != 1 {
			t.Errorf("%d keys were told one by one, all at once %d times", len(f.bus.heard), f.bus.all)
		}
	}
}
