// Command sluice-dashboard is the service that admins and programs manage the
// platform with.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/app"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

func main() {
	switch err := start(os.Args[1:], os.Getenv); {
	case err == nil, errors.Is(err, config.ErrPrinted):
	case errors.Is(err, config.ErrHelp):
		fmt.Print(commandsHelp)
	case errors.Is(err, doctor.ErrFailed): // the report says it
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "sluice-dashboard:", err)
		os.Exit(1)
	}
}

func start(args []string, getenv func(string) string) error {
	own, rest, err := splitFlags(args)
	if err != nil {
		return err
	}
	var from config.Sources
	settings := config.Options{Service: "dashboard", Args: rest, Environ: os.Environ(), Stdout: os.Stdout, Sources: &from}
	c, words, loaded := config.Load(app.Default(), settings)
	asked := doctor.Asked(from, loaded)
	if loaded != nil && !asked {
		return loaded
	}
	if asked {
		words = from.Words
	}
	command, err := own.command(words)
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch command {
	case "doctor":
		o := doctor.Options{Service: "dashboard", Version: buildinfo.Version(), JSON: own.json}
		return doctor.Command(ctx, os.Stdout, o, from, loaded, func() ([]doctor.Check, func()) { return app.Doctor(c) })
	case "init":
		return initialise(ctx, c, own, getenv)
	case "token":
		secret, err := app.Token(ctx, c, app.NewToken{Name: words[1], Role: people.Role(own.role), TTL: own.within(24 * time.Hour)})
		if err == nil {
			fmt.Println(secret)
		}
		return err
	case "backup":
		return writeBackup(ctx, c, own, words[1], getenv)
	case "restore":
		return restore(ctx, c, own, words[1], getenv)
	case "node-token":
		return nodeToken(ctx, c, own, words[1])
	case "rotate":
		return app.RotateSigning(ctx, c, own.finish, os.Stdout)
	case "join":
		return app.Join(ctx, c, settings, join.Options{Token: words[1], Force: own.force, Out: os.Stdout})
	}
	log := logs.New(os.Stderr, c.Log)
	a, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func initialise(ctx context.Context, c app.Config, own flags, getenv func(string) string) error {
	admin := app.Admin{Login: own.adminLogin, Password: own.adminPassword}
	if admin.Password == "" {
		admin.Password = getenv("SLUICE_ADMIN_PASSWORD")
	}
	made, err := app.Init(ctx, c, admin)
	if err != nil {
		return err
	}
	if own.json {
		return json.NewEncoder(os.Stdout).Encode(made)
	}
	fmt.Printf("The dashboard is initialised in %s.\nSign in as %s", c.Data, made.Login)
	if made.PasswordFile != "" {
		fmt.Printf(" with the one-time password in %s; it is changed at the first sign-in", made.PasswordFile)
	}
	fmt.Println(".")
	return nil
}

// nodeToken prints one line, for a shell; what else there is to know goes to the
// standard error.
func nodeToken(ctx context.Context, c app.Config, own flags, service string) error {
	line, notes, err := app.NodeToken(ctx, c, app.NewNode{Role: bus.JoinRole(service), Name: own.name, TTL: own.within(time.Hour)})
	if err != nil {
		return err
	}
	fmt.Println(line)
	for _, n := range notes {
		fmt.Fprintln(os.Stderr, "note:", n)
	}
	return nil
}
