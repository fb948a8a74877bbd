package mongo

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

const eachBatch = 100 // objects that Each reads at a time

// The orders of a list of objects.
const (
	sortByName = "name"
	sortByTime = "-updated"
)

// views are the present states of the revisioned objects, a collection per kind.
type views struct{ db *driver.Database }

var _ publish.Views = views{}

// viewNames lists the collections that viewName gives.
func viewNames() []string {
	return []string{apisName, policiesName, certificatesName, secretsName, documentsName}
}

// view gives the collection of a kind.
func (s views) view(kind string) (*driver.Collection, error) {
	switch kind {
	case publish.KindAPI:
		return s.db.Collection(apisName), nil
	case publish.KindPolicy:
		return s.db.Collection(policiesName), nil
	case publish.KindCertificate:
		return s.db.Collection(certificatesName), nil
	case publish.KindSecret:
		return s.db.Collection(secretsName), nil
	case publish.KindDocument:
		return s.db.Collection(documentsName), nil
	}
	return nil, fmt.Errorf("no view of kind %q", kind)
}

type objectDoc struct {
	Key       string        `bson:"_id"`
	Org       string        `bson:"org"`
	Kind      string        `bson:"kind"`
	ID        string        `bson:"id"`
	Rev       int64         `bson:"rev"`
	SHA       string        `bson:"sha"`
	Deleted   bool          `bson:"deleted"`
	UpdatedAt bson.DateTime `bson:"updatedAt"`
	UpdatedBy authorDoc     `bson:"updatedBy"`
	Name      string        `bson:"name"`
	SortName  string        `bson:"sortName"`
	State     string        `bson:"state"`
	Tags      []string      `bson:"tags,omitempty"`
	Groups    []string      `bson:"groups,omitempty"`
	Search    string        `bson:"search"`
	Text      []byte        `bson:"text,omitempty"`
}

// objectKey is the _id of an object. Only the organisation is escaped, so the
// first slash parts the two, and ids are ordered as they are.
func objectKey(org, id string) string { return url.PathEscape(org) + "/" + id }

func (s views) Apply(ctx context.Context, o publish.Object) error {
	c, err := s.view(o.Kind)
	if err != nil {
		return err
	}
	doc := objectDoc{
		Key: objectKey(o.Org, o.ID), Org: o.Org, Kind: o.Kind, ID: o.ID, Rev: o.Rev, SHA: o.SHA,
		Deleted: o.Deleted, UpdatedAt: date(o.UpdatedAt), UpdatedBy: authorDoc(o.UpdatedBy),
		Name: o.Summary.Name, SortName: page.SortKey(o.Summary.Name), State: o.Summary.State,
		Tags: o.Summary.Tags, Groups: o.Summary.Groups, Search: page.Join(o.Summary.Search...),
	}
	if !o.Deleted {
		doc.Text = o.Text
	}
	older := bson.D{{Key: "_id", Value: doc.Key}, {Key: "rev", Value: eq("$lt", o.Rev)}}
	return call(ctx, "applying a revision's step", func(ctx context.Context) error {
		err := upserted(func() error {
			_, err := c.ReplaceOne(ctx, older, doc, options.Replace().SetUpsert(true))
			return err
		})
		// Objects are never removed: a second duplicate means that the one which is
		// there is not older.
		if driver.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
}

// Each reads in batches by the key, so that no server cursor outlives a call
// while the caller works, and an object that is there from the first batch to the
// last is yielded once.
func (s views) Each(ctx context.Context) iter.Seq2[publish.Object, error] {
	return func(yield func(publish.Object, error) bool) {
		for _, name := range viewNames() {
			if !eachOf(ctx, s.db.Collection(name), yield) {
				return
			}
		}
	}
}

// eachOf yields the objects of one collection and tells whether to go on.
func eachOf(ctx context.Context, c *driver.Collection, yield func(publish.Object, error) bool) bool {
	last := ""
	for {
		var batch []objectDoc
		err := call(ctx, "reading all objects", func(ctx context.Context) (err error) {
			batch, err = find[objectDoc](ctx, c, bson.D{{Key: "_id", Value: eq("$gt", last)}},
				options.Find().SetSort(eq("_id", 1)).SetLimit(eachBatch))
			return err
		})
		if err != nil {
			yield(publish.Object{}, err)
			return false
		}
		for _, d := range batch {
			if !yield(d.object(), nil) {
				return false
			}
		}
		if len(batch) < eachBatch {
			return true
		}
		last = batch[len(batch)-1].Key
	}
}

func (s views) Get(ctx context.Context, org, kind, id string) (publish.Object, error) {
	c, err := s.view(kind)
	if err != nil {
		return publish.Object{}, err
	}
	var doc objectDoc
	err = call(ctx, "reading an object", func(ctx context.Context) (err error) {
		filter := bson.D{{Key: "_id", Value: objectKey(org, id)}, {Key: "deleted", Value: false}}
		doc, err = findOne[objectDoc](ctx, c, filter, publish.ErrNotFound)
		return err
	})
	if err != nil {
		return publish.Object{}, err
	}
	return doc.object(), nil
}

func (s views) List(ctx context.Context, q publish.Query) (publish.Page, error) {
	c, err := s.view(q.Kind)
	if err != nil {
		return publish.Page{}, err
	}
	filter, err := objectFilter(q)
	if err != nil {
		return publish.Page{}, err
	}
	after, order, err := objectOrder(q)
	if err != nil {
		return publish.Page{}, err
	}
	limit := page.Limit(q.Limit)
	var docs []objectDoc
	var total int64
	err = call(ctx, "listing objects", func(ctx context.Context) (err error) {
		// One more than the page holds tells whether another follows.
		docs, err = find[objectDoc](ctx, c, append(filter[:len(filter):len(filter)], after...), options.Find().SetSort(order).SetLimit(int64(limit+1)))
		if err != nil || q.After == "" && len(docs) <= limit {
			total = int64(len(docs))
			return err
		}
		total, err = c.CountDocuments(ctx, filter)
		return err
	})
	if err != nil {
		return publish.Page{}, err
	}
	p := publish.Page{Total: int(total)}
	if len(docs) > limit {
		docs = docs[:limit]
		last := docs[limit-1]
		c := page.Cursor{Sort: sortByName, Key: last.SortName, ID: last.ID}
		if q.Sort == sortByTime {
			c.Sort, c.Key = sortByTime, strconv.FormatInt(int64(last.UpdatedAt), 10)
		}
		p.Next = c.Encode()
	}
	for _, d := range docs {
		p.Items = append(p.Items, d.object())
	}
	return p, nil
}

func objectFilter(q publish.Query) (bson.D, error) {
	filter := bson.D{{Key: "org", Value: q.Org}, {Key: "deleted", Value: false}}
	if q.State != "" {
		filter = append(filter, bson.E{Key: "state", Value: q.State})
	}
	if q.Tag != "" {
		filter = append(filter, bson.E{Key: "tags", Value: q.Tag})
	}
	return searched(filter, q.Q)
}

// searched adds the search for a substring, in which nothing is an operator.
func searched(filter bson.D, q string) (bson.D, error) {
	if q == "" {
		return filter, nil
	}
	question, err := page.Question(q)
	if err != nil {
		return nil, err
	}
	return append(filter, bson.E{Key: "search", Value: eq("$regex", regexp.QuoteMeta(question))}), nil
}

func objectOrder(q publish.Query) (after, order bson.D, err error) {
	sort, field, direction, beyond := sortByName, "sortName", 1, "$gt"
	if q.Sort == sortByTime {
		sort, field, direction, beyond = sortByTime, "updatedAt", -1, "$lt"
	}
	order = bson.D{{Key: field, Value: direction}, {Key: "_id", Value: 1}}
	if q.After == "" {
		return nil, order, nil
	}
	c, err := page.Decode(sort, q.After)
	if err != nil {
		return nil, nil, err
	}
	var key any = c.Key
	if sort == sortByTime {
		// A cursor whose key is no number was not made here; it reads as 0.
		ms, _ := strconv.ParseInt(c.Key, 10, 64)
		key = date(time.UnixMilli(ms))
	}
	return behind(field, beyond, key, "$gt", objectKey(q.Org, c.ID)), order, nil
}

// behind is the filter for what follows (value, id) in the order of a field and
// then of _id.
func behind(field, beyond string, value any, beyondID, id string) bson.D {
	return eq("$or", bson.A{
		eq(field, eq(beyond, value)),
		bson.D{{Key: field, Value: value}, {Key: "_id", Value: eq(beyondID, id)}},
	})
}

func (d objectDoc) object() publish.Object {
	o := publish.Object{
		Org: d.Org, Kind: d.Kind, ID: d.ID, Rev: d.Rev, SHA: d.SHA, Text: d.Text, Deleted: d.Deleted,
		UpdatedAt: instant(d.UpdatedAt), UpdatedBy: publish.Author(d.UpdatedBy),
		Summary: publish.Summary{Name: d.Name, State: d.State, Tags: d.Tags, Groups: d.Groups, Search: page.Split(d.Search)},
	}
	if !o.Deleted {
		o.Text = notNil(o.Text)
	}
	return o
}
