package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// forgetAfter is how long a failure counts.
const forgetAfter = time.Hour

// attempts are the failed sign-ins.
type attempts struct{ c *driver.Collection }

var _ people.Attempts = attempts{}

type attemptDoc struct {
	Key    string        `bson:"_id"`
	Failed int           `bson:"failed"`
	Until  bson.DateTime `bson:"until"`
	At     bson.DateTime `bson:"at"`
}

func (s attempts) Get(ctx context.Context, key string) (people.Attempt, error) {
	var d attemptDoc
	err := call(ctx, "reading failed sign-ins", func(ctx context.Context) (err error) {
		d, err = findOne[attemptDoc](ctx, s.c, eq("_id", key), people.ErrNotFound)
		return err
	})
	if errors.Is(err, people.ErrNotFound) {
		return people.Attempt{}, nil
	}
	if err != nil {
		return people.Attempt{}, err
	}
	return d.attempt(), nil
}

// Fail first removes what is forgotten, so that guessed logins do not fill the
// store and a count that is too old begins anew.
func (s attempts) Fail(ctx context.Context, key string, at time.Time) (people.Attempt, error) {
	var d attemptDoc
	err := call(ctx, "counting a failed sign-in", func(ctx context.Context) error {
		_, err := s.c.DeleteMany(ctx, bson.D{
			{Key: "at", Value: eq("$lt", date(at.Add(-forgetAfter)))},
			{Key: "until", Value: eq("$lte", date(at))},
		})
		if err != nil {
			return err
		}
		return upserted(func() error {
			return s.c.FindOneAndUpdate(ctx, eq("_id", key), bson.D{
				{Key: "$inc", Value: eq("failed", 1)},
				{Key: "$max", Value: eq("at", date(at))},
				{Key: "$setOnInsert", Value: eq("until", date(time.Time{}))},
			}, options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&d)
		})
	})
	if err != nil {
		return people.Attempt{}, err
	}
	return d.attempt(), nil
}

func (s attempts) Hold(ctx context.Context, key string, until time.Time) error {
	return call(ctx, "holding sign-ins back", func(ctx context.Context) error {
		return upserted(func() error {
			_, err := s.c.UpdateOne(ctx, eq("_id", key), bson.D{
				{Key: "$set", Value: eq("until", date(until))},
				{Key: "$setOnInsert", Value: bson.D{{Key: "failed", Value: 0}, {Key: "at", Value: date(time.Time{})}}},
			}, options.UpdateOne().SetUpsert(true))
			return err
		})
	})
}

func (s attempts) Clear(ctx context.Context, key string) error {
	return call(ctx, "forgetting failed sign-ins", func(ctx context.Context) error {
		_, err := s.c.DeleteOne(ctx, eq("_id", key))
		return err
	})
}

func (d attemptDoc) attempt() people.Attempt {
	return people.Attempt{Key: d.Key, Failed: d.Failed, Until: instant(d.Until), At: instant(d.At)}
}
