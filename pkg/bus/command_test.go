package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error %v, want the code %s", err, code)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// pair is a dashboard and a node on one Redis, both running.
func pair(t testing.TB, s *testenv.Server, k *trust.Keys, register func(node *Bus)) (dash, node *Bus) {
	t.Helper()
	// A connection that is busy with a large message is not to be taken for a dead one.
	calm := func(node string) Options {
		o := quick(node)
		o.PingEvery = 0
		return o
	}
	dash, node = New(s.Client(), k, calm("dash")), New(s.Client(), k.Node(), calm("n1"))
	register(node)
	run(t, node)
	run(t, dash)
	return dash, node
}

func check(ctx context.Context, payload json.RawMessage) (any, error) {
	var c notice.Check
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	return notice.CheckReply{Version: string(c.Text)}, nil
}

func TestCommandsAreAnswered(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		dash, node := pair(t, s, newKeys(t), func(n *Bus) { n.Handle(notice.CheckCommand, check) })
		var wg sync.WaitGroup
		for _, text := range []string{"one", "two", strings.Repeat("long", 1<<16)} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var reply notice.CheckReply
				if err := dash.Ask(within(t, soon), "n1", notice.CheckCommand, notice.Check{Text: []byte(text)}, &reply); err != nil || reply.Version != text {
					t.Errorf("reply of %d bytes, %v", len(reply.Version), err)
				}
			}()
		}
		wg.Wait()
		if err := dash.Ask(within(t, soon), "n1", notice.CheckCommand, notice.Check{}, nil); err != nil {
			t.Errorf("with the reply thrown away: %v", err)
		}
		if st := node.Stats(); st.Commands != 4 {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhyACommandFails(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k := newKeys(t)
		dash, node := pair(t, s, k, func(n *Bus) {
			n.Handle("fault", func(context.Context, json.RawMessage) (any, error) {
				return nil, fault.Wrap(errors.New("a cause with details"), fault.Invalid, "api.regex", "bad pattern").With("name", "orders")
			})
			n.Handle("error", func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("secret details") })
			n.Handle("panic", func(context.Context, json.RawMessage) (any, error) { panic("secret details") })
			n.Handle("huge", func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", MaxMessage), nil })
		})
		for cmd, code := range map[notice.Command]fault.Code{
			"fault": "api.regex", "error": "bus.failed", "panic": "bus.failed", "huge": "bus.too_large", "unheard-of": "bus.unknown_command",
		} {
			err := dash.Ask(within(t, soon), "n1", cmd, nil, nil)
			wantCode(t, err, code)
			if err != nil && strings.Contains(err.Error(), "details") {
				t.Errorf("%s: details left the node: %v", cmd, err)
			}
			if f := fault.As(err); cmd == "fault" && (f.Kind != fault.Invalid || f.Params["name"] != "orders") {
				t.Errorf("the handler's fault arrived as %+v", f)
			}
		}
		start := time.Now()
		wantCode(t, dash.Ask(within(t, soon), "nobody", notice.CheckCommand, nil, nil), "bus.no_receiver")
		if d := time.Since(start); d > soon/2 {
			t.Errorf("it took %v to know that nobody listens", d)
		}
		wantCode(t, dash.Ask(t.Context(), "n1", "fault", nil, nil), "bus.no_deadline")
		wantCode(t, node.Ask(within(t, soon), "n1", "fault", nil, nil), "bus.not_allowed")
		wantCode(t, dash.Ask(within(t, soon), "n1", "fault", strings.Repeat("x", MaxMessage), nil), "bus.too_large")
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		cancel()
		if err := dash.Ask(ctx, "n1", "fault", nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled asker: %v", err)
		}
	})
}

func TestTheDeadlineEndsAskerAndHandler(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		left := make(chan time.Duration, 1)
		ended := make(chan error, 1)
		dash, _ := pair(t, s, newKeys(t), func(n *Bus) {
			n.Handle("slow", func(ctx context.Context, _ json.RawMessage) (any, error) {
				deadline, _ := ctx.Deadline()
				left <- time.Until(deadline)
				<-ctx.Done()
				ended <- ctx.Err()
				return nil, ctx.Err()
			})
		})
		const budget = 300 * time.Millisecond
		start := time.Now()
		wantCode(t, dash.Ask(within(t, budget), "n1", "slow", nil, nil), "bus.timeout")
		if d := time.Since(start); d < budget/2 || d > soon/2 {
			t.Errorf("the asker waited %v", d)
		}
		if d := <-left; d <= 0 || d > budget {
			t.Errorf("the handler had %v", d)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler ended with %v", err)
		}
	})
}

func TestForgedAndReplayedCommandsDoNotRun(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		k, other := newKeys(t), newKeys(t)
		rdb := s.Client()
		var ran atomic.Int64
		dash, node := pair(t, s, k, func(n *Bus) {
			n.Handle("act", func(context.Context, json.RawMessage) (any, error) { return ran.Add(1), nil })
		})
		base := command{V: envelopeVersion, Command: "act", Node: "n1", Asker: dash.id, Time: time.Now().UnixMilli(), Budget: 1000, Nonce: "n1", Payload: []byte("{}")}
		encode := func(k *trust.Keys, change func(*command)) []byte {
			c := base
			change(&c)
			msg, err := encodeCommand(k, c)
			if err != nil {
				t.Fatal(err)
			}
			return msg
		}
		hasBusKey := newKeys(t) // an intruder with a node's keys: seals well, signs with a key of his own
		hasBusKey.Bus = k.Bus
		unsigned, err := json.Marshal(base)
		if err != nil {
			t.Fatal(err)
		}
		good := encode(k, func(*command) {})
		for _, msg := range [][]byte{
			encode(other, func(*command) {}),
			encode(hasBusKey, func(c *command) { c.Nonce = "n2" }),
			mustSeal(t, k, commandDomain, unsigned),
			mustSeal(t, k, commandDomain, nil),
			mustSeal(t, k, replyDomain, append(k.Sign(commandDomain, unsigned), unsigned...)),
			unsigned, []byte("hello"), nil,
		} {
			publish(t, rdb, nodeChannel+"n1", msg)
		}
		const forged = 8
		publish(t, rdb, nodeChannel+"n1", encode(k, func(c *command) { c.Nonce = "n3"; c.Budget = 0 }))                                 // malformed
		publish(t, rdb, nodeChannel+"n1", encode(k, func(c *command) { c.Nonce = "n4"; c.Node = "n2" }))                                // of another node
		publish(t, rdb, nodeChannel+"n1", encode(k, func(c *command) { c.Nonce = "n5"; c.Time -= 31_000 }))                             // too old
		publish(t, rdb, nodeChannel+"n1", encode(k, func(c *command) { c.Nonce = "n6"; c.Time -= 1000 + lateness.Milliseconds() + 1 })) // its asker gave up
		publish(t, rdb, nodeChannel+"n1", good)
		publish(t, rdb, nodeChannel+"n1", good) // replayed
		if err := dash.Ask(within(t, soon), "n1", "act", nil, nil); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, soon, func() bool { return ran.Load() == 2 })
		st := node.Stats()
		if st.Commands != 2 || st.Forged != forged || st.Malformed != 1 || st.Misdirected != 1 || st.Stale != 2 || st.Replayed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestForgedRepliesAreNotBelieved(t *testing.T) {
	s := testenv.RedisServer(t)
	k, other := newKeys(t), newKeys(t)
	rdb := s.Client()
	release := make(chan struct{})
	dash, _ := pair(t, s, k, func(n *Bus) {
		n.Handle("act", func(ctx context.Context, _ json.RawMessage) (any, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return "genuine", nil
		})
	})
	result := make(chan error, 1)
	var answer string
	go func() { result <- dash.Ask(within(t, soon), "n1", "act", nil, &answer) }()
	var n string // the nonce of the one command that waits
	testenv.Eventually(t, soon, func() bool {
		dash.mu.Lock()
		defer dash.mu.Unlock()
		for n = range dash.pending {
		}
		return n != ""
	})
	r := reply{V: envelopeVersion, Nonce: n, Node: "n1", Asker: dash.id, Payload: []byte(`"forged"`)}
	encode := func(k *trust.Keys, change func(*reply)) []byte {
		c := r
		change(&c)
		msg, err := encodeReply(k, c)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	channel := replyChannel + dash.id
	plain, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, rdb, channel, plain)
	publish(t, rdb, channel, encode(other, func(*reply) {}))
	publish(t, rdb, channel, encode(k, func(r *reply) { r.Asker = "another" }))
	publish(t, rdb, channel, encode(k, func(r *reply) { r.Nonce = "another" }))
	publish(t, rdb, channel, encode(k, func(r *reply) { r.Node = "n2" }))
	testenv.Eventually(t, soon, func() bool { return dash.Stats().Received >= 6 }) // and "accepted"
	close(release)
	if err := <-result; err != nil || answer != "genuine" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if st := dash.Stats(); st.Forged != 2 || st.Misdirected != 1 {
		t.Errorf("%+v", st)
	}
}

func TestABusyNodeSaysSo(t *testing.T) {
	s := testenv.RedisServer(t)
	release := make(chan struct{})
	var inside atomic.Int64
	dash, node := pair(t, s, newKeys(t), func(n *Bus) {
		n.Handle("wait", func(context.Context, json.RawMessage) (any, error) { inside.Add(1); <-release; return nil, nil })
	})
	var wg sync.WaitGroup
	for range MaxCommands {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := dash.Ask(within(t, soon), "n1", "wait", nil, nil); err != nil {
				t.Error(err)
			}
		}()
	}
	testenv.Eventually(t, soon, func() bool { return inside.Load() == MaxCommands })
	wantCode(t, dash.Ask(within(t, soon), "n1", "wait", nil, nil), "bus.busy")
	close(release)
	wg.Wait()
	if st := node.Stats(); st.Refused != 1 || st.Commands != MaxCommands {
		t.Errorf("%+v", st)
	}
}

// held keeps what is published to askers back until it is let go.
type held struct {
	inside atomic.Int64
	let    chan struct{}
}

func (h *held) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *held) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a := cmd.Args(); cmd.Name() == "publish" && strings.HasPrefix(a[1].(string), replyChannel) {
			h.inside.Add(1)
			select {
			case <-h.let:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return next(ctx, cmd)
	}
}

func (h *held) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestRefusalsThatHangHoldNoNoticeUp: the notice may be a revocation.
func TestRefusalsThatHangHoldNoNoticeUp(t *testing.T) {
	s, k := testenv.RedisServer(t), newKeys(t)
	h := &held{let: make(chan struct{})}
	rdb := s.Client()
	rdb.AddHook(h)
	dash, node := New(s.Client(), k, quick("dash")), New(rdb, k.Node(), quick("n1"))
	node.Handle(notice.CheckCommand, check)
	got := collect(node)
	run(t, node)
	run(t, dash)
	var wg sync.WaitGroup
	var answered atomic.Int64
	const asked = MaxCommands + 4 // more than are answered at once
	for range asked {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if fault.Is(dash.Ask(within(t, soon), "n1", "no such command", nil, nil), "bus.unknown_command") {
				answered.Add(1)
			}
		}()
	}
	testenv.Eventually(t, soon, func() bool { return node.Stats().Refused == asked && h.inside.Load() == MaxCommands })
	send(t, dash, 7)
	if g := receive(t, got); g != 7 {
		t.Errorf("got %d", g)
	}
	close(h.let)
	testenv.Eventually(t, soon, func() bool { return answered.Load() == MaxCommands })
	wantCode(t, dash.Ask(within(t, soon), "n1", "no such command", nil, nil), "bus.unknown_command")
	wg.Wait()
}

func TestAskingWithoutRedisIsUnavailable(t *testing.T) {
	s := testenv.RedisServer(t)
	dash, _ := pair(t, s, newKeys(t), func(n *Bus) { n.Handle(notice.CheckCommand, check) })
	s.Stop()
	err := dash.Ask(within(t, time.Second), "n1", notice.CheckCommand, notice.Check{}, nil)
	if !fault.Is(err, "bus.unavailable") && !fault.Is(err, "bus.timeout") {
		t.Errorf("error %v", err)
	}
	testenv.Eventually(t, soon, func() bool {
		select {
		case <-dash.subscribed():
			return false
		default:
			return true
		}
	})
	wantCode(t, dash.Ask(within(t, 200*time.Millisecond), "n1", notice.CheckCommand, notice.Check{}, nil), "bus.unavailable")
	s.Start(false)
	testenv.EventuallyNoError(t, soon, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return dash.Ask(ctx, "n1", notice.CheckCommand, notice.Check{}, nil)
	})
}
