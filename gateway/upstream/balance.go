package upstream

import "sync/atomic"

// balance chooses targets in weighted turn. The order of one round is laid down
// in advance so that a choice is one atomic addition, and so that a heavy target
// is spread over the round instead of being called in a row.
type balance struct {
	round []uint16 // indexes of targets
	next  atomic.Uint64
}

// newBalance lays down a round for weights; those of 0 take no part.
func newBalance(weights []int) *balance {
	div := 0
	for _, w := range weights {
		div = gcd(div, w)
	}
	if div == 0 {
		return &balance{}
	}
	total := 0
	for _, w := range weights {
		total += w / div
	}
	b := &balance{round: make([]uint16, 0, total)}
	credit := make([]int, len(weights))
	for range total {
		best := -1
		for i, w := range weights {
			credit[i] += w / div
			if w > 0 && (best < 0 || credit[i] > credit[best]) {
				best = i
			}
		}
		credit[best] -= total
		b.round = append(b.round, uint16(best))
	}
	return b
}

// pick returns the index of the next target, or -1 when no target takes calls.
func (b *balance) pick() int {
	if len(b.round) == 0 {
		return -1
	}
	return int(b.round[(b.next.Add(1)-1)%uint64(len(b.round))])
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
