package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// revisions is the log of truth; its numbers are the _ids.
type revisions struct{ c *driver.Collection }

var _ publish.Log = revisions{}

type authorDoc struct {
	Kind string `bson:"kind"`
	ID   string `bson:"id"`
	Name string `bson:"name"`
}

type changeDoc struct {
	Org    string `bson:"org"`
	Kind   string `bson:"kind"`
	ID     string `bson:"id"`
	Before string `bson:"before,omitempty"`
	After  string `bson:"after,omitempty"`
}

type revisionDoc struct {
	N       int64         `bson:"_id"`
	At      bson.DateTime `bson:"at"`
	Author  authorDoc     `bson:"author"`
	Note    string        `bson:"note,omitempty"`
	Changes []changeDoc   `bson:"changes"`
	Objects []string      `bson:"objects"` // kind/id of each change, for the filter of a page
}

func (s revisions) Newest(ctx context.Context) (int64, error) {
	var n int64
	err := call(ctx, "reading the newest revision's number", func(ctx context.Context) error {
		var doc struct {
			N int64 `bson:"_id"`
		}
		err := s.c.FindOne(ctx, bson.D{}, options.FindOne().SetSort(eq("_id", -1)).SetProjection(eq("_id", 1))).Decode(&doc)
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil
		}
		n = doc.N
		return err
	})
	return n, err
}

func newRevisionDoc(r publish.Revision) revisionDoc {
	doc := revisionDoc{
		N: r.N, At: date(r.At), Author: authorDoc(r.Author), Note: r.Note,
		Changes: make([]changeDoc, 0, len(r.Changes)), Objects: make([]string, 0, len(r.Changes)),
	}
	for _, c := range r.Changes {
		doc.Changes = append(doc.Changes, changeDoc(c))
		doc.Objects = append(doc.Objects, objectName(c.Kind, c.ID))
	}
	return doc
}

func (s revisions) Append(ctx context.Context, r publish.Revision) error {
	doc := newRevisionDoc(r)
	return call(ctx, "appending a revision", func(ctx context.Context) error {
		_, err := s.c.InsertOne(ctx, doc)
		if driver.IsDuplicateKeyError(err) {
			return publish.ErrTaken
		}
		return err
	})
}

func (s revisions) Since(ctx context.Context, after int64, limit int) ([]publish.Revision, error) {
	return s.list(ctx, "reading revisions", bson.D{{Key: "_id", Value: eq("$gt", after)}}, 1, limit)
}

func (s revisions) Page(ctx context.Context, before int64, limit int, kind, id string) ([]publish.Revision, error) {
	filter := bson.D{}
	if kind != "" && id != "" {
		filter = append(filter, bson.E{Key: "objects", Value: objectName(kind, id)})
	}
	if before != 0 {
		filter = append(filter, bson.E{Key: "_id", Value: eq("$lt", before)})
	}
	return s.list(ctx, "reading a page of revisions", filter, -1, limit)
}

func (s revisions) list(ctx context.Context, doing string, filter bson.D, direction, limit int) (list []publish.Revision, err error) {
	if limit < 1 { // which MongoDB would take as no limit
		return nil, ctx.Err()
	}
	err = call(ctx, doing, func(ctx context.Context) error {
		docs, err := find[revisionDoc](ctx, s.c, filter, options.Find().SetSort(eq("_id", direction)).SetLimit(int64(limit)))
		for _, d := range docs {
			list = append(list, d.revision())
		}
		return err
	})
	return list, err
}

func (d revisionDoc) revision() publish.Revision {
	r := publish.Revision{N: d.N, At: instant(d.At), Author: publish.Author(d.Author), Note: d.Note}
	for _, c := range d.Changes {
		r.Changes = append(r.Changes, publish.Change(c))
	}
	return r
}

// objectName is unique for kind and id, as kinds have no slash.
func objectName(kind, id string) string { return kind + "/" + id }
