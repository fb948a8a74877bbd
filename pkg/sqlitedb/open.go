// Package sqlitedb opens SQLite files (modernc.org/sqlite, no cgo) as the
// embedded stores use them: write-ahead log, one writer with BEGIN IMMEDIATE,
// several readers, numbered migrations that go forward only.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Options say how a file is opened.
type Options struct {
	// ReadOnly opens a file that another process owns. It must exist; Writer is
	// nil and migrations are only compared.
	ReadOnly bool
	// Migrations are SQL scripts; number i (from 1) brings a file from version
	// i-1, its PRAGMA user_version, to i, in one transaction. Scripts that were
	// released are never changed, only added to.
	Migrations []string
	// Readers is the number of connections for reading; 0: one per processor, but
	// 2 at least.
	Readers int
}

// DB is an open file. Reader never blocks behind Writer, and sees what was
// committed when its statement or transaction began.
type DB struct {
	// Writer has one connection; its transactions are BEGIN IMMEDIATE and durable
	// when committed (synchronous=FULL). Prefer Write. nil if read-only.
	Writer *sql.DB
	// Reader's connections refuse to write.
	Reader *sql.DB
}

// busyTimeout is how long SQLite itself waits for another process's lock.
const busyTimeout = 2 * time.Second

// Open opens or creates a file and brings it to the newest version. The folder
// is created (0700), the file is 0600.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if o.Readers <= 0 {
		o.Readers = max(2, runtime.GOMAXPROCS(0))
	}
	db := &DB{}
	err := db.open(ctx, path, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite %s: %w", path, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, path string, o Options) error {
	if o.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the file is not there yet; its owner creates it at the first start: %w", err)
		}
	} else {
		if err := create(path); err != nil {
			return err
		}
		if err := db.openWriter(ctx, path, o.Migrations); err != nil {
			return err
		}
	}
	var err error
	if db.Reader, err = sql.Open("sqlite", dsn(path, "mode", "ro", "_pragma", "query_only(1)")); err != nil {
		return err
	}
	db.Reader.SetMaxOpenConns(o.Readers)
	db.Reader.SetMaxIdleConns(o.Readers)
	version, err := userVersion(ctx, db.Reader)
	if err != nil {
		return err
	}
	if !o.ReadOnly {
		return nil
	}
	if version < len(o.Migrations) {
		return fmt.Errorf("the file has version %d and this program reads %d: start the program that owns it, of this release, first", version, len(o.Migrations))
	}
	return refuseNewer(version, len(o.Migrations))
}

func (db *DB) openWriter(ctx context.Context, path string, migrations []string) error {
	var err error
	db.Writer, err = sql.Open("sqlite", dsn(path, "mode", "rwc", "_txlock", "immediate",
		"_pragma", "journal_mode(wal)", "_pragma", "synchronous(full)", "_pragma", "foreign_keys(1)"))
	if err != nil {
		return err
	}
	db.Writer.SetMaxOpenConns(1)
	var mode string
	if err := db.Writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the write-ahead log cannot be used there (journal mode %s): use a local disk, not a network folder", mode)
	}
	return db.migrate(ctx, migrations)
}

// create makes the file with narrow rights before SQLite would with wide ones;
// SQLite gives its log and index the same.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create the file: %w", err)
	}
	return f.Close()
}

func dsn(path string, params ...string) string {
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func userVersion(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (int, error) {
	var v int
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("read the version: %w", err)
	}
	return v, nil
}

func refuseNewer(version, known int) error {
	if version > known {
		return fmt.Errorf("the file has version %d, this program knows %d: it was written by a newer release; use that one, or restore a backup of before the upgrade", version, known)
	}
	return nil
}

// migrate runs what is missing, each script in its own transaction with its
// number, so that a crash leaves a whole version.
func (db *DB) migrate(ctx context.Context, migrations []string) error {
	for {
		done := false
		err := db.Write(ctx, func(tx *sql.Tx) error {
			version, err := userVersion(ctx, tx)
			if err != nil {
				return err
			}
			if done = version >= len(migrations); done {
				return refuseNewer(version, len(migrations))
			}
			if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
				return fmt.Errorf("migration %d: %w", version+1, err)
			}
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil || done {
			return err
		}
	}
}

// Write runs f in a transaction of the writer: committed when f returns nil,
// rolled back otherwise. While another process holds the lock it tries again
// until ctx ends, so f may run more than once: it must have no effect but on tx.
func (db *DB) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	if db.Writer == nil {
		return errors.New("sqlite: opened for reading only")
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := db.writeOnce(ctx, f)
		if !Busy(err) {
			return err
		}
		wait.Reset(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	// After a commit this does nothing; it also ends the transaction when f panics.
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Busy tells whether an error is SQLITE_BUSY: another connection held the lock
// for longer than the wait.
func Busy(err error) bool { return code(err)&0xff == sqlite3.SQLITE_BUSY }

// Duplicate tells whether an error is a violated UNIQUE or PRIMARY KEY.
func Duplicate(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_CONSTRAINT_UNIQUE || c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || c == sqlite3.SQLITE_CONSTRAINT_ROWID
}

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// Close closes the file: readers first, then the writer, which moves the
// write-ahead log into the file.
func (db *DB) Close() error {
	var errs []error
	for _, d := range []*sql.DB{db.Reader, db.Writer} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
