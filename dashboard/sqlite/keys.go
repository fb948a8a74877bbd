package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/page"
)

const sortKeys = "-created" // the one order of a list of keys

// keyStore holds the callers' keys. The key itself is a JSON document; the other
// columns are what queries need of it.
type keyStore struct{ *Store }

var _ keys.Store = keyStore{}

func (s keyStore) Insert(ctx context.Context, k keys.Stored) error {
	return s.write(ctx, "adding a key", func(ctx context.Context, tx *sql.Tx) error { return insertKey(ctx, tx, k) })
}

func insertKey(ctx context.Context, tx *sql.Tx, k keys.Stored) error {
	row, err := keyRow(k)
	if err != nil {
		return err
	}
	n, err := changed(tx.ExecContext(ctx, `INSERT INTO keys
		(org, version, state, created_at, updated_at, policies, apis, search, hashes, key, id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, row...))
	if err != nil {
		return err
	}
	if n == 0 {
		return keys.ErrTaken
	}
	return setHashes(ctx, tx, k)
}

func (s keyStore) Replace(ctx context.Context, k keys.Stored, version int64) error {
	row, err := keyRow(k)
	if err != nil {
		return err
	}
	return s.write(ctx, "changing a key", func(ctx context.Context, tx *sql.Tx) error {
		var stored int64
		err := tx.QueryRowContext(ctx, `SELECT version FROM keys WHERE id = ? AND org = ?`, k.Key.ID, k.Key.Org).Scan(&stored)
		if errors.Is(err, sql.ErrNoRows) {
			return keys.ErrNotFound
		}
		if err != nil {
			return err
		}
		if stored != version {
			return keys.ErrStale
		}
		_, err = tx.ExecContext(ctx, `UPDATE keys SET org = ?, version = ?, state = ?, created_at = ?, updated_at = ?,
			policies = ?, apis = ?, search = ?, hashes = ?, key = ? WHERE id = ?`, row...)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM key_hashes WHERE key_id = ?`, k.Key.ID); err != nil {
			return err
		}
		return setHashes(ctx, tx, k)
	})
}

// setHashes claims the hashes of a key; the transaction is undone when another
// key has one of them.
func setHashes(ctx context.Context, tx *sql.Tx, k keys.Stored) error {
	for _, hash := range k.Hashes {
		n, err := changed(tx.ExecContext(ctx,
			`INSERT INTO key_hashes (hash, key_id) VALUES (?, ?) ON CONFLICT DO NOTHING`, hash, k.Key.ID))
		if err != nil {
			return err
		}
		if n == 0 {
			return keys.ErrTaken
		}
	}
	return nil
}

func (s keyStore) Get(ctx context.Context, org, id string) (k keys.Stored, err error) {
	err = s.read(ctx, "reading a key", func(ctx context.Context, db *sql.DB) error {
		k, err = scanKey(db.QueryRowContext(ctx, `SELECT hashes, key FROM keys WHERE id = ? AND org = ?`, id, org))
		if errors.Is(err, sql.ErrNoRows) {
			return keys.ErrNotFound
		}
		return err
	})
	return k, err
}

func (s keyStore) List(ctx context.Context, q keys.Query) (keys.Page, error) {
	where, args, err := keyFilter(q)
	if err != nil {
		return keys.Page{}, err
	}
	after := ``
	afterArgs := []any{}
	if q.After != "" {
		c, err := page.Decode(sortKeys, q.After)
		if err != nil {
			return keys.Page{}, err
		}
		ms, _ := strconv.ParseInt(c.Key, 10, 64) // a key that is no number was not made here; it reads as 0
		after, afterArgs = ` AND (created_at, id) < (?, ?)`, []any{ms, c.ID}
	}
	limit := page.Limit(q.Limit)
	var p keys.Page
	err = s.read(ctx, "listing keys", func(ctx context.Context, db *sql.DB) error {
		// The inner question reads one index only, and none of the documents.
		rows, err := db.QueryContext(ctx, `SELECT hashes, key FROM keys WHERE rowid IN (SELECT rowid FROM keys WHERE `+where+after+
			` ORDER BY created_at DESC, id DESC LIMIT ?) ORDER BY created_at DESC, id DESC`,
			slices.Concat(args, afterArgs, []any{limit + 1})...)
		if p.Items, err = collect(rows, err, scanKey); err != nil {
			return err
		}
		if q.After == "" && len(p.Items) <= limit {
			p.Total = len(p.Items)
			return nil
		}
		return countKeys(ctx, db, q, where, args, &p)
	})
	if err != nil {
		return keys.Page{}, err
	}
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := p.Items[limit-1].Key
		p.Next = page.Cursor{Sort: sortKeys, Key: strconv.FormatInt(millis(last.CreatedAt), 10), ID: last.ID}.Encode()
	}
	return p, nil
}

// countKeys counts all that an organisation has, and what is narrowed further up to
// keys.MaxCounted.
func countKeys(ctx context.Context, db *sql.DB, q keys.Query, where string, args []any, p *keys.Page) error {
	if !q.Narrowed() {
		return db.QueryRowContext(ctx, `SELECT count(*) FROM keys WHERE `+where, args...).Scan(&p.Total)
	}
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM keys WHERE `+where+` LIMIT ?)`,
		slices.Concat(args, []any{keys.MaxCounted + 1})...).Scan(&p.Total)
	p.Total, p.AtLeast = min(p.Total, keys.MaxCounted), p.Total > keys.MaxCounted
	return err
}

func (s keyStore) Changed(ctx context.Context, since time.Time, afterID string, limit int) (list []keys.Stored, err error) {
	query, args := `SELECT hashes, key FROM keys WHERE updated_at >= ?`, []any{millis(since)}
	if afterID != "" {
		query, args = `SELECT hashes, key FROM keys WHERE (updated_at, id) > (?, ?)`, append(args, afterID)
	}
	err = s.read(ctx, "reading changed keys", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, query+` ORDER BY updated_at, id LIMIT ?`, append(args, max(limit, 0))...)
		list, err = collect(rows, err, scanKey)
		return err
	})
	return list, err
}

func keyFilter(q keys.Query) (where string, args []any, err error) {
	where, args = `org = ?`, []any{q.Org}
	if q.State != "" {
		where, args = where+` AND state = ?`, append(args, string(q.State))
	}
	// instr rules out most keys for a fraction of what it costs to take a list apart;
	// what it finds may still be a part of a longer name.
	if q.Policy != "" {
		quoted, err := asJSON(q.Policy)
		if err != nil {
			return "", nil, err
		}
		where += ` AND instr(policies, ?) > 0 AND EXISTS (SELECT 1 FROM json_each(policies) WHERE value = ?)`
		args = append(args, quoted, q.Policy)
	}
	if q.API != "" {
		quoted, err := asJSON(q.API)
		if err != nil {
			return "", nil, err
		}
		where += ` AND (instr(apis, ?) > 0 OR instr(apis, '"*"') > 0) AND EXISTS (SELECT 1 FROM json_each(apis) WHERE value IN (?, '*'))`
		args = append(args, quoted, q.API)
	}
	if q.Q != "" {
		question, err := page.Question(q.Q)
		if err != nil {
			return "", nil, err
		}
		where, args = where+` AND instr(search, ?) > 0`, append(args, question)
	}
	return where, args, nil
}

// keyRow gives the columns in the order of Insert's and Replace's statements.
func keyRow(s keys.Stored) ([]any, error) {
	k := s.Key
	k.CreatedAt, k.UpdatedAt, k.ExpiresAt = instant(millis(k.CreatedAt)), instant(millis(k.UpdatedAt)), instant(millis(k.ExpiresAt))
	apis := make([]string, 0, len(k.Rights))
	for _, r := range k.Rights {
		apis = append(apis, r.API)
	}
	policies, err1 := asJSON(append([]string{}, k.Policies...))
	rights, err2 := asJSON(apis)
	hashes, err3 := asJSON(s.Hashes)
	doc, err4 := asJSON(k)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	return []any{
		k.Org, k.Version, string(k.State), millis(k.CreatedAt), millis(k.UpdatedAt),
		policies, rights, page.Join(k.Alias, k.Owner, k.Prefix, k.ID), hashes, doc, k.ID,
	}, nil
}

func scanKey(row scanner) (keys.Stored, error) {
	var k keys.Stored
	var hashes, doc []byte
	if err := row.Scan(&hashes, &doc); err != nil {
		return k, err
	}
	return k, errors.Join(json.Unmarshal(hashes, &k.Hashes), json.Unmarshal(doc, &k.Key))
}
