package spool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// Gap is a run of records that a group did not get although later ones came.
type Gap struct {
	Shard   int
	Start   frame.StartID
	From    uint64 // number of the first one within start and shard
	Records uint64
	After   time.Time // of the last record before and the first one after; zero: unknown
	Before  time.Time
	// Provisional gaps may still be filled: older batches are with a reader.
	Provisional bool
}

// Position is how far a group is in a shard.
type Position struct {
	Gaps      []Gap
	Forgotten uint64 // records of gaps too old to be told one by one
	Dead      uint64 // records of batches in the dead letters
	Pending   int64  // batches that readers have and did not settle
	Entries   int64  // of the stream that the group did not settle, pending ones included; beyond 1000 about
	Bytes     int64  // of what the group did not settle, about
	Lag       time.Duration
}

// countUpTo is how many entries are counted one by one.
const countUpTo = 1000

// Locate tells how far a group is in a shard and what it misses. A group that does
// not exist is an error.
func Locate(ctx context.Context, rdb redis.UniversalClient, shard int, group string) (p Position, err error) {
	fail := func(err error) (Position, error) {
		return Position{}, fmt.Errorf("position of %s in shard %d: %w", group, shard, err)
	}
	groups, err := rdb.XInfoGroups(ctx, StreamKey(shard)).Result()
	if err != nil {
		return fail(err)
	}
	settled, ahead := "", int64(-1)
	for _, g := range groups {
		if g.Name == group {
			settled, ahead = g.LastDeliveredID, g.Lag
		}
	}
	if settled == "" {
		return fail(errors.New("there is no such group"))
	}
	pending, err := rdb.XPending(ctx, StreamKey(shard), group).Result()
	if err != nil {
		return fail(err)
	}
	oldest := ""
	if p.Pending = pending.Count; p.Pending > 0 {
		oldest = pending.Lower
		settled = oldest
	}
	next := settled
	if oldest == "" {
		entries, err := rdb.XRangeN(ctx, StreamKey(shard), "("+settled, "+", 1).Result()
		if err != nil {
			return fail(err)
		}
		if next = ""; len(entries) > 0 {
			next = entries[0].ID
		}
	}
	wentIn, err := rdb.HGet(ctx, startsKey(shard), "in").Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fail(err)
	}
	if ms, _ := splitID(next); next != "" {
		// Redis' own count of what a group did not get goes wrong where a frame came twice
		// and was deleted again, and does not exist before version 7.
		sizes, err := rdb.XRangeN(ctx, sizesKey(shard), strconv.FormatInt(ms, 10), "+", countUpTo).Result()
		if err != nil {
			return fail(err)
		}
		if p.Entries = max(int64(len(sizes)), p.Pending, 1); p.Entries == countUpTo {
			p.Entries = max(p.Entries, ahead+p.Pending)
		}
		if len(sizes) > 0 {
			_, offset := splitID(sizes[0].ID)
			p.Bytes = max(wentIn-offset, 0)
		}
		p.Lag = max(time.Since(time.UnixMilli(ms)), 0)
	}
	fields, err := rdb.HGetAll(ctx, positionsKey(shard)).Result()
	if err != nil {
		return fail(err)
	}
	for field, value := range fields {
		name, mine := strings.CutPrefix(field, group+"/")
		if !mine {
			continue
		}
		if name == "!dead" {
			p.Dead, _ = strconv.ParseUint(value, 10, 64)
		} else if start, err := frame.ParseStartID(name); err == nil {
			p.addGaps(shard, start, value, oldest)
		}
	}
	return p, nil
}

func splitID(id string) (ms, offset int64) {
	a, b, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseInt(a, 10, 64)
	offset, _ = strconv.ParseInt(b, 10, 64)
	return ms, offset
}

// addGaps reads a position: "high;since;lost;from-to-first-last,...", see ack.lua.
func (p *Position) addGaps(shard int, start frame.StartID, value, oldestPending string) {
	parts := strings.SplitN(value, ";", 4)
	if len(parts) != 4 {
		return // the group saw nothing of this start yet
	}
	high, _ := strconv.ParseUint(parts[0], 10, 64)
	since, _ := strconv.ParseInt(parts[1], 10, 64)
	lost, _ := strconv.ParseUint(parts[2], 10, 64)
	p.Forgotten += lost
	pendingSince, _ := splitID(oldestPending)
	gap := Gap{Shard: shard, Start: start, Provisional: oldestPending != "" && pendingSince <= since}
	hole := func(at, to uint64, before uint64) {
		if to > at {
			gap.From, gap.Records, gap.Before = at, to-at, instant(before)
			p.Gaps = append(p.Gaps, gap)
		}
	}
	var at uint64
	for text := range strings.SplitSeq(parts[3], ",") {
		var n [4]uint64
		for i, s := range strings.SplitN(text, "-", 4) {
			n[i], _ = strconv.ParseUint(s, 10, 64)
		}
		if text == "" {
			continue
		}
		hole(at, n[0], n[2])
		at, gap.After = n[1], instant(n[3])
	}
	hole(at, high, 0)
}

func instant(us uint64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us)).UTC()
}
