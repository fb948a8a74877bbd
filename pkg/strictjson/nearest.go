package strictjson

import "strings"

// Nearest returns the known name that name was most likely meant to be, or ""
// where none is near: the one with the smallest edit distance, at most a third
// of its length, upper and lower case counting as equal.
func Nearest(name string, known []string) string {
	const longest = 64 // hostile names are not compared
	if len(name) > longest {
		return ""
	}
	best, bestDistance := "", longest
	lower := strings.ToLower(name)
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		d := distance(lower, strings.ToLower(k))
		if d <= max(1, min(len(k), len(name))/3) && (d < bestDistance || d == bestDistance && k < best) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is Levenshtein's, with a swap of two neighbours counting once.
func distance(a, b string) int {
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, previous[j]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}
