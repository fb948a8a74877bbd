package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pump/app"
)

const commandsHelp = `
Commands (none: serve):

  join TOKEN     take the platform's keys, and where Redis is, with a token of
                 sluice-dashboard node-token pump; what is set here of Redis, such as
                 its password, wins over the token
    --force                  replace other keys that are there
  doctor         look at everything that the pump needs, and say what is wrong and
                 what to do; exit status 1 if something keeps it from its work
    --json                   print the findings as JSON
`

// command runs what the command line names.
func command(c app.Config, settings config.Options, words []string, force bool) error {
	switch {
	case words[0] != "join":
		return fmt.Errorf("there is no command %q; use join, doctor, or none to serve", words[0])
	case len(words) != 2:
		return errors.New("join takes one token: sluice-pump join TOKEN [--force]")
	}
	return app.Join(context.Background(), c, settings, join.Options{Token: words[1], Force: force, Out: os.Stdout})
}
