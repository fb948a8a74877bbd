// Package stacks sums the stacks of a CPU profile, as `go tool pprof -traces -unit=us` prints them, by
// function and by package.
package stacks

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Markdown is where the time of a profile goes: four tables of at most top lines each, of functions and
// of packages, by what is spent in them and by what is spent below them too.
func Markdown(traces string, top int) (string, error) {
	samples, err := parse(traces)
	if err != nil {
		return "", err
	}
	total := 0.0
	for _, s := range samples {
		total += s.value
	}
	if total == 0 {
		return "", errors.New("the profile is empty")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f s of processor time.\n\n", total/1e6)
	writeShares(&b, "function", shares(samples, func(frame string) string { return frame }), total, top)
	writeShares(&b, "package", shares(samples, packageOf), total, top)
	return b.String(), nil
}

// sample is one stack of a profile, the innermost frame first.
type sample struct {
	value  float64 // microseconds
	frames []string
}

// parse reads what `go tool pprof -traces -unit=us` prints: stacks between lines of dashes, the
// value before the first frame.
func parse(text string) (out []sample, err error) {
	const ruler = "-----------+"
	within := false
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, ruler) {
			within = true
			out = append(out, sample{})
			continue
		}
		frame := strings.TrimSuffix(strings.TrimSpace(line), " (inline)")
		if !within || frame == "" {
			continue
		}
		s := &out[len(out)-1]
		if len(s.frames) == 0 {
			value, name, ok := strings.Cut(frame, " ")
			digits, isTime := strings.CutSuffix(value, "us")
			v, bad := strconv.ParseFloat(digits, 64)
			if !ok || !isTime && value != "0" || bad != nil {
				if key, _, labelled := strings.Cut(frame, ":"); labelled && !strings.Contains(key, " ") {
					continue // a label of the sample stands before its value
				}
				return nil, fmt.Errorf("%q is not the first line of a stack", line)
			}
			s.value, frame = v, strings.TrimSpace(name)
		}
		s.frames = append(s.frames, frame)
	}
	return slices.DeleteFunc(out, func(s sample) bool { return len(s.frames) == 0 }), lines.Err()
}

// packageOf is the import path of a function's name.
func packageOf(frame string) string {
	if at := strings.IndexAny(frame, "[("); at >= 0 {
		frame = frame[:at] // type arguments and receivers have paths of their own
	}
	dir, base := filepath.Split(frame)
	base, _, _ = strings.Cut(base, ".")
	return dir + base
}

// share is what is spent in a function or package itself, and below it too, in microseconds.
type share struct {
	name      string
	flat, cum float64
}

// shares sums samples by a name of their frames; a stack counts once for a name however often it is in it.
func shares(samples []sample, name func(frame string) string) []share {
	all := map[string]*share{}
	at := func(n string) *share {
		if all[n] == nil {
			all[n] = &share{name: n}
		}
		return all[n]
	}
	for _, s := range samples {
		at(name(s.frames[0])).flat += s.value
		var seen []string
		for _, f := range s.frames {
			if n := name(f); !slices.Contains(seen, n) {
				seen = append(seen, n)
				at(n).cum += s.value
			}
		}
	}
	out := make([]share, 0, len(all))
	for _, s := range all {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.flat, a.flat), cmp.Compare(b.cum, a.cum), cmp.Compare(a.name, b.name))
	})
	return out
}

// writeShares prints the largest by what is spent in them, then the largest by what is below them too.
func writeShares(b *strings.Builder, what string, all []share, total float64, top int) {
	for _, by := range []string{"flat", "cum"} {
		if by == "cum" {
			all = slices.SortedStableFunc(slices.Values(all), func(a, b share) int { return cmp.Compare(b.cum, a.cum) })
		}
		fmt.Fprintf(b, "| %s, by %s | flat | cum |\n|---|---|---|\n", what, by)
		for _, s := range all[:min(top, len(all))] {
			fmt.Fprintf(b, "| `%s` | %.1f %% | %.1f %% |\n", strings.TrimPrefix(s.name, "github.com/sluice-gateway/sluice/"), 100*s.flat/total, 100*s.cum/total)
		}
		b.WriteString("\n")
	}
}
