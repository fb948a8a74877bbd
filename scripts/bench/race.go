package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/scripts/load/loadgen"
)

// turn is one measurement of one contestant.
type turn struct {
	Name   string          `json:"name"`
	Round  int             `json:"round"`
	Result *loadgen.Result `json:"result"`
	// CPU is microseconds of the contestant's processor time per request; 0 where unknown.
	CPU float64 `json:"cpuMicros"`
}

// warmup is the part of a turn before anything is counted.
const warmup = 500 * time.Millisecond

// race lets everyone run once per round, each round beginning with the next one.
func race(ctx context.Context, o options, field []contestant) ([]turn, error) {
	var turns []turn
	for round := range o.rounds {
		for i := range field {
			c := field[(i+round)%len(field)]
			t, err := measure(ctx, o, c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			t.Round = round + 1
			turns = append(turns, t)
			fmt.Fprintf(os.Stderr, "round %d %-8s %s\n", t.Round, t.Name, t.Result)
		}
	}
	return turns, nil
}

func measure(ctx context.Context, o options, c contestant) (turn, error) {
	load := loadgen.Options{URL: c.url, Connections: o.connections, Length: warmup}
	if _, err := loadgen.Run(ctx, load); err != nil {
		return turn{}, err
	}
	before, err := cpuTime(c.pids)
	if err != nil {
		return turn{}, err
	}
	load.Length = o.length
	r, err := loadgen.Run(ctx, load)
	if err != nil {
		return turn{}, err
	}
	after, err := cpuTime(c.pids)
	if err != nil {
		return turn{}, err
	}
	if err := ctx.Err(); err != nil {
		return turn{}, err
	}
	if good := r.Good(); good != r.Requests || good == 0 {
		return turn{}, fmt.Errorf("%d of %d requests to %s did not end in 2xx: %v %v", r.Requests-good, r.Requests, c.url, r.Status, r.Errors)
	}
	return turn{Name: c.name, Result: r, CPU: float64((after - before).Microseconds()) / float64(r.Requests)}, nil
}

// table prints medians with ranges, and the ratio of CPU time per request to that of the reference.
func table(turns []turn, reference string) string {
	var names []string
	for _, t := range turns {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	column := func(name string, of func(turn) float64) (values []float64) {
		for _, t := range turns {
			if t.Name == name {
				values = append(values, of(t))
			}
		}
		return values
	}
	cpu := func(t turn) float64 { return t.CPU }
	base := median(column(reference, cpu))
	var b strings.Builder
	fmt.Fprintf(&b, "| | requests/s | p50 ms | p99 ms | CPU us/request | CPU to %s |\n|---|---|---|---|---|---|\n", reference)
	for _, name := range names {
		ratio := ""
		if m := median(column(name, cpu)); base > 0 && m > 0 {
			ratio = fmt.Sprintf("%.2f", m/base)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name,
			spread("%.0f", column(name, func(t turn) float64 { return t.Result.PerSecond })),
			spread("%.2f", column(name, func(t turn) float64 { return t.Result.Latency.P50 })),
			spread("%.2f", column(name, func(t turn) float64 { return t.Result.Latency.P99 })),
			spread("%.1f", column(name, cpu)), ratio)
	}
	return b.String()
}

func spread(format string, values []float64) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", median(values), slices.Min(values), slices.Max(values))
}

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
