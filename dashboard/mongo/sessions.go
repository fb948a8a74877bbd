package mongo

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// sessions are the signed-in browsers.
type sessions struct{ c *driver.Collection }

var _ people.Sessions = sessions{}

type sessionDoc struct {
	ID        string        `bson:"_id"`
	UserID    string        `bson:"userId"`
	CSRF      string        `bson:"csrf"`
	CreatedAt bson.DateTime `bson:"createdAt"`
	SeenAt    bson.DateTime `bson:"seenAt"`
	ExpiresAt bson.DateTime `bson:"expiresAt"`
	Address   string        `bson:"address"`
	Agent     string        `bson:"agent"`
}

func (s sessions) Put(ctx context.Context, v people.Session) error {
	doc := sessionDoc{
		ID: v.ID, UserID: v.UserID, CSRF: v.CSRF, CreatedAt: date(v.CreatedAt), SeenAt: date(v.SeenAt),
		ExpiresAt: date(v.ExpiresAt), Address: v.Address, Agent: strings.ToValidUTF8(v.Agent, "\uFFFD"),
	}
	return call(ctx, "storing a session", func(ctx context.Context) error {
		return upserted(func() error {
			_, err := s.c.ReplaceOne(ctx, eq("_id", v.ID), doc, options.Replace().SetUpsert(true))
			return err
		})
	})
}

func (s sessions) Get(ctx context.Context, id string) (people.Session, error) {
	var d sessionDoc
	err := call(ctx, "reading a session", func(ctx context.Context) (err error) {
		d, err = findOne[sessionDoc](ctx, s.c, eq("_id", id), people.ErrNotFound)
		return err
	})
	if err != nil {
		return people.Session{}, err
	}
	return people.Session{
		ID: d.ID, UserID: d.UserID, CSRF: d.CSRF, CreatedAt: instant(d.CreatedAt), SeenAt: instant(d.SeenAt),
		ExpiresAt: instant(d.ExpiresAt), Address: d.Address, Agent: d.Agent,
	}, nil
}

func (s sessions) Delete(ctx context.Context, id string) error {
	return s.remove(ctx, "ending a session", eq("_id", id))
}

func (s sessions) DeleteOf(ctx context.Context, userID, except string) error {
	return s.remove(ctx, "ending a user's sessions",
		bson.D{{Key: "userId", Value: userID}, {Key: "_id", Value: eq("$ne", except)}})
}

func (s sessions) Sweep(ctx context.Context, now time.Time) error {
	return s.remove(ctx, "removing expired sessions", eq("expiresAt", eq("$lt", date(now))))
}

func (s sessions) remove(ctx context.Context, doing string, filter bson.D) error {
	return call(ctx, doing, func(ctx context.Context) error {
		_, err := s.c.DeleteMany(ctx, filter)
		return err
	})
}
