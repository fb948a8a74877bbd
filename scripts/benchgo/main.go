// Command benchgo runs the Go benchmarks of the gateway's path and holds them to budgets of time, heap
// objects and ratios between them; over budget it ends with 1. `make bench-go` is it.
//
// A busy machine makes single runs slow, never fast, so a benchmark is as fast as its best short run; one
// that is over its budget is run again, several times, before it counts as too slow.
//
// budgets.go is the table, parse.go reads what `go test` prints.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	runs := flag.Int("runs", 5, "short runs of each benchmark")
	again := flag.Int("again", 8, "how often those over budget are run again")
	length := flag.String("length", "40ms", "length of one run, as of -benchtime")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *runs, *again, *length); err != nil {
		fmt.Fprintln(os.Stderr, "benchgo:", err)
		os.Exit(1)
	}
}

// errOver says that a budget does not hold.
var errOver = errors.New("over budget")

func run(ctx context.Context, runs, again int, length string) error {
	all, best := budgets(), map[string]result{}
	open := all
	for try := 0; try <= again && len(open) > 0; try++ {
		for _, pkg := range packagesOf(open) {
			if err := measure(ctx, pkg, open, runs, length, best); err != nil {
				return err
			}
		}
		missed := slices.DeleteFunc(slices.Clone(all), func(b budget) bool { return b.judge(best) == "" })
		open = withPartners(missed, all)
	}
	fmt.Print(table(all, best))
	if len(open) > 0 {
		return errOver
	}
	return nil
}

// packagesOf are the packages of budgets, each once.
func packagesOf(list []budget) (out []string) {
	for _, b := range list {
		if !slices.Contains(out, b.pkg) {
			out = append(out, b.pkg)
		}
	}
	return out
}

// withPartners adds to budgets those that their ratios name: a ratio may be too large because its lower
// side had the better moment.
func withPartners(missed, all []budget) []budget {
	out := slices.Clone(missed)
	for _, m := range missed {
		for _, b := range all {
			if b.key() == m.pkg+" "+m.to && !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	return out
}

// measure runs a package's benchmarks and keeps the best of each.
func measure(ctx context.Context, pkg string, list []budget, runs int, length string, best map[string]result) error {
	var roots []string
	for _, b := range list {
		root, _, _ := strings.Cut(b.name, "/")
		if b.pkg == pkg && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	pattern := "^Benchmark(" + strings.Join(roots, "|") + ")$"
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", length, "-count", strconv.Itoa(runs), "./"+pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	found, err := parse(string(out))
	if err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	for name, r := range found {
		key := pkg + " " + name
		if had, ok := best[key]; ok {
			r = result{min(r.ns, had.ns), min(r.allocs, had.allocs)}
		}
		best[key] = r
	}
	return nil
}

// table is what people read.
func table(all []budget, best map[string]result) string {
	var b strings.Builder
	b.WriteString("| benchmark | ns | of | heap objects | of | ratio | of | |\n|---|---|---|---|---|---|---|---|\n")
	for _, x := range all {
		r, ok := best[x.key()]
		if !ok {
			fmt.Fprintf(&b, "| %s %s | | | | | | | %s |\n", x.pkg, x.name, x.judge(best))
			continue
		}
		limit, ratio, most := "", "", ""
		if x.ns > 0 {
			limit = strconv.FormatFloat(x.ns, 'f', -1, 64)
		}
		if x.to != "" {
			ratio, most = fmt.Sprintf("%.2f of %s", x.ratioIn(best), x.to), strconv.FormatFloat(x.ratio, 'f', -1, 64)
		}
		fmt.Fprintf(&b, "| %s %s | %.0f | %s | %d | %d | %s | %s | %s |\n", x.pkg, x.name, r.ns, limit, r.allocs, x.allocs, ratio, most, cmp.Or(x.judge(best), "held"))
	}
	return b.String()
}
