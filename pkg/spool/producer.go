package spool

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/record"

	"github.com/sluice-gateway/sluice/pkg/spool/disk"
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
	FlushBytes   int           // or at so many bytes before compression; default 120 KiB
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
	number(&o.FlushBytes, 120<<10)
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
	o       Options
	rdb     redis.UniversalClient
	folder  *disk.Folder
	batches *disk.Batches // of the folder
	frames  *disk.Frames  // of the folder
	script  string
	shards  []*shard // as many as the options say, then those that only have old frames to ship
	closed  atomic.Bool

	press  chan struct{} // wakes the spiller
	count  counters
	losses losses
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
	mu    sync.Mutex
	batch *disk.Batch
}

type shard struct {
	n     int
	lanes []lane

	mu    sync.Mutex
	queue []*disk.Batch // closed batches, oldest first; not those in flight
	mark  bool          // something was lost after the last batch: a mark must tell

	io     sync.Mutex // held while batches move from the queue to flight or disk
	flight []*disk.Batch
	copied bool       // flight is on disk too
	frames [][]byte   // of flight or of chunk
	chunk  disk.Chunk // the frames' origin when they came from disk
	buffer []byte
	press  []byte

	wake  chan struct{}
	ask   bool // before the next attempt, whether Redis is well
	bytes atomic.Int64
}

// Open makes a producer and takes over what earlier starts left in the folder. It
// does not talk to Redis; Run does. Errors say which file and the mend.
func Open(rdb redis.UniversalClient, o Options) (*Producer, error) {
	o.setDefaults()
	if err := checkShards(o.Shards); err != nil {
		return nil, err
	}
	p := &Producer{o: o, rdb: rdb, script: bare(appendScript), press: make(chan struct{}, 1)}
	var err error
	p.folder, err = disk.Open(disk.Options{
		Dir: o.Dir, Node: o.Node, Group: o.Group, Slots: o.Slots, Budget: o.DiskBudget, Dropped: p.droppedFromDisk, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	p.batches, p.frames = p.folder.Batches, p.folder.Frames
	for n := range o.Shards {
		p.addShard(n)
	}
	old, _ := p.frames.Shards()
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
func (p *Producer) Start() frame.StartID { return p.folder.Start }

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
	if l.batch == nil && !p.open(sh, l) {
		return p.lose(sh, &p.count.lostBusy)
	}
	if !l.batch.Add(r) {
		if l.batch.Count() > 0 {
			p.seal(sh, l)
			if !p.open(sh, l) {
				return p.lose(sh, &p.count.lostBusy)
			}
		}
		if !l.batch.Add(r) {
			short := *r
			if !short.Shrink(l.batch.Most()) || !l.batch.Add(&short) {
				return p.lose(sh, &p.count.lostSize)
			}
		}
	}
	p.count.added.Add(1)
	if l.batch.Count() >= p.o.FlushRecords || l.batch.Size() >= p.o.FlushBytes {
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
	p.batches.Lose(sh.n)
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
	if l.batch = p.batches.Take(sh.n); l.batch == nil {
		wake(p.press)
		return false
	}
	return true
}

// seal numbers the lane's batch and queues it. The lane is locked.
func (p *Producer) seal(sh *shard, l *lane) {
	p.enqueue(sh, l.batch)
	l.batch = nil
	wake(sh.wake)
	if p.scarce() {
		wake(p.press)
	}
}

func (p *Producer) enqueue(sh *shard, b *disk.Batch) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p.batches.Number(b)
	sh.queue = append(sh.queue, b)
	sh.mark = false
}

// scarce tells whether less than half of the batches are free.
func (p *Producer) scarce() bool { return 2*p.batches.Free() < p.o.Slots }

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
			case l.batch == nil:
			case l.batch.Count() > 0 && !l.batch.Opened().After(olderThan):
				p.seal(sh, l)
				empty = false
			case l.batch.Count() > 0:
				empty = false
			}
			l.mu.Unlock()
		}
		sh.mu.Lock()
		due := sh.mark && empty && len(sh.queue) == 0
		sh.mu.Unlock()
		if due && !p.frames.Has(sh.n) {
			p.tell(sh, false)
		}
	}
}

// tell queues a batch without records, which tells how many there were before.
func (p *Producer) tell(sh *shard, end bool) bool {
	b := p.batches.Take(sh.n)
	if b == nil {
		return false
	}
	if end {
		b.End()
	}
	p.enqueue(sh, b)
	wake(sh.wake)
	return true
}

// Pressed tells that recording should be thrifty (leave bodies out): a stream has
// used half of its budget, or batches go over the disk.
func (p *Producer) Pressed() bool {
	if _, onDisk := p.frames.Shards(); onDisk > 0 {
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
	_, s.DiskBytes = p.frames.Shards()
	s.Volatile = p.batches.Volatile()
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
		if p.batches.Used(sh.n) && !p.tell(sh, true) {
			p.spillShard(sh)
			p.tell(sh, true)
		}
	}
	var wait sync.WaitGroup
	for _, sh := range p.shards {
		sh.ask = false // it was most likely the end of Run that cut the last attempt off
		wait.Go(func() {
			for ctx.Err() == nil {
				if n, err := p.ship(ctx, sh); n == 0 || err != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	for _, sh := range p.shards {
		p.spillShard(sh)
	}
	p.lastLosses()
	return p.folder.Close()
}
