package rollup

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// worst is the documented bound of a quantile's error.
const worst = 0.0443

func exact(sorted []float64, q float64) float64 {
	return sorted[max(int(math.Ceil(q*float64(len(sorted)))), 1)-1]
}

func TestQuantilesAreWithinTheirBoundOfTheExactOnes(t *testing.T) {
	shapes := map[string]func(r *rand.Rand) float64{
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() / 20 },
		"log normal":  func(r *rand.Rand) float64 { return math.Exp(2*r.NormFloat64() - 4) },
		"two humps":   func(r *rand.Rand) float64 { return []float64{.002, 3}[r.IntN(2)] * (1 + r.Float64()) },
		"sizes":       func(r *rand.Rand) float64 { return float64(r.Int64N(1 << uint(1+r.IntN(40)))) },
		"one value":   func(*rand.Rand) float64 { return 0.25 },
	}
	for name, draw := range shapes {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				var h, half Histogram
				all := make([]float64, 1+r.IntN(5000))
				for i := range all {
					all[i] = draw(r)
					if i%2 == 0 {
						h.Add(all[i])
					} else {
						half.Add(all[i])
					}
				}
				h.Merge(&half)
				slices.Sort(all)
				for _, q := range []float64{0, .01, .25, .5, .75, .9, .95, .99, .999, 1} {
					want, got := exact(all, q), h.Quantile(q)
					if math.Abs(got-want) > worst*want {
						t.Fatalf("seed %d, %d values: quantile %v is %v, exactly %v: off by %.2f %%", seed, len(all), q, got, want, 100*math.Abs(got-want)/want)
					}
				}
				if h.Count() != uint64(len(all)) {
					t.Fatalf("%d values were counted as %d", len(all), h.Count())
				}
			}
		})
	}
}

func TestABucketHoldsItsBoundAndNothingAbove(t *testing.T) {
	for i := MinIndex + 1; i < MaxIndex; i++ {
		b := Bound(i)
		if want := math.Exp2(float64(i+1) / 8); math.Abs(b-want) > 1e-14*want {
			t.Fatalf("the bound of bucket %d is %v, not %v", i, b, want)
		}
		if got := Index(b); got != i {
			t.Fatalf("the bound %v of bucket %d is in bucket %d", b, i, got)
		}
		if got := Index(math.Nextafter(b, math.Inf(1))); got != i+1 {
			t.Fatalf("just above the bound %v of bucket %d is bucket %d", b, i, got)
		}
	}
}

func TestTheIndexIsThatOfTheLogarithm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		v := math.Exp2(r.Float64()*90 - 29)
		exactly := math.Log2(v) * 8
		if math.Abs(exactly-math.Round(exactly)) < 1e-9 {
			continue // the logarithm itself cannot tell
		}
		if want, got := int(math.Ceil(exactly))-1, Index(v); got != want {
			t.Fatalf("%v is in bucket %d, not %d", v, got, want)
		}
	}
}

func TestValuesOutOfRangeAreCountedAtItsEnds(t *testing.T) {
	var h Histogram
	for _, v := range []float64{0, -1, math.Inf(-1), math.NaN()} {
		h.Add(v)
	}
	if h.Zero() != 4 || h.Count() != 4 || h.Sum() != 0 || h.Quantile(1) != 0 {
		t.Fatalf("zero %d, count %d, sum %v", h.Zero(), h.Count(), h.Sum())
	}
	for _, v := range []float64{math.SmallestNonzeroFloat64, 1e-300, 1e300, math.Inf(1)} {
		h.Add(v)
	}
	h.AddBucket(-1<<40, 1, 1)
	h.AddBucket(1<<40, 1, 1)
	got := map[int]uint64{}
	for i, n := range h.Buckets() {
		got[i] = n
	}
	if len(got) != 2 || got[MinIndex] != 3 || got[MaxIndex] != 3 || h.Count() != 10 {
		t.Fatalf("buckets %v of %d values", got, h.Count())
	}
}

func TestAStoredHistogramIsTheSameAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var h, again, copied Histogram
	for range 3000 {
		h.Add(r.ExpFloat64() - 0.05)
	}
	again.AddZero(h.Zero())
	for i, n := range h.Buckets() {
		again.AddBucket(i, n, 0)
	}
	copied.Add(1e9)
	h.CopyTo(&copied)
	h.Add(1) // must not show in the copy
	if copied.Count() != 3000 || again.Count() != 3000 || copied.Sum() == h.Sum() {
		t.Fatalf("counts %d and %d", copied.Count(), again.Count())
	}
	for _, q := range []float64{0, .1, .5, .99, 1} {
		if again.Quantile(q) != copied.Quantile(q) {
			t.Errorf("quantile %v: %v stored, %v copied", q, again.Quantile(q), copied.Quantile(q))
		}
	}
}

func TestWithoutValuesThereIsNoQuantile(t *testing.T) {
	var h Histogram
	h.AddBucket(3, 0, 0)
	if !math.IsNaN(h.Quantile(.5)) || h.Count() != 0 {
		t.Fatalf("the quantile of nothing is %v", h.Quantile(.5))
	}
	h.Add(1)
	if q := h.Quantile(math.NaN()); !math.IsNaN(q) {
		t.Fatalf("the quantile NaN is %v", q)
	}
	if h.Quantile(-3) != h.Quantile(9) {
		t.Fatal("a quantile out of 0 to 1 is not brought into it")
	}
}

func TestAddingDoesNotAllocate(t *testing.T) {
	var h Histogram
	h.Add(1e-6)
	h.Add(100)
	v := 1e-6
	if n := testing.AllocsPerRun(1000, func() { h.Add(v); v = min(v*1.1, 100) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	var h Histogram
	vs := make([]float64, 1024)
	for i := range vs {
		vs[i] = rand.ExpFloat64() / 10
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Add(vs[i&1023])
	}
}
