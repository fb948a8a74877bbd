package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCommandLines(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"", "serve"},
		{"--listen.address :1", "serve --listen.address :1"},
		{"init --json", "init json admin"},
		{"--json --data d init --admin-login=kim", "init json kim --data d"},
		{"init --admin-password", "--admin-password needs a value"},
		{"init again", `init takes no "again"`},
		{"token ci --role viewer --ttl 1h", "token ci viewer 1h0m0s"},
		{"token ci", "token ci operator 24h0m0s"},
		{"token", "token takes one name"},
		{"token ci --ttl soon", `"soon" is not a duration`},
		{"token ci --json", "--json does not belong here"},
		{"node-token gateway", "node-token gateway  1h0m0s"},
		{"node-token pump --name p1 --ttl=2h", "node-token pump p1 2h0m0s"},
		{"node-token broker", "node-token takes one service"},
		{"node-token", "node-token takes one service"},
		{"node-token gateway --role viewer", "--role does not belong here"},
		{"rotate signing", "rotate false"},
		{"rotate signing --finish", "rotate true"},
		{"rotate pepper", "rotate takes one key"},
		{"rotate", "rotate takes one key"},
		{"join slj_x", "join slj_x false"},
		{"join --force slj_x", "join slj_x true"},
		{"join", "join takes one token"},
		{"token ci --force", "--force does not belong here"},
		{"token ci --ttl 0", "token ci operator 0s"},
		{"doctor --json --data d", "doctor json --data d"},
		{"doctor now", `doctor takes no "now"`},
		{"doctor --ttl 1h", "--ttl does not belong here"},
		{"--role viewer", "--role does not belong here"},
		{"backup all.bak --passphrase-file p --json", "backup all.bak p json"},
		{"backup", "backup takes one file"},
		{"backup all.bak --replace", "--replace does not belong here"},
		{"backup all.bak --passphrase secret", "--passphrase secret"},
		{"restore all.bak --replace --passphrase-file=p", "restore all.bak p replace"},
		{"restore --check all.bak", "restore all.bak  check"},
		{"restore all.bak other.bak", "restore takes one file"},
		{"int", `there is no command "int"`},
	} {
		if got := parsed(strings.Fields(c.line)); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.line, got, c.want)
		}
	}
}

// parsed says in words what a command line means. Settings are those with a dot
// or named data, each with one value.
func parsed(args []string) string {
	own, rest, err := splitFlags(args)
	if err != nil {
		return err.Error()
	}
	var words, settings []string
	for i := 0; i < len(rest); i++ {
		if strings.HasPrefix(rest[i], "--") {
			settings = append(settings, rest[i], rest[i+1])
			i++
			continue
		}
		words = append(words, rest[i])
	}
	command, err := own.command(words)
	if err != nil {
		return err.Error()
	}
	said := "serve"
	switch command {
	case "init":
		said = "init"
		if own.json {
			said += " json"
		}
		said += " " + own.adminLogin
	case "backup", "restore":
		said = strings.Join(append(words, own.passphraseFile), " ")
		for name, on := range map[string]bool{"replace": own.replace, "check": own.check, "json": own.json} {
			if on {
				said += " " + name
			}
		}
	case "doctor":
		said = "doctor"
		if own.json {
			said += " json"
		}
	case "token":
		said = fmt.Sprint("token ", words[1], " ", own.role, " ", own.within(24*time.Hour))
	case "node-token":
		said = fmt.Sprint("node-token ", words[1], " ", own.name, " ", own.within(time.Hour))
	case "rotate":
		said = fmt.Sprint("rotate ", own.finish)
	case "join":
		said = fmt.Sprint("join ", words[1], " ", own.force)
	}
	return strings.TrimSpace(said + " " + strings.Join(settings, " "))
}
