// Command sluice-pump drains what gateways buffer in Redis.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pump/app"
)

func main() {
	switch err := start(); {
	case err == nil, errors.Is(err, config.ErrPrinted):
	case errors.Is(err, config.ErrHelp):
		fmt.Print(commandsHelp)
	default:
		fmt.Fprintln(os.Stderr, "sluice-pump:", err)
		os.Exit(1)
	}
}

func start() error {
	force, rest := join.Flags(os.Args[1:])
	settings := config.Options{Service: "pump", Args: rest, Environ: os.Environ(), Stdout: os.Stdout}
	c, args, err := config.Load(app.Default(), settings)
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
	return a.Run(context.Background())
}
