package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/spool"
)

// lookTimeout bounds one look at a group, and one trim.
const lookTimeout = 2 * time.Second

// tellEvery is how often the log hears of what may happen all the time.
const tellEvery = time.Minute

// surveying looks at every group's position until ctx ends, one after the other: it
// is not on the way of records.
func (p *Pipeline) surveying(ctx context.Context) {
	tick := time.NewTicker(p.o.survey)
	defer tick.Stop()
	for {
		for _, d := range p.sinks {
			for _, l := range d.lanes {
				if ctx.Err() != nil {
					return
				}
				l.locate(ctx, p.o.Streams)
			}
			d.countGaps()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *lane) locate(ctx context.Context, s Streams) {
	one, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	position, err := s.Locate(one, l.shard, l.d.Name)
	l.stats.mu.Lock()
	defer l.stats.mu.Unlock()
	if err != nil {
		l.stats.locating = err.Error() // the last position stays, with its time
		return
	}
	l.stats.position, l.stats.located, l.stats.locating = position, time.Now(), ""
}

// countGaps notes the records that are missing for good, by start: what the metric
// tells never becomes less, although a late batch may still fill a gap.
func (d *destination) countGaps() {
	now := map[string]uint64{}
	for _, l := range d.lanes {
		l.stats.mu.Lock()
		for _, g := range l.stats.position.Gaps {
			if !g.Provisional {
				now[g.Start.String()] += g.Records
			}
		}
		if n := l.stats.position.Forgotten; n > 0 {
			now["older"] += n
		}
		l.stats.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for start, n := range d.gaps {
		if _, still := now[start]; still {
			now[start] = max(now[start], n)
		}
	}
	d.gaps = now
	missing := uint64(0)
	for _, n := range now {
		missing += n
	}
	if missing > d.toldMissing && time.Since(d.toldAt) >= tellEvery {
		d.log.Warn("records are missing: gateways made them, and the sink will not get them; see the gaps in /state", "records", missing-d.toldMissing, "all", missing)
		d.toldMissing, d.toldAt = missing, time.Now()
	}
}

// trims is what this pump knows of the streams as the one who trims them.
type trims struct {
	lease Lease
	shard int

	mu   sync.Mutex
	last spool.Trimmed
	at   time.Time // zero: another pump trims
}

// trimming trims every shard that this pump has the lease of, until ctx ends.
func (p *Pipeline) trimming(ctx context.Context) {
	tick := time.NewTicker(p.o.trim)
	defer tick.Stop()
	var failed bool
	strangers := map[string]bool{} // groups that are not ours, and whether they are protected
	for {
		var err error
		for _, t := range p.trims {
			if one := t.trim(ctx, p, strangers); one != nil && err == nil {
				err = one
			}
		}
		if ctx.Err() == nil && failed != (err != nil) {
			if failed = err != nil; failed {
				p.log.Warn("the streams cannot be trimmed", "error", err)
			} else {
				p.log.Info("the streams are trimmed again")
			}
		}
		select {
		case <-ctx.Done():
			p.releaseLeases(ctx)
			return
		case <-tick.C:
		}
	}
}

func (p *Pipeline) releaseLeases(ctx context.Context) {
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for _, t := range p.trims {
		if t.held() {
			_ = t.lease.Release(leave) // it ends by itself
		}
	}
}

func (t *trims) held() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.at.IsZero()
}

func (t *trims) trim(ctx context.Context, p *Pipeline, strangers map[string]bool) error {
	one, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, held, err := t.lease.Hold(one)
	var done spool.Trimmed
	if err == nil && held {
		done, err = p.o.Streams.Trim(one, t.shard, p.o.Trim)
	}
	if err != nil || !held {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.last, t.at = spool.Trimmed{}, time.Time{}
		return err
	}
	t.mu.Lock()
	t.last, t.at = done, time.Now()
	t.mu.Unlock()
	for _, g := range done.Groups {
		if d := p.find(g.Name); d != nil {
			if g.Records > 0 || g.Entries > 0 {
				d.evicted.Add(g.Records)
				d.log.Warn("records were taken from the sink to keep the stream's budget", "shard", t.shard, "entries", g.Entries, "records", g.Records)
			}
			continue
		}
		if before, known := strangers[g.Name]; known && before == g.Protected {
			continue
		}
		strangers[g.Name] = g.Protected
		if g.Protected {
			p.log.Warn("a consumer group is of no sink in this configuration; if the sink was removed, its group holds records back until streams.unprotected is over", "group", g.Name)
		} else {
			p.log.Info("a consumer group without a reader holds nothing back any more", "group", g.Name)
		}
	}
	return nil
}

func (p *Pipeline) find(name string) *destination {
	for _, d := range p.sinks {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (p *Pipeline) shardStates() []ShardState {
	out := []ShardState{}
	for _, t := range p.trims {
		t.mu.Lock()
		last, at := t.last, t.at
		t.mu.Unlock()
		if at.IsZero() {
			continue
		}
		s := ShardState{Shard: t.shard, Bytes: last.Bytes, Entries: last.Entries, TrimmedAt: at.UTC(), Groups: []GroupState{}}
		for _, g := range last.Groups {
			s.Groups = append(s.Groups, GroupState{g.Name, p.find(g.Name) != nil, g.Protected})
		}
		out = append(out, s)
	}
	return out
}
