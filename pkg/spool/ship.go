package spool

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/spool/disk"
	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

//go:embed append.lua
var appendScript string

const (
	perPipeline  = 8       // frames that are on the way to a shard at once
	pipelineSize = 1 << 20 // and about their bytes
	retryFirst   = 100 * time.Millisecond
	retryMost    = 2 * time.Second
	callTimeout  = 5 * time.Second
)

var errFull = errors.New("the stream has used its budget")

// Run ships batches until ctx ends: an actor. Its error is always ctx's. Call
// Close after it.
func (p *Producer) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	for _, sh := range p.shards {
		wait.Go(func() { p.runShard(ctx, sh) })
	}
	wait.Go(func() { p.runSpiller(ctx) })
	tick := time.NewTicker(max(p.o.FlushEvery/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			wait.Wait()
			return ctx.Err()
		case now := <-tick.C:
			p.flush(now.Add(-p.o.FlushEvery))
			p.watchLosses(now)
		}
	}
}

func (p *Producer) runShard(ctx context.Context, sh *shard) {
	retry := retryFirst
	for {
		n, err := p.ship(ctx, sh)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !errors.Is(err, errFull) && !p.count.down.Swap(true) {
				p.o.Log.Warn("records wait: Redis does not take them", "shard", sh.n, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(retry):
			}
			retry = min(2*retry, retryMost)
		case n > 0:
			retry = retryFirst
			if p.count.down.Swap(false) {
				p.o.Log.Info("Redis takes records again", "shard", sh.n)
			}
		default:
			select {
			case <-ctx.Done():
				return
			case <-sh.wake:
			}
		}
	}
}

// runSpiller moves waiting batches to disk when memory for new ones gets scarce.
func (p *Producer) runSpiller(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.press:
		}
		for p.scarce() {
			moved := false
			for _, sh := range p.shards {
				sh.mu.Lock()
				waiting := len(sh.queue)
				sh.mu.Unlock()
				if waiting > 0 {
					p.spillShard(sh)
					moved = true
				}
			}
			if !moved {
				break
			}
		}
	}
}

// spillShard moves the queue of a shard to disk. Batches in flight stay so, but are
// copied first, for the order on disk has to be whole: Redis would take an earlier
// batch that comes later for a repetition. A copy that is one, it knows.
func (p *Producer) spillShard(sh *shard) {
	sh.io.Lock()
	defer sh.io.Unlock()
	if !sh.copied && len(sh.flight) > 0 {
		for i := range sh.flight {
			p.spillFrame(sh, sh.frames[i], 0) // a copy that is dropped is no loss
		}
		sh.copied = true
	}
	for {
		b := sh.pop()
		if b == nil {
			return
		}
		var raw []byte
		raw, sh.press = b.Frame(nil, sh.press)
		p.spillFrame(sh, raw, b.Count())
		p.batches.Release(b)
	}
}

func (p *Producer) spillFrame(sh *shard, raw []byte, records int) {
	if err := p.frames.Append(sh.n, raw, records); err != nil {
		p.losses.refuse(err)
		p.count.lostDisk.Add(uint64(records))
		sh.setMark()
		return
	}
	p.count.spilled.Add(1)
}

func (sh *shard) pop() *disk.Batch {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.queue) == 0 {
		return nil
	}
	b := sh.queue[0]
	sh.queue = sh.queue[1:]
	return b
}

// load makes frames ready to be sent: those of the last attempt, else of the disk,
// else of the queue. So batches of a start and shard always go in their order.
func (p *Producer) load(sh *shard) int {
	sh.io.Lock()
	defer sh.io.Unlock()
	if len(sh.frames) > 0 {
		return len(sh.frames)
	}
	if c := p.frames.Peek(sh.n, perPipeline, pipelineSize); len(c.List) > 0 {
		sh.chunk, sh.frames = c, c.List
		return len(sh.frames)
	}
	sh.chunk, sh.buffer = disk.Chunk{}, sh.buffer[:0]
	var ends []int
	for len(ends) < perPipeline && len(sh.buffer) < pipelineSize {
		b := sh.pop()
		if b == nil {
			break
		}
		sh.buffer, sh.press = b.Frame(sh.buffer, sh.press)
		sh.flight = append(sh.flight, b)
		ends = append(ends, len(sh.buffer))
	}
	from := 0
	for _, end := range ends {
		sh.frames = append(sh.frames, sh.buffer[from:end:end])
		from = end
	}
	return len(sh.frames)
}

// ship sends one pipeline of frames and tells how many of them arrived.
func (p *Producer) ship(ctx context.Context, sh *shard) (int, error) {
	if p.load(sh) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	done, err := p.send(ctx, sh)
	p.settle(sh, done)
	return done, err
}

// send appends frames in one transaction that ends with a script, which counts them
// and takes away what must not be there: see append.lua. The script goes as text: one
// that Redis did not know would leave frames that nobody counted.
func (p *Producer) send(ctx context.Context, sh *shard) (done int, err error) {
	fit, err := p.fitting(ctx, sh)
	if err != nil {
		return 0, err
	}
	sh.ask = true
	pipe := p.rdb.TxPipeline()
	headers := make([]frame.Header, fit)
	args := append(make([]any, 0, 1+5*fit), p.shardBudget())
	for i, raw := range sh.frames[:fit] {
		f, err := frame.Parse(raw)
		if err != nil { // the disk changed it between two reads: the script takes no sequence 0
			p.o.Log.Error("a batch of records is lost: the disk changed it", "shard", sh.n, "error", err)
		}
		h := f.Header
		headers[i] = h
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: StreamKey(sh.n), Values: []any{"f", raw, "n", h.Count}})
		args = append(args, h.Start.String(), h.Seq, h.Base+uint64(h.Count), h.Count, entrySize(raw))
	}
	reply := pipe.Eval(ctx, p.script, appendKeys(sh), args...)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("append %d batches to shard %d: %w", fit, sh.n, err)
	}
	answer, err := reply.Int64Slice()
	if err != nil || len(answer) != 1+fit {
		return 0, fmt.Errorf("append %d batches to shard %d: an answer of %d values: %w", fit, sh.n, len(answer), err)
	}
	sh.ask = false
	sh.bytes.Store(answer[0])
	for i, result := range answer[1:] {
		switch result {
		case 0:
			p.count.full.Add(1)
			return done, errFull
		case 2:
			p.count.repeated.Add(1)
		default:
			p.count.batches.Add(1)
			p.count.sent.Add(uint64(headers[i].Count))
		}
		done++
	}
	if fit < len(sh.frames) {
		p.count.full.Add(1)
		return done, errFull
	}
	return done, nil
}

// entrySize is the budget that a frame takes: its bytes and about Redis's own.
func entrySize(raw []byte) int64 { return int64(len(raw)) + 128 }

// fitting tells how many of the frames have room in the budget. When it seems that not
// all have, it asks Redis first, so that a full stream is not written to in vain: the
// script would take the frames away again, but replicas and the log would have them. It
// asks after a failure too: were it the script's, each attempt would append once more.
func (p *Producer) fitting(ctx context.Context, sh *shard) (n int, err error) {
	all := int64(0)
	for _, raw := range sh.frames {
		all += entrySize(raw)
	}
	used := sh.bytes.Load()
	if !sh.ask && used+all <= p.shardBudget() {
		return len(sh.frames), nil
	}
	answer, err := p.rdb.Eval(ctx, p.script, appendKeys(sh), p.shardBudget()).Int64Slice()
	if err != nil || len(answer) != 1 {
		return 0, fmt.Errorf("ask how full shard %d is: %w", sh.n, err)
	}
	used = answer[0]
	sh.bytes.Store(used)
	for _, raw := range sh.frames {
		if used += entrySize(raw); used > p.shardBudget() && (n > 0 || answer[0] > 0) {
			break
		}
		n++
	}
	if n == 0 {
		p.count.full.Add(1)
		return 0, errFull
	}
	return n, nil
}

func appendKeys(sh *shard) []string {
	return []string{StreamKey(sh.n), startsKey(sh.n), sizesKey(sh.n)}
}

// bare is a script without what only people read.
func bare(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, " "); line != "\n" && !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// settle lets go of frames that arrived.
func (p *Producer) settle(sh *shard, done int) {
	sh.io.Lock()
	defer sh.io.Unlock()
	if len(sh.chunk.List) > 0 {
		p.frames.Advance(sh.chunk, done)
		sh.chunk, sh.frames = disk.Chunk{}, nil // read again: the oldest may have been dropped
		return
	}
	for _, b := range sh.flight[:done] {
		p.batches.Release(b)
	}
	sh.flight = append(sh.flight[:0], sh.flight[done:]...)
	sh.frames = append(sh.frames[:0], sh.frames[done:]...)
	sh.copied = sh.copied && len(sh.flight) > 0
}
