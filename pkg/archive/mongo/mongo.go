// Package mongo keeps records in MongoDB 4.4 or newer, in one collection a day,
// records_YYYYMMDD. Writes wait for what the database handle asks for; open it with
// pkg/mongodb, which asks for a majority and the journal.
//
// A document is a call, with fields for people who ask by hand; what is empty or 0
// is left out, but for status.
//
//	_id          id of the record: start-shard-sequence-index
//	at           when the request's head was read, in whole milliseconds
//	us           the same as microseconds since 1970: exact, and the order of records
//	node, group  id of the gateway and its gateway group
//	org, api, version, endpoint, route
//	             organisation, ids of the API, its version and endpoint, and the
//	             endpoint's template; no api when none matched
//	status       what the client got; 0 when the connection ended before an answer
//	totalUs, upstreamUs
//	             microseconds to the last byte, and of them until the upstream's head
//	method, scheme, host, path, query, protocol
//	key, keyAlias, oauthClient, policies, tags
//	client, country, agent, requestId, traceId
//	bytesIn, bytesOut, target, attempts, refusal, error, generation
//	flags        bits, as in pkg/record
//	sample       the fraction of calls that have a record
//	request, response
//	             {headers: [{name, value}], body, size, truncated} where recorded
//	wire         the record in the form of pkg/record/record.proto, only where a text
//	             is not UTF-8: such bytes are U+FFFD in the other fields
package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

const prefix = "records_"

// Options say what is kept.
type Options struct {
	// Retention is how long records are kept; whole days are dropped. 0: for ever.
	Retention time.Duration
	// Now is the clock that late records are judged by. Default: time.Now.
	Now func() time.Time
}

// Archive is the collections of one database. It is safe for concurrent use.
type Archive struct {
	db *driver.Database
	o  Options

	mu      sync.Mutex
	indexed map[archive.Day]bool // days whose indexes this process saw to
}

// New is the archive of a database, whose connection stays the caller's to end.
func New(db *driver.Database, o Options) *Archive {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Archive{db: db, o: o, indexed: map[archive.Day]bool{}}
}

func (a *Archive) collection(d archive.Day) *driver.Collection {
	return a.db.Collection(prefix + d.String())
}

// Days are the days that have a collection.
func (a *Archive) Days(ctx context.Context) ([]archive.Day, error) {
	names, err := a.db.ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.Regex{Pattern: "^" + prefix}}})
	if err != nil {
		return nil, fmt.Errorf("list the records' days: %w", err)
	}
	var days []archive.Day
	for _, n := range names {
		if d, ok := archive.ParseDay(n[min(len(n), len(prefix)):]); ok {
			days = append(days, d)
		}
	}
	return days, nil
}

// The server's codes that matter here.
const (
	badValue          = 2
	validationFailure = 121
	specsConflict     = 86
	optionsConflict   = 85
	tooLarge          = 10334
	duplicateKey      = 11000
	keyTooLong        = 17280
)

// maxDocument is the most that MongoDB takes.
const maxDocument = 16 << 20

// Insert stores records, each under its day; one whose id is there already is left
// as it is. When it returns nil the records are stored as the database handle's write
// concern says, but for the rejected ones, which never can be. After an error some
// may be stored and others not: insert all of them again.
func (a *Archive) Insert(ctx context.Context, entries []record.Entry) ([]archive.Rejected, error) {
	var rejected []archive.Rejected
	days := map[archive.Day]*load{}
	now := a.o.Now()
	for i := range entries {
		e := &entries[i]
		reason := archive.Refuse(e.ID, e.At, now, a.o.Retention)
		if reason != "" {
			rejected = append(rejected, archive.Rejected{Index: i, Reason: reason})
			continue
		}
		doc, err := bson.Marshal(documentOf(e))
		if err != nil {
			return nil, fmt.Errorf("insert records: %s: %w", e.ID, err)
		}
		if len(doc) > maxDocument {
			rejected = append(rejected, archive.Rejected{Index: i, Reason: fmt.Sprintf("it has %d bytes, and MongoDB takes %d", len(doc), maxDocument)})
			continue
		}
		d := archive.DayOf(e.At)
		if days[d] == nil {
			days[d] = &load{}
		}
		days[d].docs, days[d].at = append(days[d].docs, bson.Raw(doc)), append(days[d].at, i)
	}
	var errs []error
	for d, l := range days {
		more, err := a.insertDay(ctx, d, l)
		if err != nil {
			errs = append(errs, fmt.Errorf("insert records of %s: %w", d, err))
		}
		rejected = append(rejected, more...)
	}
	slices.SortFunc(rejected, func(a, b archive.Rejected) int { return a.Index - b.Index })
	return rejected, errors.Join(errs...)
}

// load is what one day gets: documents, and their indexes in the batch.
type load struct {
	docs []any
	at   []int
}

func (a *Archive) insertDay(ctx context.Context, d archive.Day, l *load) ([]archive.Rejected, error) {
	if err := a.ensureIndexes(ctx, d); err != nil {
		return nil, err
	}
	_, err := a.collection(d).InsertMany(ctx, l.docs, options.InsertMany().SetOrdered(false))
	return judge(err, l.at)
}

// judge tells which of a batch's errors are none, which reject a record, and which
// want the batch to come again.
func judge(err error, at []int) (rejected []archive.Rejected, _ error) {
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		return nil, err
	}
	for _, e := range bulk.WriteErrors {
		switch e.Code {
		case duplicateKey:
		case tooLarge, keyTooLong, badValue, validationFailure:
			rejected = append(rejected, archive.Rejected{Index: at[e.Index], Reason: "MongoDB refuses it: " + e.Message})
		default:
			return nil, err
		}
	}
	return rejected, nil
}

// ensureIndexes makes a day's indexes, once in this process's life. Indexes that
// somebody made otherwise are theirs.
func (a *Archive) ensureIndexes(ctx context.Context, d archive.Day) error {
	a.mu.Lock()
	done := a.indexed[d]
	a.mu.Unlock()
	if done {
		return nil
	}
	_, err := a.collection(d).Indexes().CreateMany(ctx, indexes())
	var command driver.CommandError
	if errors.As(err, &command) && (command.Code == specsConflict || command.Code == optionsConflict) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("create the indexes: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.indexed[d] = true
	return nil
}

// indexes of a day. Each but the first two holds only records that have the field.
func indexes() []driver.IndexModel {
	has := func(field string) *options.IndexOptionsBuilder {
		return options.Index().SetPartialFilterExpression(bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}})
	}
	newest := func(first ...bson.E) bson.D {
		return append(first, bson.E{Key: "us", Value: -1}, bson.E{Key: "_id", Value: -1})
	}
	return []driver.IndexModel{
		{Keys: newest(), Options: options.Index().SetName("newest")},
		{Keys: newest(bson.E{Key: "api", Value: 1}), Options: options.Index().SetName("apis")},
		{Keys: newest(bson.E{Key: "key", Value: 1}), Options: has("key").SetName("keys")},
		{Keys: bson.D{{Key: "requestId", Value: 1}}, Options: has("requestId").SetName("requests")},
		{
			Keys: bson.D{{Key: "us", Value: -1}, {Key: "_id", Value: -1}, {Key: "status", Value: 1}},
			Options: options.Index().SetName("failures").
				SetPartialFilterExpression(bson.D{{Key: "status", Value: bson.D{{Key: "$gte", Value: 400}}}}),
		},
	}
}

// Retain drops the days that ended before now-Retention and returns them as
// YYYYMMDD, oldest first.
func (a *Archive) Retain(ctx context.Context, now time.Time) (dropped []string, err error) {
	days, err := a.Days(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(days, func(a, b archive.Day) int { return a.Start().Compare(b.Start()) })
	var errs []error
	for _, d := range days {
		if !d.Over(now, a.o.Retention) {
			continue
		}
		if err := a.collection(d).Drop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("drop the records of %s: %w", d, err))
			continue
		}
		a.mu.Lock()
		delete(a.indexed, d)
		a.mu.Unlock()
		dropped = append(dropped, d.String())
	}
	return dropped, errors.Join(errs...)
}
