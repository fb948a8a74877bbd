package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Run subscribes and delivers until ctx ends; then it waits for the commands
// that run and returns nil. A lost connection is made anew, for ever.
func (b *Bus) Run(ctx context.Context) error {
	defer b.commands.Wait()
	wait := b.o.MinBackoff
	lost := false
	for {
		subscribed, err := b.session(ctx, func() {
			if lost {
				b.o.Log.Info("the bus has its connection again")
			}
			lost = false
		})
		if ctx.Err() != nil {
			return nil
		}
		if subscribed {
			wait = b.o.MinBackoff
		}
		level := slog.LevelWarn // once per outage
		if lost {
			level = slog.LevelDebug
		}
		lost = true
		b.o.Log.Log(ctx, level, "the bus lost its connection", "error", err, "retryIn", wait)
		// Jitter keeps a fleet from returning in one wave.
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		wait = min(2*wait, b.o.MaxBackoff)
	}
}

// session is one connection: from subscribing until it breaks. up is called when
// all channels are subscribed.
func (b *Bus) session(ctx context.Context, up func()) (subscribed bool, err error) {
	channels := []string{noticeChannel, replyChannel + b.id}
	if b.o.Node != "" && len(b.handlers) > 0 {
		channels = append(channels, nodeChannel+b.o.Node)
	}
	ps := b.rdb.Subscribe(ctx)
	defer func() { _ = ps.Close() }()
	if err := ps.Subscribe(ctx, channels...); err != nil {
		return false, fmt.Errorf("subscribe: %w", err)
	}
	var heard atomic.Int64 // when something last came, in Unix nanoseconds
	heard.Store(time.Now().UnixNano())
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		b.watch(ctx, ps, &heard)
	}()
	defer func() { cancel(); <-watched; b.setReady(false) }()

	confirmed := 0
	for {
		msg, err := ps.Receive(ctx)
		if err != nil {
			return subscribed, fmt.Errorf("receive: %w", err)
		}
		heard.Store(time.Now().UnixNano())
		switch m := msg.(type) {
		case *redis.Subscription:
			if m.Kind != "subscribe" {
				continue
			}
			if confirmed++; confirmed == len(channels) {
				subscribed = true
				b.n.subscriptions.Add(1)
				b.setReady(true)
				up()
				for _, f := range b.gaps {
					f()
				}
			} else if confirmed > len(channels) {
				// The client resubscribed by itself: the same as a new connection.
				return subscribed, errors.New("the connection was replaced")
			}
		case *redis.Message:
			b.deliver(ctx, m.Channel, []byte(m.Payload))
		}
	}
}

// watch ends a session that fell silent or whose context ended: Receive sees
// neither by itself.
func (b *Bus) watch(ctx context.Context, ps *redis.PubSub, heard *atomic.Int64) {
	defer func() { _ = ps.Close() }()
	tick := time.NewTicker(b.o.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(time.Unix(0, heard.Load())) > 3*b.o.PingEvery {
			return
		}
		if err := ps.Ping(ctx); err != nil {
			return
		}
	}
}

func (b *Bus) setReady(ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.ready:
		if !ready {
			b.ready = make(chan struct{})
		}
	default:
		if ready {
			close(b.ready)
		}
	}
}

// subscribed is closed while the bus is subscribed.
func (b *Bus) subscribed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}

func (b *Bus) deliver(ctx context.Context, channel string, msg []byte) {
	b.n.received.Add(1)
	var err error
	switch {
	case channel == noticeChannel:
		err = b.deliverNotice(channel, msg)
	case strings.HasPrefix(channel, replyChannel):
		err = b.deliverReply(msg)
	default:
		err = b.deliverCommand(ctx, msg)
	}
	if err == nil {
		return
	}
	count := &b.n.malformed
	if errors.Is(err, errForged) {
		count = &b.n.forged
	}
	// Every power of two is logged, so that a flood of bad messages is no flood of lines.
	if n := count.Add(1); n&(n-1) == 0 {
		b.o.Log.Warn("the bus dropped a message", "channel", channel, "error", err, "bytes", len(msg), "times", n)
	}
}

func (b *Bus) deliverNotice(channel string, msg []byte) error {
	e, err := decodeNotice(b.keys, channel, msg)
	if err != nil {
		return err
	}
	if !b.fresh("notice", e.Time, e.Nonce) {
		return nil
	}
	for _, f := range b.notices[e.Kind] {
		f(e.Payload)
	}
	return nil
}

// fresh counts and refuses messages that are too old or were seen before.
func (b *Bus) fresh(what string, sent int64, nonce string) bool {
	now := time.Now()
	if a := age(sent, now); a > b.o.MaxAge {
		if n := b.n.stale.Add(1); n&(n-1) == 0 { // whoever can write to Redis can repeat old messages at will
			b.o.Log.Warn("the bus dropped an outdated message; compare the clocks of the hosts", "message", what, "age", a, "times", n)
		}
		return false
	}
	seen := b.seenNotices
	if what == "command" {
		seen = b.seenCommands
	}
	// It is outdated for good once its time is MaxAge past.
	if !seen.Use(nonce, time.UnixMilli(sent).Add(b.o.MaxAge+time.Millisecond), now) {
		b.n.replayed.Add(1)
		return false
	}
	return true
}
