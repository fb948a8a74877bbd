// Command sluice-gateway is the service that API clients call.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/gateway/app"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

func main() {
	switch err := start(); {
	case err == nil, errors.Is(err, config.ErrPrinted):
	case errors.Is(err, config.ErrHelp):
		fmt.Print(commandsHelp)
	default:
		fmt.Fprintln(os.Stderr, "sluice-gateway:", err)
		os.Exit(1)
	}
}

func start() error {
	force, rest := join.Flags(os.Args[1:])
	settings := config.Options{Service: "gateway", Args: rest, Environ: os.Environ(), Stdout: os.Stdout}
	load := func() (app.Config, []string, error) { return config.Load(app.Default(), settings) }
	c, args, err := load()
	if err != nil {
		return err
	}
	if len(args) > 0 {
		return command(c, settings, args, force)
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
