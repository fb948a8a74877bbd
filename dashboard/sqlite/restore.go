package sqlite

import (
	"context"
	"database/sql"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

var (
	_ backup.Target = (*Store)(nil)
	_ backup.People = (*Store)(nil)
)

// tables are all of the schema: a restore empties each of them; drafts too, which no
// backup has. A test keeps the
// list whole.
func tables() []string {
	return []string{
		"revisions", "revision_objects", "contents", "objects", "marks", "keys", "key_hashes", "users", "sessions", "tokens", "attempts", "drafts",
	}
}

// Everyone returns all users and tokens, for a backup.
func (s *Store) Everyone(ctx context.Context) (all []people.User, tokens []people.Token, err error) {
	err = s.read(ctx, "reading all users and tokens", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT `+userColumns+` FROM users ORDER BY org, login`)
		if all, err = collect(rows, err, scanUser); err != nil {
			return err
		}
		rows, err = db.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens ORDER BY org, created_at, id`)
		tokens, err = collect(rows, err, scanToken)
		return err
	})
	return all, tokens, err
}

// Empty tells whether a backup may be restored without replacing anything.
func (s *Store) Empty(ctx context.Context) (empty bool, err error) {
	err = s.read(ctx, "looking whether the store is empty", func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM revisions) AND NOT EXISTS (SELECT 1 FROM keys)
			AND NOT EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM tokens)`).Scan(&empty)
	})
	return empty, err
}

// Fill puts other data in the place of all that the file has, in one transaction.
func (s *Store) Fill(ctx context.Context, marks map[string]int64, fill func(put func(backup.Batch) error) error) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, table := range tables() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		for name, v := range marks {
			if err := raise(ctx, tx, name, v); err != nil {
				return err
			}
		}
		return fill(func(b backup.Batch) error { return putBatch(ctx, tx, b) })
	})
	return explain(ctx, "restoring the store", err)
}

func putBatch(ctx context.Context, tx *sql.Tx, b backup.Batch) error {
	if err := putContents(ctx, tx, b.Contents); err != nil {
		return err
	}
	for _, r := range b.Revisions {
		if err := appendRevision(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, k := range b.Keys {
		for _, before := range []string{`DELETE FROM keys WHERE id = ?`, `DELETE FROM key_hashes WHERE key_id = ?`} {
			if _, err := tx.ExecContext(ctx, before, k.Key.ID); err != nil {
				return err
			}
		}
		if err := insertKey(ctx, tx, k); err != nil {
			return err
		}
	}
	for _, u := range b.Users {
		if err := insertUser(ctx, tx, u); err != nil {
			return err
		}
	}
	for _, t := range b.Tokens {
		if err := insertToken(ctx, tx, t); err != nil {
			return err
		}
	}
	return nil
}
