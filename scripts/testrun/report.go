package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// report collects a run.
type report struct {
	out      io.Writer
	output   map[string][]string // package and test -> its lines
	skipped  map[string][]string // reason -> tests
	passed   int
	failures int
	packages int
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[string][]string{}, skipped: map[string][]string{}}
}

// line takes one line of the run; what is no event is passed on.
func (r *report) line(text []byte) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		fmt.Fprintf(r.out, "%s", text)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "fail", "skip":
		r.end(e, key)
		delete(r.output, key)
	}
}

func (r *report) end(e event, key string) {
	if e.Test == "" {
		r.endPackage(e, key)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failures++
		fmt.Fprintf(r.out, "FAIL %s\n%s", key, strings.Join(r.output[key], ""))
	case "skip":
		why := reason(r.output[key])
		r.skipped[why] = append(r.skipped[why], e.Test)
	}
}

func (r *report) endPackage(e event, key string) {
	if e.Action == "skip" { // it has no tests
		return
	}
	r.packages++
	if e.Action == "fail" {
		r.failures++
		fmt.Fprintf(r.out, "FAIL %s\n%s", e.Package, strings.Join(r.output[key], ""))
		return
	}
	fmt.Fprintf(r.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
}

var skipLine = regexp.MustCompile(`^\s*[A-Za-z0-9_]+\.go:\d+: (.*)`)

// reason is what a skipped test said.
func reason(lines []string) string {
	for _, l := range lines {
		if m := skipLine.FindStringSubmatch(l); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return "no reason given"
}

// summary says what was run and what was not.
func (r *report) summary() {
	skipped := 0
	for _, tests := range r.skipped {
		skipped += len(tests)
	}
	fmt.Fprintf(r.out, "\nin %d packages:\n%d passed, %d failed, %d skipped\n", r.packages, r.passed, r.failures, skipped)
	for _, why := range slices.Sorted(maps.Keys(r.skipped)) {
		tests := r.skipped[why]
		fmt.Fprintf(r.out, "skipped %d: %s (%s)\n", len(tests), why, strings.Join(tests[:min(3, len(tests))], ", "))
	}
}
