package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// chunk is how many rows one statement inserts.
const chunk = 32

var errReadOnly = errors.New("the archive is open for reading only")

// Insert stores records, each under its day; one whose id is there already is left
// as it is. When it returns nil the records are on the disk, but for the rejected
// ones, which never can be. After an error some days may be stored and others not:
// insert all of them again.
func (a *Archive) Insert(ctx context.Context, entries []record.Entry) ([]archive.Rejected, error) {
	if a.o.ReadOnly {
		return nil, errReadOnly
	}
	var rejected []archive.Rejected
	days := map[archive.Day][]*record.Entry{}
	now := a.o.Now()
	for i := range entries {
		e := &entries[i]
		if reason := archive.Refuse(e.ID, e.At, now, a.o.Retention); reason != "" {
			rejected = append(rejected, archive.Rejected{Index: i, Reason: reason})
			continue
		}
		d := archive.DayOf(e.At)
		days[d] = append(days[d], e)
	}
	var errs []error
	for _, d := range slices.SortedFunc(maps.Keys(days), func(a, b archive.Day) int { return a.Start().Compare(b.Start()) }) {
		before, _ := os.Stat(a.path(d))
		err := a.insertDay(ctx, d, days[d])
		if damaged(err) {
			if err = a.setAside(d, before, err); err == nil {
				err = a.insertDay(ctx, d, days[d])
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("insert records of %s: %w", d, err))
		}
	}
	return rejected, errors.Join(errs...)
}

func (a *Archive) insertDay(ctx context.Context, d archive.Day, entries []*record.Entry) error {
	return a.with(ctx, d, true, func(h *handle) error {
		tx, err := h.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		// After a commit this does nothing.
		defer func() { _ = tx.Rollback() }()
		many, one := tx.StmtContext(ctx, h.many), tx.StmtContext(ctx, h.one)
		args := make([]any, 0, chunk*nColumns)
		for part := range slices.Chunk(entries, chunk) {
			args = args[:0]
			for _, e := range part {
				args = values(args, d, e)
			}
			if len(part) == chunk {
				err = insertMany(ctx, tx, many, one, args)
			} else {
				err = insertEach(ctx, tx, one, args)
			}
			if err != nil {
				return err
			}
		}
		return tx.Commit()
	})
}

// insertMany inserts chunk rows. Where it left some out, each is looked at by itself.
func insertMany(ctx context.Context, tx *sql.Tx, many, one *sql.Stmt, args []any) error {
	if n, err := affected(many.ExecContext(ctx, args...)); err != nil || n == chunk {
		return err
	}
	return insertEach(ctx, tx, one, args)
}

func insertEach(ctx context.Context, tx *sql.Tx, one *sql.Stmt, args []any) error {
	for row := range slices.Chunk(args, nColumns) {
		if err := insertOne(ctx, tx, one, row); err != nil {
			return err
		}
	}
	return nil
}

// insertOne inserts a row, at the next free number when another record of the same
// microsecond has its own.
func insertOne(ctx context.Context, tx *sql.Tx, one *sql.Stmt, row []any) error {
	const mask = 1<<placeBits - 1
	n := row[0].(int64)
	for range 1000 {
		if done, err := affected(one.ExecContext(ctx, row...)); err != nil || done == 1 {
			return err
		}
		var there bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM records WHERE id = ?)", row[1]).Scan(&there); err != nil || there {
			return err
		}
		n = n&^mask | (n+1)&mask
		row[0] = n
	}
	return fmt.Errorf("no number is free for record %v", row[1])
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// setAside gives a damaged file another name, so that its day begins anew and the
// file can be repaired (sqlite3's .recover). It does nothing when another call did so
// since the file was looked at.
func (a *Archive) setAside(d archive.Day, looked fs.FileInfo, why error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now, err := os.Stat(a.path(d)); looked == nil || err != nil || !os.SameFile(looked, now) {
		return nil
	}
	if err := errors.Join(a.writers.drop(d), a.readers.drop(d)); err != nil {
		a.o.Log.Warn("a damaged file of records was closed", "day", d.String(), "error", err)
	}
	path := a.path(d)
	aside := ".damaged-" + strconv.FormatInt(a.o.Now().Unix(), 10)
	if err := os.Rename(path, path+aside); err != nil {
		return errors.Join(why, err)
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+end, path+aside+end); err != nil && !os.IsNotExist(err) {
			return errors.Join(why, err)
		}
	}
	a.o.Log.Error("a damaged file of records was moved aside, and its day begins anew", "day", d.String(), "file", path+aside, "error", why)
	return nil
}

// Retain drops the days that ended before now-Retention, with all that lies beside
// their files, and returns them as YYYYMMDD, oldest first. A reader that has one open
// keeps reading it to the end of its question.
func (a *Archive) Retain(ctx context.Context, now time.Time) (dropped []string, err error) {
	if a.o.ReadOnly {
		return nil, errReadOnly
	}
	names, err := os.ReadDir(a.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the records' days: %w", err)
	}
	var errs []error
	for _, n := range names { // sorted: a day's file comes before its log
		d, rest, ok := dayOf(n.Name())
		if !ok || !d.Over(now, a.o.Retention) || ctx.Err() != nil {
			continue
		}
		a.mu.Lock()
		errs = append(errs, a.writers.drop(d), a.readers.drop(d))
		a.mu.Unlock()
		if err := os.Remove(filepath.Join(a.o.Dir, n.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		if rest == "" {
			dropped = append(dropped, d.String())
		}
	}
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return dropped, fmt.Errorf("drop old records: %w", err)
	}
	return dropped, nil
}
