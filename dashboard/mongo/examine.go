package mongo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
)

// The oldest MongoDB that works.
const oldestMajor, oldestMinor = 4, 4

// Examine tells how the database is, without making or migrating anything.
func Examine(ctx context.Context, c mongodb.Config) (f checkup.Facts, err error) {
	db, disconnect, err := mongodb.Open(ctx, c)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, disconnect(context.WithoutCancel(ctx))) }()
	var build struct {
		Version string `bson:"version"`
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return f, fmt.Errorf("mongodb: ask for its version: %w", err)
	}
	f.Server = "MongoDB " + build.Version
	if older(build.Version) {
		f.TooOld = fmt.Sprintf("%d.%d", oldestMajor, oldestMinor)
	}
	f.Known = len(steps())
	done, err := find[migrationDoc](ctx, db.Collection(migrationsName), bson.D{}, nil)
	if err != nil {
		return f, fmt.Errorf("mongodb: read which migrations are done: %w", err)
	}
	f.Steps = len(done)
	log := revisions{db.Collection(revisionsName)}
	if f.Newest, err = log.Newest(ctx); err != nil {
		return f, err
	}
	upTo := func(ctx context.Context, n int64) (int64, error) {
		return log.c.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int64(1)}, {Key: "$lte", Value: n}}}})
	}
	if f.Count, err = upTo(ctx, f.Newest); err != nil {
		return f, fmt.Errorf("mongodb: count the revisions: %w", err)
	}
	known := marks{db.Collection(marksName)}
	if f.Applied, err = known.Mark(ctx, "applied"); err != nil {
		return f, err
	}
	if f.Epoch, err = known.Mark(ctx, "epoch"); err != nil {
		return f, err
	}
	if f.Count != f.Newest {
		f.Gap, err = checkup.FirstGap(ctx, f.Newest, upTo)
	}
	return f, err
}

// older tells whether a version is too old; one that cannot be read is not.
func older(version string) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err1 := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	return err1 == nil && err2 == nil && (major < oldestMajor || major == oldestMajor && minor < oldestMinor)
}
