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
	"github.com/sluice-gateway/sluice/pkg/logs"
)

const commandsHelp = `
Commands (none: serve):

  doctor         look at everything that the gateway needs, and say what is wrong and
                 what to do; exit status 1 if something keeps it from its work
    --json                   print the findings as JSON
`

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
	var from config.Sources
	load := func() (app.Config, []string, error) {
		return config.Load(app.Default(), config.Options{Service: "gateway", Args: given, Environ: os.Environ(), Stdout: os.Stdout, Sources: &from})
	}
	c, args, err := load()
	if doctor.Asked(from, err) {
		o := doctor.Options{Service: "gateway", Version: buildinfo.Version(), JSON: asJSON}
		return doctor.Command(context.Background(), os.Stdout, o, from, err, func() ([]doctor.Check, func()) { return app.Doctor(c) })
	}
	switch {
	case err != nil:
		return err
	case len(args) > 0:
		return fmt.Errorf("there is no command %q; use doctor, or none to serve", args[0])
	case asJSON:
		return errors.New("--json belongs to doctor")
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
