package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// revisions is the log of truth.
type revisions struct{ *Store }

var _ publish.Log = revisions{}

func (s revisions) Newest(ctx context.Context) (int64, error) {
	var n int64
	err := s.read(ctx, "reading the newest revision's number", func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) FROM revisions`).Scan(&n)
	})
	return n, err
}

func (s revisions) Append(ctx context.Context, r publish.Revision) error {
	return s.write(ctx, "appending a revision", func(ctx context.Context, tx *sql.Tx) error { return appendRevision(ctx, tx, r) })
}

func appendRevision(ctx context.Context, tx *sql.Tx, r publish.Revision) error {
	author, err := asJSON(r.Author)
	if err != nil {
		return err
	}
	changes, err := asJSON(r.Changes)
	if err != nil {
		return err
	}
	n, err := changed(tx.ExecContext(ctx,
		`INSERT INTO revisions (n, at, author, note, changes) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.N, millis(r.At), author, r.Note, changes))
	if err != nil {
		return err
	}
	if n == 0 {
		return publish.ErrTaken
	}
	for _, c := range r.Changes {
		// The same kind and id may change in two organisations at once.
		_, err := tx.ExecContext(ctx,
			`INSERT INTO revision_objects (kind, id, n) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, c.Kind, c.ID, r.N)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s revisions) Since(ctx context.Context, after int64, limit int) ([]publish.Revision, error) {
	return s.list(ctx, "reading revisions",
		`SELECT n, at, author, note, changes FROM revisions WHERE n > ? ORDER BY n LIMIT ?`, after, max(limit, 0))
}

func (s revisions) Page(ctx context.Context, before int64, limit int, kind, id string) ([]publish.Revision, error) {
	const doing = "reading a page of revisions"
	limit = max(limit, 0)
	if kind != "" && id != "" {
		return s.list(ctx, doing, `SELECT r.n, r.at, r.author, r.note, r.changes
			FROM revision_objects o JOIN revisions r ON r.n = o.n
			WHERE o.kind = ? AND o.id = ? AND (? = 0 OR o.n < ?) ORDER BY o.n DESC LIMIT ?`,
			kind, id, before, before, limit)
	}
	return s.list(ctx, doing, `SELECT n, at, author, note, changes FROM revisions
		WHERE (? = 0 OR n < ?) ORDER BY n DESC LIMIT ?`, before, before, limit)
}

func (s revisions) list(ctx context.Context, doing, query string, args ...any) (list []publish.Revision, err error) {
	err = s.read(ctx, doing, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, query, args...)
		list, err = collect(rows, err, scanRevision)
		return err
	})
	return list, err
}

func scanRevision(row scanner) (publish.Revision, error) {
	var r publish.Revision
	var at int64
	var author, changes []byte
	if err := row.Scan(&r.N, &at, &author, &r.Note, &changes); err != nil {
		return r, err
	}
	r.At = instant(at)
	if err := json.Unmarshal(author, &r.Author); err != nil {
		return r, err
	}
	return r, json.Unmarshal(changes, &r.Changes)
}
