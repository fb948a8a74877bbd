package people

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Hasher makes the hashes that API tokens are looked up by; pkg/trust.Keys.
type Hasher interface {
	// HashKey returns the keyed hash of a secret, hex.
	HashKey(secret string) string
}

// Options are what a Service needs. All stores are required.
type Options struct {
	Users    Users
	Sessions Sessions
	Tokens   Tokens
	Attempts Attempts
	Hasher   Hasher
	Cost     Cost             // of new password hashes; old ones keep theirs
	Now      func() time.Time // default: time.Now
	Logger   *slog.Logger     // default: none
}

// Service signs people in, knows what they may do, and manages users, sessions
// and API tokens. Safe for concurrent use.
type Service struct {
	o     Options
	argon *hasher
	dummy string // hash that unknown logins are verified against
}

// New makes a Service. It hashes once, some tens of milliseconds.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, argon: newHasher(min(max(runtime.GOMAXPROCS(0), 2), 4), o.Cost)}
	s.dummy = s.argon.hash(oneTimePassword())
	return s
}

// Actor is who does something: a user in a session, or an API token of a user.
type Actor struct {
	User    User
	Role    Role     // what counts: the user's, or the lower one of user and token
	Session *Session // nil for tokens
	Token   *Token   // nil for sessions
}

// Kind is "user" or "token", as authors of revisions are named.
func (a Actor) Kind() string {
	if a.Token != nil {
		return "token"
	}
	return "user"
}

// ID is the user's id, or the token's.
func (a Actor) ID() string {
	if a.Token != nil {
		return a.Token.ID
	}
	return a.User.ID
}

// Name is what people call the actor.
func (a Actor) Name() string {
	if a.Token != nil {
		return a.Token.Name + " (" + a.User.Login + ")"
	}
	return a.User.Login
}

// Can returns nil or a fault: "auth.password_change_required" while the password
// is a one-time one, "auth.denied" with the parameter permission otherwise.
func (a Actor) Can(p Permission) error {
	if a.Session != nil && a.User.MustChange {
		return fault.New(fault.Denied, "auth.password_change_required",
			"the password is a one-time one: change it before anything else, by PUT /api/v1/session/password")
	}
	if !a.Role.Can(p) {
		return fault.New(fault.Denied, "auth.denied",
			"the permission %s is missing; an admin can give a role that has it", p).With("permission", string(p))
	}
	return nil
}

// rank orders the built-in roles; an unknown role is below all.
func rank(r Role) int {
	for i, known := range []Role{Viewer, Operator, Admin} {
		if r == known {
			return i + 1
		}
	}
	return 0
}

// lower is the role that may do less.
func lower(a, b Role) Role {
	if rank(a) < rank(b) {
		return a
	}
	return b
}

// now is the present instant as stores keep it: UTC, milliseconds.
func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Millisecond) }

// normalLogin is the form that logins are stored and compared in.
func normalLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// notFound turns a store's ErrNotFound into a fault.
func notFound(err error, code fault.Code, what string) error {
	if errors.Is(err, ErrNotFound) {
		return fault.Wrap(err, fault.NotFound, code, "there is no such %s", what)
	}
	return err
}

// Run removes expired sessions every hour until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.o.Sessions.Sweep(ctx, s.now()); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("expired sessions are not removed yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
