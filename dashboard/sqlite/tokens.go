package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

const tokenColumns = `id, org, user_id, name, prefix, hash, role, created_at, expires_at, used_at`

// tokens are the API tokens.
type tokens struct{ *Store }

var _ people.Tokens = tokens{}

func (s tokens) Insert(ctx context.Context, t people.Token) error {
	return s.write(ctx, "adding a token", func(ctx context.Context, tx *sql.Tx) error { return insertToken(ctx, tx, t) })
}

func insertToken(ctx context.Context, tx *sql.Tx, t people.Token) error {
	n, err := changed(tx.ExecContext(ctx, `INSERT INTO tokens (`+tokenColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		t.ID, t.Org, t.UserID, t.Name, t.Prefix, t.Hash, string(t.Role),
		millis(t.CreatedAt), millis(t.ExpiresAt), millis(t.UsedAt)))
	if err == nil && n == 0 {
		return people.ErrTaken
	}
	return err
}

func (s tokens) ByHash(ctx context.Context, hash string) (t people.Token, err error) {
	err = s.read(ctx, "reading a token", func(ctx context.Context, db *sql.DB) error {
		t, err = scanToken(db.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash))
		if errors.Is(err, sql.ErrNoRows) {
			return people.ErrNotFound
		}
		return err
	})
	return t, err
}

func (s tokens) List(ctx context.Context, org string) (list []people.Token, err error) {
	err = s.read(ctx, "listing tokens", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE org = ? ORDER BY created_at DESC, id`, org)
		list, err = collect(rows, err, scanToken)
		return err
	})
	return list, err
}

func (s tokens) Delete(ctx context.Context, org, id string) error {
	return s.write(ctx, "removing a token", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = ? AND org = ?`, id, org))
		if err == nil && n == 0 {
			return people.ErrNotFound
		}
		return err
	})
}

func (s tokens) Touch(ctx context.Context, id string, at time.Time) error {
	return s.exec(ctx, "noting a token's use", `UPDATE tokens SET used_at = ? WHERE id = ? AND used_at < ?`,
		millis(at), id, millis(at))
}

func scanToken(row scanner) (people.Token, error) {
	var t people.Token
	var created, expires, used int64
	err := row.Scan(&t.ID, &t.Org, &t.UserID, &t.Name, &t.Prefix, &t.Hash, &t.Role, &created, &expires, &used)
	if err != nil {
		return people.Token{}, err
	}
	t.CreatedAt, t.ExpiresAt, t.UsedAt = instant(created), instant(expires), instant(used)
	return t, nil
}
