// Package sqlite keeps what the dashboard owns in one file, config.db: the
// embedded default for one machine. Package mongo is the same for production;
// both pass the same contract suites.
//
// Instants are whole milliseconds since 1970 (UTC), documents are stored byte
// for byte, and lists inside a row are JSON arrays. Only the dashboard writes the
// file; any number of processes may hold it open.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/storecall"
	"github.com/sluice-gateway/sluice/pkg/sqlitedb"
)

// Store is config.db. Its methods give the parts of it, each safe for concurrent
// use.
type Store struct {
	db *sqlitedb.DB
}

// Open opens the file at path, makes it if it is not there, and brings its schema
// up to date.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := sqlitedb.Open(ctx, path, sqlitedb.Options{Migrations: migrations()})
	if err != nil {
		return nil, fmt.Errorf("opening the configuration store: %w", err)
	}
	return &Store{db: db}, nil
}

// Ping reads from the file, as a health check.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, "checking the configuration store", func(ctx context.Context, db *sql.DB) error {
		var one int
		return db.QueryRowContext(ctx, `SELECT count(*) FROM marks`).Scan(&one)
	})
}

// Close closes the file. No call may be under way. The context is there for
// Close to be like that of package mongo.
func (s *Store) Close(context.Context) error { return s.db.Close() }

// Log is the log of revisions.
func (s *Store) Log() publish.Log { return revisions{s} }

// Contents are the texts by their sums.
func (s *Store) Contents() publish.Contents { return contents{s} }

// Views are the present states of the revisioned objects.
func (s *Store) Views() publish.Views { return views{s} }

// Marks are the numbers that only rise.
func (s *Store) Marks() publish.Marks { return marks{s} }

// Keys are the callers' keys.
func (s *Store) Keys() keys.Store { return keyStore{s} }

// Users are the people who may sign in.
func (s *Store) Users() people.Users { return users{s} }

// Sessions are the signed-in browsers.
func (s *Store) Sessions() people.Sessions { return sessions{s} }

// Tokens are the API tokens.
func (s *Store) Tokens() people.Tokens { return tokens{s} }

// Attempts are the failed sign-ins.
func (s *Store) Attempts() people.Attempts { return attempts{s} }

// Drafts are the changes that are not published yet.
func (s *Store) Drafts() drafts.Shelf { return draftStore{s} }

// read runs f on the readers under the call's deadline and says in the error
// what was being done.
func (s *Store) read(ctx context.Context, doing string, f func(context.Context, *sql.DB) error) error {
	ctx, cancel := storecall.Within(ctx)
	defer cancel()
	return explain(ctx, doing, f(ctx, s.db.Reader))
}

// write runs f in one transaction, which is durable when write returns nil.
func (s *Store) write(ctx context.Context, doing string, f func(context.Context, *sql.Tx) error) error {
	ctx, cancel := storecall.Within(ctx)
	defer cancel()
	return explain(ctx, doing, s.db.Write(ctx, func(tx *sql.Tx) error { return f(ctx, tx) }))
}

func explain(ctx context.Context, doing string, err error) error {
	return storecall.Explain(ctx, doing, err, sqlitedb.Busy, "another process holds it for too long: try again, and look for a backup or a tool that has its file open")
}

// changed returns how many rows a statement changed.
func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// collect reads every row with scan.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// scanner is a row, or the present one of several.
type scanner interface {
	Scan(into ...any) error
}

// millis is the stored form of an instant; fractions of a millisecond are cut.
func millis(t time.Time) int64 { return t.UnixMilli() }

// instant is the inverse of millis, in UTC. A zero time stays one.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// asJSON is the stored form of lists and small records; strings, numbers and
// slices of them always marshal.
func asJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
