package pipeline

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/pkg/spool"
)

// laneStats count since the pump's start.
type laneStats struct {
	read, written, skipped, sampled, clamped, failures, rejected, parked, unreadable, taken atomic.Uint64

	mu       sync.Mutex
	position spool.Position // of the group in the shard, as last looked at
	located  time.Time
	locating string // why that did not work
}

// trouble is whether something works, over the shards of a sink. Its changes are
// logged, not each error.
type trouble struct {
	mu     sync.Mutex
	shards map[int]bool
	since  time.Time
	err    string // the last one, also when it is over
	at     time.Time
}

// set notes how a shard fares and tells whether that changes how the sink does.
func (t *trouble) set(shard int, err error) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.shards) > 0
	if err == nil {
		delete(t.shards, shard)
		return before && len(t.shards) == 0
	}
	t.err, t.at = err.Error(), time.Now()
	if t.shards == nil {
		t.shards = map[int]bool{}
	}
	if t.shards[shard] = true; !before {
		t.since = t.at
	}
	return !before
}

func (t *trouble) read() (failing bool, since time.Time, err string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failing = len(t.shards) > 0; failing {
		since = t.since
	}
	return failing, since, t.err, t.at
}

// State is the document of GET /state: what this pump does, and how far each sink is.
// Counters are of this process; pending, lag, dead and gaps are of the sink's group,
// whichever pumps serve it, and are looked at every two seconds.
type State struct {
	Node   string       `json:"node"`
	At     time.Time    `json:"at"`
	Sinks  []SinkState  `json:"sinks"`  // as configured
	Shards []ShardState `json:"shards"` // those that this pump trims at the moment
}

// SinkState is one sink: the sums of its shards, and each of them.
type SinkState struct {
	Name         string    `json:"name"`
	Type         string    `json:"type"`
	Required     bool      `json:"required,omitempty"`
	Failing      bool      `json:"failing"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	LastError    string    `json:"lastError,omitempty"` // also when it is over
	LastErrorAt  time.Time `json:"lastErrorAt,omitzero"`
	// Evicted records were taken from the stream by this pump's trims, before the sink
	// had them, to keep the budget. Those that a pump had in hand arrive all the same; the
	// others are in the sink's gaps.
	Evicted int64 `json:"evicted"`
	Counts
	Shards []LaneState `json:"shards"`
}

// Counts are of a sink or of one of its shards.
type Counts struct {
	LagSeconds float64 `json:"lagSeconds"` // age of the oldest entry that the sink does not have; of a sink, the largest
	LagEntries int64   `json:"lagEntries"` // entries that the sink does not have; beyond 1000 about
	LagBytes   int64   `json:"lagBytes"`
	Pending    int64   `json:"pending"` // batches that readers have and did not settle
	Dead       uint64  `json:"dead"`    // records of batches in the dead letters
	Missing    uint64  `json:"missing"` // records in gaps that are final
	Read       uint64  `json:"read"`
	Written    uint64  `json:"written"`  // records that the sink confirmed
	Skipped    uint64  `json:"skipped"`  // by the filter, or for counters only
	Sampled    uint64  `json:"sampled"`  // left out by the sample
	Clamped    uint64  `json:"clamped"`  // had a time more than 5 minutes after their arrival
	Failed     uint64  `json:"failed"`   // records of attempts that failed, once per attempt
	Rejected   uint64  `json:"rejected"` // records that the sink can never store: in the dead letters
	Parked     uint64  `json:"parked"`   // records of batches that this pump gave up
	Unreadable uint64  `json:"unreadable"`
	Taken      uint64  `json:"taken"` // batches that another pump took over
}

// LaneState is one shard of a sink.
type LaneState struct {
	Shard int `json:"shard"`
	Counts
	Forgotten uint64     `json:"forgotten,omitempty"` // records of gaps too old to be told one by one; in missing
	Gaps      []GapState `json:"gaps"`
	LocatedAt time.Time  `json:"locatedAt,omitzero"`
	Error     string     `json:"error,omitempty"` // why it could not be looked at
}

// GapState is a run of records that the sink did not get although later ones came.
type GapState struct {
	Start       string    `json:"start"` // id of the gateway's start, as in its beat
	From        uint64    `json:"from"`
	Records     uint64    `json:"records"`
	After       time.Time `json:"after,omitzero"`
	Before      time.Time `json:"before,omitzero"`
	Provisional bool      `json:"provisional,omitempty"` // may still be filled
}

// ShardState is a stream as its last trim left it.
type ShardState struct {
	Shard     int          `json:"shard"`
	Bytes     int64        `json:"bytes"`
	Entries   int64        `json:"entries"`
	TrimmedAt time.Time    `json:"trimmedAt"`
	Groups    []GroupState `json:"groups"`
}

// GroupState is a consumer group of a stream.
type GroupState struct {
	Name       string `json:"name"`
	Configured bool   `json:"configured"` // here; false: a sink that was removed, or is of other pumps
	Protected  bool   `json:"protected"`  // it holds entries back
}

// State tells how things are.
func (p *Pipeline) State() State {
	s := State{Node: p.o.Consumer, At: time.Now().UTC(), Sinks: []SinkState{}, Shards: p.shardStates()}
	for _, d := range p.sinks {
		s.Sinks = append(s.Sinks, d.state())
	}
	return s
}

// SinkState is the part of State about one sink; empty if there is none of that name.
func (p *Pipeline) SinkState(name string) SinkState {
	if d := p.find(name); d != nil {
		return d.state()
	}
	return SinkState{}
}

func (d *destination) state() SinkState {
	s := SinkState{Name: d.Name, Type: d.Type, Required: d.Required}
	s.Failing, s.FailingSince, s.LastError, s.LastErrorAt = d.writing.read()
	s.Evicted = d.evicted.Load()
	for _, l := range d.lanes {
		one := l.state()
		s.Shards = append(s.Shards, one)
		s.add(one.Counts)
	}
	return s
}

func (c *Counts) add(o Counts) {
	c.LagSeconds = max(c.LagSeconds, o.LagSeconds)
	c.LagEntries, c.LagBytes, c.Pending = c.LagEntries+o.LagEntries, c.LagBytes+o.LagBytes, c.Pending+o.Pending
	c.Dead, c.Missing = c.Dead+o.Dead, c.Missing+o.Missing
	c.Read, c.Written, c.Skipped, c.Sampled = c.Read+o.Read, c.Written+o.Written, c.Skipped+o.Skipped, c.Sampled+o.Sampled
	c.Clamped, c.Failed, c.Rejected, c.Parked = c.Clamped+o.Clamped, c.Failed+o.Failed, c.Rejected+o.Rejected, c.Parked+o.Parked
	c.Unreadable, c.Taken = c.Unreadable+o.Unreadable, c.Taken+o.Taken
}

func (l *lane) state() LaneState {
	t := l.stats
	t.mu.Lock()
	p, at, problem := t.position, t.located, t.locating
	t.mu.Unlock()
	s := LaneState{Shard: l.shard, Gaps: []GapState{}, LocatedAt: at.UTC(), Error: problem, Forgotten: p.Forgotten}
	s.Counts = Counts{
		LagSeconds: p.Lag.Seconds(), LagEntries: p.Entries, LagBytes: p.Bytes, Pending: p.Pending, Dead: p.Dead, Missing: p.Forgotten,
		Read: t.read.Load(), Written: t.written.Load(), Skipped: t.skipped.Load(), Sampled: t.sampled.Load(), Clamped: t.clamped.Load(),
		Failed: t.failures.Load(), Rejected: t.rejected.Load(), Parked: t.parked.Load(), Unreadable: t.unreadable.Load(), Taken: t.taken.Load(),
	}
	for _, g := range p.Gaps {
		s.Gaps = append(s.Gaps, GapState{g.Start.String(), g.From, g.Records, g.After, g.Before, g.Provisional})
		if !g.Provisional {
			s.Missing += g.Records
		}
	}
	slices.SortFunc(s.Gaps, func(a, b GapState) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.From, b.From)) })
	return s
}
