package tcp

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errNoTarget is the error of a pool whose targets all have weight 0.
var errNoTarget = errors.New("no target takes connections")

// target is one address of a pool.
type target struct {
	address string
	weight  int
	turn    int // of the smooth weighted turn
	away    time.Time
	failed  atomic.Uint64
}

// pool is targets that stand in for one another. Safe for concurrent use.
type pool struct {
	mu   sync.Mutex
	list []*target
}

func newPool(list []Target) *pool {
	p := &pool{}
	for _, t := range list {
		weight := t.Weight
		if weight == 0 {
			weight = 1
		}
		if weight > 0 {
			p.list = append(p.list, &target{address: t.Address, weight: weight})
		}
	}
	return p
}

// order is the targets in the order in which one connection tries them: by weighted
// turn those that are not ejected, then the rest, since one of them may be back.
func (p *pool) order(now time.Time) []*target {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first *target
	total := 0
	for _, t := range p.list {
		if now.Before(t.away) {
			continue
		}
		t.turn += t.weight
		total += t.weight
		if first == nil || t.turn > first.turn {
			first = t
		}
	}
	if first != nil {
		first.turn -= total
	}
	out := slices.Clone(p.list)
	rank := func(t *target) int {
		switch {
		case t == first:
			return 0
		case now.Before(t.away):
			return 2
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b *target) int { return rank(a) - rank(b) })
	return out
}

// eject takes a target out of the turn until a time, or back into it.
func (p *pool) eject(t *target, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.away = until
	t.turn = 0
}

// connect opens a connection to the first target that takes it, each tried at most
// once.
func (p *Proxy) connect(ctx context.Context, from *pool) (net.Conn, error) {
	err := errNoTarget
	for _, t := range from.order(time.Now()) {
		var c net.Conn
		dial, cancel := context.WithTimeout(ctx, p.o.ConnectTimeout)
		c, err = p.o.Dial(dial, "tcp", t.address)
		cancel()
		if err == nil {
			from.back(t)
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t.failed.Add(1)
		from.eject(t, time.Now().Add(p.o.EjectTime))
		p.o.Log.Warn("a target cannot be reached", "listener", p.o.Name, "target", t.address, "error", err, "ejected", p.o.EjectTime)
	}
	return nil, err
}

// back ends the ejection of a target that took a connection.
func (p *pool) back(t *target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.away = time.Time{}
}
