// Command sluice-quickstart runs the whole platform on one machine: Redis, the
// dashboard on SQLite, gateways and a demo upstream, with the real binaries as
// child processes that end with it. All state lies in one folder, and a second
// start goes on with it.
//
// Read main.go for the order of a start, options.go for what can be set, redis.go
// for where Redis comes from, process.go for how children live and die, demo.go
// for the upstream and the API that show that it works.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// stopGrace is what all children together get to stop; a person who pressed
// Ctrl-C waits no longer than 5 s.
const stopGrace = 4 * time.Second

func main() {
	// children get a signal when the thread that started them ends (prctl(2),
	// PR_SET_PDEATHSIG): this one never does before the process itself
	runtime.LockOSThread()
	o, err := parse(os.Args[1:], os.Getenv)
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err == nil {
		err = start(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice-quickstart:", err)
		os.Exit(1)
	}
}

// start brings everything up, waits for a signal or for a child that ends, and
// takes everything down.
func start(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	unlock, err := o.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	p := &platform{o: o, out: os.Stdout}
	defer func() { err = errors.Join(err, p.stop(stopGrace)) }()
	if err := p.up(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	p.greet()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.out, "\nStopping.")
		return nil
	case c := <-p.exits:
		return fmt.Errorf("%s ended by itself (%s); the end of its log (%s):\n%s", c.name, c.cmd.ProcessState, c.logFile, c.tail())
	}
}
