package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluice-gateway/sluice/scripts/load/loadgen"
)

// latencyRun is one open-loop run.
type latencyRun struct {
	name   string
	round  int
	result *loadgen.Result
}

// latencyConnections bound what is in flight at once.
const latencyConnections = 64

// latency measures nginx's capacity in a closed loop, then both at half of it in an open one.
func (b *bench) latency(ctx context.Context) (text string, err error) {
	chosen, err := choose("keyless-64")
	if err != nil {
		return "", err
	}
	r := chosen[0]
	r.with = []string{sluice, reference}
	if _, err := find(r.driver()); err != nil && b.o.rate == 0 {
		return "", fmt.Errorf("%w; or name a rate with -rate", err)
	}
	out := &outcome{row: r}
	field, err := b.lineUp(ctx, out)
	defer func() {
		for _, c := range field {
			c.stop()
		}
	}()
	if err != nil {
		return "", err
	}
	if len(field) < 2 {
		return "", fmt.Errorf("latency wants both: %v", out.notes)
	}
	rate, capacity := b.o.rate, []float64(nil)
	if rate == 0 {
		for range b.o.rounds {
			t, err := b.measure(ctx, r, field[1])
			if err != nil {
				return "", err
			}
			capacity = append(capacity, t.load.perSecond)
			b.say("capacity of %s: %.0f/s", t.name, t.load.perSecond)
		}
		rate = float64(int(median(capacity) / 2))
	}
	var runs []latencyRun
	for round := range b.o.rounds {
		for i := range field {
			c := field[(i+round)%len(field)]
			result, err := loadgen.Run(ctx, loadgen.Options{
				URL: c.url + r.path(0), Rate: rate, Connections: latencyConnections, Length: b.o.length,
				Header: []string{"User-Agent: bench", "Accept: application/json"},
			})
			if err != nil {
				return "", err
			}
			if err := ctx.Err(); err != nil {
				return "", err
			}
			if good := result.Good(); good != result.Requests || good == 0 {
				return "", fmt.Errorf("%s: %d of %d requests did not end in 2xx: %v %v", c.name, result.Requests-good, result.Requests, result.Status, result.Errors)
			}
			runs = append(runs, latencyRun{c.name, round + 1, result})
			b.say("round %d: %-8s at %.0f/s: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms", round+1, c.name, rate, result.Latency.P50, result.Latency.P99, result.Latency.P999)
		}
	}
	return latencyReport(b.machine, b.o, rate, capacity, runs), nil
}

// pgo takes profiles of the gateway under each row's load and merges them into one for the compiler.
func (b *bench) pgo(ctx context.Context, chosen []row, file string) error {
	var profiles []string
	for _, r := range chosen {
		r.with = []string{sluice}
		if _, err := find(r.driver()); err != nil {
			return err
		}
		profile := filepath.Join(b.scratch, r.name+".pprof")
		if err := b.profileAlone(ctx, r, profile); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		profiles = append(profiles, profile)
		b.say("%s: profiled", r.name)
	}
	merged, err := goTool(ctx, append([]string{"tool", "pprof", "-proto"}, profiles...)...)
	if err != nil {
		return err
	}
	return os.WriteFile(file, merged, 0o644)
}

func (b *bench) profileAlone(ctx context.Context, r row, file string) error {
	out := &outcome{row: r}
	field, err := b.lineUp(ctx, out)
	if err != nil {
		return err
	}
	if len(field) == 0 {
		return fmt.Errorf("nothing to profile: %v", out.notes)
	}
	defer field[0].stop()
	return b.takeProfile(ctx, r, field[0], file)
}
