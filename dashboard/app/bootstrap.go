package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// defaultOrg is the organisation that everything belongs to at first.
const defaultOrg = "default"

// Admin is the first admin to make.
type Admin struct {
	Login    string
	Password string // empty: a one-time one is made and written to a file
}

// Initialised tells what `init` led to.
type Initialised struct {
	Login string `json:"login"`
	// PasswordFile holds the one-time password; empty once it was changed, or when
	// the password was given.
	PasswordFile string `json:"passwordFile,omitempty"`
}

// Init makes what a dashboard needs before its first start: the data folder, the
// key files, the store, and the first admin. What is there already stays as it
// is, so it may run before every start. Where the first admin's one-time password
// was lost before it was used, a new one is made.
func Init(ctx context.Context, c Config, a Admin) (_ Initialised, err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return Initialised{}, fmt.Errorf("data %s cannot be made: %w; name a folder that the dashboard may write to", c.Data, err)
	}
	keys, err := initKeys(c.trustDir())
	if err != nil {
		return Initialised{}, err
	}
	st, err := openStores(ctx, c)
	if err != nil {
		return Initialised{}, err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	if err := st.marks.Raise(ctx, "epoch", 1); err != nil {
		return Initialised{}, fmt.Errorf("setting the first signing epoch: %w", err)
	}
	s := newPeople(st, keys, nil)
	oneTime, created, err := s.Bootstrap(ctx, defaultOrg, a.Login, a.Password)
	if err != nil {
		return Initialised{}, err
	}
	first, err := firstAdmin(ctx, s, a.Login)
	if err != nil {
		return Initialised{}, err
	}
	out, file := Initialised{Login: first.Login}, passwordFile(c)
	if !first.MustChange {
		return out, removeFile(file)
	}
	if _, err := os.Lstat(file); !created && errors.Is(err, fs.ErrNotExist) {
		if oneTime, err = s.ResetPassword(ctx, people.Actor{User: first, Role: people.Admin}, first.ID); err != nil {
			return Initialised{}, fmt.Errorf("making a new one-time password: %w", err)
		}
	}
	if oneTime != "" {
		if err := writeFile(file, oneTime+"\n"); err != nil {
			return Initialised{}, fmt.Errorf("writing the one-time password: %w; run init again to get another one", err)
		}
	}
	out.PasswordFile = file
	return out, nil
}

// initKeys reads the platform's keys, or makes them where there are none at all.
func initKeys(dir string) (*trust.Keys, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the keys' folder: %w", err)
	}
	if len(entries) == 0 {
		k, err := trust.Generate()
		if err != nil {
			return nil, err
		}
		if err := k.Save(dir); err != nil {
			return nil, err
		}
	}
	return trust.LoadDashboard(dir)
}

// firstAdmin is the user of that login, else the admin that was made first.
func firstAdmin(ctx context.Context, s *people.Service, login string) (people.User, error) {
	all, err := s.Users(ctx, people.Actor{User: people.User{Org: defaultOrg}})
	if err != nil {
		return people.User{}, fmt.Errorf("looking for the first admin: %w", err)
	}
	all = slices.DeleteFunc(all, func(u people.User) bool { return u.Role != people.Admin || u.Suspended })
	if len(all) == 0 {
		return people.User{}, errors.New("the organisation has users but no active admin; restore the store from a backup")
	}
	if i := slices.IndexFunc(all, func(u people.User) bool { return u.Login == strings.ToLower(strings.TrimSpace(login)) }); i >= 0 {
		return all[i], nil
	}
	return slices.MinFunc(all, func(a, b people.User) int { return a.CreatedAt.Compare(b.CreatedAt) }), nil
}

// someoneMustChange tells whether an admin still has a one-time password.
func someoneMustChange(ctx context.Context, s *people.Service) (bool, error) {
	all, err := s.Users(ctx, people.Actor{User: people.User{Org: defaultOrg}})
	return slices.ContainsFunc(all, func(u people.User) bool { return u.Role == people.Admin && u.MustChange }), err
}

// NewToken is an API token to make on the command line.
type NewToken struct {
	Name string
	Role people.Role
	TTL  time.Duration // 0: without end
}

// Token makes an API token and returns its secret. It acts for the first admin,
// needs neither Redis nor a dashboard that runs, and does not disturb one.
func Token(ctx context.Context, c Config, n NewToken) (secret string, err error) {
	if n.TTL < 0 {
		return "", errors.New("--ttl is negative; give a duration such as 24h, or 0 for a token without end")
	}
	keys, err := trust.LoadDashboard(c.trustDir())
	if err != nil {
		return "", err
	}
	st, err := openStores(ctx, c)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	s := newPeople(st, keys, nil)
	maker, err := firstAdmin(ctx, s, "")
	if err != nil {
		return "", err
	}
	wanted := people.NewToken{Name: n.Name, Role: n.Role}
	if n.TTL > 0 {
		wanted.ExpiresAt = time.Now().Add(n.TTL)
	}
	_, secret, err = s.CreateToken(ctx, people.Actor{User: maker, Role: maker.Role}, wanted)
	return secret, err
}

func newPeople(st stores, keys *trust.Keys, log *slog.Logger) *people.Service {
	return people.New(people.Options{Users: st.users, Sessions: st.sessions, Tokens: st.tokens, Attempts: st.attempts, Hasher: keys, Logger: log})
}

// passwordFile holds the first admin's one-time password until it was changed.
func passwordFile(c Config) string { return filepath.Join(c.Data, "initial-password") }

// writeFile puts a text in place at once, readable by its owner only.
func writeFile(path, text string) error {
	if err := removeFile(path + ".new"); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
