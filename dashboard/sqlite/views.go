package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

const (
	objectColumns = `org, kind, id, rev, sha, deleted, updated_at, updated_by, name, state, tags, groups, search, text`
	eachBatch     = 100 // objects that Each reads at a time
)

// views are the present states of the revisioned objects, all kinds in one table.
type views struct{ *Store }

var _ publish.Views = views{}

func (s views) Apply(ctx context.Context, o publish.Object) error {
	author, err1 := asJSON(o.UpdatedBy)
	tags, err2 := asJSON(o.Summary.Tags)
	groups, err3 := asJSON(o.Summary.Groups)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	var text any
	if !o.Deleted {
		text = notNil(o.Text)
	}
	return s.write(ctx, "applying a revision's step", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO objects (`+objectColumns+`, sort_name)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, org, id) DO UPDATE SET rev = excluded.rev, sha = excluded.sha,
				deleted = excluded.deleted, updated_at = excluded.updated_at, updated_by = excluded.updated_by,
				name = excluded.name, sort_name = excluded.sort_name, state = excluded.state, tags = excluded.tags,
				groups = excluded.groups, search = excluded.search, text = excluded.text
			WHERE objects.rev < excluded.rev`,
			o.Org, o.Kind, o.ID, o.Rev, o.SHA, o.Deleted, millis(o.UpdatedAt), author, o.Summary.Name,
			o.Summary.State, tags, groups, page.Join(o.Summary.Search...), text,
			page.SortKey(o.Summary.Name))
		return err
	})
}

// Each reads in batches by the key, so that it holds no connection and no
// snapshot while the caller works, and an object that is there from the first
// batch to the last is yielded once.
func (s views) Each(ctx context.Context) iter.Seq2[publish.Object, error] {
	return func(yield func(publish.Object, error) bool) {
		var last publish.Object
		for {
			var batch []publish.Object
			err := s.read(ctx, "reading all objects", func(ctx context.Context, db *sql.DB) error {
				rows, err := db.QueryContext(ctx, `SELECT `+objectColumns+` FROM objects
					WHERE (kind, org, id) > (?, ?, ?) ORDER BY kind, org, id LIMIT ?`, last.Kind, last.Org, last.ID, eachBatch)
				batch, err = collect(rows, err, scanObject)
				return err
			})
			if err != nil {
				yield(publish.Object{}, err)
				return
			}
			for _, o := range batch {
				if !yield(o, nil) {
					return
				}
			}
			if len(batch) < eachBatch {
				return
			}
			last = batch[len(batch)-1]
		}
	}
}

func (s views) Get(ctx context.Context, org, kind, id string) (o publish.Object, err error) {
	err = s.read(ctx, "reading an object", func(ctx context.Context, db *sql.DB) error {
		o, err = scanObject(db.QueryRowContext(ctx, `SELECT `+objectColumns+` FROM objects
			WHERE kind = ? AND org = ? AND id = ? AND NOT deleted`, kind, org, id))
		if errors.Is(err, sql.ErrNoRows) {
			return publish.ErrNotFound
		}
		return err
	})
	return o, err
}

func (s views) List(ctx context.Context, q publish.Query) (publish.Page, error) {
	where, args, err := objectFilter(q)
	if err != nil {
		return publish.Page{}, err
	}
	after, afterArgs, order, err := objectOrder(q)
	if err != nil {
		return publish.Page{}, err
	}
	limit := page.Limit(q.Limit)
	var p publish.Page
	err = s.read(ctx, "listing objects", func(ctx context.Context, db *sql.DB) error {
		// The inner question reads one index only, and none of the texts.
		rows, err := db.QueryContext(ctx, `SELECT `+objectColumns+` FROM objects WHERE rowid IN (SELECT rowid FROM objects WHERE `+
			where+after+` ORDER BY `+order+` LIMIT ?) ORDER BY `+order,
			slices.Concat(args, afterArgs, []any{limit + 1})...) // one more tells whether a page follows
		if p.Items, err = collect(rows, err, scanObject); err != nil {
			return err
		}
		if q.After == "" && len(p.Items) <= limit {
			p.Total = len(p.Items)
			return nil
		}
		return db.QueryRowContext(ctx, `SELECT count(*) FROM objects WHERE `+where, args...).Scan(&p.Total)
	})
	if err != nil {
		return publish.Page{}, err
	}
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := p.Items[limit-1]
		c := page.Cursor{Sort: sortByName, Key: page.SortKey(last.Summary.Name), ID: last.ID}
		if q.Sort == sortByTime {
			c.Sort, c.Key = sortByTime, strconv.FormatInt(millis(last.UpdatedAt), 10)
		}
		p.Next = c.Encode()
	}
	return p, nil
}

// The orders of a list of objects.
const (
	sortByName = "name"
	sortByTime = "-updated"
)

func objectFilter(q publish.Query) (where string, args []any, err error) {
	where, args = `kind = ? AND org = ? AND deleted = 0`, []any{q.Kind, q.Org}
	if q.State != "" {
		where, args = where+` AND state = ?`, append(args, q.State)
	}
	if q.Tag != "" {
		where, args = where+` AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)`, append(args, q.Tag)
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

func objectOrder(q publish.Query) (after string, args []any, order string, err error) {
	sort := sortByName
	order = `sort_name, id`
	if q.Sort == sortByTime {
		sort, order = sortByTime, `updated_at DESC, id`
	}
	if q.After == "" {
		return "", nil, order, nil
	}
	c, err := page.Decode(sort, q.After)
	if err != nil {
		return "", nil, "", err
	}
	if sort == sortByName {
		return ` AND (sort_name, id) > (?, ?)`, []any{c.Key, c.ID}, order, nil
	}
	// A cursor whose key is no number was not made here; it reads as 0.
	ms, _ := strconv.ParseInt(c.Key, 10, 64)
	return ` AND (updated_at < ? OR updated_at = ? AND id > ?)`, []any{ms, ms, c.ID}, order, nil
}

func scanObject(row scanner) (publish.Object, error) {
	var o publish.Object
	var at int64
	var author, tags, groups []byte
	var search string
	err := row.Scan(&o.Org, &o.Kind, &o.ID, &o.Rev, &o.SHA, &o.Deleted, &at, &author,
		&o.Summary.Name, &o.Summary.State, &tags, &groups, &search, &o.Text)
	if err != nil {
		return o, err
	}
	o.UpdatedAt = instant(at)
	if !o.Deleted {
		o.Text = notNil(o.Text)
	}
	o.Summary.Search = page.Split(search)
	return o, errors.Join(json.Unmarshal(author, &o.UpdatedBy), json.Unmarshal(tags, &o.Summary.Tags),
		json.Unmarshal(groups, &o.Summary.Groups))
}
