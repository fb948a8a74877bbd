package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/sluice-gateway/sluice/dashboard/app"
)

// passphrase is that of the file, else of the environment. It is no argument, since
// everybody on the machine can read the arguments of a process.
func (f flags) passphrase(getenv func(string) string) (string, error) {
	if f.passphraseFile != "" {
		text, err := os.ReadFile(f.passphraseFile)
		if err != nil {
			return "", fmt.Errorf("reading the passphrase: %w", err)
		}
		return string(text), nil
	}
	if text := getenv("SLUICE_BACKUP_PASSPHRASE"); text != "" {
		return text, nil
	}
	return "", errors.New("a backup is sealed with a passphrase: set SLUICE_BACKUP_PASSPHRASE, or name a file that holds it with --passphrase-file")
}

func writeBackup(ctx context.Context, c app.Config, own flags, file string, getenv func(string) string) error {
	pass, err := own.passphrase(getenv)
	if err != nil {
		return err
	}
	done, err := app.Backup(ctx, c, file, pass)
	if err != nil {
		return err
	}
	if own.json {
		return json.NewEncoder(os.Stdout).Encode(done)
	}
	fmt.Printf("%s holds %s.\n", file, done)
	return nil
}

func restore(ctx context.Context, c app.Config, own flags, file string, getenv func(string) string) error {
	pass, err := own.passphrase(getenv)
	if err != nil {
		return err
	}
	if own.check {
		held, err := app.CheckBackup(ctx, file, pass)
		if err != nil {
			return err
		}
		if own.json {
			return json.NewEncoder(os.Stdout).Encode(held)
		}
		fmt.Printf("%s is whole. It holds %s.\n", file, held)
		return nil
	}
	done, err := app.Restore(ctx, c, file, pass, own.replace)
	if err != nil {
		return err
	}
	if done.Unasked != nil {
		fmt.Fprintln(os.Stderr, "Redis could not be asked which keys were revoked or made after the backup:", done.Unasked)
		fmt.Fprintln(os.Stderr, "Those that it still knows as revoked stay refused, but the console shows them as active: revoke them again. Those that were made since work as long as it knows them, but the console does not show them: restore again with --replace once Redis answers, before you start a dashboard.")
	}
	if own.json {
		return json.NewEncoder(os.Stdout).Encode(done)
	}
	fmt.Printf("Restored: %s.\n", done.Summary)
	if done.Revoked > 0 {
		fmt.Printf("%d keys were revoked after the backup and stay so.\n", done.Revoked)
	}
	if done.Adopted > 0 {
		fmt.Printf("%d keys or secrets of keys were made after the backup; they were taken over from Redis.\n", done.Adopted)
	}
	if done.KeptKeys != "" {
		fmt.Printf("The key files that were there before lie in %s.\n", done.KeptKeys)
	}
	fmt.Printf("Start the dashboards now: they sign everything anew (epoch %d), and gateways follow by themselves.\n", done.Epoch)
	return nil
}
