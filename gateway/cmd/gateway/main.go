// Command sluice-gateway is the service that API clients call.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/gateway/app"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

func main() {
	switch err := start(); {
	case err == nil, errors.Is(err, config.ErrHelp), errors.Is(err, config.ErrPrinted):
	default:
		fmt.Fprintln(os.Stderr, "sluice-gateway:", err)
		os.Exit(1)
	}
}

func start() error {
	load := func() (app.Config, []string, error) {
		return config.Load(app.Default(), config.Options{Service: "gateway", Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout})
	}
	c, args, err := load()
	if err != nil {
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("there is no command %q; run without one to serve", args[0])
	}
	log := logs.New(os.Stderr, c.Log)
	a, err := app.New(context.Background(), c, log)
	if err != nil {
		return err
	}
	a.Reread = func() (app.Config, error) {
		c, _, err := load()
		return c, err
	}
	return a.Run(context.Background())
}
