package spool

import (
	"sync"
	"time"
)

// quietAfter is how long no record may be dropped until a time of losses is over.
const quietAfter = 10 * time.Second

// losses tells of dropped records once when it begins and once when it is over, for
// there may be thousands of them in a second. Its zero value is ready.
type losses struct {
	mu          sync.Mutex
	refused     error  // what the disk said when it last took nothing at all
	seen, first uint64 // dropped so far, and before this time of losses
	began, last time.Time
}

// refuse notes why the disk took a batch not even after its oldest records went.
func (l *losses) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = err
}

// watchLosses looks whether records were dropped since the last look.
func (p *Producer) watchLosses(now time.Time) {
	c, l := &p.count, &p.losses
	disk, busy, size, meter := c.lostDisk.Load(), c.lostBusy.Load(), c.lostSize.Load(), c.lostMeter.Load()
	all := disk + busy + size + meter
	l.mu.Lock()
	defer l.mu.Unlock()
	losing := !l.began.IsZero()
	switch {
	case all > l.seen && losing:
		l.seen, l.last = all, now
	case all > l.seen:
		l.first, l.seen, l.began, l.last = l.seen, all, now, now
		why := l.refused
		if why == nil {
			why = p.frames.Refusal()
		}
		p.o.Log.Error("records are dropped; they are counted and will be reported as missing",
			"records", all-l.first, "disk", disk, "busy", busy, "size", size, "meter", meter, "dir", p.o.Dir, "budget", p.o.DiskBudget, "error", why)
	case losing && now.Sub(l.last) >= quietAfter:
		p.endOfLosses()
	}
}

// endOfLosses says what a time of losses cost. The losses are locked.
func (p *Producer) endOfLosses() {
	l := &p.losses
	p.o.Log.Info("no more records are dropped", "dropped", l.seen-l.first, "within", l.last.Sub(l.began).Round(time.Millisecond).String())
	l.began, l.refused = time.Time{}, nil
}

// lastLosses says at the stop what was lost and not told yet.
func (p *Producer) lastLosses() {
	p.watchLosses(time.Now())
	l := &p.losses
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.began.IsZero() {
		p.endOfLosses()
	}
}
