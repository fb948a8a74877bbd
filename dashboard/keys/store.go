// Package keys makes, changes and revokes the keys of callers and projects them
// to Redis for the gateways.
package keys

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
)

// Stored is a key with the hashes of its secrets.
type Stored struct {
	Key    access.Key
	Hashes []string // one, or two while a rotation is in grace; unique over all keys
}

// Query selects keys.
type Query struct {
	Org    string
	Q      string // substring of alias, owner, prefix or id, lower-cased by the caller
	State  access.KeyState
	Policy string
	API    string // keys with a right of their own to this API
	After  string // cursor; "" is the first page
	Limit  int    // 1 to 200
}

// Narrowed tells whether the list is of fewer keys than the organisation has.
func (q Query) Narrowed() bool { return q.Q != "" || q.State != "" || q.Policy != "" || q.API != "" }

// Page is one page of keys, newest first. Next is "" on the last one.
type Page struct {
	Items []Stored
	Next  string
	Total int
	// AtLeast: Total is MaxCounted, and there are more. Only what is narrowed by more
	// than the organisation is counted no further.
	AtLeast bool
}

// MaxCounted is how far the matches of a narrowed list are counted: whoever searches
// for something waits for a page, and not for the number of the others.
const MaxCounted = 10_000

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such key")
	ErrStale    = errors.New("key was changed meanwhile")
	ErrTaken    = errors.New("key id or secret exists")
)

// Store is where keys live. Safe for concurrent use by any number of processes.
type Store interface {
	// Insert adds a key; ErrTaken when its id or a hash exists.
	Insert(ctx context.Context, s Stored) error
	// Replace stores s when the stored version is version, else ErrStale or ErrNotFound.
	Replace(ctx context.Context, s Stored, version int64) error
	Get(ctx context.Context, org, id string) (Stored, error)
	List(ctx context.Context, q Query) (Page, error)
	// Changed returns up to limit keys with UpdatedAt at or after since, by (UpdatedAt,
	// ID) ascending, behind the key named by the cursor of the last one.
	Changed(ctx context.Context, since time.Time, afterID string, limit int) ([]Stored, error)
}
