package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const commandsHelp = `
Commands (none: serve):

  init           make the keys, the store and the first admin; may be repeated
    --admin-login NAME       login of the first admin; default admin
    --admin-password VALUE   its password (better: SLUICE_ADMIN_PASSWORD); default: a
                             one-time one in the data folder's initial-password
    --json                   print the outcome as JSON
  token NAME     print the secret of a new API token
    --role ROLE              viewer, operator or admin; default operator
    --ttl DURATION           how long it works; default 24h, 0 is without end
  doctor         look at everything that the dashboard needs, and say what is wrong and
                 what to do; exit status 1 if something keeps it from its work
    --json                   print the findings as JSON
`

// flags are those of the commands; all others are settings.
type flags struct {
	adminLogin, adminPassword string
	json                      bool
	role                      string
	ttl                       time.Duration
	given                     []string
}

// splitFlags takes the commands' own flags out of the arguments.
func splitFlags(args []string) (own flags, rest []string, err error) {
	own = flags{adminLogin: "admin", role: "operator", ttl: 24 * time.Hour}
	texts := map[string]*string{"--admin-login": &own.adminLogin, "--admin-password": &own.adminPassword, "--role": &own.role, "--ttl": new(string)}
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return own, append(rest, args[i:]...), nil
		}
		name, value, joined := strings.Cut(args[i], "=")
		into, text := texts[name]
		switch {
		case name == "--json" && !joined:
			own.json = true
		case !text:
			rest = append(rest, args[i])
			continue
		case !joined && i+1 == len(args):
			return own, nil, fmt.Errorf("%s needs a value", name)
		case !joined:
			i++
			value = args[i]
		}
		if text {
			*into = value
		}
		if name == "--ttl" {
			if own.ttl, err = time.ParseDuration(value); err != nil {
				return own, nil, fmt.Errorf("--ttl: %q is not a duration; write one such as 24h", value)
			}
		}
		own.given = append(own.given, name)
	}
	return own, rest, nil
}

// check returns the command, "" to serve, after looking whether words and flags
// belong to it.
func (f flags) check(words []string) (string, error) {
	command := ""
	if len(words) > 0 {
		command = words[0]
	}
	var allowed []string
	switch {
	case command == "":
	case command == "init" && len(words) == 1:
		allowed = []string{"--admin-login", "--admin-password", "--json"}
	case command == "token" && len(words) == 2:
		allowed = []string{"--role", "--ttl"}
	case command == "doctor" && len(words) == 1:
		allowed = []string{"--json"}
	case command == "doctor":
		return "", fmt.Errorf("doctor takes no %q", words[1])
	case command == "init":
		return "", fmt.Errorf("init takes no %q", words[1])
	case command == "token":
		return "", fmt.Errorf("token takes one name: sluice-dashboard token NAME [--role operator] [--ttl 24h]")
	default:
		return "", fmt.Errorf("there is no command %q; use init, token, doctor, or none to serve", command)
	}
	for _, name := range f.given {
		if !slices.Contains(allowed, name) {
			return "", fmt.Errorf("%s does not belong here; --help lists the commands with their flags", name)
		}
	}
	return command, nil
}
