// Command bench measures the gateway beside nginx, HAProxy and the standard library's reverse proxy: one
// origin, the same requests and headers, turn by turn, several rounds, so that a busy moment of the
// machine hits all alike. It prints medians and ranges of processor time per request, requests per
// second and latency, peaks of memory, and ratios to nginx, as Markdown.
//
//	make bench                                        the row keyless-64, five rounds
//	make bench ARGS="-rows all -out report.md"        every row
//	make bench ARGS="-rows keyless,analytics -short"  one line per row
//	make bench ARGS=-profile                          and where the gateway's time goes
//	make bench ARGS=-latency                          an open loop at half of nginx's capacity
//	make bench ARGS="-pgo gateway/cmd/gateway/default.pgo"
//
// README.md says what the rows are and how the compiler gets its profile. Figures of shared machines
// differ by the hour; the ratios are what counts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/scripts/bench/machine"
)

// options of a run.
type options struct {
	rows, out, gateway, without, pgo string
	rounds, objects                  int
	length                           time.Duration
	rate                             float64
	short, profile, latency          bool
	left                             map[string]bool // contestants left out
}

// bench is one run.
type bench struct {
	o           options
	scratch     string
	origin      *origin
	certificate *certificate
	stdlib      string
	machine     machine.Facts
}

func main() {
	var o options
	flag.StringVar(&o.rows, "rows", "keyless-64", "comma-separated rows, beginnings of names, or all")
	flag.IntVar(&o.rounds, "rounds", 5, "turns of each contestant in each row")
	flag.DurationVar(&o.length, "length", 5*time.Second, "length of one turn, whole seconds")
	flag.StringVar(&o.without, "without", "", "comma-separated contestants to leave out: haproxy, net/http")
	flag.StringVar(&o.gateway, "gateway", "bin/sluice-gateway", "the gateway's program")
	flag.StringVar(&o.out, "out", "", "file that the report is written to as well")
	flag.BoolVar(&o.short, "short", false, "print one line for each row only")
	flag.IntVar(&o.objects, "objects", 100_000, "requests over which heap objects are counted; 0 counts none")
	flag.BoolVar(&o.profile, "profile", false, "take a CPU profile of the gateway in each row and print where the time goes")
	flag.BoolVar(&o.latency, "latency", false, "measure latency in an open loop instead")
	flag.Float64Var(&o.rate, "rate", 0, "requests per second of -latency; 0 is half of what nginx can do")
	flag.StringVar(&o.pgo, "pgo", "", "write a CPU profile for the compiler to this file instead; of the rows keyless-64, key and analytics unless -rows names others")
	flag.Parse()
	named := false
	flag.Visit(func(f *flag.Flag) { named = named || f.Name == "rows" })
	if o.pgo != "" && !named {
		o.rows = "keyless-64,key,analytics"
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.rows)
	if err != nil {
		return err
	}
	if o.rounds < 1 || o.length < time.Second {
		return errors.New("-rounds wants 1 and -length 1s at least")
	}
	o.left = map[string]bool{}
	for name := range strings.SplitSeq(o.without, ",") {
		o.left[strings.TrimSpace(name)] = true
	}
	b, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	defer b.end()
	if o.pgo != "" {
		return b.pgo(ctx, chosen, o.pgo)
	}
	var text string
	if o.latency {
		text, err = b.latency(ctx)
	} else {
		text, err = b.compare(ctx, chosen)
	}
	fmt.Print(text)
	if text != "" && o.out != "" {
		err = errors.Join(err, os.WriteFile(o.out, []byte(text), 0o644))
	}
	return err
}

// prepare makes what all rows share.
func prepare(ctx context.Context, o options) (*bench, error) {
	scratch, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{o: o, scratch: scratch, machine: machine.Look(ctx, o.gateway)}
	if b.certificate, err = newCertificate(scratch); err == nil {
		if b.stdlib, err = buildStdlib(ctx, scratch); err == nil {
			b.origin, err = startOrigin(ctx, scratch)
		}
	}
	if err != nil {
		_ = os.RemoveAll(scratch)
		return nil, err
	}
	return b, nil
}

func (b *bench) end() {
	b.origin.stop()
	_ = os.RemoveAll(b.scratch)
}

// compare runs the rows. One that goes wrong is told, and the others are run all the same.
func (b *bench) compare(ctx context.Context, chosen []row) (string, error) {
	var outcomes []*outcome
	var wrong error
	for _, r := range chosen {
		out, err := b.compete(ctx, r)
		if err != nil {
			wrong = errors.Join(wrong, err)
			out = &outcome{row: r, notes: []string{"failed: " + firstLine(err)}}
			b.say("%s: %v", r.name, err)
		}
		outcomes = append(outcomes, out)
		if ctx.Err() != nil {
			break
		}
	}
	if b.o.short {
		return brief(b.machine, outcomes), wrong
	}
	return report(b.machine, b.o, outcomes), wrong
}

// firstLine of an error, which may have a program's output behind it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// say tells how far it is, beside the report.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
