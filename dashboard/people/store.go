package people

import (
	"context"
	"errors"
	"time"
)

// User is a person who may sign in.
type User struct {
	ID           string
	Org          string
	Login        string // unique, lower case; an e-mail address or a name
	Name         string
	PasswordHash string // argon2id, PHC string format
	MustChange   bool   // the password is a one-time one
	Role         Role
	Suspended    bool
	Locale       string // en or ko; "" follows the browser
	TimeZone     string // IANA name; "" follows the browser
	Theme        string // light, dark or "" (system)
	Version      int64  // counts every change
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Session is one signed-in browser. ID is the SHA-256 of the cookie's value.
type Session struct {
	ID        string
	UserID    string
	CSRF      string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	Address   string
	Agent     string
}

// Token is an API token. Hash is the HMAC of its secret.
type Token struct {
	ID        string
	Org       string
	UserID    string // who made it; it never may do more than that user
	Name      string
	Prefix    string
	Hash      string
	Role      Role
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time
}

// Attempt counts failed sign-ins of one login or address.
type Attempt struct {
	Key    string // "login:kim" or "addr:192.0.2.1"
	Failed int
	Until  time.Time // no attempt is judged before this instant
	At     time.Time // of the last failure; forgotten an hour after it
}

// Errors of the stores.
var (
	ErrNotFound = errors.New("not found")
	ErrStale    = errors.New("changed meanwhile")
	ErrTaken    = errors.New("exists already")
)

// Users is where people live.
type Users interface {
	// Insert adds a user; ErrTaken when the login or id exists.
	Insert(ctx context.Context, u User) error
	// Replace stores u when the stored version is version, else ErrStale or ErrNotFound.
	Replace(ctx context.Context, u User, version int64) error
	ByID(ctx context.Context, id string) (User, error)
	ByLogin(ctx context.Context, login string) (User, error)
	List(ctx context.Context, org string) ([]User, error)
}

// Sessions is where signed-in browsers are kept.
type Sessions interface {
	// Put stores s, new or known.
	Put(ctx context.Context, s Session) error
	// Get returns ErrNotFound for an unknown one; expiry is the caller's business.
	Get(ctx context.Context, id string) (Session, error)
	Delete(ctx context.Context, id string) error
	// DeleteOf ends every session of a user but the one named except.
	DeleteOf(ctx context.Context, userID, except string) error
	// Sweep removes those that expired before now.
	Sweep(ctx context.Context, now time.Time) error
}

// Tokens is where API tokens are kept.
type Tokens interface {
	Insert(ctx context.Context, t Token) error
	ByHash(ctx context.Context, hash string) (Token, error)
	List(ctx context.Context, org string) ([]Token, error)
	Delete(ctx context.Context, org, id string) error
	// Touch notes that the token was used.
	Touch(ctx context.Context, id string, at time.Time) error
}

// Attempts is where failed sign-ins are counted, for all dashboards together.
type Attempts interface {
	// Get returns a zero Attempt for an unknown key.
	Get(ctx context.Context, key string) (Attempt, error)
	// Fail adds one failure, atomically, and returns the new count.
	Fail(ctx context.Context, key string, at time.Time) (Attempt, error)
	// Hold sets until when nothing is judged.
	Hold(ctx context.Context, key string, until time.Time) error
	Clear(ctx context.Context, key string) error
}
