package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// marks are numbers that only rise.
type marks struct{ *Store }

var _ publish.Marks = marks{}

func (s marks) Mark(ctx context.Context, name string) (int64, error) {
	var v int64
	err := s.read(ctx, "reading a mark", func(ctx context.Context, db *sql.DB) error {
		err := db.QueryRowContext(ctx, `SELECT value FROM marks WHERE name = ?`, name).Scan(&v)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return v, err
}

func (s marks) Raise(ctx context.Context, name string, v int64) error {
	return s.write(ctx, "raising a mark", func(ctx context.Context, tx *sql.Tx) error { return raise(ctx, tx, name, v) })
}

func raise(ctx context.Context, tx *sql.Tx, name string, v int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO marks (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`, name, v)
	return err
}
