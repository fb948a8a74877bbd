package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// Options of a producer. Zero values mean the defaults.
type Options struct {
	Dir   string // folder for batches and spilled frames; made if absent; one process at a time
	Node  string // id of this node, for the reader of its records
	Group string // its gateway group

	Shards     int   // default DefaultShards; the same in the whole installation
	Budget     int64 // bytes that the streams may hold in Redis, all shards together; default 1 GiB
	DiskBudget int64 // bytes that may lie in Dir when Redis does not take them; default 1 GiB

	FlushRecords int           // a batch is closed at so many records; default 500
	FlushBytes   int           // or at so many bytes; default 64 KiB
	FlushEvery   time.Duration // or at this age; default 1 s

	Lanes int // batches of a shard that are filled at once; default the CPUs, at most 8
	Slots int // batches in memory, 128 KiB each; default enough for all lanes and shards

	Log *slog.Logger // default: none
}

func (o *Options) setDefaults() {
	number(&o.Shards, DefaultShards)
	number(&o.Budget, 1<<30)
	number(&o.DiskBudget, 1<<30)
	number(&o.FlushRecords, 500)
	number(&o.FlushBytes, 64<<10)
	number(&o.FlushEvery, time.Second)
	number(&o.Lanes, min(runtime.GOMAXPROCS(0), 8))
	number(&o.Slots, o.Shards*(o.Lanes+2*perPipeline))
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func number[N int | int64 | time.Duration](n *N, standard N) {
	if *n <= 0 {
		*n = standard
	}
}

// Producer is a gateway's end. Add never waits for Redis or a disk. Safe for
// concurrent use.
type Producer struct {
	o      Options
	rdb    redis.UniversalClient
	start  frame.StartID
	prefix []byte // of every batch: node and group
	lock   *os.File
	slab   *slab
	spill  *spill
	script *redis.Script
	shards []*shard // as many as the options say, then those that only have old frames to ship
	closed atomic.Bool

	press chan struct{} // wakes the spiller
	count counters
}

type counters struct {
	added, sent, batches, spilled, repeated       atomic.Uint64
	lostBusy, lostSize, lostMeter, lostDisk, full atomic.Uint64
	down                                          atomic.Bool
}

// Stats are a producer's counters since its start.
type Stats struct {
	Records  uint64 // taken by Add
	Sent     uint64 // records that Redis acknowledged, those of earlier starts included
	Batches  uint64
	Repeated uint64 // batches that Redis had already when they were sent once more
	Spilled  uint64 // batches that went over the disk
	// Dropped records by reason: "busy" (no free batch: Redis and disk are too slow),
	// "size" (a record larger than a batch), "meter" (told by Lose), "disk" (the disk's
	// budget is used, or it fails).
	Dropped   map[string]uint64
	Refused   uint64 // attempts that found a stream's budget used
	DiskBytes int64
	// StreamBytes is what the streams held when this producer last wrote to them.
	StreamBytes int64
	RedisOK     bool
	// Volatile is set when the disk had no room for open batches: a crash loses them.
	Volatile bool
}

type lane struct {
	mu   sync.Mutex
	slot *slot
}

type shard struct {
	n     int
	lanes []lane

	mu    sync.Mutex
	queue []*slot // closed batches, oldest first; not those in flight
	mark  bool    // something was lost after the last batch: a mark must tell

	io     sync.Mutex // held while batches move from the queue to flight or disk
	flight []*slot
	copied bool     // flight is on disk too
	frames [][]byte // of flight or of fromDisk
	chunk  chunk    // the frames' origin when they came from disk
	buffer []byte
	press  []byte

	wake  chan struct{}
	bytes atomic.Int64
}

// Open makes a producer and takes over what earlier starts left in the folder. It
// does not talk to Redis; Run does. Errors say which file and the mend.
func Open(rdb redis.UniversalClient, o Options) (*Producer, error) {
	o.setDefaults()
	if err := checkShards(o.Shards); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for records: %w; name one that the service may write to", err)
	}
	lock, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("folder for records: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the folder %s is in use by another process (%w); give each its own", o.Dir, err), lock.Close())
	}
	p := &Producer{o: o, rdb: rdb, start: frame.NewStartID(), lock: lock, script: redis.NewScript(appendScript), press: make(chan struct{}, 1)}
	p.prefix = batchPrefix(o.Node, o.Group)
	if p.spill, err = openSpill(o.Dir, o.DiskBudget, p.droppedFromDisk); err == nil {
		if err = p.recover(); err == nil {
			p.slab, err = newSlab(filepath.Join(o.Dir, slabPrefix+p.start.String()), p.start, o.Slots)
			if err != nil { // a full disk must not keep a gateway from starting
				o.Log.Error("records are not safe from a crash: the disk has no room for open batches", "dir", o.Dir, "error", err)
				p.slab, err = mapSlab(nil, p.start, o.Slots)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("batches of records in %s: %w", o.Dir, err), lock.Close())
	}
	for n := range o.Shards {
		p.addShard(n)
	}
	old, _ := p.spill.shards()
	for _, n := range old {
		if n >= o.Shards {
			p.addShard(n)
		}
	}
	return p, nil
}

func (p *Producer) addShard(n int) {
	p.shards = append(p.shards, &shard{n: n, lanes: make([]lane, p.o.Lanes), wake: make(chan struct{}, 1)})
}

// Start is the id of this start, for the node's beat.
func (p *Producer) Start() frame.StartID { return p.start }

// Add takes a record; false when it had to be dropped, which is counted. The
// record may be changed afterwards. It must not be called after Close.
func (p *Producer) Add(r *record.Record) bool {
	sh := p.shards[ShardOf(r.API, p.o.Shards)]
	// Little traffic stays in the first lane and makes few, full batches; only
	// when lanes are busy are more of them used.
	for i := range sh.lanes[:len(sh.lanes)-1] {
		if l := &sh.lanes[i]; l.mu.TryLock() {
			return p.addTo(sh, l, r)
		}
	}
	l := &sh.lanes[len(sh.lanes)-1]
	l.mu.Lock()
	return p.addTo(sh, l, r)
}

// addTo adds to a locked lane and unlocks it.
func (p *Producer) addTo(sh *shard, l *lane, r *record.Record) bool {
	defer l.mu.Unlock()
	if l.slot == nil && !p.open(sh, l) {
		return p.lose(sh, &p.count.lostBusy)
	}
	if !l.slot.add(r) {
		if l.slot.count() > 0 {
			p.seal(sh, l)
			if !p.open(sh, l) {
				return p.lose(sh, &p.count.lostBusy)
			}
		}
		if !l.slot.add(r) {
			short := *r
			if !short.Shrink(slotBody-l.slot.prefix-1-lengthBytes) || !l.slot.add(&short) {
				return p.lose(sh, &p.count.lostSize)
			}
		}
	}
	p.count.added.Add(1)
	if l.slot.count() >= p.o.FlushRecords || l.slot.length() >= p.o.FlushBytes {
		p.seal(sh, l)
	}
	return true
}

// Lose counts records of an API that never reached Add, so that readers see a gap.
func (p *Producer) Lose(api string, records int) {
	sh := p.shards[ShardOf(api, p.o.Shards)]
	for range records {
		p.lose(sh, &p.count.lostMeter)
	}
}

func (p *Producer) lose(sh *shard, reason *atomic.Uint64) bool {
	reason.Add(1)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	_, total := p.slab.shardState(sh.n)
	total.Add(1)
	sh.mark = true
	return false
}

// droppedFromDisk counts; adding the two's complement of a number subtracts it.
func (p *Producer) droppedFromDisk(records int64) { p.count.lostDisk.Add(uint64(records)) }

func (sh *shard) setMark() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.mark = true
}

func (p *Producer) open(sh *shard, l *lane) bool {
	if l.slot = p.slab.take(); l.slot == nil {
		wake(p.press)
		return false
	}
	l.slot.open(sh.n, p.prefix)
	return true
}

// seal numbers the lane's batch and queues it. The lane is locked.
func (p *Producer) seal(sh *shard, l *lane) {
	p.enqueue(sh, l.slot)
	l.slot = nil
	wake(sh.wake)
	if p.slab.scarce() {
		wake(p.press)
	}
}

func (p *Producer) enqueue(sh *shard, s *slot) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	next, total := p.slab.shardState(sh.n)
	number := max(next.Load(), 1)
	// In this order, since the process may be killed between any two of them: the
	// next start takes the higher of the slot's and the shard's numbers.
	s.base().Store(total.Load())
	s.seq().Store(number)
	total.Add(uint64(s.count()))
	next.Store(number + 1)
	sh.queue = append(sh.queue, s)
	sh.mark = false
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// flush closes batches that are old enough, and makes marks where records were
// lost and nothing else would tell.
func (p *Producer) flush(olderThan time.Time) {
	for _, sh := range p.shards[:p.o.Shards] {
		empty := true
		for i := range sh.lanes {
			l := &sh.lanes[i]
			l.mu.Lock()
			switch {
			case l.slot == nil:
			case l.slot.count() > 0 && !l.slot.opened.After(olderThan):
				p.seal(sh, l)
				empty = false
			case l.slot.count() > 0:
				empty = false
			}
			l.mu.Unlock()
		}
		sh.mu.Lock()
		due := sh.mark && empty && len(sh.queue) == 0
		sh.mu.Unlock()
		if due && !p.spill.has(sh.n) {
			p.tell(sh, false)
		}
	}
}

// tell queues a batch without records, which tells how many there were before.
func (p *Producer) tell(sh *shard, end bool) bool {
	s := p.slab.take()
	if s == nil {
		return false
	}
	s.open(sh.n, p.prefix)
	s.end = end
	p.enqueue(sh, s)
	wake(sh.wake)
	return true
}

// Pressed tells that recording should be thrifty (leave bodies out): a stream has
// used half of its budget, or batches go over the disk.
func (p *Producer) Pressed() bool {
	if _, onDisk := p.spill.shards(); onDisk > 0 {
		return true
	}
	for _, sh := range p.shards {
		if 2*sh.bytes.Load() > p.shardBudget() {
			return true
		}
	}
	return false
}

// Stats returns the counters.
func (p *Producer) Stats() Stats {
	c := &p.count
	s := Stats{
		Records: c.added.Load(), Sent: c.sent.Load(), Batches: c.batches.Load(), Repeated: c.repeated.Load(), Spilled: c.spilled.Load(),
		Refused: c.full.Load(), RedisOK: !c.down.Load(),
		Dropped: map[string]uint64{
			"busy": c.lostBusy.Load(), "size": c.lostSize.Load(), "meter": c.lostMeter.Load(), "disk": c.lostDisk.Load(),
		},
	}
	_, s.DiskBytes = p.spill.shards()
	s.Volatile = p.slab.path == ""
	for _, sh := range p.shards {
		s.StreamBytes += sh.bytes.Load()
	}
	return s
}

func (p *Producer) shardBudget() int64 { return p.o.Budget / int64(p.o.Shards) }

// Close ships what there is until ctx ends and leaves the rest to the next start,
// on disk. Run must have returned, and Add must not be called any more.
func (p *Producer) Close(ctx context.Context) error {
	if p.closed.Swap(true) {
		return nil
	}
	p.flush(time.Now().Add(time.Hour))
	for _, sh := range p.shards[:p.o.Shards] {
		if next, total := p.slab.shardState(sh.n); next.Load() > 0 || total.Load() > 0 {
			if !p.tell(sh, true) {
				p.spillShard(sh)
				p.tell(sh, true)
			}
		}
	}
	var wait sync.WaitGroup
	for _, sh := range p.shards {
		wait.Go(func() {
			for ctx.Err() == nil {
				if n, err := p.ship(ctx, sh); !errors.Is(err, errAgain) && (n == 0 || err != nil) {
					return
				}
			}
		})
	}
	wait.Wait()
	for _, sh := range p.shards {
		p.spillShard(sh)
	}
	p.spill.close()
	return errors.Join(p.slab.close(true), p.lock.Close())
}
