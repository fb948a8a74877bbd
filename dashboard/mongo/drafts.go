package mongo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/page"
)

const sortDrafts = "-updated" // the one order of a list of drafts

// draftStore holds drafts. A draft is a JSON text and the bytes of its document; the
// other fields are what queries need of it.
type draftStore struct{ c *driver.Collection }

var _ drafts.Shelf = draftStore{}

type draftDoc struct {
	ID        string         `bson:"_id"`
	Org       string         `bson:"org"`
	Kind      string         `bson:"kind"`
	Object    string         `bson:"object"`
	Owner     string         `bson:"owner"`
	State     string         `bson:"state"`
	Slot      string         `bson:"slot"`
	Version   int64          `bson:"version"`
	DueAt     *bson.DateTime `bson:"dueAt,omitempty"` // absent: never
	UpdatedAt bson.DateTime  `bson:"updatedAt"`
	Draft     string         `bson:"draft"`
	Text      []byte         `bson:"text,omitempty"`
}

func (s draftStore) Insert(ctx context.Context, d drafts.Draft) error {
	doc, err := newDraftDoc(d)
	if err != nil {
		return err
	}
	return call(ctx, "adding a draft", func(ctx context.Context) error {
		_, err := s.c.InsertOne(ctx, doc)
		if driver.IsDuplicateKeyError(err) {
			return drafts.ErrTaken
		}
		return err
	})
}

func (s draftStore) Replace(ctx context.Context, d drafts.Draft, version int64) error {
	doc, err := newDraftDoc(d)
	if err != nil {
		return err
	}
	return call(ctx, "changing a draft", func(ctx context.Context) error {
		r, err := s.c.ReplaceOne(ctx, draftAt(d.Org, d.ID, version), doc)
		if driver.IsDuplicateKeyError(err) {
			return drafts.ErrTaken
		}
		if err != nil || r.MatchedCount > 0 {
			return err
		}
		return s.missed(ctx, d.Org, d.ID)
	})
}

// draftAt is the filter for one version of a draft.
func draftAt(org, id string, version int64) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "org", Value: org}, {Key: "version", Value: version}}
}

// missed tells why no draft of a version was found.
func (s draftStore) missed(ctx context.Context, org, id string) error {
	_, err := findOne[draftDoc](ctx, s.c, bson.D{{Key: "_id", Value: id}, {Key: "org", Value: org}}, drafts.ErrNotFound)
	if err != nil {
		return err
	}
	return drafts.ErrStale
}

func (s draftStore) Get(ctx context.Context, org, id string) (d drafts.Draft, err error) {
	err = call(ctx, "reading a draft", func(ctx context.Context) error {
		doc, err := findOne[draftDoc](ctx, s.c, bson.D{{Key: "_id", Value: id}, {Key: "org", Value: org}}, drafts.ErrNotFound)
		if err != nil {
			return err
		}
		d, err = doc.draft()
		return err
	})
	return d, err
}

func (s draftStore) Delete(ctx context.Context, org, id string, version int64) error {
	return call(ctx, "removing a draft", func(ctx context.Context) error {
		r, err := s.c.DeleteOne(ctx, draftAt(org, id, version))
		if err != nil || r.DeletedCount > 0 {
			return err
		}
		return s.missed(ctx, org, id)
	})
}

func (s draftStore) List(ctx context.Context, q drafts.Query) (drafts.Page, error) {
	filter := eq("org", q.Org)
	for _, by := range []struct{ field, value string }{{"state", string(q.State)}, {"kind", q.Kind}, {"object", q.Object}, {"owner", q.Owner}} {
		if by.value != "" {
			filter = append(filter, bson.E{Key: by.field, Value: by.value})
		}
	}
	var after bson.D
	if q.After != "" {
		c, err := page.Decode(sortDrafts, q.After)
		if err != nil {
			return drafts.Page{}, err
		}
		ms, _ := strconv.ParseInt(c.Key, 10, 64) // a key that is no number was not made here; it reads as 0
		after = behind("updatedAt", "$lt", bson.DateTime(ms), "$lt", c.ID)
	}
	limit := page.Limit(q.Limit)
	var p drafts.Page
	err := call(ctx, "listing drafts", func(ctx context.Context) error {
		var err error
		p.Items, err = s.find(ctx, append(filter[:len(filter):len(filter)], after...), options.Find().
			SetSort(bson.D{{Key: "updatedAt", Value: -1}, {Key: "_id", Value: -1}}).
			SetProjection(eq("text", 0)).SetLimit(int64(limit+1))) // one more tells whether a page follows
		if err != nil {
			return err
		}
		total, err := s.c.CountDocuments(ctx, filter)
		p.Total = int(total)
		return err
	})
	if err != nil {
		return drafts.Page{}, err
	}
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := p.Items[limit-1]
		p.Next = page.Cursor{Sort: sortDrafts, Key: strconv.FormatInt(last.UpdatedAt.UnixMilli(), 10), ID: last.ID}.Encode()
	}
	return p, nil
}

func (s draftStore) Due(ctx context.Context, now time.Time, limit int) (due []drafts.Draft, err error) {
	err = call(ctx, "reading which drafts are due", func(ctx context.Context) error {
		due, err = s.find(ctx, bson.D{{Key: "dueAt", Value: eq("$lte", date(now))}},
			options.Find().SetSort(bson.D{{Key: "dueAt", Value: 1}, {Key: "_id", Value: 1}}).SetLimit(int64(limit)))
		return err
	})
	return due, err
}

func (s draftStore) Sweep(ctx context.Context, before time.Time) error {
	return call(ctx, "removing old drafts", func(ctx context.Context) error {
		_, err := s.c.DeleteMany(ctx, bson.D{{Key: "state", Value: string(drafts.Published)}, {Key: "updatedAt", Value: eq("$lt", date(before))}})
		return err
	})
}

func (s draftStore) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]drafts.Draft, error) {
	docs, err := find[draftDoc](ctx, s.c, filter, o)
	if err != nil {
		return nil, err
	}
	list := make([]drafts.Draft, 0, len(docs))
	for _, doc := range docs {
		d, err := doc.draft()
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func newDraftDoc(d drafts.Draft) (draftDoc, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return draftDoc{}, fmt.Errorf("encoding a draft: %w", err)
	}
	doc := draftDoc{
		ID: d.ID, Org: d.Org, Kind: d.Kind, Object: d.Object, Owner: d.Owner, State: string(d.State), Slot: d.Slot(),
		Version: d.Version, UpdatedAt: date(d.UpdatedAt), Draft: string(text), Text: d.Text,
	}
	if at := d.Due(); !at.IsZero() {
		due := date(at)
		doc.DueAt = &due
	}
	return doc, nil
}

func (doc draftDoc) draft() (drafts.Draft, error) {
	var d drafts.Draft
	if err := json.Unmarshal([]byte(doc.Draft), &d); err != nil {
		return d, fmt.Errorf("decoding a stored draft: %w", err)
	}
	d.Text = doc.Text
	return d, nil
}
