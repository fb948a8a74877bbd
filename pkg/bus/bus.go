// Package bus carries the control plane's messages over Redis publish and
// subscribe, with both ends of it: notices to everyone, and commands from a
// dashboard to one node with a reply.
//
// A notice is a JSON envelope with a MAC over its exact bytes and the channel. A
// command is signed by a dashboard and sealed, as is the reply. Messages that are
// forged, too old or seen before are dropped and counted.
//
// Redis delivers at most once. Whoever must not miss a thing listens to OnGap
// and compares with the truth (the signed root, the key entries) now and then.
package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// The channels.
const (
	noticeChannel = "sluice:bus:notices"
	nodeChannel   = "sluice:bus:node:"  // + node id: commands to it
	replyChannel  = "sluice:bus:reply:" // + asker: replies to it
)

const (
	// MaxMessage is the size in bytes of the largest message.
	MaxMessage = 8 << 20
	// MaxAge is the default of Options.MaxAge.
	MaxAge = 30 * time.Second
	// MaxCommands is how many commands a node runs at once; more are refused with bus.busy.
	MaxCommands = 16
	// MaxBudget is how long a command may run at most, whatever the asker's deadline.
	MaxBudget = 5 * time.Minute

	callTimeout   = 5 * time.Second
	rememberNonce = 1 << 16
)

// Options set a Bus up.
type Options struct {
	// Node is the id under which commands reach this process. Empty: none do.
	Node string
	// Name is the host's name; it is for people only.
	Name string
	// Log gets lost connections and dropped messages. Default: none.
	Log *slog.Logger
	// MaxAge is how far a message's time may lie from the local clock, either way.
	// Default: MaxAge, 30 s.
	MaxAge time.Duration
	// MinBackoff and MaxBackoff bound the wait before a new connection. Default:
	// 50 ms and 2 s.
	MinBackoff, MaxBackoff time.Duration
	// PingEvery is how often the connection is tested; after three times of it in
	// silence it is given up. Default: 3 s.
	PingEvery time.Duration
}

// Handler answers one command. ctx ends with the asker's deadline. An error that
// is a *fault.Fault reaches the asker with its code; of others only that it failed.
type Handler func(ctx context.Context, payload json.RawMessage) (any, error)

// Bus is one process's end. Register with On, OnGap and Handle, then let Run
// run; Publish and Ask are safe for concurrent use.
type Bus struct {
	rdb  redis.UniversalClient
	keys *trust.Keys
	o    Options
	id   string // of this start; names the reply channel

	notices  map[notice.Kind][]func(json.RawMessage)
	gaps     []func()
	handlers map[notice.Command]Handler

	seenNotices, seenCommands *trust.Nonces
	running                   chan struct{} // a slot per command
	refusing                  chan struct{} // a slot per refusal that is being sent
	commands                  sync.WaitGroup

	mu      sync.Mutex
	ready   chan struct{} // closed while subscribed
	pending map[string]chan<- reply

	n counters
}

// New makes a bus. Nothing is received before Run.
func New(rdb redis.UniversalClient, k *trust.Keys, o Options) *Bus {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	defaults := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	defaults(&o.MaxAge, MaxAge)
	defaults(&o.MinBackoff, 50*time.Millisecond)
	defaults(&o.MaxBackoff, 2*time.Second)
	defaults(&o.PingEvery, 3*time.Second)
	return &Bus{
		rdb: rdb, keys: k, o: o, id: rand.Text(),
		notices:     map[notice.Kind][]func(json.RawMessage){},
		handlers:    map[notice.Command]Handler{},
		seenNotices: trust.NewNonces(rememberNonce), seenCommands: trust.NewNonces(rememberNonce),
		running: make(chan struct{}, MaxCommands), refusing: make(chan struct{}, MaxCommands),
		ready:   make(chan struct{}),
		pending: map[string]chan<- reply{},
	}
}

// On calls f with the payload of every notice of that kind, this process's own
// included, one after another. f must not block for long. Call it before Run.
func (b *Bus) On(kind notice.Kind, f func(payload json.RawMessage)) {
	b.notices[kind] = append(b.notices[kind], f)
}

// OnGap calls f after every subscription, the first included: something may have
// been missed before it. f must not block for long. Call it before Run.
func (b *Bus) OnGap(f func()) { b.gaps = append(b.gaps, f) }

// Handle answers a command that a dashboard sends to this node; it needs
// Options.Node. Commands run concurrently, at most MaxCommands. Call it before Run.
func (b *Bus) Handle(cmd notice.Command, f func(ctx context.Context, payload json.RawMessage) (any, error)) {
	b.handlers[cmd] = f
}

// Publish sends a notice to every subscriber. Errors are faults: bus.too_large,
// bus.unavailable.
func (b *Bus) Publish(ctx context.Context, kind notice.Kind, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode the notice %s: %w", kind, err)
	}
	msg, err := encodeNotice(b.keys, noticeChannel, envelope{
		V: envelopeVersion, Kind: kind, Node: b.o.Node, Time: time.Now().UnixMilli(), Nonce: rand.Text(), Payload: text,
	})
	if err != nil {
		return err
	}
	_, err = b.send(ctx, noticeChannel, msg)
	return err
}

// send publishes bytes and tells how many clients of that Redis node got them.
func (b *Bus) send(ctx context.Context, channel string, msg []byte) (int64, error) {
	if len(msg) > MaxMessage {
		return 0, fault.New(fault.TooLarge, "bus.too_large",
			"a message of %d bytes cannot be sent, the limit is %d; make the object smaller", len(msg), MaxMessage)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	n, err := b.rdb.Publish(ctx, channel, msg).Result()
	if err != nil {
		return 0, unavailable(fmt.Errorf("publish on the bus: %w", err))
	}
	b.n.sent.Add(1)
	return n, nil
}

func unavailable(err error) *fault.Fault {
	return fault.Wrap(err, fault.Unavailable, "bus.unavailable",
		"the services cannot reach each other, since Redis does not answer; check that it is up and reachable")
}

// Stats counts what happened since the start of the process.
type Stats struct {
	Sent          int64 // messages published
	Received      int64 // messages that arrived, good or bad
	Forged        int64 // dropped: wrong MAC, seal or signature
	Malformed     int64 // dropped: cannot be read, or too large
	Stale         int64 // dropped: too old, or from the future
	Replayed      int64 // dropped: seen before
	Misdirected   int64 // dropped: a command for another node
	Commands      int64 // commands handled
	Refused       int64 // commands answered with a fault before their handler ran
	Subscriptions int64 // (re)connections
}

type counters struct {
	sent, received, forged, malformed, stale, replayed, misdirected, commands, refused, subscriptions atomic.Int64
}

// Stats returns the counters.
func (b *Bus) Stats() Stats {
	return Stats{
		Sent: b.n.sent.Load(), Received: b.n.received.Load(), Forged: b.n.forged.Load(),
		Malformed: b.n.malformed.Load(), Stale: b.n.stale.Load(), Replayed: b.n.replayed.Load(),
		Misdirected: b.n.misdirected.Load(), Commands: b.n.commands.Load(), Refused: b.n.refused.Load(),
		Subscriptions: b.n.subscriptions.Load(),
	}
}
