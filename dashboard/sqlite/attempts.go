package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// forgetAfter is how long a failure counts.
const forgetAfter = time.Hour

// attempts are the failed sign-ins.
type attempts struct{ *Store }

var _ people.Attempts = attempts{}

func (s attempts) Get(ctx context.Context, key string) (a people.Attempt, err error) {
	err = s.read(ctx, "reading failed sign-ins", func(ctx context.Context, db *sql.DB) error {
		a, err = scanAttempt(db.QueryRowContext(ctx, `SELECT key, failed, held_until, at FROM attempts WHERE key = ?`, key))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return a, err
}

// Fail also removes what is forgotten, so that guessed logins do not fill the
// store.
func (s attempts) Fail(ctx context.Context, key string, at time.Time) (a people.Attempt, err error) {
	err = s.write(ctx, "counting a failed sign-in", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM attempts WHERE at < ? AND held_until <= ?`,
			millis(at.Add(-forgetAfter)), millis(at))
		if err != nil {
			return err
		}
		a, err = scanAttempt(tx.QueryRowContext(ctx, `INSERT INTO attempts (key, failed, held_until, at) VALUES (?, 1, ?, ?)
			ON CONFLICT (key) DO UPDATE SET failed = failed + 1, at = max(at, excluded.at)
			RETURNING key, failed, held_until, at`, key, millis(time.Time{}), millis(at)))
		return err
	})
	return a, err
}

func (s attempts) Hold(ctx context.Context, key string, until time.Time) error {
	return s.exec(ctx, "holding sign-ins back", `INSERT INTO attempts (key, failed, held_until, at) VALUES (?, 0, ?, ?)
		ON CONFLICT (key) DO UPDATE SET held_until = excluded.held_until`, key, millis(until), millis(time.Time{}))
}

func (s attempts) Clear(ctx context.Context, key string) error {
	return s.exec(ctx, "forgetting failed sign-ins", `DELETE FROM attempts WHERE key = ?`, key)
}

func scanAttempt(row scanner) (people.Attempt, error) {
	var a people.Attempt
	var until, at int64
	if err := row.Scan(&a.Key, &a.Failed, &until, &at); err != nil {
		return people.Attempt{}, err
	}
	a.Until, a.At = instant(until), instant(at)
	return a, nil
}
