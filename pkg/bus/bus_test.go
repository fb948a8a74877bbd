package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const soon = 10 * time.Second

func newKeys(t testing.TB) *trust.Keys {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func quick(node string) Options {
	return Options{Node: node, MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, PingEvery: 100 * time.Millisecond}
}

// run lets a bus run until the test ends and waits until it is subscribed.
func run(t testing.TB, b *Bus) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	testenv.Eventually(t, soon, func() bool { return b.Stats().Subscriptions > 0 })
}

func publish(t testing.TB, rdb redis.UniversalClient, channel string, msg []byte) {
	t.Helper()
	if err := rdb.Publish(t.Context(), channel, msg).Err(); err != nil {
		t.Fatal(err)
	}
}

// collect gathers the generations of the notices that arrive.
func collect(b *Bus) <-chan int64 {
	got := make(chan int64, 1000)
	b.On(notice.ConfigChangedKind, func(p json.RawMessage) {
		var c notice.ConfigChanged
		if json.Unmarshal(p, &c) == nil {
			got <- c.Generation
		}
	})
	return got
}

func receive(t testing.TB, got <-chan int64) int64 {
	t.Helper()
	select {
	case g := <-got:
		return g
	case <-time.After(soon):
		t.Fatal("no notice came")
		return 0
	}
}

func send(t testing.TB, b *Bus, generation int64) {
	t.Helper()
	if err := b.Publish(t.Context(), notice.ConfigChangedKind, notice.ConfigChanged{Epoch: 1, Generation: generation}); err != nil {
		t.Fatal(err)
	}
}

func TestNoticesReachEveryone(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k := newKeys(t)
		sender := New(s.Client(), k, quick("dash"))
		a, b := New(s.Client(), k.Node(), quick("a")), New(s.Client(), k.Node(), quick("b"))
		gotA, gotB, own := collect(a), collect(b), collect(sender)
		for _, x := range []*Bus{sender, a, b} {
			run(t, x)
		}
		for g := range int64(50) {
			send(t, sender, g)
		}
		for g := range int64(50) {
			if x, y, z := receive(t, gotA), receive(t, gotB), receive(t, own); x != g || y != g || z != g {
				t.Fatalf("notice %d arrived as %d, %d, %d", g, x, y, z)
			}
		}
		// A node may send too: acknowledgements.
		send(t, a, 99)
		if x, y := receive(t, gotA), receive(t, gotB); x != 99 || y != 99 {
			t.Errorf("got %d and %d", x, y)
		}
		if st := a.Stats(); st.Received != 51 || st.Forged+st.Malformed+st.Stale+st.Replayed != 0 || st.Sent != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestForgedStaleAndReplayedNoticesAreDroppedAndCounted(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k, other := newKeys(t), newKeys(t)
		rdb := s.Client()
		b := New(s.Client(), k, quick("a"))
		got := collect(b)
		run(t, b)
		make1 := func(k *trust.Keys, channel string, shift time.Duration, nonce string, generation int64) []byte {
			msg, err := encodeNotice(k, channel, envelope{
				V: envelopeVersion, Kind: notice.ConfigChangedKind, Time: time.Now().Add(shift).UnixMilli(),
				Nonce: nonce, Payload: fmt.Appendf(nil, `{"generation":%d}`, generation),
			})
			if err != nil {
				t.Fatal(err)
			}
			return msg
		}
		good := make1(k, noticeChannel, 0, "n1", 1)
		publish(t, rdb, noticeChannel, good)
		publish(t, rdb, noticeChannel, good) // replayed
		publish(t, rdb, noticeChannel, make1(k, noticeChannel, -31*time.Second, "n2", 2))
		publish(t, rdb, noticeChannel, make1(k, noticeChannel, 31*time.Second, "n3", 3))
		publish(t, rdb, noticeChannel, make1(other, noticeChannel, 0, "n4", 4))
		publish(t, rdb, noticeChannel, make1(k, replyChannel+"x", 0, "n5", 5))
		publish(t, rdb, noticeChannel, bytes.Replace(make1(k, noticeChannel, 0, "n6", 6), []byte(`:6}`), []byte(`:7}`), 1))
		publish(t, rdb, noticeChannel, []byte("hello"))
		publish(t, rdb, noticeChannel, nil)
		odd := []byte(`{"v":2}`)
		publish(t, rdb, noticeChannel, append(k.MAC(noticeDomain, []byte(noticeChannel), odd), odd...))
		publish(t, rdb, noticeChannel, make1(k, noticeChannel, -25*time.Second, "n8", 8)) // late, but not too late
		if g := receive(t, got); g != 1 {
			t.Errorf("first came %d", g)
		}
		if g := receive(t, got); g != 8 {
			t.Errorf("then came %d", g)
		}
		st := b.Stats()
		if st.Replayed != 1 || st.Stale != 2 || st.Forged != 3 || st.Malformed != 3 || st.Received != 11 {
			t.Errorf("%+v", st)
		}
	})
}

func TestTheBusSurvivesRedisAndSignalsTheGap(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k := newKeys(t)
		b, sender := New(s.Client(), k, quick("a")), New(s.Client(), k, quick("dash"))
		got := collect(b)
		var gaps atomic.Int64
		b.OnGap(func() { gaps.Add(1) })
		run(t, b)
		testenv.Eventually(t, soon, func() bool { return gaps.Load() == 1 })
		for round := range int64(3) {
			s.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			if err := sender.Publish(ctx, notice.ConfigChangedKind, notice.ConfigChanged{}); err == nil {
				t.Error("a notice was sent without Redis")
			}
			cancel()
			s.Start(round%2 == 0)
			testenv.Eventually(t, soon, func() bool { return gaps.Load() == round+2 })
			// The client's pool may hold connections of the time before.
			testenv.EventuallyNoError(t, soon, func() error {
				return sender.Publish(t.Context(), notice.ConfigChangedKind, notice.ConfigChanged{Generation: round})
			})
			if g := receive(t, got); g != round {
				t.Errorf("round %d brought %d", round, g)
			}
		}
		if st := b.Stats(); st.Subscriptions != gaps.Load() {
			t.Errorf("%+v after %d gaps", st, gaps.Load())
		}
	})
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func TestAnOutageIsOneLineAtItsBeginningAndOneAtItsEnd(t *testing.T) {
	s := testenv.RedisServer(t)
	var log lines
	var retries atomic.Int64
	o := quick("a")
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	rdb := s.Client()
	rdb.AddHook(dials{&retries})
	b := New(rdb, newKeys(t), o)
	run(t, b)
	s.Stop()
	before := retries.Load()
	testenv.Eventually(t, soon, func() bool { return retries.Load() > before+3 })
	s.Start(true)
	testenv.Eventually(t, soon, func() bool { return log.count("has its connection again") == 1 })
	if n := log.count("lost its connection"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// dials counts attempts to connect.
type dials struct{ n *atomic.Int64 }

func (d dials) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d.n.Add(1)
		return next(ctx, network, addr)
	}
}

func (dials) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (dials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestRunWaitsForRedisAndEndsWithItsContext(t *testing.T) {
	s := testenv.RedisServer(t)
	s.Stop()
	b := New(s.Client(), newKeys(t), quick("a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	s.Start(false)
	testenv.Eventually(t, soon, func() bool { return b.Stats().Subscriptions == 1 })
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(soon):
		t.Fatal("Run did not end")
	}
}

func TestHugeNoticesAreRefused(t *testing.T) {
	b := New(testenv.Redis(t), newKeys(t), quick("a"))
	wantCode(t, b.Publish(t.Context(), notice.ConfigChangedKind, strings.Repeat("x", MaxMessage)), "bus.too_large")
}

func FuzzDecodeNotice(f *testing.F) {
	k := newKeys(f)
	msg, err := encodeNotice(k, noticeChannel, envelope{V: envelopeVersion, Kind: "x", Nonce: "n", Payload: []byte("{}")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg, []byte(`{"v":1,"nonce":"n"}`))
	f.Fuzz(func(t *testing.T, wire, body []byte) {
		if e, err := decodeNotice(k, noticeChannel, wire); err == nil && !bytes.Equal(wire, msg) && !k.CheckMAC(noticeDomain, wire[:trust.MACSize], []byte(noticeChannel), wire[trust.MACSize:]) {
			t.Errorf("%+v was taken without a MAC", e)
		}
		signed := append(k.MAC(noticeDomain, []byte(noticeChannel), body), body...)
		if e, err := decodeNotice(k, noticeChannel, signed); err == nil && (e.V != envelopeVersion || e.Nonce == "") {
			t.Errorf("%+v", e)
		}
	})
}

func FuzzDecodeCommandAndReply(f *testing.F) {
	k := newKeys(f)
	f.Add([]byte(`{"v":1,"command":"check","node":"n","asker":"a","time":1,"budgetMs":5,"nonce":"x","payload":{}}`))
	f.Add([]byte(`{"v":1,"nonce":"x","fault":{"kind":300}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		// The bytes as they are, and the same properly signed and sealed.
		for _, wire := range [][]byte{body, mustSeal(t, k, commandDomain, append(k.Sign(commandDomain, body), body...))} {
			if c, err := decodeCommand(k, wire); err == nil && (c.Nonce == "" || c.Asker == "" || c.Budget <= 0) {
				t.Errorf("%+v", c)
			}
		}
		for _, wire := range [][]byte{body, mustSeal(t, k, replyDomain, body)} {
			if r, err := decodeReply(k, wire); err == nil && r.Nonce == "" {
				t.Errorf("%+v", r)
			}
		}
	})
}

func mustSeal(t testing.TB, k *trust.Keys, domain string, plain []byte) []byte {
	t.Helper()
	b, err := k.SealBus(domain, plain)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAFloodOfOutdatedMessagesIsNoFloodOfLines(t *testing.T) {
	var log bytes.Buffer
	b := New(nil, newKeys(t), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	old, err := encodeNotice(b.keys, noticeChannel, envelope{
		V: envelopeVersion, Kind: notice.ConfigChangedKind,
		Time: time.Now().Add(-time.Hour).UnixMilli(), Nonce: "n", Payload: json.RawMessage(`{}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		b.deliver(t.Context(), noticeChannel, old)
	}
	if lines := bytes.Count(log.Bytes(), []byte("\n")); lines == 0 || lines > 20 || b.Stats().Stale != 1000 {
		t.Errorf("%d lines for %d messages", lines, b.Stats().Stale)
	}
}
