package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// contents are texts by their sums; they are never changed and never removed.
type contents struct{ *Store }

var _ publish.Contents = contents{}

func (s contents) Put(ctx context.Context, texts map[string][]byte) error {
	if len(texts) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, "storing contents", func(ctx context.Context, tx *sql.Tx) error { return putContents(ctx, tx, texts) })
}

func putContents(ctx context.Context, tx *sql.Tx, texts map[string][]byte) error {
	for sha, text := range texts {
		_, err := tx.ExecContext(ctx, `INSERT INTO contents (sha, text) VALUES (?, ?) ON CONFLICT DO NOTHING`, sha, notNil(text))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s contents) Get(ctx context.Context, sums []string) (map[string][]byte, error) {
	texts := make(map[string][]byte, len(sums))
	err := s.read(ctx, "reading contents", func(ctx context.Context, db *sql.DB) error {
		get, err := db.PrepareContext(ctx, `SELECT text FROM contents WHERE sha = ?`)
		if err != nil {
			return err
		}
		defer get.Close()
		for _, sha := range sums {
			var text []byte
			err := get.QueryRowContext(ctx, sha).Scan(&text)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			texts[sha] = notNil(text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return texts, nil
}

// notNil keeps an empty text, which the driver reads as nil, apart from none,
// which is stored as NULL.
func notNil(text []byte) []byte {
	if text == nil {
		return []byte{}
	}
	return text
}
