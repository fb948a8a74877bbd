package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

const userColumns = `org, login, name, password_hash, must_change, role, suspended, locale, time_zone, theme,
	version, created_at, updated_at, id`

// users are the people who may sign in.
type users struct{ *Store }

var _ people.Users = users{}

func (s users) Insert(ctx context.Context, u people.User) error {
	return s.write(ctx, "adding a user", func(ctx context.Context, tx *sql.Tx) error { return insertUser(ctx, tx, u) })
}

func insertUser(ctx context.Context, tx *sql.Tx, u people.User) error {
	n, err := changed(tx.ExecContext(ctx, `INSERT INTO users (`+userColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, userRow(u)...))
	if err == nil && n == 0 {
		return people.ErrTaken
	}
	return err
}

func (s users) Replace(ctx context.Context, u people.User, version int64) error {
	return s.write(ctx, "changing a user", func(ctx context.Context, tx *sql.Tx) error {
		var stored int64
		err := tx.QueryRowContext(ctx, `SELECT version FROM users WHERE id = ?`, u.ID).Scan(&stored)
		if errors.Is(err, sql.ErrNoRows) {
			return people.ErrNotFound
		}
		if err != nil {
			return err
		}
		if stored != version {
			return people.ErrStale
		}
		// The row is there, so that only the login of another user can be ignored.
		n, err := changed(tx.ExecContext(ctx, `UPDATE OR IGNORE users SET org = ?, login = ?, name = ?, password_hash = ?,
			must_change = ?, role = ?, suspended = ?, locale = ?, time_zone = ?, theme = ?, version = ?, created_at = ?,
			updated_at = ? WHERE id = ?`, userRow(u)...))
		if err == nil && n == 0 {
			return people.ErrTaken
		}
		return err
	})
}

func (s users) ByID(ctx context.Context, id string) (people.User, error) {
	return s.one(ctx, `id = ?`, id)
}

func (s users) ByLogin(ctx context.Context, login string) (people.User, error) {
	return s.one(ctx, `login = ?`, login)
}

func (s users) one(ctx context.Context, where, value string) (u people.User, err error) {
	err = s.read(ctx, "reading a user", func(ctx context.Context, db *sql.DB) error {
		u, err = scanUser(db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+where, value))
		if errors.Is(err, sql.ErrNoRows) {
			return people.ErrNotFound
		}
		return err
	})
	return u, err
}

func (s users) List(ctx context.Context, org string) (list []people.User, err error) {
	err = s.read(ctx, "listing users", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT `+userColumns+` FROM users WHERE org = ? ORDER BY login`, org)
		list, err = collect(rows, err, scanUser)
		return err
	})
	return list, err
}

func userRow(u people.User) []any {
	return []any{
		u.Org, u.Login, u.Name, u.PasswordHash, u.MustChange, string(u.Role), u.Suspended, u.Locale, u.TimeZone,
		u.Theme, u.Version, millis(u.CreatedAt), millis(u.UpdatedAt), u.ID,
	}
}

func scanUser(row scanner) (people.User, error) {
	var u people.User
	var created, updated int64
	err := row.Scan(&u.Org, &u.Login, &u.Name, &u.PasswordHash, &u.MustChange, &u.Role, &u.Suspended, &u.Locale, &u.TimeZone,
		&u.Theme, &u.Version, &created, &updated, &u.ID)
	if err != nil {
		return people.User{}, err
	}
	u.CreatedAt, u.UpdatedAt = instant(created), instant(updated)
	return u, nil
}
