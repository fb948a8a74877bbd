package mongo

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/page"
)

const (
	sortKeys = "-created" // the one order of a list of keys
	noHash   = "none:"    // and the id: stands for no hash, since a unique index holds one empty array only
)

// keyStore holds the callers' keys. The key itself is a JSON text, as its metadata
// has field names of people's making; the other fields are what queries need.
type keyStore struct{ c *driver.Collection }

var _ keys.Store = keyStore{}

type keyDoc struct {
	ID        string        `bson:"_id"`
	Org       string        `bson:"org"`
	Version   int64         `bson:"version"`
	State     string        `bson:"state"`
	CreatedAt bson.DateTime `bson:"createdAt"`
	UpdatedAt bson.DateTime `bson:"updatedAt"`
	Policies  []string      `bson:"policies,omitempty"`
	APIs      []string      `bson:"apis,omitempty"`
	Search    string        `bson:"search"`
	Hashes    []string      `bson:"hashes"`
	Key       string        `bson:"key"`
}

func (s keyStore) Insert(ctx context.Context, k keys.Stored) error {
	doc, err := newKeyDoc(k)
	if err != nil {
		return err
	}
	return call(ctx, "adding a key", func(ctx context.Context) error {
		_, err := s.c.InsertOne(ctx, doc)
		if driver.IsDuplicateKeyError(err) {
			return keys.ErrTaken
		}
		return err
	})
}

func (s keyStore) Replace(ctx context.Context, k keys.Stored, version int64) error {
	doc, err := newKeyDoc(k)
	if err != nil {
		return err
	}
	this := bson.D{{Key: "_id", Value: doc.ID}, {Key: "org", Value: doc.Org}}
	return call(ctx, "changing a key", func(ctx context.Context) error {
		r, err := s.c.ReplaceOne(ctx, append(this[:2:2], bson.E{Key: "version", Value: version}), doc)
		if driver.IsDuplicateKeyError(err) {
			return keys.ErrTaken
		}
		if err != nil || r.MatchedCount > 0 {
			return err
		}
		if _, err := findOne[keyDoc](ctx, s.c, this, keys.ErrNotFound); err != nil {
			return err
		}
		return keys.ErrStale
	})
}

func (s keyStore) Get(ctx context.Context, org, id string) (k keys.Stored, err error) {
	err = call(ctx, "reading a key", func(ctx context.Context) error {
		doc, err := findOne[keyDoc](ctx, s.c, bson.D{{Key: "_id", Value: id}, {Key: "org", Value: org}}, keys.ErrNotFound)
		if err != nil {
			return err
		}
		k, err = doc.stored()
		return err
	})
	return k, err
}

func (s keyStore) List(ctx context.Context, q keys.Query) (keys.Page, error) {
	filter, err := keyFilter(q)
	if err != nil {
		return keys.Page{}, err
	}
	var after bson.D
	if q.After != "" {
		c, err := page.Decode(sortKeys, q.After)
		if err != nil {
			return keys.Page{}, err
		}
		ms, _ := strconv.ParseInt(c.Key, 10, 64) // a key that is no number was not made here; it reads as 0
		after = behind("createdAt", "$lt", bson.DateTime(ms), "$lt", c.ID)
	}
	limit := page.Limit(q.Limit)
	var p keys.Page
	err = call(ctx, "listing keys", func(ctx context.Context) error {
		order := bson.D{{Key: "createdAt", Value: -1}, {Key: "_id", Value: -1}}
		if p.Items, err = s.find(ctx, append(filter[:len(filter):len(filter)], after...), options.Find().SetSort(order).SetLimit(int64(limit+1))); err != nil {
			return err
		}
		if q.After == "" && len(p.Items) <= limit {
			p.Total = len(p.Items)
			return nil
		}
		return s.count(ctx, q, filter, &p)
	})
	if err != nil {
		return keys.Page{}, err
	}
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := p.Items[limit-1].Key
		p.Next = page.Cursor{Sort: sortKeys, Key: strconv.FormatInt(int64(date(last.CreatedAt)), 10), ID: last.ID}.Encode()
	}
	return p, nil
}

// count counts all that an organisation has, and what is narrowed further up to
// keys.MaxCounted.
func (s keyStore) count(ctx context.Context, q keys.Query, filter bson.D, p *keys.Page) error {
	o := options.Count()
	if q.Narrowed() {
		o.SetLimit(keys.MaxCounted + 1)
	}
	total, err := s.c.CountDocuments(ctx, filter, o)
	p.Total = int(total)
	if q.Narrowed() && p.Total > keys.MaxCounted {
		p.Total, p.AtLeast = keys.MaxCounted, true
	}
	return err
}

func (s keyStore) Changed(ctx context.Context, since time.Time, afterID string, limit int) (list []keys.Stored, err error) {
	if limit < 1 { // which MongoDB would take as no limit
		return nil, ctx.Err()
	}
	filter := eq("updatedAt", eq("$gte", date(since)))
	if afterID != "" {
		filter = behind("updatedAt", "$gt", date(since), "$gt", afterID)
	}
	err = call(ctx, "reading changed keys", func(ctx context.Context) error {
		order := bson.D{{Key: "updatedAt", Value: 1}, {Key: "_id", Value: 1}}
		list, err = s.find(ctx, filter, options.Find().SetSort(order).SetLimit(int64(limit)))
		return err
	})
	return list, err
}

func (s keyStore) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]keys.Stored, error) {
	docs, err := find[keyDoc](ctx, s.c, filter, o)
	if err != nil {
		return nil, err
	}
	var list []keys.Stored
	for _, d := range docs {
		k, err := d.stored()
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

func keyFilter(q keys.Query) (bson.D, error) {
	filter := eq("org", q.Org)
	if q.State != "" {
		filter = append(filter, bson.E{Key: "state", Value: string(q.State)})
	}
	if q.Policy != "" {
		filter = append(filter, bson.E{Key: "policies", Value: q.Policy})
	}
	if q.API != "" {
		filter = append(filter, bson.E{Key: "apis", Value: eq("$in", []string{q.API, "*"})})
	}
	return searched(filter, q.Q)
}

func newKeyDoc(s keys.Stored) (keyDoc, error) {
	k := s.Key
	d := keyDoc{
		ID: k.ID, Org: k.Org, Version: k.Version, State: string(k.State), CreatedAt: date(k.CreatedAt),
		UpdatedAt: date(k.UpdatedAt), Policies: k.Policies, Search: page.Join(k.Alias, k.Owner, k.Prefix, k.ID),
		Hashes: s.Hashes,
	}
	for _, r := range k.Rights {
		d.APIs = append(d.APIs, r.API)
	}
	if len(d.Hashes) == 0 {
		d.Hashes = []string{noHash + k.ID}
	}
	k.CreatedAt, k.UpdatedAt, k.ExpiresAt = instant(d.CreatedAt), instant(d.UpdatedAt), instant(date(k.ExpiresAt))
	text, err := json.Marshal(k)
	d.Key = string(text)
	return d, err
}

func (d keyDoc) stored() (keys.Stored, error) {
	k := keys.Stored{Hashes: d.Hashes}
	if len(d.Hashes) == 1 && strings.HasPrefix(d.Hashes[0], noHash) {
		k.Hashes = nil
	}
	if err := json.Unmarshal([]byte(d.Key), &k.Key); err != nil {
		return keys.Stored{}, errors.Join(errors.New("key "+d.ID+" is malformed in the store"), err)
	}
	return k, nil
}
