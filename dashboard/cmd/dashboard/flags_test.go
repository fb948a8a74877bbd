package main

import (
	"fmt"
	"strings"
	"testing"
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
		{"doctor --json --data d", "doctor json --data d"},
		{"doctor now", `doctor takes no "now"`},
		{"doctor --ttl 1h", "--ttl does not belong here"},
		{"--role viewer", "--role does not belong here"},
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
	command, err := own.check(words)
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
	case "doctor":
		said = "doctor"
		if own.json {
			said += " json"
		}
	case "token":
		said = fmt.Sprint("token ", words[1], " ", own.role, " ", own.ttl)
	}
	return strings.TrimSpace(said + " " + strings.Join(settings, " "))
}
