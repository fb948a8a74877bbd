// Command sluice-gateway is the service that API clients call.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/gateway/app"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

func main() {
	switch err := start(); {
	case err == nil, errors.Is(err, config.ErrPrinted):
	case errors.Is(err, config.ErrHelp):
		fmt.Print(commandsHelp)
	case errors.Is(err, doctor.ErrFailed): // the report says it
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "sluice-gateway:", err)
		os.Exit(1)
	}
}

func start() error {
	given, asJSON := doctor.TakeJSON(os.Args[1:])
	force, given := join.Flags(given)
	var from config.Sources
	settings := config.Options{Service: "gateway", Args: given, Environ: os.Environ(), Stdout: os.Stdout, Sources: &from}
	load := func() (app.Config, []string, error) { return config.Load(app.Default(), settings) }
	c, args, err := load()
	if doctor.Asked(from, err) {
		o := doctor.Options{Service: "gateway", Version: buildinfo.Version(), JSON: asJSON}
		return doctor.Command(context.Background(), os.Stdout, o, from, err, func() ([]doctor.Check, func()) { return app.Doctor(c) })
	}
	switch {
	case err != nil:
		return err
	case asJSON:
		return errors.New("--json belongs to doctor")
	case len(args) > 0:
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
