package spool

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

//go:embed group.lua
var groupScript string

//go:embed ack.lua
var ackScript string

//go:embed keep.lua
var keepScript string

//go:embed seen.lua
var seenScript string

// Where a new group begins.
const (
	FromOldest = "0" // with what lies in the streams
	FromNow    = "$"
)

// ErrLost says that a batch is no longer this reader's: another one claimed it, or
// it was acknowledged. Nothing was changed.
var ErrLost = errors.New("the batch belongs to another reader now")

// ReaderOptions say how a sink reads a shard. Zero values mean the defaults.
type ReaderOptions struct {
	Group    string // of the sink: 1 to 64 of a-z 0-9 . _ -
	Consumer string // of this process; the same name after a restart resumes at once
	From     string // FromOldest (default) or FromNow, when the group is new

	Batches       int           // most batches of one Read; default 8
	Block         time.Duration // how long a Read waits for the first, whatever becomes of its context; default 1 s; negative: not at all
	ClaimAfter    time.Duration // a batch that its reader neither kept nor acknowledged for so long goes to another; default 60 s
	MaxDeliveries int64         // a batch that was delivered more often is parked; default 5
	DeadLetters   int           // most dead letters of the shard; default 1000
}

// Batch is one entry of a stream.
type Batch struct {
	frame.Header
	Entry      string // id in the stream: order and time of arrival
	Node       string // id of the gateway
	Group      string // its gateway group
	Records    []record.Record
	Deliveries int64 // 1 the first time
	raw        string
}

// Reader reads one shard for one group. Read is for one goroutine; others may settle
// and keep batches while it waits.
type Reader struct {
	rdb   redis.UniversalClient
	o     ReaderOptions
	shard int

	group, ack, keep, seen *redis.Script
	made                   bool      // the group exists
	anew                   bool      // and Redis has lost it meanwhile
	cursor                 string    // in the own pending entries of an earlier life; "" after them
	claimAt                time.Time // when to look for others' entries
	claimFrom              string    // and where
	parked                 atomic.Uint64

	mu      sync.Mutex
	held    map[string]bool   // delivered and not settled
	known   map[string]string // positions by start, for the case that Redis loses them
	orphans []span            // what the sink has and no position says, for the same case
}

var groupPattern = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// NewReader makes a reader. It talks to Redis only when it reads.
func NewReader(rdb redis.UniversalClient, shard int, o ReaderOptions) (*Reader, error) {
	if err := checkShards(shard + 1); err != nil {
		return nil, err
	}
	if !groupPattern.MatchString(o.Group) || o.Consumer == "" {
		return nil, fmt.Errorf("a reader needs a consumer's name and a group of 1 to 64 of a-z 0-9 . _ -, not %q", o.Group)
	}
	if o.From == "" {
		o.From = FromOldest
	}
	number(&o.Batches, 8)
	if o.Block == 0 {
		o.Block = time.Second
	}
	number(&o.ClaimAfter, time.Minute)
	number(&o.MaxDeliveries, 5)
	number(&o.DeadLetters, 1000)
	return &Reader{
		rdb: rdb, o: o, shard: shard, cursor: "0", claimFrom: "0-0", held: map[string]bool{}, known: map[string]string{},
		group: redis.NewScript(groupScript), ack: redis.NewScript(ackScript), keep: redis.NewScript(keepScript), seen: redis.NewScript(seenScript),
	}, nil
}

// Parked is how many entries this reader sent to the dead letters by itself.
func (r *Reader) Parked() uint64 { return r.parked.Load() }

// Read returns the next batches: first those that this consumer had before a
// restart, then those that other readers let lie, then new ones. It waits up to
// Block and returns none when there are none. What nobody can read or what was
// delivered too often goes to the dead letters. Each batch must be settled by Ack
// or Park, and kept by Keep while that takes long.
func (r *Reader) Read(ctx context.Context) ([]*Batch, error) {
	if !r.made {
		if err := r.makeGroup(ctx); err != nil {
			return nil, err
		}
	}
	entries, again, err := r.next(ctx)
	if err != nil {
		if strings.HasPrefix(err.Error(), "NOGROUP") {
			r.made, r.anew, r.cursor = false, true, "" // Redis came back empty
			r.mu.Lock()
			defer r.mu.Unlock()
			clear(r.held)
			return nil, nil
		}
		return nil, fmt.Errorf("read shard %d for %s: %w", r.shard, r.o.Group, err)
	}
	return r.decode(ctx, entries, again)
}

func (r *Reader) makeGroup(ctx context.Context) error {
	args := []any{r.o.Group, r.o.From, time.Now().UnixMilli()}
	r.mu.Lock()
	if len(r.known) > 0 { // the stream is new, and all of it is for us
		args[1] = FromOldest
	}
	for start, position := range r.known {
		args = append(args, start, position)
	}
	r.mu.Unlock()
	if err := r.group.Run(ctx, r.rdb, []string{StreamKey(r.shard), startsKey(r.shard), positionsKey(r.shard)}, args...).Err(); err != nil {
		return fmt.Errorf("make the group %s of shard %d: %w", r.o.Group, r.shard, err)
	}
	if r.anew {
		if err := r.relearn(ctx); err != nil {
			return err
		}
	}
	r.made, r.anew = true, false
	return nil
}

// next gets entries; again: they may have been delivered before.
func (r *Reader) next(ctx context.Context) (entries []redis.XMessage, again bool, err error) {
	stream := StreamKey(r.shard)
	if r.cursor != "" {
		entries, err = r.readGroup(ctx, r.cursor, -1)
		if err != nil || len(entries) > 0 {
			if len(entries) > 0 {
				r.cursor = entries[len(entries)-1].ID
			}
			return entries, true, err
		}
		r.cursor = ""
	}
	if now := time.Now(); !now.Before(r.claimAt) {
		// That there is a reader; Redis's own idle times are not the same everywhere.
		if err := r.seen.Run(ctx, r.rdb, []string{positionsKey(r.shard)}, r.o.Group, now.UnixMilli()).Err(); err != nil {
			return nil, false, err
		}
		entries, r.claimFrom, err = r.rdb.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: stream, Group: r.o.Group, Consumer: r.o.Consumer, MinIdle: r.o.ClaimAfter, Start: r.claimFrom, Count: int64(r.o.Batches),
		}).Result()
		if err != nil {
			r.claimFrom = "0-0"
			return nil, false, err
		}
		if r.claimFrom == "0-0" || r.claimFrom == "" {
			r.claimFrom, r.claimAt = "0-0", now.Add(r.o.ClaimAfter/4)
		}
		if len(entries) > 0 {
			return entries, true, nil
		}
	}
	entries, err = r.readGroup(ctx, ">", r.o.Block)
	return entries, false, err
}

func (r *Reader) readGroup(ctx context.Context, from string, block time.Duration) ([]redis.XMessage, error) {
	streams, err := r.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: r.o.Group, Consumer: r.o.Consumer, Streams: []string{StreamKey(r.shard), from}, Count: int64(r.o.Batches), Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) || (err == nil && len(streams) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return streams[0].Messages, nil
}

func (r *Reader) decode(ctx context.Context, entries []redis.XMessage, again bool) ([]*Batch, error) {
	batches := make([]*Batch, 0, len(entries))
	for i := range entries {
		id := entries[i].ID
		if r.holds(id) {
			continue // in work here, only slowly
		}
		b := &Batch{Entry: id, Deliveries: 1}
		b.raw, _ = entries[i].Values["f"].(string)
		why := ""
		if err := b.decode(r.shard); err != nil {
			why = err.Error()
		}
		if again {
			pending, err := r.rdb.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: StreamKey(r.shard), Group: r.o.Group, Start: id, End: id, Count: 1}).Result()
			if err != nil {
				return nil, fmt.Errorf("read shard %d for %s: %w", r.shard, r.o.Group, err)
			}
			if len(pending) == 0 || pending[0].Consumer != r.o.Consumer {
				continue
			}
			if b.Deliveries = pending[0].RetryCount; b.Deliveries > r.o.MaxDeliveries {
				why = fmt.Sprintf("delivered %d times and never acknowledged", b.Deliveries-1)
			}
		}
		if len(entries[i].Values) == 0 { // evicted before it was read: it is in Gaps
			if err := r.rdb.XAck(ctx, StreamKey(r.shard), r.o.Group, id).Err(); err != nil {
				return nil, fmt.Errorf("pass an evicted batch: %w", err)
			}
			continue
		}
		if why != "" {
			if err := r.settle(ctx, why, []*Batch{b}); err != nil && !errors.Is(err, ErrLost) {
				return nil, err
			}
			r.parked.Add(1)
			continue
		}
		batches = append(batches, b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range batches {
		r.held[b.Entry] = true
	}
	return batches, nil
}

func (r *Reader) holds(entry string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[entry]
}

// decode reads the batch's frame.
func (b *Batch) decode(shard int) error {
	f, err := frame.Parse([]byte(b.raw))
	if err != nil {
		return err
	}
	h := f.Header
	b.Header = h
	if h.Shard != shard {
		return fmt.Errorf("%w: it is of shard %d", frame.ErrCorrupt, h.Shard)
	}
	body, err := f.Body()
	if err != nil {
		return err
	}
	b.Records = make([]record.Record, 0, min(h.Count, len(body)))
	err = record.Walk(body, func(field int, _ uint64, text []byte) error {
		switch {
		case text == nil:
		case field == 1:
			b.Node = string(text)
		case field == 2:
			b.Group = string(text)
		case field == 3:
			b.Records = append(b.Records, record.Record{})
			return b.Records[len(b.Records)-1].Decode(text)
		}
		return nil
	})
	if err == nil && len(b.Records) != h.Count {
		err = fmt.Errorf("%w: %d records where %d were said", frame.ErrCorrupt, len(b.Records), h.Count)
	}
	return err
}

// Ack settles batches that the sink has: they are not delivered again. ErrLost when
// some of them were not this reader's any more; the others are settled.
func (r *Reader) Ack(ctx context.Context, batches ...*Batch) error {
	return r.settle(ctx, "", batches)
}

// Park sends a batch to the dead letters and settles it, because of a reason.
func (r *Reader) Park(ctx context.Context, b *Batch, reason string) error {
	return r.settle(ctx, reason, []*Batch{b})
}

// Reject writes a dead letter about some records of a batch, by index, and leaves
// the batch to be acknowledged.
func (r *Reader) Reject(ctx context.Context, b *Batch, reason string, records []int) error {
	list := make([]string, len(records))
	for i, n := range records {
		list[i] = strconv.Itoa(n)
	}
	err := r.rdb.XAdd(ctx, &redis.XAddArgs{Stream: DeadKey(r.shard), MaxLen: int64(r.o.DeadLetters), Values: []any{
		"group", r.o.Group, "entry", b.Entry, "reason", reason, "records", strings.Join(list, ","), "f", b.raw,
	}}).Err()
	if err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	return nil
}

func (r *Reader) settle(ctx context.Context, reason string, batches []*Batch) error {
	if len(batches) == 0 {
		return nil
	}
	args := []any{r.o.Group, r.o.Consumer, time.Now().UnixMilli(), reason, r.o.DeadLetters}
	for _, b := range batches {
		start, raw := "-", ""
		if b.Seq > 0 {
			start = b.Start.String()
		}
		if reason != "" {
			raw = b.raw
		}
		args = append(args, b.Entry, start, b.Base, b.Count, frame.Micros(b.First), frame.Micros(b.Last), raw)
	}
	keys := []string{StreamKey(r.shard), positionsKey(r.shard), DeadKey(r.shard)}
	answers, err := r.ack.Run(ctx, r.rdb, keys, args...).Slice()
	if err == nil && len(answers) != len(batches) {
		err = errors.New("an answer of another length")
	}
	if err != nil && strings.Contains(err.Error(), "NOGROUP") && reason == "" {
		r.orphaned(batches)
	}
	if err != nil {
		return fmt.Errorf("acknowledge %d batches of shard %d: %w", len(batches), r.shard, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var lost error
	for i, b := range batches {
		delete(r.held, b.Entry)
		answer, _ := answers[i].([]any)
		if len(answer) != 2 || answer[0] == int64(0) {
			lost = ErrLost
			continue
		}
		if position, _ := answer[1].(string); position != "" {
			r.known[b.Start.String()] = position
			if b.End {
				delete(r.known, b.Start.String())
			}
		}
	}
	return lost
}

// Keep says that batches are still being worked on, to be called more often than
// ClaimAfter. ErrLost when some are not this reader's any more: what remains to be
// done with those must not be done.
func (r *Reader) Keep(ctx context.Context, batches ...*Batch) error {
	args := []any{r.o.Group, r.o.Consumer}
	for _, b := range batches {
		args = append(args, b.Entry)
	}
	ours, err := r.keep.Run(ctx, r.rdb, []string{StreamKey(r.shard)}, args...).Int64Slice()
	if err != nil {
		return fmt.Errorf("keep %d batches of shard %d: %w", len(batches), r.shard, err)
	}
	for _, still := range ours {
		if still == 0 {
			return ErrLost
		}
	}
	return nil
}
