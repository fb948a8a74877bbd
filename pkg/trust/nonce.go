package trust

import (
	"container/heap"
	"sync"
	"time"
)

// Nonces remembers which one-time values were used. Its size is bounded without
// opening a gap: when it is full the value that ends first is forgotten, and
// from then on nothing that ends as early as that is accepted. Safe for
// concurrent use.
type Nonces struct {
	mu    sync.Mutex
	max   int
	seen  map[string]struct{}
	order nonceHeap
	floor time.Time
}

// NewNonces makes a cache of at most max values (at least 1).
func NewNonces(max int) *Nonces {
	if max < 1 {
		max = 1
	}
	return &Nonces{max: max, seen: map[string]struct{}{}}
}

// Use takes a nonce whose message is good until then. It returns false when the
// nonce was used before, when until is not after now, and when until is no later
// than that of a value forgotten for want of room.
func (n *Nonces) Use(nonce string, until, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.order) > 0 && !n.order[0].until.After(now) {
		n.forget()
	}
	if !until.After(now) || !until.After(n.floor) {
		return false
	}
	if _, ok := n.seen[nonce]; ok {
		return false
	}
	if len(n.order) >= n.max {
		if !until.After(n.order[0].until) {
			return false
		}
		n.floor = n.order[0].until
		n.forget()
	}
	n.seen[nonce] = struct{}{}
	heap.Push(&n.order, nonceEnd{nonce: nonce, until: until})
	return true
}

// Len is how many values are remembered.
func (n *Nonces) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.order)
}

func (n *Nonces) forget() {
	delete(n.seen, heap.Pop(&n.order).(nonceEnd).nonce)
}

type nonceEnd struct {
	nonce string
	until time.Time
}

type nonceHeap []nonceEnd

func (h nonceHeap) Len() int           { return len(h) }
func (h nonceHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h nonceHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nonceHeap) Push(x any)        { *h = append(*h, x.(nonceEnd)) }
func (h *nonceHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
