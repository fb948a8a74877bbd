package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// result is the best of a benchmark's runs.
type result struct {
	ns     float64
	allocs int64
}

var benchmarkLine = regexp.MustCompile(`^Benchmark(\S+?)(-\d+)?\s+\d+\s+(.*)$`)

// parse reads the lines of benchmarks with -benchmem; of several runs of one benchmark the least time
// and the fewest heap objects stay. What the test wrote beside them is passed over.
func parse(text string) (map[string]result, error) {
	out := map[string]result{}
	for line := range strings.Lines(text) {
		m := benchmarkLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		r, err := measures(m[3])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if had, ok := out[m[1]]; ok {
			r = result{min(r.ns, had.ns), min(r.allocs, had.allocs)}
		}
		out[m[1]] = r
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no benchmark ran:\n%s", text)
	}
	return out, nil
}

// measures reads pairs of a number and its unit.
func measures(text string) (r result, err error) {
	fields := strings.Fields(text)
	timed, counted := false, false
	for i := 0; i+1 < len(fields); i += 2 {
		switch fields[i+1] {
		case "ns/op":
			r.ns, err = strconv.ParseFloat(fields[i], 64)
			timed = true
		case "allocs/op":
			r.allocs, err = strconv.ParseInt(fields[i], 10, 64)
			counted = true
		}
		if err != nil {
			return r, err
		}
	}
	if !timed || !counted {
		return r, fmt.Errorf("it has no ns/op or no allocs/op")
	}
	return r, nil
}
