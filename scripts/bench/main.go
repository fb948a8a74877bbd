// Command bench measures the gateway beside nginx and HAProxy: one origin, the same connections, turn by
// turn, several rounds, so that a busy moment of the machine hits all alike. It prints the median and the
// range of requests per second, of latency, and of CPU time per request, and the ratios to nginx.
//
// It starts bin/sluice-quickstart and puts the others in front of the same demo upstream. A gateway that
// runs already, with an API that forwards to an origin given here, is measured so:
//
//	go run ./scripts/bench -origin 127.0.0.1:9900 -gateway http://127.0.0.1:8080/bench/ -pid "$(pidof sluice-gateway)"
//
// nginx and haproxy are started from PATH; one that is missing is left out, and said so. Figures of
// shared machines differ by the hour; the ratios are what counts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	origin, gateway, pids string
	quickstart            string
	rounds, connections   int
	records               bool
	length                time.Duration
	asJSON                bool
}

func main() {
	var o options
	flag.StringVar(&o.origin, "origin", "127.0.0.1:0", "address that the origin listens on")
	flag.StringVar(&o.gateway, "gateway", "", "URL through a gateway that runs already; empty starts the quickstart")
	flag.StringVar(&o.quickstart, "quickstart", "bin/sluice-quickstart", "program that starts the platform")
	flag.StringVar(&o.pids, "pid", "", "process ids of the gateway, for its CPU time")
	flag.IntVar(&o.rounds, "rounds", 5, "turns of each")
	flag.IntVar(&o.connections, "connections", 64, "connections")
	flag.DurationVar(&o.length, "length", 5*time.Second, "length of one turn")
	flag.BoolVar(&o.records, "records", false, "let the quickstart's gateway record every call; a proxy that keeps nothing is what it is compared with")
	flag.BoolVar(&o.asJSON, "json", false, "print every turn as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	scratch, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	field, address, path, err := gatewayAndOrigin(ctx, o, scratch)
	defer func() {
		for _, c := range field {
			if c.stop != nil {
				c.stop()
			}
		}
	}()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "origin on", address)
	for _, start := range []func(context.Context, string, string) (contestant, error){startNginx, startHAProxy} {
		c, err := start(ctx, scratch, address)
		if errors.Is(err, errMissing) {
			fmt.Fprintln(os.Stderr, "left out:", err)
			continue
		}
		if err != nil {
			return err
		}
		c.url += path
		field = append(field, c)
	}
	field = append(field, contestant{name: "origin", url: "http://" + address + "/" + path})

	turns, err := race(ctx, o, field)
	if err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(os.Stdout).Encode(turns)
	}
	fmt.Print(table(turns, "nginx"))
	return nil
}

// gatewayAndOrigin starts or names the gateway, and says where the origin is and which path below its
// root is asked for.
func gatewayAndOrigin(ctx context.Context, o options, scratch string) (field []contestant, address, path string, err error) {
	if o.gateway == "" {
		c, address, err := startQuickstart(ctx, scratch, o.quickstart, o.records)
		if err == nil {
			fmt.Fprintf(os.Stderr, "sluice: keyless, %s=%v\n", recordsSwitch, o.records)
			return []contestant{c}, address, "hello", nil
		}
		if !errors.Is(err, errMissing) {
			return nil, "", "", err
		}
		fmt.Fprintln(os.Stderr, "left out:", err)
	}
	own, err := startOrigin(o.origin)
	if err != nil {
		return nil, "", "", err
	}
	if o.gateway == "" {
		return nil, own.address, "", nil
	}
	c := contestant{name: "sluice", url: o.gateway}
	for word := range strings.FieldsSeq(o.pids) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, "", "", fmt.Errorf("-pid: %q is not a process id", word)
		}
		c.pids = append(c.pids, pid)
	}
	return []contestant{c}, own.address, "", nil
}
