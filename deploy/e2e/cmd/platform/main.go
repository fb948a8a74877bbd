// Command platform runs what the black-box tests run, for trying things by hand: several dashboards on
// one store, gateways in groups, a Redis and an upstream, all of which end with it.
//
//	go run ./cmd/platform -dashboards 2 -gateways default,default,public
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

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	dashboards := flag.Int("dashboards", 1, "how many dashboards, all on one store")
	gateways := flag.String("gateways", "default", "the group of each gateway, with commas between")
	mongodb := flag.String("mongodb", "", "URL of a MongoDB server; default: SQLite")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "sluice-platform-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Println("building")
	if err := platform.Build(ctx, dir); err != nil {
		return err
	}
	p, err := platform.Start(ctx, platform.Options{Dir: dir, Dashboards: *dashboards, Gateways: strings.Split(*gateways, ","), MongoDB: *mongodb})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	up := platform.NewUpstream("upstream")
	defer up.Close()
	for _, d := range p.Dashboards {
		fmt.Printf("%-12s %s  pid %d\n", d.Name, d.URL, d.PID())
	}
	for _, g := range p.Gateways {
		fmt.Printf("%-12s %s  admin %s  pid %d\n", g.Name, g.URL, g.Admin, g.PID())
	}
	fmt.Printf("%-12s %s\n%-12s %s\n%-12s %s / %s\n%-12s %s\n%-12s %s\n", "redis", p.Redis.Addr, "upstream", up.URL, "sign in", p.Login, p.Password, "token", p.Token, "state", dir)
	<-ctx.Done()
	return nil
}
