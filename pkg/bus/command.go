package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// acceptWithin is how long an asker waits for a node to say that it got a
// command, where Redis cannot tell (in a cluster it counts the listeners of one
// of its nodes only).
const acceptWithin = time.Second

// lateness is how long after its deadline a command is still begun.
const lateness = 5 * time.Second

// Ask sends a command to a node and waits for its reply, which is decoded into
// reply (nil: thrown away). ctx needs a deadline; Run must be running.
//
// Errors are faults: the handler's own; bus.no_receiver (nobody listens at that
// node, known at once); bus.timeout; bus.unavailable; bus.busy; bus.stale (the
// clocks differ too much); bus.unknown_command; bus.failed (the handler failed
// without a fault); bus.not_allowed (no signing key here); bus.too_large.
func (b *Bus) Ask(ctx context.Context, node string, cmd notice.Command, req, answer any) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return fault.New(fault.Internal, "bus.no_deadline", "the command %s was asked without a deadline", cmd)
	}
	payload, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode the command %s: %w", cmd, err)
	}
	select {
	case <-b.subscribed():
	case <-ctx.Done():
		return b.ended(ctx, unavailable(errors.New("not subscribed to replies")))
	}
	c := command{
		V: envelopeVersion, Command: cmd, Node: node, Asker: b.id, Time: time.Now().UnixMilli(),
		Budget: time.Until(deadline).Milliseconds(), Nonce: rand.Text(), Payload: payload,
	}
	if c.Budget <= 0 {
		return b.ended(ctx, timeout(node, cmd))
	}
	msg, err := encodeCommand(b.keys, c)
	if err != nil {
		return err
	}
	replies := make(chan reply, 2) // accepted, and the answer
	b.mu.Lock()
	b.pending[c.Nonce] = replies
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.pending, c.Nonce)
		b.mu.Unlock()
	}()
	receivers, err := b.send(ctx, nodeChannel+node, msg)
	if err != nil {
		if ctx.Err() != nil {
			return b.ended(ctx, timeout(node, cmd))
		}
		return err
	}
	_, cluster := b.rdb.(*redis.ClusterClient)
	if receivers == 0 && !cluster {
		return noReceiver(node)
	}
	return b.await(ctx, node, cmd, replies, receivers == 0, answer)
}

// await waits for the answer; unsure means that perhaps nobody listens.
func (b *Bus) await(ctx context.Context, node string, cmd notice.Command, replies <-chan reply, unsure bool, answer any) error {
	var silent <-chan time.Time
	if unsure {
		timer := time.NewTimer(acceptWithin)
		defer timer.Stop()
		silent = timer.C
	}
	for {
		select {
		case r := <-replies:
			if r.Node != node {
				continue
			}
			if r.Accepted {
				silent = nil
				continue
			}
			if r.Fault != nil {
				return r.Fault.fault()
			}
			if answer == nil {
				return nil
			}
			if err := json.Unmarshal(r.Payload, answer); err != nil {
				return fmt.Errorf("read the reply of node %s to %s: %w", node, cmd, err)
			}
			return nil
		case <-silent:
			return noReceiver(node)
		case <-ctx.Done():
			return b.ended(ctx, timeout(node, cmd))
		}
	}
}

// ended tells a cancelled asker from one whose deadline passed.
func (b *Bus) ended(ctx context.Context, f *fault.Fault) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("ask a node: %w", ctx.Err())
	}
	return f
}

func timeout(node string, cmd notice.Command) *fault.Fault {
	return fault.New(fault.Unavailable, "bus.timeout",
		"node %s did not answer the command %s in time; see whether it is online, and try again", node, cmd)
}

func noReceiver(node string) *fault.Fault {
	return fault.New(fault.Unavailable, "bus.no_receiver",
		"node %s does not listen, so the command was not sent; see whether it is online", node)
}

func (b *Bus) deliverReply(msg []byte) error {
	r, err := decodeReply(b.keys, msg)
	if err != nil {
		return err
	}
	if r.Asker != b.id {
		b.n.misdirected.Add(1)
		return nil
	}
	b.mu.Lock()
	waiting := b.pending[r.Nonce]
	b.mu.Unlock()
	if waiting == nil { // the asker gave up
		return nil
	}
	select {
	case waiting <- r:
	default: // a repeated reply
		b.n.replayed.Add(1)
	}
	return nil
}

func (b *Bus) deliverCommand(ctx context.Context, msg []byte) error {
	c, err := decodeCommand(b.keys, msg)
	if err != nil {
		return err
	}
	if c.Node != b.o.Node {
		b.n.misdirected.Add(1)
		return nil
	}
	if age(c.Time, time.Now()) > b.o.MaxAge {
		b.n.stale.Add(1)
		b.refuse(ctx, c, fault.New(fault.Unavailable, "bus.stale",
			"node %s refused the command, since its clock and the dashboard's differ by more than %s; set both by NTP", b.o.Node, b.o.MaxAge))
		return nil
	}
	if !b.fresh("command", c.Time, c.Nonce) {
		return nil
	}
	// A command that was held back is not run for an asker who has gone; hosts'
	// clocks are allowed to differ a little.
	if time.Since(time.UnixMilli(c.Time)) > time.Duration(c.Budget)*time.Millisecond+lateness {
		b.n.stale.Add(1)
		return nil
	}
	f := b.handlers[c.Command]
	if f == nil {
		b.refuse(ctx, c, fault.New(fault.NotFound, "bus.unknown_command",
			"node %s does not know the command %q; update it to the dashboard's release", b.o.Node, c.Command))
		return nil
	}
	select {
	case b.running <- struct{}{}:
	default:
		b.refuse(ctx, c, fault.New(fault.TooMany, "bus.busy",
			"node %s runs %d commands already; try again in a moment", b.o.Node, MaxCommands))
		return nil
	}
	b.commands.Add(1)
	go func() {
		defer b.commands.Done()
		defer func() { <-b.running }()
		b.answer(ctx, c, f)
	}()
	return nil
}

// refuse answers a command that does not run, beside the receive loop: a reply
// that hangs must not hold notices up. With as many refusals under way as commands
// may run, one more stays unanswered, and its asker times out.
func (b *Bus) refuse(ctx context.Context, c command, f *fault.Fault) {
	b.n.refused.Add(1)
	select {
	case b.refusing <- struct{}{}:
	default:
		return
	}
	b.commands.Add(1)
	go func() {
		defer b.commands.Done()
		defer func() { <-b.refusing }()
		b.respond(ctx, c, reply{Fault: toWire(f)})
	}()
}

// answer runs a handler within the asker's budget and sends what it returns.
func (b *Bus) answer(ctx context.Context, c command, f Handler) {
	ctx, cancel := context.WithTimeout(ctx, min(time.Duration(c.Budget)*time.Millisecond, MaxBudget))
	defer cancel()
	b.n.commands.Add(1)
	b.respond(ctx, c, reply{Accepted: true})
	result, err := b.call(ctx, c, f)
	r := reply{}
	if err == nil {
		r.Payload, err = json.Marshal(result)
	}
	if err != nil {
		flt := fault.As(err)
		if flt == nil {
			b.o.Log.Error("a command failed", "command", c.Command, "error", err)
			flt = fault.New(fault.Internal, "bus.failed", "node %s could not run the command %s; its log says why", b.o.Node, c.Command)
		}
		r = reply{Fault: toWire(flt)}
	}
	if ctx.Err() == nil { // nobody waits for a late answer
		b.respond(ctx, c, r)
	}
}

// call turns a panic of a handler into an error: one bad command must not end the node.
func (b *Bus) call(ctx context.Context, c command, f Handler) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	return f(ctx, c.Payload)
}

func (b *Bus) respond(ctx context.Context, c command, r reply) {
	r.V, r.Nonce, r.Node, r.Asker = envelopeVersion, c.Nonce, b.o.Node, c.Asker
	msg, err := encodeReply(b.keys, r)
	if err == nil {
		_, err = b.send(ctx, replyChannel+c.Asker, msg)
	}
	if fault.Is(err, "bus.too_large") {
		r.Payload, r.Fault = nil, toWire(fault.As(err))
		if msg, err = encodeReply(b.keys, r); err == nil {
			_, err = b.send(ctx, replyChannel+c.Asker, msg)
		}
	}
	if err != nil {
		b.o.Log.Warn("a reply was not sent", "command", c.Command, "error", err)
	}
}
