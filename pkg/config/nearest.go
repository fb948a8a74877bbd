package config

import (
	"slices"
	"strings"
)

// nearest is the known name that a wrong one was most likely meant to be, or
// empty if none is near. Case, dashes and the sections in front count for
// little: people forget those first.
func nearest[V any](name string, known map[string]V) string {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	limit := max(2, len(name)/4)
	best, bestDistance := "", limit+1
	for _, k := range names {
		d := distance(fold(name), fold(k))
		if last(fold(name)) == last(fold(k)) {
			d = min(d, 2)
		}
		if len(name) > 3 && strings.HasPrefix(fold(k), fold(name)) {
			d = min(d, limit)
		}
		if d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

func last(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// distance counts the letters to insert, delete or replace, a swap of two
// neighbours being two.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := diagonal
			if a[i-1] != b[j-1] {
				d++
			}
			diagonal = row[j]
			row[j] = min(d, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
