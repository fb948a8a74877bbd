package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// tokens are the API tokens.
type tokens struct{ c *driver.Collection }

var _ people.Tokens = tokens{}

type tokenDoc struct {
	ID        string        `bson:"_id"`
	Org       string        `bson:"org"`
	UserID    string        `bson:"userId"`
	Name      string        `bson:"name"`
	Prefix    string        `bson:"prefix"`
	Hash      string        `bson:"hash"`
	Role      string        `bson:"role"`
	CreatedAt bson.DateTime `bson:"createdAt"`
	ExpiresAt bson.DateTime `bson:"expiresAt"`
	UsedAt    bson.DateTime `bson:"usedAt"`
}

func newTokenDoc(t people.Token) tokenDoc {
	return tokenDoc{
		ID: t.ID, Org: t.Org, UserID: t.UserID, Name: t.Name, Prefix: t.Prefix, Hash: t.Hash, Role: string(t.Role),
		CreatedAt: date(t.CreatedAt), ExpiresAt: date(t.ExpiresAt), UsedAt: date(t.UsedAt),
	}
}

func (s tokens) Insert(ctx context.Context, t people.Token) error {
	doc := newTokenDoc(t)
	return call(ctx, "adding a token", func(ctx context.Context) error {
		_, err := s.c.InsertOne(ctx, doc)
		if driver.IsDuplicateKeyError(err) {
			return people.ErrTaken
		}
		return err
	})
}

func (s tokens) ByHash(ctx context.Context, hash string) (people.Token, error) {
	var doc tokenDoc
	err := call(ctx, "reading a token", func(ctx context.Context) (err error) {
		doc, err = findOne[tokenDoc](ctx, s.c, eq("hash", hash), people.ErrNotFound)
		return err
	})
	if err != nil {
		return people.Token{}, err
	}
	return doc.token(), nil
}

func (s tokens) List(ctx context.Context, org string) (list []people.Token, err error) {
	err = call(ctx, "listing tokens", func(ctx context.Context) error {
		order := bson.D{{Key: "createdAt", Value: -1}, {Key: "_id", Value: 1}}
		docs, err := find[tokenDoc](ctx, s.c, eq("org", org), options.Find().SetSort(order))
		for _, d := range docs {
			list = append(list, d.token())
		}
		return err
	})
	return list, err
}

func (s tokens) Delete(ctx context.Context, org, id string) error {
	return call(ctx, "removing a token", func(ctx context.Context) error {
		r, err := s.c.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "org", Value: org}})
		if err == nil && r.DeletedCount == 0 {
			return people.ErrNotFound
		}
		return err
	})
}

func (s tokens) Touch(ctx context.Context, id string, at time.Time) error {
	return call(ctx, "noting a token's use", func(ctx context.Context) error {
		_, err := s.c.UpdateOne(ctx, eq("_id", id), eq("$max", eq("usedAt", date(at))))
		return err
	})
}

func (d tokenDoc) token() people.Token {
	return people.Token{
		ID: d.ID, Org: d.Org, UserID: d.UserID, Name: d.Name, Prefix: d.Prefix, Hash: d.Hash,
		Role: people.Role(d.Role), CreatedAt: instant(d.CreatedAt), ExpiresAt: instant(d.ExpiresAt), UsedAt: instant(d.UsedAt),
	}
}
