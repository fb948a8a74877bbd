package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// sessions are the signed-in browsers.
type sessions struct{ *Store }

var _ people.Sessions = sessions{}

func (s sessions) Put(ctx context.Context, v people.Session) error {
	return s.exec(ctx, "storing a session", `INSERT OR REPLACE INTO sessions
		(id, user_id, csrf, created_at, seen_at, expires_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.UserID, v.CSRF, millis(v.CreatedAt), millis(v.SeenAt), millis(v.ExpiresAt), v.Address,
		strings.ToValidUTF8(v.Agent, "\uFFFD"))
}

func (s sessions) Get(ctx context.Context, id string) (people.Session, error) {
	v := people.Session{ID: id}
	err := s.read(ctx, "reading a session", func(ctx context.Context, db *sql.DB) error {
		var created, seen, expires int64
		err := db.QueryRowContext(ctx, `SELECT user_id, csrf, created_at, seen_at, expires_at, address, agent
			FROM sessions WHERE id = ?`, id).Scan(&v.UserID, &v.CSRF, &created, &seen, &expires, &v.Address, &v.Agent)
		if errors.Is(err, sql.ErrNoRows) {
			return people.ErrNotFound
		}
		v.CreatedAt, v.SeenAt, v.ExpiresAt = instant(created), instant(seen), instant(expires)
		return err
	})
	if err != nil {
		return people.Session{}, err
	}
	return v, nil
}

func (s sessions) Delete(ctx context.Context, id string) error {
	return s.exec(ctx, "ending a session", `DELETE FROM sessions WHERE id = ?`, id)
}

func (s sessions) DeleteOf(ctx context.Context, userID, except string) error {
	return s.exec(ctx, "ending a user's sessions", `DELETE FROM sessions WHERE user_id = ? AND id <> ?`, userID, except)
}

func (s sessions) Sweep(ctx context.Context, now time.Time) error {
	return s.exec(ctx, "removing expired sessions", `DELETE FROM sessions WHERE expires_at < ?`, millis(now))
}

// exec runs one statement in its own transaction.
func (s *Store) exec(ctx context.Context, doing, statement string, args ...any) error {
	return s.write(ctx, doing, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}
