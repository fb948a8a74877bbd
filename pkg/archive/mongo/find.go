package mongo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Find returns a page of the newest records that a filter finds behind a cursor;
// see archive.Search.
func (a *Archive) Find(ctx context.Context, f archive.Filter, after archive.Cursor, limit int) (archive.Page[record.Entry], error) {
	page, err := archive.Search(ctx, a, f, after, limit)
	if err != nil {
		return page, fmt.Errorf("find records: %w", err)
	}
	return page, nil
}

// Get returns the record with an id, from whichever day, or ErrNotFound.
func (a *Archive) Get(ctx context.Context, id string) (entry record.Entry, err error) {
	err = archive.Newest(ctx, a, func(d archive.Day) (bool, error) {
		var doc document
		err := a.collection(d).FindOne(ctx, equal("_id", id)).Decode(&doc)
		if errors.Is(err, driver.ErrNoDocuments) {
			return false, nil
		}
		if err == nil {
			entry, err = doc.entry()
		}
		return err == nil, err
	})
	return entry, err
}

// Entries is a part of Find.
func (a *Archive) Entries(ctx context.Context, q archive.Question, limit int) ([]record.Entry, error) {
	newest := bson.D{{Key: "us", Value: -1}, {Key: "_id", Value: -1}}
	cursor, err := a.collection(q.Day).Find(ctx, conditions(q), options.Find().SetSort(newest).SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	var docs []document
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, err
	}
	found := make([]record.Entry, len(docs))
	for i := range docs {
		if found[i], err = docs[i].entry(); err != nil {
			return nil, fmt.Errorf("record %s: %w", docs[i].ID, err)
		}
	}
	return found, nil
}

// Count is a part of Find.
func (a *Archive) Count(ctx context.Context, q archive.Question, limit int) (int, error) {
	n, err := a.collection(q.Day).CountDocuments(ctx, conditions(q), options.Count().SetLimit(int64(limit)))
	return int(n), err
}

// conditions are the filter of a question. Texts of the question are only ever
// operands here, and quoted where they become a part of a pattern.
func conditions(q archive.Question) bson.D {
	from, to := q.Micros()
	c := bson.D{{Key: "us", Value: bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}}}
	if q.After != (archive.Cursor{}) {
		at := q.After.At.UnixMicro()
		c = append(c, either(
			bson.D{{Key: "us", Value: bson.D{{Key: "$lt", Value: at}}}},
			bson.D{{Key: "us", Value: at}, {Key: "_id", Value: bson.D{{Key: "$lt", Value: valid(q.After.ID)}}}},
		))
	}
	for _, f := range []struct{ field, value string }{
		{"org", q.Org},
		{"api", q.API},
		{"key", q.Key},
		{"method", q.Method},
		{"route", q.Route},
		{"client", q.Client},
		{"target", q.Target},
		{"node", q.Node},
		{"host", q.Host},
		{"requestId", q.RequestID},
		{"refusal", q.Refusal},
	} {
		if f.value != "" {
			c = append(c, equal(f.field, valid(f.value))...)
		}
	}
	if q.NoAPI {
		c = append(c, bson.E{Key: "api", Value: nil})
	}
	if q.StatusMin > 0 {
		c = append(c, bson.E{Key: "status", Value: bson.D{{Key: "$gte", Value: q.StatusMin}}})
	}
	if q.StatusMax > 0 {
		c = append(c, bson.E{Key: "status", Value: bson.D{{Key: "$lte", Value: q.StatusMax}}})
	}
	if q.SlowerThan > 0 {
		c = append(c, bson.E{Key: "totalUs", Value: bson.D{{Key: "$gte", Value: archive.Micros(q.SlowerThan)}}})
	}
	if begin, ok := strings.CutSuffix(q.Path, "*"); ok && begin != "" {
		c = append(c, bson.E{Key: "path", Value: bson.Regex{Pattern: "^" + quote(begin)}})
	} else if !ok && q.Path != "" {
		c = append(c, equal("path", valid(q.Path))...)
	}
	if q.Text != "" {
		c = append(c, either(
			bson.D{{Key: "path", Value: bson.Regex{Pattern: quote(q.Text), Options: "i"}}},
			equal("requestId", valid(q.Text)),
		))
	}
	return bson.D{{Key: "$and", Value: every(c)}}
}

// every is the list of single conditions, since a document must not name a field or
// an operator twice.
func every(c bson.D) bson.A {
	list := make(bson.A, len(c))
	for i, e := range c {
		list[i] = bson.D{e}
	}
	return list
}

func equal(field, value string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$eq", Value: value}}}}
}

func either(conditions ...bson.D) bson.E { return bson.E{Key: "$or", Value: conditions} }

// valid is a text as documents have it.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// quote makes a pattern that finds a text and nothing else. A pattern ends at a NUL.
func quote(s string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(valid(s)), "\x00", `\x00`)
}
