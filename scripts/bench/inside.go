package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// objectsPerRequest is how many objects the gateway's process allocates per request, counted over as
// many requests as the options say, without what the counting costs.
func (b *bench) objectsPerRequest(ctx context.Context, r row, c contestant) (float64, error) {
	first, _, err := counted(ctx, c.admin)
	if err != nil {
		return 0, err
	}
	second, served, err := counted(ctx, c.admin)
	if err != nil {
		return 0, err
	}
	looking := second - first
	for {
		if _, err := drive(ctx, r, c.url, b.scratch, 2*time.Second); err != nil {
			return 0, err
		}
		third, now, err := counted(ctx, c.admin)
		if err != nil {
			return 0, err
		}
		if n := now - served; n >= float64(b.o.objects) {
			return max(0, third-second-looking) / n, nil
		}
		second += looking // each look between costs as much
	}
}

// counted are the objects that the process has allocated, and the requests that it has answered.
func counted(ctx context.Context, admin string) (objects, requests float64, err error) {
	text, err := fetch(ctx, admin+"/metrics")
	if err != nil {
		return 0, 0, err
	}
	if objects, err = metric(string(text), "go_memstats_mallocs_total"); err != nil {
		return 0, 0, err
	}
	requests, err = metric(string(text), "sluice_gateway_requests_total")
	return objects, requests, err
}

// metric is the sum of a metric's series in Prometheus' text format.
func metric(text, name string) (sum float64, err error) {
	found := false
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 {
			return 0, fmt.Errorf("%q is not a series", line)
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+v, true
	}
	if !found {
		return 0, fmt.Errorf("the metrics lack %s", name)
	}
	return sum, nil
}

// profileLength is how long a CPU profile is taken.
const profileLength = 20 * time.Second

// profiled takes a CPU profile under the row's load into a file and tells where the time goes.
func (b *bench) profiled(ctx context.Context, r row, c contestant, file string) (string, error) {
	if err := b.takeProfile(ctx, r, c, file); err != nil {
		return "", err
	}
	traces, err := goTool(ctx, "tool", "pprof", "-traces", "-unit=us", file)
	if err != nil {
		return "", err
	}
	samples, err := parseTraces(string(traces))
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
	var text strings.Builder
	fmt.Fprintf(&text, "%.1f s of processor time in %.0f s.\n\n", total/1e6, profileLength.Seconds())
	writeShares(&text, "function", shares(samples, func(frame string) string { return frame }), total)
	writeShares(&text, "package", shares(samples, packageOf), total)
	return text.String(), nil
}

// takeProfile lets the load begin, then asks for a profile that ends before the load does.
func (b *bench) takeProfile(ctx context.Context, r row, c contestant, file string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	driven := make(chan error, 1)
	go func() {
		_, err := drive(ctx, r, c.url, b.scratch, profileLength+4*time.Second)
		driven <- err
	}()
	select {
	case err := <-driven:
		return errors.Join(errors.New("the load ended at once"), err)
	case <-time.After(2 * time.Second):
	}
	profile, err := fetch(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", c.admin, seconds(profileLength)))
	if err != nil {
		return err
	}
	if err := <-driven; err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o600)
}

// goTool runs the go command and returns what it prints.
func goTool(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// sample is one stack of a profile, the innermost frame first.
type sample struct {
	value  float64 // microseconds
	frames []string
}

// parseTraces reads what `go tool pprof -traces -unit=us` prints: stacks between lines of dashes, the
// value before the first frame.
func parseTraces(text string) (out []sample, err error) {
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

// top is how many lines of a profile are printed of each kind.
const top = 25

// writeShares prints the largest by what is spent in them, then the largest by what is below them too.
func writeShares(b *strings.Builder, what string, all []share, total float64) {
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
