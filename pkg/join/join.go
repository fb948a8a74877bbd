// Package join does what the command `join TOKEN` of each service says: it takes
// the platform's keys with a token that sluice-dashboard node-token made, puts them
// where the service reads them, and says in the service's settings where Redis is.
package join

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Desk hands keys out; *bus.Handover.
type Desk interface {
	Take(ctx context.Context, t bus.JoinToken, by string) (bus.Taken, error)
	Close() error
}

// Options say who joins, and where its things are.
type Options struct {
	Role  bus.JoinRole
	Token string
	Force bool   // replace keys that are there
	Data  string // the service's data folder: its owner will own the keys
	Keys  string // the folder that the service reads its keys from
	File  string // the file that the service reads its settings from
	Name  string // the node's name as it is set already
	// Named says that the service has a setting `name`.
	Named bool
	// Redis is what the service's settings say, without the token.
	Redis redisdb.Config
	// Overlay returns the service's settings of Redis over other defaults than its
	// own: what is set in its file, environment and flags wins over the token.
	Overlay func(defaults redisdb.Config) (redisdb.Config, error)
	// Open connects to where the keys are handed out. Nothing is sent yet.
	Open func(redisdb.Config) (Desk, error)
	// Out is told what was done.
	Out io.Writer
}

// Configured returns o with what all services find the same way in their settings:
// File and Overlay. redis is where a service's configuration has Redis, and
// settings is what it was loaded with. The error names what cannot be read.
func Configured[C any](o Options, defaults func() C, redis func(*C) *redisdb.Config, settings config.Options) (Options, error) {
	file, err := config.File(defaults(), settings)
	if err != nil {
		return o, err
	}
	o.File = file
	o.Overlay = func(r redisdb.Config) (redisdb.Config, error) {
		d := defaults()
		*redis(&d) = r
		c, _, err := config.Load(d, settings)
		return *redis(&c), err
	}
	return o, nil
}

// Flags takes --force out of the arguments of a command join; other commands'
// arguments stay as they are.
func Flags(args []string) (force bool, rest []string) {
	if !slices.Contains(args, "join") {
		return false, args
	}
	rest = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--force" })
	return len(rest) < len(args), rest
}

// Run joins. The token is used up only when everything else was found to be in
// order: the folder of the keys can be written, and holds no other keys unless
// Force is set. Where the same keys are there already, the token stays unused.
//
// Errors are faults: join.malformed, join.role, join.keys_exist, and those of
// bus.Handover.Take; or they name a file that cannot be written.
func Run(ctx context.Context, o Options) error {
	t, err := bus.ParseJoinToken(o.Token)
	if err != nil {
		return err
	}
	if t.Role != o.Role {
		return fault.New(fault.Invalid, "join.role", "the token is for a %s; run sluice-%s join on its host, or make another one with sluice-dashboard node-token %s", t.Role, t.Role, o.Role)
	}
	at, err := o.Overlay(over(redisdb.Default(), t.Redis))
	if err != nil {
		return err
	}
	same, err := o.look(t)
	if err != nil {
		return err
	}
	name := ""
	if same {
		fmt.Fprintf(o.Out, "The %s has these keys already, in %s; the token was not used.\n", o.Role, o.Keys)
	} else if name, err = o.take(ctx, t, at); err != nil {
		return err
	}
	return o.settle(at, name)
}

// look tells whether the very keys of the token are there already. Others are an
// error unless Force is set.
func (o Options) look(t bus.JoinToken) (same bool, err error) {
	there, err := trust.Present(o.Keys)
	if err != nil || len(there) == 0 {
		return false, err
	}
	load := trust.LoadNode
	if o.Role == bus.JoinDashboard {
		load = trust.LoadDashboard
	}
	k, err := load(o.Keys)
	if err == nil && k.Fingerprint() == t.Keys {
		return true, nil
	}
	if o.Force {
		return false, nil
	}
	return false, fault.Wrap(err, fault.Conflict, "join.keys_exist",
		"%s has other keys already (%s), and the token was not used; if this %s is to leave its platform for that of the token, run the command with --force",
		o.Keys, strings.Join(there, ", "), o.Role)
}

// take uses the token and saves the keys.
func (o Options) take(ctx context.Context, t bus.JoinToken, at redisdb.Config) (name string, err error) {
	_, err = os.Stat(o.Data)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := probe(o.Keys); err != nil {
		return "", fmt.Errorf("the keys cannot be written to %s, and the token was not used: %w", o.Keys, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("the name of this host: %w", err)
	}
	desk, err := o.Open(at)
	if err != nil {
		return "", err
	}
	taken, err := desk.Take(ctx, t, string(o.Role)+" on "+host)
	if err = errors.Join(err, closing(desk)); err != nil {
		return "", err
	}
	if err := taken.Keys.SaveReplacing(o.Keys); err != nil {
		return "", fmt.Errorf("the token is used up, but its keys were not saved; mend this and make another token: %w", err)
	}
	if !fresh {
		if err := giveTo(o.Data, o.Keys); err != nil {
			return "", fmt.Errorf("the keys are saved, but belong to the user who ran this; give them to the service's: %w", err)
		}
	}
	fmt.Fprintf(o.Out, "The %s has the platform's keys, in %s.\n", o.Role, o.Keys)
	return taken.Name, nil
}

func closing(d Desk) error {
	if err := d.Close(); err != nil {
		return fmt.Errorf("close the connection to redis: %w", err)
	}
	return nil
}

// probe makes the folder and finds out whether a file can be made in it.
func probe(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
