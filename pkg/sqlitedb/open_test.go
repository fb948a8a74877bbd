package sqlitedb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/sqlitedb"
)

func migrations() []string {
	return []string{
		`CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); CREATE TABLE b (a INTEGER REFERENCES a(id));`,
		`ALTER TABLE a ADD COLUMN name TEXT NOT NULL DEFAULT ''; CREATE UNIQUE INDEX name ON a(name) WHERE name <> '';`,
	}
}

func open(t *testing.T, path string, o sqlitedb.Options) *sqlitedb.DB {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func version(t *testing.T, db *sqlitedb.DB) (v int) {
	t.Helper()
	if err := db.Reader.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMigrationsGoForwardOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder %20?#", "x.db")
	db := open(t, path, sqlitedb.Options{Migrations: migrations()[:1]})
	exec(t, db, "INSERT INTO a (n) VALUES (1)")
	if v := version(t, db); v != 1 {
		t.Errorf("version %d, want 1", v)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v: the file is not where it should be, or too readable", info, err)
	}

	db = open(t, path, sqlitedb.Options{Migrations: migrations()})
	var name string
	if err := db.Reader.QueryRow("SELECT name FROM a WHERE n = 1").Scan(&name); err != nil {
		t.Errorf("the old row after the migration: %v", err)
	}
	_ = db.Close()

	_, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Migrations: migrations()[:1]})
	if err == nil || !strings.Contains(err.Error(), "version 2, this program knows 1") {
		t.Errorf("a newer file was opened: %v", err)
	}
	_, err = sqlitedb.Open(t.Context(), path, sqlitedb.Options{ReadOnly: true, Migrations: append(migrations(), "")})
	if err == nil || !strings.Contains(err.Error(), "version 2 and this program reads 3") {
		t.Errorf("a reader took an older file: %v", err)
	}
}

func TestBrokenMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	bad := []string{migrations()[0], "CREATE TABLE c (x); SELECT * FROM nowhere;"}
	if _, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Migrations: bad}); err == nil || !strings.Contains(err.Error(), "migration 2") {
		t.Fatalf("got %v", err)
	}
	db := open(t, path, sqlitedb.Options{Migrations: migrations()[:1]})
	var n int
	if err := db.Reader.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'c'").Scan(&n); err != nil || n != 0 {
		t.Errorf("half of a migration stayed: %d %v", n, err)
	}
}

func TestTwoProcessesMigrateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Migrations: migrations()})
			if err != nil {
				t.Error(err)
				return
			}
			_ = db.Close()
		})
	}
	wg.Wait()
}

func TestSettings(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), sqlitedb.Options{Migrations: migrations()})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "2000"} {
		var got string
		if err := db.Writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q (%v), want %s", pragma, got, err, want)
		}
	}
	if err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO b (a) VALUES (99)")
		return err
	}); err == nil {
		t.Error("a dangling reference was written")
	}
	if _, err := db.Reader.Exec("INSERT INTO a (n) VALUES (1)"); err == nil {
		t.Error("a reader wrote")
	}
}

func TestReadOnlyNeedsTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	owner := open(t, path, sqlitedb.Options{Migrations: migrations()})
	reader := open(t, path, sqlitedb.Options{ReadOnly: true, Migrations: migrations()})
	if err := reader.Write(t.Context(), func(*sql.Tx) error { return nil }); err == nil {
		t.Error("a read-only file was written")
	}
	exec(t, owner, "INSERT INTO a (n) VALUES (7)")
	var n int
	if err := reader.Reader.QueryRow("SELECT n FROM a").Scan(&n); err != nil || n != 7 {
		t.Errorf("the reader sees %d, %v", n, err)
	}
}

func TestNoUpdateIsLostBetweenWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first := open(t, path, sqlitedb.Options{Migrations: migrations()})
	exec(t, first, "INSERT INTO a (id, n) VALUES (1, 0)")
	second := open(t, path, sqlitedb.Options{Migrations: migrations()})
	const each = 50
	var wg sync.WaitGroup
	for _, db := range []*sqlitedb.DB{first, second, first, second} {
		wg.Go(func() {
			for range each {
				err := db.Write(t.Context(), func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRow("SELECT n FROM a WHERE id = 1").Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec("UPDATE a SET n = ? WHERE id = 1", n+1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := first.Reader.QueryRow("SELECT n FROM a WHERE id = 1").Scan(&n); err != nil || n != 4*each {
		t.Errorf("n = %d (%v), want %d", n, err, 4*each)
	}
}

func TestWriteWaitsForALockUntilTheDeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	holder := open(t, path, sqlitedb.Options{Migrations: migrations()})
	waiter := open(t, path, sqlitedb.Options{Migrations: migrations()})
	tx, err := holder.Writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := waiter.Write(ctx, func(*sql.Tx) error { return nil }); err == nil {
		t.Error("two transactions hold the lock")
	}
	if d := time.Since(start); d > 1500*time.Millisecond {
		t.Errorf("the wait took %s, longer than its deadline", d)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := waiter.Write(t.Context(), func(*sql.Tx) error { return nil }); err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

func TestWriteRollsBack(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), sqlitedb.Options{Migrations: migrations()})
	mine := errors.New("mine")
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO a (n) VALUES (1)"); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Write(t.Context(), func(tx *sql.Tx) error {
			_, _ = tx.Exec("INSERT INTO a (n) VALUES (1)")
			panic("in a transaction")
		})
	}()
	var n int
	if err := db.Reader.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows stayed, %v", n, err)
	}
	exec(t, db, "INSERT INTO a (n) VALUES (2)") // the one connection is free again
}

func TestDuplicate(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), sqlitedb.Options{Migrations: migrations()})
	for _, q := range []string{"INSERT INTO a (id, n) VALUES (1, 1)", "INSERT INTO a (n, name) VALUES (1, 'x')"} {
		exec(t, db, q)
		if _, err := db.Writer.Exec(q); !sqlitedb.Duplicate(err) {
			t.Errorf("%s twice: %v", q, err)
		}
	}
	if sqlitedb.Duplicate(nil) || sqlitedb.Busy(nil) || sqlitedb.Busy(errors.New("x")) {
		t.Error("other errors are mistaken")
	}
}

func exec(t *testing.T, db *sqlitedb.DB, q string) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(q); return err }); err != nil {
		t.Fatal(err)
	}
}
