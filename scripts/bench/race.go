package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// turn is one measurement of one contestant.
type turn struct {
	name  string
	round int
	load  load
	cpu   float64 // microseconds of the contestant's processor time per request
}

// outcome is what came of a row.
type outcome struct {
	row     row
	turns   []turn
	memory  map[string]int64   // peak of each contestant, bytes
	objects map[string]float64 // heap objects per request, of those that tell
	notes   []string           // who was left out, and why
	profile string             // Markdown; empty where none was asked for
}

// warmup is what a contestant gets before a turn is counted.
const warmup = time.Second

// compete runs a row: everybody is started, then everybody has one turn per round, each round beginning
// with the next one.
func (b *bench) compete(ctx context.Context, r row) (*outcome, error) {
	out := &outcome{row: r, memory: map[string]int64{}, objects: map[string]float64{}}
	if _, err := find(r.driver()); err != nil {
		out.notes = append(out.notes, "skipped: "+err.Error())
		return out, nil
	}
	field, err := b.lineUp(ctx, out)
	defer func() {
		for _, c := range field {
			c.stop()
		}
	}()
	if err != nil {
		return nil, err
	}
	for round := range b.o.rounds {
		for i := range field {
			t, err := b.measure(ctx, r, field[(i+round)%len(field)])
			if err != nil {
				return nil, err
			}
			t.round = round + 1
			out.turns = append(out.turns, t)
			b.say("%s round %d: %-8s %8.0f/s, p50 %.2f ms, p99 %.2f ms, %.1f us of CPU per request", r.name, t.round, t.name, t.load.perSecond, ms(t.load.p50), ms(t.load.p99), t.cpu)
		}
	}
	for _, c := range field {
		if out.memory[c.name], err = peakMemory(c.pids); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return out, b.lookInside(ctx, out, field)
}

// lineUp starts the row's contestants; who cannot take part is noted.
func (b *bench) lineUp(ctx context.Context, out *outcome) (field []contestant, err error) {
	for _, name := range out.row.with {
		if b.o.left[name] {
			continue
		}
		dir := filepath.Join(b.scratch, out.row.name+"-"+strings.ReplaceAll(name, "/", "-"))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return field, err
		}
		s := stage{row: out.row, origin: b.origin.addresses[out.row.size], dir: dir, certificate: b.certificate, gateway: b.o.gateway, stdlib: b.stdlib}
		c, err := starters()[name](ctx, s)
		if err == nil {
			field = append(field, c)
			_, err = drive(ctx, out.row, c.url, b.scratch, warmup) // finds out whether it speaks the protocol
			if err != nil {
				field = field[:len(field)-1]
				c.stop()
			}
		}
		if errors.Is(err, errMissing) || errors.Is(err, errUnavailable) {
			out.notes = append(out.notes, fmt.Sprintf("%s: %v", name, err))
			b.say("%s: left out: %s: %v", out.row.name, name, err)
			continue
		}
		if err != nil {
			return field, fmt.Errorf("%s: %s: %w", out.row.name, name, err)
		}
	}
	return field, nil
}

func (b *bench) measure(ctx context.Context, r row, c contestant) (turn, error) {
	if _, err := drive(ctx, r, c.url, b.scratch, warmup); err != nil {
		return turn{}, err
	}
	before, err := cpuTime(c.pids)
	if err != nil {
		return turn{}, err
	}
	l, err := drive(ctx, r, c.url, b.scratch, b.o.length)
	if err != nil {
		return turn{}, err
	}
	after, err := cpuTime(c.pids)
	if err != nil {
		return turn{}, err
	}
	if l.wrong > 0 || l.requests == 0 {
		return turn{}, fmt.Errorf("%s: %s: %d of %d requests were not answered as they should", r.name, c.name, l.wrong, l.requests)
	}
	return turn{name: c.name, load: l, cpu: float64((after - before).Microseconds()) / float64(l.requests)}, nil
}

// lookInside asks the gateway for what its operators can see, after the turns that count.
func (b *bench) lookInside(ctx context.Context, out *outcome, field []contestant) error {
	for _, c := range field {
		if c.admin == "" {
			continue
		}
		if b.o.objects > 0 {
			n, err := b.objectsPerRequest(ctx, out.row, c)
			if err != nil {
				return fmt.Errorf("%s: heap objects per request: %w", out.row.name, err)
			}
			out.objects[c.name] = n
			b.say("%s: %s: %.2f heap objects per request", out.row.name, c.name, n)
		}
		if b.o.profile {
			text, err := b.profiled(ctx, out.row, c, filepath.Join(b.scratch, out.row.name+".pprof"))
			if err != nil {
				return fmt.Errorf("%s: profile: %w", out.row.name, err)
			}
			out.profile = text
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
