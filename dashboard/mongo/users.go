package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// users are the people who may sign in.
type users struct{ c *driver.Collection }

var _ people.Users = users{}

type userDoc struct {
	ID           string        `bson:"_id"`
	Org          string        `bson:"org"`
	Login        string        `bson:"login"`
	Name         string        `bson:"name"`
	PasswordHash string        `bson:"passwordHash"`
	MustChange   bool          `bson:"mustChange"`
	Role         string        `bson:"role"`
	Suspended    bool          `bson:"suspended"`
	Locale       string        `bson:"locale"`
	TimeZone     string        `bson:"timeZone"`
	Theme        string        `bson:"theme"`
	Version      int64         `bson:"version"`
	CreatedAt    bson.DateTime `bson:"createdAt"`
	UpdatedAt    bson.DateTime `bson:"updatedAt"`
}

func (s users) Insert(ctx context.Context, u people.User) error {
	return call(ctx, "adding a user", func(ctx context.Context) error {
		_, err := s.c.InsertOne(ctx, newUserDoc(u))
		if driver.IsDuplicateKeyError(err) {
			return people.ErrTaken
		}
		return err
	})
}

func (s users) Replace(ctx context.Context, u people.User, version int64) error {
	return call(ctx, "changing a user", func(ctx context.Context) error {
		r, err := s.c.ReplaceOne(ctx, bson.D{{Key: "_id", Value: u.ID}, {Key: "version", Value: version}}, newUserDoc(u))
		if driver.IsDuplicateKeyError(err) {
			return people.ErrTaken
		}
		if err != nil || r.MatchedCount > 0 {
			return err
		}
		if _, err := findOne[userDoc](ctx, s.c, eq("_id", u.ID), people.ErrNotFound); err != nil {
			return err
		}
		return people.ErrStale
	})
}

func (s users) ByID(ctx context.Context, id string) (people.User, error) {
	return s.one(ctx, eq("_id", id))
}

func (s users) ByLogin(ctx context.Context, login string) (people.User, error) {
	return s.one(ctx, eq("login", login))
}

func (s users) one(ctx context.Context, filter bson.D) (people.User, error) {
	var doc userDoc
	err := call(ctx, "reading a user", func(ctx context.Context) (err error) {
		doc, err = findOne[userDoc](ctx, s.c, filter, people.ErrNotFound)
		return err
	})
	if err != nil {
		return people.User{}, err
	}
	return doc.user(), nil
}

func (s users) List(ctx context.Context, org string) (list []people.User, err error) {
	err = call(ctx, "listing users", func(ctx context.Context) error {
		docs, err := find[userDoc](ctx, s.c, eq("org", org), options.Find().SetSort(eq("login", 1)))
		for _, d := range docs {
			list = append(list, d.user())
		}
		return err
	})
	return list, err
}

func newUserDoc(u people.User) userDoc {
	return userDoc{
		ID: u.ID, Org: u.Org, Login: u.Login, Name: u.Name, PasswordHash: u.PasswordHash, MustChange: u.MustChange,
		Role: string(u.Role), Suspended: u.Suspended, Locale: u.Locale, TimeZone: u.TimeZone, Theme: u.Theme,
		Version: u.Version, CreatedAt: date(u.CreatedAt), UpdatedAt: date(u.UpdatedAt),
	}
}

func (d userDoc) user() people.User {
	return people.User{
		ID: d.ID, Org: d.Org, Login: d.Login, Name: d.Name, PasswordHash: d.PasswordHash, MustChange: d.MustChange,
		Role: people.Role(d.Role), Suspended: d.Suspended, Locale: d.Locale, TimeZone: d.TimeZone, Theme: d.Theme,
		Version: d.Version, CreatedAt: instant(d.CreatedAt), UpdatedAt: instant(d.UpdatedAt),
	}
}
