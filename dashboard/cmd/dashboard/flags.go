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
  backup FILE    write all but records and drafts into one sealed file; dashboards may run
    --passphrase-file FILE   holds the passphrase; default: SLUICE_BACKUP_PASSPHRASE
    --json                   print the outcome as JSON
  restore FILE   bring store and keys back from a backup; no dashboard may run
    --passphrase-file FILE   holds the passphrase; default: SLUICE_BACKUP_PASSPHRASE
    --replace                also where there is something already
    --check                  only read the whole file and say what is in it
    --json                   print the outcome as JSON
  node-token SERVICE
                 print the command that a new gateway, pump or dashboard joins with: it
                 works once
    --name NAME              of the node, for people
    --ttl DURATION           how long it works; default 1h
  join TOKEN     take the platform's keys, and where Redis is, with a token of another
                 dashboard's node-token dashboard
    --force                  replace other keys that are there
  rotate signing sign with a new key, while everything runs; the old one still counts
    --finish                 end that; gateways that were away follow all the same
  doctor         look at everything that the dashboard needs, and say what is wrong and
                 what to do; exit status 1 if something keeps it from its work
    --json                   print the findings as JSON
`

// flags are those of the commands; all others are settings.
type flags struct {
	adminLogin, adminPassword string
	json                      bool
	role, name                string
	force, finish             bool
	ttl                       time.Duration
	passphraseFile            string
	replace, check            bool
	given                     []string
}

// splitFlags takes the commands' own flags out of the arguments.
func splitFlags(args []string) (own flags, rest []string, err error) {
	own = flags{adminLogin: "admin", role: "operator"}
	texts := map[string]*string{
		"--admin-login": &own.adminLogin, "--admin-password": &own.adminPassword, "--role": &own.role, "--ttl": new(string),
		"--name": &own.name, "--passphrase-file": &own.passphraseFile,
	}
	switches := map[string]*bool{
		"--json": &own.json, "--force": &own.force, "--finish": &own.finish, "--replace": &own.replace, "--check": &own.check,
	}
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return own, append(rest, args[i:]...), nil
		}
		name, value, joined := strings.Cut(args[i], "=")
		into, text := texts[name]
		on, isSwitch := switches[name]
		switch {
		case isSwitch && !joined:
			*on = true
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

// command returns the command, "" to serve, after looking whether words and flags
// belong to it.
func (f flags) command(words []string) (string, error) {
	command, services := "", []string{"gateway", "pump", "dashboard"}
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
	case command == "backup" && len(words) == 2:
		allowed = []string{"--passphrase-file", "--json"}
	case command == "restore" && len(words) == 2:
		allowed = []string{"--passphrase-file", "--replace", "--check", "--json"}
	case command == "node-token" && len(words) == 2 && slices.Contains(services, words[1]):
		allowed = []string{"--name", "--ttl"}
	case command == "join" && len(words) == 2:
		allowed = []string{"--force"}
	case command == "rotate" && len(words) == 2 && words[1] == "signing":
		allowed = []string{"--finish"}
	case command == "doctor" && len(words) == 1:
		allowed = []string{"--json"}
	case command == "doctor":
		return "", fmt.Errorf("doctor takes no %q", words[1])
	case command == "init":
		return "", fmt.Errorf("init takes no %q", words[1])
	case command == "backup" || command == "restore":
		return "", fmt.Errorf("%s takes one file: sluice-dashboard %s FILE [--passphrase-file FILE]", command, command)
	case command == "token":
		return "", fmt.Errorf("token takes one name: sluice-dashboard token NAME [--role operator] [--ttl 24h]")
	case command == "node-token":
		return "", fmt.Errorf("node-token takes one service: sluice-dashboard node-token gateway|pump|dashboard [--name NAME] [--ttl 1h]")
	case command == "join":
		return "", fmt.Errorf("join takes one token: sluice-dashboard join TOKEN [--force]")
	case command == "rotate":
		return "", fmt.Errorf("rotate takes one key: sluice-dashboard rotate signing [--finish]; the others cannot be rotated")
	default:
		return "", fmt.Errorf("there is no command %q; use init, token, backup, restore, node-token, join, rotate, doctor, or none to serve", command)
	}
	for _, name := range f.given {
		if !slices.Contains(allowed, name) {
			return "", fmt.Errorf("%s does not belong here; --help lists the commands with their flags", name)
		}
	}
	return command, nil
}

// within is the value of --ttl, or the default of the command.
func (f flags) within(otherwise time.Duration) time.Duration {
	if slices.Contains(f.given, "--ttl") {
		return f.ttl
	}
	return otherwise
}
