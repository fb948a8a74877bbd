package main

import (
	"fmt"
	"math"
	"slices"
)

// quantile is the value that the share q (0 to 1) of sorted values does not exceed; 0 of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// median of values in any order; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// spread is the median with the range; empty of none.
func spread(format string, values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", median(values), slices.Min(values), slices.Max(values))
}

// ratios divides round by round, so that what disturbed one round disturbs both sides of the division.
// Rounds that one of the two lacks are left out.
func ratios(over, under map[int]float64) (out []float64) {
	for round, v := range over {
		if u := under[round]; u > 0 && v > 0 {
			out = append(out, v/u)
		}
	}
	slices.Sort(out)
	return out
}
