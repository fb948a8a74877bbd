package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluice-gateway/sluice/pkg/archive"
)

const (
	prefix, suffix = "records-", ".db"
	// busyTimeout is how long, in milliseconds, SQLite waits for another process's
	// lock.
	busyTimeout = "2000"
)

func (a *Archive) path(d archive.Day) string {
	return filepath.Join(a.o.Dir, prefix+d.String()+suffix)
}

// dayOf reads the name of a day's file or of one beside it; rest is empty for the
// file itself.
func dayOf(name string) (d archive.Day, rest string, ok bool) {
	name, ok = strings.CutPrefix(name, prefix)
	if !ok || len(name) < 8 {
		return d, "", false
	}
	if d, ok = archive.ParseDay(name[:8]); !ok {
		return d, "", false
	}
	rest, ok = strings.CutPrefix(name[8:], suffix)
	return d, rest, ok
}

// Days are the days that have a file.
func (a *Archive) Days(context.Context) ([]archive.Day, error) {
	names, err := os.ReadDir(a.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the records' days: %w", err)
	}
	var days []archive.Day
	for _, n := range names {
		if d, rest, ok := dayOf(n.Name()); ok && rest == "" && n.Type().IsRegular() {
			days = append(days, d)
		}
	}
	return days, nil
}

// handle is an open file. It is closed when nobody uses it and it was put away.
type handle struct {
	db        *sql.DB
	many, one *sql.Stmt   // of a writer: inserts of chunk rows and of one
	file      fs.FileInfo // which file was opened, since one may take another's name
	users     int
	gone      bool
	used      uint64
}

// handles are open files, at most limit of them unless more are in use.
type handles struct {
	limit int
	clock uint64
	open  map[archive.Day]*handle
}

// take finds an open file that still is the one of that name.
func (h *handles) take(d archive.Day, now fs.FileInfo) *handle {
	x := h.open[d]
	if x == nil {
		return nil
	}
	if now == nil || !os.SameFile(x.file, now) {
		_ = h.drop(d)
		return nil
	}
	h.clock++
	x.users, x.used = x.users+1, h.clock
	return x
}

// put keeps a file that was just opened, for one user, and closes what was used
// longest ago.
func (h *handles) put(d archive.Day, x *handle) {
	if h.open == nil {
		h.open = map[archive.Day]*handle{}
	}
	for len(h.open) >= h.limit {
		oldest, least := archive.Day{}, uint64(0)
		for d, x := range h.open {
			if least == 0 || cmp.Less(x.used, least) {
				oldest, least = d, x.used
			}
		}
		_ = h.drop(oldest)
	}
	h.clock++
	x.users, x.used = 1, h.clock
	h.open[d] = x
}

// release ends a use.
func (x *handle) release() error {
	if x.users--; x.users == 0 && x.gone {
		return x.db.Close()
	}
	return nil
}

// drop forgets a file, which closes when its last user is done.
func (h *handles) drop(d archive.Day) error {
	x := h.open[d]
	if x == nil {
		return nil
	}
	delete(h.open, d)
	x.gone = true
	if x.users == 0 {
		return x.db.Close()
	}
	return nil
}

func (h *handles) close() error {
	var errs []error
	for d := range h.open {
		errs = append(errs, h.drop(d))
	}
	return errors.Join(errs...)
}

var errClosed = errors.New("the archive is closed")

// with runs f on the open file of a day. f's database has one connection when it
// writes. The error wraps fs.ErrNotExist where a reader finds no file.
func (a *Archive) with(ctx context.Context, d archive.Day, write bool, f func(*handle) error) error {
	x, err := a.take(ctx, d, write)
	if err != nil {
		return err
	}
	err = f(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(err, x.release())
}

func (a *Archive) take(ctx context.Context, d archive.Day, write bool) (*handle, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errClosed
	}
	h, path := &a.readers, a.path(d)
	if write {
		h = &a.writers
	}
	file, err := os.Stat(path)
	if err == nil {
		if x := h.take(d, file); x != nil {
			return x, nil
		}
	} else if !write {
		return nil, err
	}
	var db *sql.DB
	if write {
		db, err = openWriter(ctx, path)
	} else {
		db, err = openReader(path)
	}
	if err != nil {
		return nil, err
	}
	if file, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	x := &handle{db: db, file: file}
	if write {
		if err := x.prepare(ctx); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	h.put(d, x)
	return x, nil
}

func (x *handle) prepare(ctx context.Context) (err error) {
	if x.many, err = x.db.PrepareContext(ctx, insertSQL(chunk)); err != nil {
		return err
	}
	x.one, err = x.db.PrepareContext(ctx, insertSQL(1))
	return err
}

func openReader(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "mode", "ro", "_pragma", "query_only(1)", "_pragma", "cache_size(-4000)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(max(2, runtime.GOMAXPROCS(0)))
	db.SetMaxIdleConns(2)
	return db, nil
}

// openWriter opens or creates a day. The log may grow to 32 MB before it is moved into
// the file: pages that many batches write to are moved once then. What a statement
// would need to undo itself stays in memory.
func openWriter(ctx context.Context, path string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder: %w", err)
	}
	// The file is made with narrow rights before SQLite would with wide ones; SQLite
	// gives its log and index the same.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the day's file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, "mode", "rwc", "_txlock", "immediate", "_pragma", "journal_mode(wal)",
		"_pragma", "synchronous(full)", "_pragma", "cache_size(-32000)", "_pragma", "wal_autocheckpoint(8000)", "_pragma", "temp_store(memory)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	var mode string
	if err = db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err == nil && mode != "wal" {
		err = fmt.Errorf("the write-ahead log cannot be used there (journal mode %s): use a local disk, not a network folder", mode)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, schema)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

func dsn(path string, params ...string) string {
	q := url.Values{"_pragma": {"busy_timeout(" + busyTimeout + ")"}}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// primary is the primary result code of SQLite's error; 0 for other errors.
func primary(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// damaged tells whether an error says that the file is not what it was.
func damaged(err error) bool {
	c := primary(err)
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}
