// Command sluice-pump drains what gateways buffer in Redis.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pump/app"
)

func main() {
	switch err := start(); {
	case err == nil, errors.Is(err, config.ErrHelp), errors.Is(err, config.ErrPrinted):
	default:
		fmt.Fprintln(os.Stderr, "sluice-pump:", err)
		os.Exit(1)
	}
}

func start() error {
	c, args, err := config.Load(app.Default(), config.Options{Service: "pump", Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout})
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
	return a.Run(context.Background())
}
