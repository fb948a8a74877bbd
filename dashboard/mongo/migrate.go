package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// migrateTimeout bounds all steps together when the caller's context has no
// deadline; an index of a large collection takes longer than a call may.
const migrateTimeout = 10 * time.Minute

// step is one migration. It may run more than once, at the same time on two
// dashboards, and while an older one is working: so it is idempotent and only adds
// what an older one ignores.
type step struct {
	number int64
	name   string
	run    func(context.Context, *driver.Database) error
}

// steps go forward only; one that was released never changes, and numbers rise.
func steps() []step {
	return []step{
		{1, "indexes of the first release", createIndexes},
		{2, "indexes of certificates, secrets and documents", createIndexes},
		{3, "indexes of drafts", createIndexes},
	}
}

// migrationDoc notes that a step is done.
type migrationDoc struct {
	ID   int64         `bson:"_id"`
	Name string        `bson:"name"`
	At   bson.DateTime `bson:"at"`
}

// migrate runs the steps that are not noted as done. Steps of a newer dashboard
// that this one does not know are none of its business.
func (s *Store) migrate(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, migrateTimeout)
		defer cancel()
	}
	notes := s.db.Collection(migrationsName)
	done, err := find[migrationDoc](ctx, notes, bson.D{}, nil)
	if err != nil {
		return explain(ctx, "reading which migrations are done", err)
	}
	known := make(map[int64]bool, len(done))
	for _, d := range done {
		known[d.ID] = true
	}
	for _, step := range steps() {
		if known[step.number] {
			continue
		}
		if err := step.run(ctx, s.db); err != nil {
			return explain(ctx, fmt.Sprintf("running migration %d (%s)", step.number, step.name), err)
		}
		_, err := notes.InsertOne(ctx, migrationDoc{ID: step.number, Name: step.name, At: date(time.Now())})
		if err != nil && !driver.IsDuplicateKeyError(err) { // another dashboard did the same
			return explain(ctx, fmt.Sprintf("noting migration %d", step.number), err)
		}
	}
	return nil
}
