package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/gateway/session"
	"github.com/sluice-gateway/sluice/gateway/session/sessiontest"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

var errAway = errors.New("connection refused")

// memory is a store in memory.
type memory struct {
	mu      sync.Mutex
	entries map[string]keyring.Entry
	err     error
	calls   atomic.Int64
	wait    time.Duration // per call
}

func newMemory() *memory { return &memory{entries: map[string]keyring.Entry{}} }

func (m *memory) Get(ctx context.Context, hash string) (keyring.Entry, error) {
	m.calls.Add(1)
	if m.wait > 0 {
		select {
		case <-time.After(m.wait):
		case <-ctx.Done():
			return keyring.Entry{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return keyring.Entry{}, m.err
	}
	e, ok := m.entries[hash]
	if !ok {
		return e, keyring.ErrUnknown
	}
	return e, nil
}

func (m *memory) Put(_ *testing.T, e keyring.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[e.Hash] = e
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) Away(*testing.T)    { m.fail(errAway) }
func (m *memory) Back(*testing.T)    { m.fail(nil) }
func (m *memory) Empty(t *testing.T) { m.mu.Lock(); defer m.mu.Unlock(); clear(m.entries) }

// ring is the real thing.
type ring struct {
	*keyring.Reader
	w    *keyring.Writer
	s    *testenv.Server
	ping func() error
	away bool
}

func (r *ring) Put(t *testing.T, e keyring.Entry) {
	t.Helper()
	if err := r.w.Put(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func (r *ring) Away(*testing.T) { r.s.Stop(); r.away = true }

// Back waits until the client has noticed.
func (r *ring) Back(t *testing.T) {
	t.Helper()
	r.s.Start(true)
	r.away = false
	testenv.EventuallyNoError(t, 10*time.Second, r.ping)
}

func (r *ring) Empty(*testing.T) { r.s.Flush() }

func TestInMemory(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) sessiontest.Store { return newMemory() })
}

func TestInRedis(t *testing.T) {
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		sessiontest.Run(t, func(t *testing.T) sessiontest.Store {
			s.Flush()
			c := s.Client()
			r := &ring{
				Reader: keyring.NewReader(c, k), w: keyring.NewWriter(c, k), s: s,
				ping: func() error { return c.Ping(context.Background()).Err() },
			}
			t.Cleanup(func() {
				if r.away {
					s.Start(true)
				}
			})
			return r
		})
	})
}

func ask(l *session.Lookup, secret string) error {
	_, err := l.Session(context.Background(), secret)
	return err
}

func TestOneQuestionForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.wait = 5 * time.Millisecond
		m.Put(t, sessiontest.Entry("a", 1))
		l := session.New(m, sessiontest.Sum, nil, session.Options{})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 50 {
			go func() {
				ctx := t.Context()
				if i%2 == 1 {
					ctx = gone // who has gone away does not take the answer from the others
				}
				if _, err := l.Session(ctx, "a"); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		<-time.After(10 * time.Millisecond)
		if n := m.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestASlowStoreCostsNoMoreThanTheBudgetAndIsThenSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.wait = time.Minute
		l := session.New(m, sessiontest.Sum, nil, session.Options{})
		for i := range 20 {
			began := time.Now()
			if err := ask(l, fmt.Sprint(i)); err == nil || errors.Is(err, key.ErrUnknown) {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(began); took > 250*time.Millisecond || i >= 5 && took > 0 {
				t.Errorf("question %d took %v", i, took)
			}
		}
		if n := m.calls.Load(); n != 5 || !l.Stats().BreakerOpen {
			t.Errorf("%d calls; breaker open: %v", n, l.Stats().BreakerOpen)
		}
		m.wait = 0
		<-time.After(1100 * time.Millisecond)
		if !errors.Is(ask(l, "a"), key.ErrUnknown) || l.Stats().BreakerOpen {
			t.Error("the breaker did not close")
		}
	})
}

// A caller whose key is kept does not wait long: there is something to answer with.
func TestAKeptKeyWaitsForASlowStoreOnlyShortly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.Put(t, sessiontest.Entry("a", 1))
		m.wait = 100 * time.Millisecond
		l := session.New(m, sessiontest.Sum, nil, session.Options{})
		for i, most := range []time.Duration{m.wait, 20 * time.Millisecond} {
			began := time.Now()
			if err := ask(l, "a"); err != nil {
				t.Fatalf("question %d: %v", i, err)
			}
			if took := time.Since(began); took > most {
				t.Errorf("question %d took %v", i, took)
			}
			l.Expire()
		}
		if n := l.Stats().Stale; n != 1 {
			t.Errorf("%d answers from memory", n)
		}
	})
}

func TestOnlyOneTriesAnAilingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.wait = time.Minute
		l := session.New(m, sessiontest.Sum, nil, session.Options{})
		for i := range 5 {
			_ = ask(l, fmt.Sprint(i))
		}
		<-time.After(2 * time.Second)
		for i := range 50 {
			go func() { _ = ask(l, fmt.Sprint("x", i)) }()
		}
		synctest.Wait()
		<-time.After(time.Second / 2)
		if n := m.calls.Load(); n != 6 {
			t.Errorf("%d calls, want 5 and one", n)
		}
	})
}

func TestForgedEntriesNeitherPassNorTripTheBreaker(t *testing.T) {
	m := newMemory()
	l := session.New(m, sessiontest.Sum, nil, session.Options{})
	m.fail(keyring.ErrForged)
	for i := range 20 {
		if err := ask(l, fmt.Sprint(i)); err == nil || errors.Is(err, key.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
	}
	if l.Stats().BreakerOpen {
		t.Error("the breaker is open")
	}
}

// TestMadeUpKeysDriveOutNoRealOnes is H02 of the hostile inputs.
func TestMadeUpKeysDriveOutNoRealOnes(t *testing.T) {
	m := newMemory()
	l := session.New(m, sessiontest.Sum, nil, session.Options{Size: 640, UnknownSize: 640})
	for i := range 100 {
		m.Put(t, sessiontest.Entry(fmt.Sprint("real", i), 1))
		if err := ask(l, fmt.Sprint("real", i)); err != nil {
			t.Fatal(err)
		}
	}
	before := l.Stats().Known
	m.Put(t, sessiontest.Tombstone("bad", 1))
	_ = ask(l, "bad")
	for i := range 20_000 {
		_ = ask(l, fmt.Sprint("made up ", i))
	}
	st := l.Stats()
	if st.Known != before || st.Unknown > 640 || st.Revoked != 1 {
		t.Errorf("kept %+v, had %d", st, before)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	m := newMemory()
	l := session.New(m, sessiontest.Sum, nil, session.Options{Size: 640})
	for i := range 5000 {
		m.Put(t, sessiontest.Entry(fmt.Sprint(i), 1))
		_ = ask(l, fmt.Sprint(i))
		l.Drop(sessiontest.Hash(fmt.Sprint("never asked for", i)), 2)
	}
	if st := l.Stats(); st.Known > 640 || st.Known < 500 {
		t.Errorf("kept %+v", st)
	}
	if n := len(l.Export().Floors); n > 4*640 {
		t.Errorf("kept %d floors", n)
	}
}

func TestKeysOfOursWithAWrongChecksumAreNotAskedFor(t *testing.T) {
	m := newMemory()
	l := session.New(m, sessiontest.Sum, nil, session.Options{})
	secret, _, err := access.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	last := byte('0')
	if secret[len(secret)-1] == last {
		last = '1'
	}
	if err := ask(l, secret[:len(secret)-1]+string(last)); !errors.Is(err, key.ErrUnknown) || m.calls.Load() != 0 {
		t.Errorf("got %v after %d calls", err, m.calls.Load())
	}
	if err := ask(l, secret); !errors.Is(err, key.ErrUnknown) || m.calls.Load() != 1 {
		t.Errorf("got %v after %d calls", err, m.calls.Load())
	}
}

func TestUnknownIsAFactOnlyWhileTheStoreIsComplete(t *testing.T) {
	m := newMemory()
	var complete atomic.Bool
	l := session.New(m, sessiontest.Sum, nil, session.Options{Complete: func(context.Context) (bool, error) { return complete.Load(), nil }})
	if err := ask(l, "a"); err == nil || errors.Is(err, key.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	complete.Store(true)
	if err := ask(l, "a"); !errors.Is(err, key.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

// policies is a PolicySource that counts.
type policies struct {
	byID  map[string]access.Policy
	stamp session.Stamp
}

func (p *policies) Policies(string) (map[string]access.Policy, session.Stamp) { return p.byID, p.stamp }

func TestRightsAreMergedOncePerStateOfThePolicies(t *testing.T) {
	m := newMemory()
	e := sessiontest.Entry("a", 1)
	e.Key.Policies = []string{"gold"}
	m.Put(t, e)
	gold := func(api string) map[string]access.Policy {
		return map[string]access.Policy{"gold": {ID: "gold", Rights: []access.Right{{API: api}}}}
	}
	p := &policies{gold("orders"), session.Stamp{Generation: 1}}
	l := session.New(m, sessiontest.Sum, p, session.Options{})
	get := func() *access.Session {
		s, err := l.Session(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := get()
	if !first.Allows("orders", "GET", "/") || get() != first {
		t.Error("the session is wrong or was merged twice")
	}
	p.byID, p.stamp = gold("billing"), session.Stamp{Generation: 2}
	if s := get(); s.Allows("orders", "GET", "/") || !s.Allows("billing", "GET", "/") {
		t.Error("the new policies have no effect")
	}
}

// laggard gives its first answer as it was when the question came, and lets
// something happen in between.
type laggard struct {
	*memory
	meanwhile func()
}

func (g *laggard) Get(ctx context.Context, hash string) (keyring.Entry, error) {
	e, err := g.memory.Get(ctx, hash)
	if f := g.meanwhile; f != nil {
		g.meanwhile = nil
		f()
	}
	return e, err
}

func TestANoticeThatOvertakesAnAnswerWins(t *testing.T) {
	g := &laggard{memory: newMemory()}
	l := session.New(g, sessiontest.Sum, nil, session.Options{})
	g.Put(t, sessiontest.Entry("a", 1))
	g.meanwhile = func() {
		g.Put(t, sessiontest.Tombstone("a", 2))
		l.Drop(sessiontest.Hash("a"), 2)
	}
	if err := ask(l, "a"); !errors.Is(err, key.ErrRevoked) {
		t.Errorf("got %v", err)
	}
}

func TestImportNeverReplacesWhatIsNewer(t *testing.T) {
	m := newMemory()
	l := session.New(m, sessiontest.Sum, nil, session.Options{})
	m.Put(t, sessiontest.Entry("a", 1))
	_ = ask(l, "a")
	old := l.Export()
	m.Put(t, sessiontest.Tombstone("a", 2))
	l.Drop(sessiontest.Hash("a"), 2)
	_ = ask(l, "a")
	l.Import(old)
	if err := ask(l, "a"); !errors.Is(err, key.ErrRevoked) {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	m := newMemory()
	for i := range 50 {
		m.Put(t, sessiontest.Entry(fmt.Sprint(i), 1))
	}
	l := session.New(m, sessiontest.Sum, nil, session.Options{Size: 64, UnknownSize: 64})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				_ = ask(l, fmt.Sprint((i*7+g)%80))
				switch i % 97 {
				case 1:
					l.Drop(sessiontest.Hash(fmt.Sprint(i%50)), 1)
				case 2:
					l.Import(l.Export())
				case 3:
					l.Expire()
				}
			}
		})
	}
	wg.Wait()
	for i := range 50 {
		if err := ask(l, fmt.Sprint(i)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func BenchmarkSession(b *testing.B) {
	k, err := trust.Generate()
	if err != nil {
		b.Fatal(err)
	}
	secret, _, err := access.NewSecret()
	if err != nil {
		b.Fatal(err)
	}
	m := newMemory()
	m.entries[k.HashKey(secret)] = keyring.Entry{Hash: k.HashKey(secret), Version: 1, Key: access.Key{ID: "k_1", Org: "default", State: access.KeyActive}}
	known := k.SumKey(secret)
	for name, hash := range map[string]func(string) trust.KeyHash{"hash": k.SumKey, "cache": func(string) trust.KeyHash { return known }} {
		b.Run(name, func(b *testing.B) {
			l := session.New(m, hash, nil, session.Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Session(context.Background(), secret); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAClockThatGoesBackMakesNothingFresh: else an entry would be used, without
// asking, until the clock has come to where it was.
func TestAClockThatGoesBackMakesNothingFresh(t *testing.T) {
	m := newMemory()
	now := time.Now()
	l := session.New(m, sessiontest.Sum, nil, session.Options{Now: func() time.Time { return now }})
	m.Put(t, keyring.Entry{Hash: sessiontest.Hash("abcdefgh1"), Version: 1, Key: access.Key{ID: "k", Org: "default", State: access.KeyActive, Version: 1}})
	if _, err := l.Session(t.Context(), "abcdefgh1"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	m.Put(t, keyring.Entry{Hash: sessiontest.Hash("abcdefgh1"), Version: 2, Revoked: true})
	if _, err := l.Session(t.Context(), "abcdefgh1"); !errors.Is(err, key.ErrRevoked) {
		t.Errorf("a revoked key: %v", err)
	}
	if _, err := l.Session(t.Context(), "unknown-1"); !errors.Is(err, key.ErrUnknown) {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	m.Put(t, keyring.Entry{Hash: sessiontest.Hash("unknown-1"), Version: 1, Key: access.Key{ID: "k2", Org: "default", State: access.KeyActive, Version: 1}})
	if _, err := l.Session(t.Context(), "unknown-1"); err != nil {
		t.Errorf("a key that was made meanwhile: %v", err)
	}
}
