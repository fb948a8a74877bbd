// Package mongo keeps what the dashboard owns in MongoDB 4.4 or newer:
// standalone, replica set or sharded cluster. Package sqlite is the embedded
// default; both pass the same contract suites.
//
// Every write waits for a majority and the journal (package mongodb sees to it),
// and nothing here needs a transaction: what must be atomic is one document. The collections are small and
// must not be sharded by anything but _id, since MongoDB guards uniqueness within
// a shard. Texts are binary, never subdocuments, because their field names may
// hold dots and dollars. Values from outside are only ever operands of a filter
// that is built here, so that no text of a caller can become an operator.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/storecall"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
)

// Store is the dashboard's database. Its methods give the parts of it, each safe
// for concurrent use.
type Store struct {
	db    *driver.Database
	close func(context.Context) error
}

// Open connects, and brings indexes and documents up to date.
func Open(ctx context.Context, c mongodb.Config) (*Store, error) {
	db, disconnect, err := mongodb.Open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("opening the configuration store: %w", err)
	}
	s := &Store{db: db, close: disconnect}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, disconnect(ctx))
	}
	return s, nil
}

// Ping asks the primary, as a health check.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := storecall.Within(ctx)
	defer cancel()
	_, err := mongodb.Ping(ctx, s.db)
	return explain(ctx, "checking the configuration store", err)
}

// Close disconnects. No call may be under way.
func (s *Store) Close(ctx context.Context) error { return s.close(ctx) }

// Log is the log of revisions.
func (s *Store) Log() publish.Log { return revisions{s.db.Collection(revisionsName)} }

// Contents are the texts by their sums.
func (s *Store) Contents() publish.Contents { return contents{s.db.Collection(contentsName)} }

// Views are the present states of the revisioned objects.
func (s *Store) Views() publish.Views { return views{s.db} }

// Marks are the numbers that only rise.
func (s *Store) Marks() publish.Marks { return marks{s.db.Collection(marksName)} }

// Keys are the callers' keys.
func (s *Store) Keys() keys.Store { return keyStore{s.db.Collection(keysName)} }

// Users are the people who may sign in.
func (s *Store) Users() people.Users { return users{s.db.Collection(usersName)} }

// Sessions are the signed-in browsers.
func (s *Store) Sessions() people.Sessions { return sessions{s.db.Collection(sessionsName)} }

// Tokens are the API tokens.
func (s *Store) Tokens() people.Tokens { return tokens{s.db.Collection(tokensName)} }

// Attempts are the failed sign-ins.
func (s *Store) Attempts() people.Attempts { return attempts{s.db.Collection(attemptsName)} }

// Drafts are the changes that are not published yet.
func (s *Store) Drafts() drafts.Shelf { return draftStore{s.db.Collection(draftsName)} }

func explain(ctx context.Context, doing string, err error) error {
	return storecall.Explain(ctx, doing, err, away, "try again, and check MongoDB and the network to it")
}

// away tells errors of the connection from answers of the server.
func away(err error) bool { return driver.IsNetworkError(err) || driver.IsTimeout(err) }

// call runs f under the call's deadline and says in the error what was being done.
func call(ctx context.Context, doing string, f func(context.Context) error) error {
	ctx, cancel := storecall.Within(ctx)
	defer cancel()
	return explain(ctx, doing, f(ctx))
}

// find reads every document that a query gives into values of their stored form.
func find[D any](ctx context.Context, c *driver.Collection, filter bson.D, o *options.FindOptionsBuilder) ([]D, error) {
	cursor, err := c.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	var docs []D
	return docs, cursor.All(ctx, &docs)
}

// findOne reads the document that a filter gives, or returns missing.
func findOne[D any](ctx context.Context, c *driver.Collection, filter bson.D, missing error) (D, error) {
	var doc D
	err := c.FindOne(ctx, filter).Decode(&doc)
	if errors.Is(err, driver.ErrNoDocuments) {
		return doc, missing
	}
	return doc, err
}

// upserted runs an upsert again that lost the race to insert against another
// process: now the document is there.
func upserted(f func() error) error {
	err := f()
	if driver.IsDuplicateKeyError(err) {
		return f()
	}
	return err
}

// eq is the filter for one field having a value.
func eq(field string, value any) bson.D { return bson.D{{Key: field, Value: value}} }

// date is the stored form of an instant; fractions of a millisecond are cut.
func date(t time.Time) bson.DateTime { return bson.DateTime(t.UnixMilli()) }

// instant is the inverse of date, in UTC. A zero time stays one.
func instant(d bson.DateTime) time.Time { return time.UnixMilli(int64(d)).UTC() }
