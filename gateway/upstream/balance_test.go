package upstream

import (
	"math/rand/v2"
	"testing"
)

// shares counts the picks of n rounds by target.
func shares(b *balance, targets, rounds int) []int {
	got := make([]int, targets)
	for range rounds * len(b.round) {
		got[b.pick()]++
	}
	return got
}

func TestSharesOfARoundAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		weights := make([]int, 1+r.IntN(12))
		div, some := 0, false
		for i := range weights {
			if r.IntN(4) > 0 {
				weights[i] = r.IntN(40)
			}
			some = some || weights[i] > 0
			div = gcd(div, weights[i])
		}
		b := newBalance(weights)
		if !some {
			if b.pick() != -1 {
				t.Errorf("%v: somebody was picked", weights)
			}
			continue
		}
		for range r.IntN(5) {
			b.pick() // a round may begin anywhere
		}
		for i, n := range shares(b, len(weights), 3) {
			if n != 3*weights[i]/div {
				t.Fatalf("weights %v: target %d got %d calls in three rounds, want %d", weights, i, n, 3*weights[i]/div)
			}
		}
	}
}

// Within a round no target runs ahead of, or falls behind, its share by a whole
// call, so that a heavy target is not called in a row.
func TestCallsAreSpreadOverTheRound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		weights := make([]int, 2+r.IntN(8))
		total := 0
		for i := range weights {
			weights[i] = 1 + r.IntN(30)
			total += weights[i]
		}
		b := newBalance(weights)
		got := make([]int, len(weights))
		for step := 1; step <= len(b.round); step++ {
			got[b.pick()]++
			for i := range got {
				ideal := float64(step) * float64(weights[i]) / float64(total)
				if off := float64(got[i]) - ideal; off > float64(len(weights)) || off < -float64(len(weights)) {
					t.Fatalf("weights %v: after %d calls target %d has %d, its share is %.1f", weights, step, i, got[i], ideal)
				}
			}
		}
	}
	b := newBalance([]int{3, 1})
	for row, last, i := 0, -1, 0; i < 40; i++ {
		if p := b.pick(); p == last {
			if row++; row > 3 {
				t.Fatal("a target of three quarters was called more than three times in a row")
			}
		} else {
			row, last = 1, p
		}
	}
}

func TestEqualWeightsTakeTurns(t *testing.T) {
	b := newBalance([]int{1000, 1000, 0, 1000})
	if len(b.round) != 3 {
		t.Errorf("a round of %d", len(b.round))
	}
	for i, want := range []int{0, 1, 3, 0, 1, 3} {
		if got := b.pick(); got != want {
			t.Errorf("call %d went to %d, want %d", i, got, want)
		}
	}
	if newBalance(nil).pick() != -1 {
		t.Error("nobody is somebody")
	}
}
