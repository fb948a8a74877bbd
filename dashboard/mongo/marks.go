package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// marks are numbers that only rise.
type marks struct{ c *driver.Collection }

var _ publish.Marks = marks{}

func (s marks) Mark(ctx context.Context, name string) (int64, error) {
	var doc struct {
		Value int64 `bson:"value"`
	}
	err := call(ctx, "reading a mark", func(ctx context.Context) error {
		err := s.c.FindOne(ctx, eq("_id", name)).Decode(&doc)
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil
		}
		return err
	})
	return doc.Value, err
}

func (s marks) Raise(ctx context.Context, name string, v int64) error {
	return call(ctx, "raising a mark", func(ctx context.Context) error {
		return upserted(func() error {
			_, err := s.c.UpdateOne(ctx, eq("_id", name), bson.D{{Key: "$max", Value: eq("value", v)}},
				options.UpdateOne().SetUpsert(true))
			return err
		})
	})
}
