package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Find returns a page of the newest records that a filter finds behind a cursor;
// see archive.Search.
func (a *Archive) Find(ctx context.Context, f archive.Filter, after archive.Cursor, limit int) (archive.Page[record.Entry], error) {
	page, err := archive.Search(ctx, a, f, after, limit)
	if err != nil {
		return page, fmt.Errorf("find records: %w", err)
	}
	return page, nil
}

// Get returns the record with an id, from whichever day, or ErrNotFound.
func (a *Archive) Get(ctx context.Context, id string) (record.Entry, error) {
	var entry record.Entry
	err := archive.Newest(ctx, a, func(d archive.Day) (found bool, err error) {
		err = a.read(ctx, d, func(db *sql.DB) error {
			row := db.QueryRowContext(ctx, "SELECT "+columns+" FROM records WHERE id = ?", id)
			entry, err = scan(d, row.Scan)
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return err == nil && entry.ID != "", err
	})
	return entry, err
}

// Entries is a part of Find.
func (a *Archive) Entries(ctx context.Context, q archive.Question, limit int) (found []record.Entry, err error) {
	err = a.read(ctx, q.Day, func(db *sql.DB) error {
		c, err := a.conditions(ctx, db, q)
		if err != nil {
			return err
		}
		rows, err := db.QueryContext(ctx, c.sql(columns)+" ORDER BY n DESC LIMIT "+strconv.Itoa(limit), c.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scan(q.Day, rows.Scan)
			if err != nil {
				return err
			}
			found = append(found, e)
		}
		return rows.Err()
	})
	return found, err
}

// Count is a part of Find.
func (a *Archive) Count(ctx context.Context, q archive.Question, limit int) (n int, err error) {
	err = a.read(ctx, q.Day, func(db *sql.DB) error {
		c, err := a.conditions(ctx, db, q)
		if err != nil {
			return err
		}
		return db.QueryRowContext(ctx, "SELECT count(*) FROM ("+c.sql("1")+" LIMIT "+strconv.Itoa(limit)+")", c.args...).Scan(&n)
	})
	return n, err
}

// read runs f on a day. One that was dropped meanwhile, or that its writer only
// begins, has no records.
func (a *Archive) read(ctx context.Context, d archive.Day, f func(*sql.DB) error) error {
	err := a.with(ctx, d, false, func(h *handle) error { return f(h.db) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if strings.Contains(err.Error(), "no such table: records") {
		return nil
	}
	// a second connection to a file that went after the first one was opened
	if _, gone := os.Stat(a.path(d)); errors.Is(gone, fs.ErrNotExist) {
		return nil
	}
	return err
}

// conditions are the WHERE of a question. The index is named, since SQLite knows
// nothing of how often values occur and would take the first that fits.
type conditions struct {
	index string
	where strings.Builder
	args  []any
}

func (c *conditions) sql(what string) string {
	return "SELECT " + what + " FROM records " + c.index + " WHERE " + c.where.String()
}

func (c *conditions) and(condition string, args ...any) {
	if c.where.Len() > 0 {
		c.where.WriteString(" AND ")
	}
	c.where.WriteString(condition)
	c.args = append(c.args, args...)
}

func (a *Archive) conditions(ctx context.Context, db *sql.DB, q archive.Question) (*conditions, error) {
	c := &conditions{}
	from, to := q.Micros()
	c.and("n >= ?", first(q.Day, from))
	if below := first(q.Day, to); q.After == (archive.Cursor{}) {
		c.and("n < ?", below)
	} else {
		n, err := numberOf(ctx, db, q.Day, q.After)
		if err != nil {
			return nil, err
		}
		c.and("n < ?", min(below, n))
	}
	c.path(q, from, to)
	c.equal("org", q.Org)
	c.equal("api", q.API)
	if q.NoAPI {
		c.and("api = ''")
	}
	c.equal("key", q.Key)
	c.equal("method", q.Method)
	c.equal("route", q.Route)
	c.equal("client", q.Client)
	c.equal("target", q.Target)
	c.equal("node", q.Node)
	c.equal("host", q.Host)
	c.equal("request", q.RequestID)
	c.equal("refusal", q.Refusal)
	if q.StatusMin > 0 {
		c.and("status >= ?", q.StatusMin)
	}
	if q.StatusMax > 0 {
		c.and("status <= ?", q.StatusMax)
	}
	if q.SlowerThan > 0 {
		c.and("total >= ?", archive.Micros(q.SlowerThan))
	}
	if begin, ok := strings.CutSuffix(q.Path, "*"); ok {
		c.begins("path", begin)
	} else {
		c.equal("path", q.Path)
	}
	if q.Text != "" {
		// As bytes, since a path may be no UTF-8 and may hold NUL.
		c.and("(instr(CAST(lower(path) AS BLOB), ?) > 0 OR request = ?)", []byte(archive.Fold(q.Text)), q.Text)
	}
	return c, nil
}

// path chooses the index: what is asked for that is rarest in most installations.
func (c *conditions) path(q archive.Question, from, to int64) {
	switch {
	case q.RequestID != "":
		c.index = "INDEXED BY requests"
		var finders []string
		for part := partOf(q.Day, from); part <= partOf(q.Day, to-1); part++ {
			finders = append(finders, strconv.FormatInt(finder(part, q.RequestID), 10))
		}
		c.and("finder <> 0 AND finder IN (" + strings.Join(finders, ",") + ")")
	case q.Key != "":
		c.index = "INDEXED BY keys"
		c.and("key <> ''")
	case q.StatusMin >= 400:
		c.index = "INDEXED BY failures"
		c.and("status >= 400")
	case q.API != "" || q.NoAPI:
		c.index = "INDEXED BY apis"
	default:
		c.index = "NOT INDEXED"
	}
}

func (c *conditions) equal(column, value string) {
	if value != "" {
		c.and(column+" = ?", value)
	}
}

// begins asks for a prefix by a range of bytes, in which nothing is special.
func (c *conditions) begins(column, prefix string) {
	if prefix == "" {
		return
	}
	c.and(column+" >= ?", prefix)
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) > 0 {
		end[len(end)-1]++
		c.and(column+" < ?", string(end))
	}
}

// numberOf is the number of a cursor's record; where it went, the one that it had
// most likely.
func numberOf(ctx context.Context, db *sql.DB, d archive.Day, after archive.Cursor) (n int64, err error) {
	if after.ID == "" {
		return first(d, after.At.UnixMicro()), nil
	}
	err = db.QueryRowContext(ctx, "SELECT n FROM records WHERE id = ?", after.ID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return place(d, after.At, after.ID), nil
	}
	return n, err
}
