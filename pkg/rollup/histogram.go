// Package rollup is what many calls come to: today the histogram that charts,
// percentiles and exported metrics share.
package rollup

import (
	"iter"
	"math"
)

// A histogram's buckets: eight to each doubling, the growth 2^(1/8) = 1.0905. This
// is scale 3 of OpenTelemetry's exponential histogram, with its indexes, and schema
// 3 of Prometheus' native one, whose indexes are greater by one.
const (
	perDoubling = 8
	// MinIndex is the bucket of all positive values up to 2^-30, so of a nanosecond
	// counted in seconds, MaxIndex that of all values above 2^(63+7/8).
	MinIndex, MaxIndex = -30*perDoubling - 1, 64*perDoubling - 1
)

// Histogram counts values by size, in buckets that grow with them: a quantile is
// off by at most 4.4 %, and merging loses nothing. The zero value is empty and
// ready. It is not for concurrent use.
type Histogram struct {
	n     uint64
	zero  uint64
	sum   float64
	first int      // index of counts[0]
	in    []uint64 // from the lowest bucket in use to the highest
}

// Add counts a value. Zero and less (and NaN) are counted as zero; what is out of
// range goes to the bucket at its end. It allocates only when the value is the
// smallest or the largest so far.
func (h *Histogram) Add(v float64) {
	if !(v > 0) { // also NaN
		h.zero++
		h.n++
		return
	}
	h.n++
	h.sum += v
	i := Index(v)
	if at := i - h.first; at >= 0 && at < len(h.in) {
		h.in[at]++
		return
	}
	*h.bucket(i)++
}

// AddBucket adds n values to the bucket of an index, as a stored histogram names
// it; sum is what they come to. Indexes out of range go to the end of the range.
func (h *Histogram) AddBucket(index int, n uint64, sum float64) {
	if n == 0 {
		return
	}
	h.n += n
	h.sum += sum
	*h.bucket(min(max(index, MinIndex), MaxIndex)) += n
}

// AddZero adds n values of zero.
func (h *Histogram) AddZero(n uint64) { h.zero, h.n = h.zero+n, h.n+n }

// Merge adds all values of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.Buckets() {
		*h.bucket(i) += n
	}
	h.n, h.zero, h.sum = h.n+o.n, h.zero+o.zero, h.sum+o.sum
}

// Count is how many values there are.
func (h *Histogram) Count() uint64 { return h.n }

// Sum is what they come to.
func (h *Histogram) Sum() float64 { return h.sum }

// Zero is how many of them are zero.
func (h *Histogram) Zero() uint64 { return h.zero }

// Buckets are the buckets that are not empty, by their index in ascending order,
// without that of zero.
func (h *Histogram) Buckets() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		for at, n := range h.in {
			if n > 0 && !yield(h.first+at, n) {
				return
			}
		}
	}
}

// CopyTo makes o equal to h and reuses o's memory.
func (h *Histogram) CopyTo(o *Histogram) {
	in := append(o.in[:0], h.in...)
	*o = *h
	o.in = in
}

// Quantile estimates the value that at least the fraction q of all values do not
// exceed (the nearest rank). It is off by at most 4.4 % of the true one, which is
// half a bucket, for values between 2^-30 and 2^63. Without values it is NaN; q is
// brought into 0 to 1.
func (h *Histogram) Quantile(q float64) float64 {
	if h.n == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(h.n)))
	rank = min(max(rank, 1), h.n)
	seen := h.zero
	if rank <= seen {
		return 0
	}
	for i, n := range h.Buckets() {
		if seen += n; rank <= seen {
			return math.Exp2((float64(i) + 0.5) / perDoubling) // the middle, as ratios go
		}
	}
	return Bound(MaxIndex) // not reached: n is the sum of all buckets
}

// bucket is the counter of an index. The range grows by some buckets more than it
// must, so that it seldom grows.
func (h *Histogram) bucket(i int) *uint64 {
	const spare = 8
	switch end := h.first + len(h.in); {
	case len(h.in) == 0:
		h.first = max(i-spare, MinIndex)
		h.in = make([]uint64, min(i+spare, MaxIndex)+1-h.first)
	case i < h.first:
		first := max(i-spare, MinIndex)
		in := make([]uint64, end-first)
		copy(in[h.first-first:], h.in)
		h.first, h.in = first, in
	case i >= end:
		in := make([]uint64, min(i+spare, MaxIndex)+1-h.first)
		copy(in, h.in)
		h.in = in
	}
	return &h.in[i-h.first]
}

// The upper bounds, as fractions of the doubling's end: 2^(-7/8) to 2^(-1/8).
const (
	bound1 = 0.54525386633262882960
	bound2 = 0.59460355750136053336
	bound3 = 0.64841977732550483296
	bound4 = 0.70710678118654752440
	bound5 = 0.77110541270397041180
	bound6 = 0.84089641525371454303
	bound7 = 0.91700404320467123174
)

// Bound is the largest value of a bucket, 2^((index+1)/8); the bucket begins above
// the Bound of the index before.
func Bound(index int) float64 {
	doubling, eighth := (index+1)>>3, (index+1)&7
	frac := [perDoubling]float64{0.5, bound1, bound2, bound3, bound4, bound5, bound6, bound7}[eighth]
	return math.Ldexp(frac, doubling+1)
}

// Index is the bucket of a positive value, ceil(log2(v)*8)-1, within MinIndex and
// MaxIndex. It is exact at the bounds, where a logarithm may round to either side.
func Index(v float64) int {
	if v >= 1<<64 {
		return MaxIndex
	}
	frac, exp := math.Frexp(v) // v = frac * 2^exp, 0.5 <= frac < 1
	return max((exp-1)*perDoubling+eighth(frac)-1, MinIndex)
}

// eighth is ceil(log2(2*frac)*8), for 0.5 <= frac < 1.
func eighth(frac float64) int {
	switch {
	case frac <= 0.5:
		return 0
	case frac <= bound1:
		return 1
	case frac <= bound2:
		return 2
	case frac <= bound3:
		return 3
	case frac <= bound4:
		return 4
	case frac <= bound5:
		return 5
	case frac <= bound6:
		return 6
	case frac <= bound7:
		return 7
	}
	return perDoubling
}
