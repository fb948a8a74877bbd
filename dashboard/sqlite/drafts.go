package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/page"
)

const sortDrafts = "-updated" // the one order of a list of drafts

// draftStore holds drafts. A draft is a JSON document and its text; the other
// columns are what queries need of it.
type draftStore struct{ *Store }

var _ drafts.Shelf = draftStore{}

func (s draftStore) Insert(ctx context.Context, d drafts.Draft) error {
	row, err := draftRow(d)
	if err != nil {
		return err
	}
	return s.write(ctx, "adding a draft", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `INSERT INTO drafts
			(org, kind, object, owner, state, slot, version, due_at, updated_at, draft, text, id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, row...))
		if err == nil && n == 0 {
			return drafts.ErrTaken
		}
		return err
	})
}

func (s draftStore) Replace(ctx context.Context, d drafts.Draft, version int64) error {
	row, err := draftRow(d)
	if err != nil {
		return err
	}
	return s.write(ctx, "changing a draft", func(ctx context.Context, tx *sql.Tx) error {
		if err := draftIs(ctx, tx, d.Org, d.ID, version); err != nil {
			return err
		}
		n, err := changed(tx.ExecContext(ctx, `UPDATE OR IGNORE drafts SET org = ?, kind = ?, object = ?, owner = ?, state = ?,
			slot = ?, version = ?, due_at = ?, updated_at = ?, draft = ?, text = ? WHERE id = ?`, row...))
		if err == nil && n == 0 {
			return drafts.ErrTaken
		}
		return err
	})
}

// draftIs checks that a draft is there with that version.
func draftIs(ctx context.Context, tx *sql.Tx, org, id string, version int64) error {
	var stored int64
	err := tx.QueryRowContext(ctx, `SELECT version FROM drafts WHERE id = ? AND org = ?`, id, org).Scan(&stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return drafts.ErrNotFound
	case err == nil && stored != version:
		return drafts.ErrStale
	}
	return err
}

func (s draftStore) Get(ctx context.Context, org, id string) (d drafts.Draft, err error) {
	err = s.read(ctx, "reading a draft", func(ctx context.Context, db *sql.DB) error {
		d, err = scanDraft(db.QueryRowContext(ctx, `SELECT draft, text FROM drafts WHERE id = ? AND org = ?`, id, org))
		if errors.Is(err, sql.ErrNoRows) {
			return drafts.ErrNotFound
		}
		return err
	})
	return d, err
}

func (s draftStore) Delete(ctx context.Context, org, id string, version int64) error {
	return s.write(ctx, "removing a draft", func(ctx context.Context, tx *sql.Tx) error {
		if err := draftIs(ctx, tx, org, id, version); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM drafts WHERE id = ?`, id)
		return err
	})
}

func (s draftStore) List(ctx context.Context, q drafts.Query) (drafts.Page, error) {
	where, args := `org = ?`, []any{q.Org}
	for _, by := range []struct{ column, value string }{{"state", string(q.State)}, {"kind", q.Kind}, {"object", q.Object}, {"owner", q.Owner}} {
		if by.value != "" {
			where, args = where+` AND `+by.column+` = ?`, append(args, by.value)
		}
	}
	after, afterArgs := ``, []any{}
	if q.After != "" {
		c, err := page.Decode(sortDrafts, q.After)
		if err != nil {
			return drafts.Page{}, err
		}
		ms, _ := strconv.ParseInt(c.Key, 10, 64) // a key that is no number was not made here; it reads as 0
		after, afterArgs = ` AND (updated_at, id) < (?, ?)`, []any{ms, c.ID}
	}
	limit := page.Limit(q.Limit)
	var p drafts.Page
	err := s.read(ctx, "listing drafts", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT draft, NULL FROM drafts WHERE `+where+after+` ORDER BY updated_at DESC, id DESC LIMIT ?`,
			slices.Concat(args, afterArgs, []any{limit + 1})...) // one more tells whether a page follows
		if p.Items, err = collect(rows, err, scanDraft); err != nil {
			return err
		}
		return db.QueryRowContext(ctx, `SELECT count(*) FROM drafts WHERE `+where, args...).Scan(&p.Total)
	})
	if err != nil {
		return drafts.Page{}, err
	}
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := p.Items[limit-1]
		p.Next = page.Cursor{Sort: sortDrafts, Key: strconv.FormatInt(millis(last.UpdatedAt), 10), ID: last.ID}.Encode()
	}
	return p, nil
}

func (s draftStore) Due(ctx context.Context, now time.Time, limit int) (due []drafts.Draft, err error) {
	err = s.read(ctx, "reading which drafts are due", func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT draft, text FROM drafts WHERE due_at <= ? ORDER BY due_at, id LIMIT ?`, millis(now), limit)
		due, err = collect(rows, err, scanDraft)
		return err
	})
	return due, err
}

func (s draftStore) Sweep(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "removing old drafts", `DELETE FROM drafts WHERE state = ? AND updated_at < ?`, string(drafts.Published), millis(before))
}

// draftRow is the columns in the order of the statements above; the id is last.
func draftRow(d drafts.Draft) ([]any, error) {
	document, err := asJSON(d)
	if err != nil {
		return nil, fmt.Errorf("encoding a draft: %w", err)
	}
	var due any // NULL is never
	if at := d.Due(); !at.IsZero() {
		due = millis(at)
	}
	return []any{
		d.Org, d.Kind, d.Object, d.Owner, string(d.State), d.Slot(), d.Version, due, millis(d.UpdatedAt), document, notNil(d.Text), d.ID,
	}, nil
}

func scanDraft(row scanner) (drafts.Draft, error) {
	var d drafts.Draft
	var document, text []byte
	if err := row.Scan(&document, &text); err != nil {
		return d, err
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return d, fmt.Errorf("decoding a stored draft: %w", err)
	}
	d.Text = text
	return d, nil
}
