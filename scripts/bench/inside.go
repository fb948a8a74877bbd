package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/scripts/bench/stacks"
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
	shares, err := stacks.Markdown(string(traces), top)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("A profile of %.0f s.\n\n%s", profileLength.Seconds(), shares), nil
}

// top is how many lines of a profile are printed of each kind.
const top = 25

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
