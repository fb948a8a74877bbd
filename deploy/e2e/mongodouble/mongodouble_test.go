package mongodouble

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// These tests hold what the stores rely on, and what they must not rely on (README.md): a new version
// of the server that behaves otherwise shows here first.

func connect(t *testing.T, s *Server) *mongo.Database {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(s.URL).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	if err := c.Ping(t.Context(), nil); err != nil {
		t.Fatalf("the driver does not accept the server: %v", err)
	}
	return c.Database("probe")
}

func TestDouble(t *testing.T) {
	backends := map[string]Options{"memory": {}, "file": {Data: filepath.Join(t.TempDir(), "double.db")}}
	for name, o := range backends {
		t.Run(name, func(t *testing.T) {
			db := connect(t, For(t, o))
			t.Run("duplicate ids and unique indexes are refused with E11000", func(t *testing.T) { uniqueness(t, db) })
			t.Run("a guarded upsert lets only newer revisions in", func(t *testing.T) { guardedUpsert(t, db) })
			t.Run("unordered bulk writes name what failed and do the rest", func(t *testing.T) { bulk(t, db) })
			t.Run("pages by id and by a compound key", func(t *testing.T) { paging(t, db) })
			t.Run("concurrent increments, claims and swaps lose nothing", func(t *testing.T) { concurrency(t, db) })
			t.Run("large documents and odd field names come back as they went", func(t *testing.T) { shapes(t, db) })
			t.Run("what it does not do like MongoDB", func(t *testing.T) { differences(t, db) })
		})
	}
}

func wantDuplicate(t *testing.T, what string, err error) {
	t.Helper()
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("%s: %v, want a duplicate key error", what, err)
	}
}

func wantOK(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func uniqueness(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("unique")
	for range 2 { // a second start creates them again
		_, err := c.Indexes().CreateMany(ctx, []mongo.IndexModel{
			{Keys: bson.D{{Key: "org", Value: 1}, {Key: "name", Value: 1}}, Options: options.Index().SetUnique(true)},
			{Keys: bson.D{{Key: "slug", Value: 1}}, Options: options.Index().SetUnique(true).SetSparse(true)},
		})
		wantOK(t, "creating indexes", err)
	}
	insert := func(id, name string, more ...bson.E) error {
		_, err := c.InsertOne(ctx, append(bson.D{{Key: "_id", Value: id}, {Key: "org", Value: "a"}, {Key: "name", Value: name}}, more...))
		return err
	}
	wantOK(t, "first", insert("1", "x", bson.E{Key: "slug", Value: "s"}))
	wantOK(t, "without the sparse field", insert("2", "y"))
	wantOK(t, "again without the sparse field", insert("3", "z"))
	wantDuplicate(t, "same id", insert("1", "w"))
	wantDuplicate(t, "same org and name", insert("4", "x"))
	wantDuplicate(t, "same sparse field", insert("5", "v", bson.E{Key: "slug", Value: "s"}))
	_, err := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: "2"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: "x"}}}})
	wantDuplicate(t, "update into a duplicate", err)
	_, err = c.ReplaceOne(ctx, bson.D{{Key: "_id", Value: "2"}}, bson.D{{Key: "org", Value: "a"}, {Key: "name", Value: "x"}})
	wantDuplicate(t, "replace into a duplicate", err)
	err = c.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: "2"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: "x"}}}}).Err()
	wantDuplicate(t, "find and update into a duplicate", err)
	var got struct{ Name string }
	if err := c.FindOne(ctx, bson.D{{Key: "_id", Value: "2"}}).Decode(&got); err != nil || got.Name != "y" {
		t.Errorf("after refused writes the name is %q (%v), want it unchanged", got.Name, err)
	}
}

func guardedUpsert(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("guarded")
	put := func(id any, rev int) error {
		_, err := c.ReplaceOne(ctx,
			bson.D{{Key: "_id", Value: id}, {Key: "rev", Value: bson.D{{Key: "$lt", Value: rev}}}},
			bson.D{{Key: "rev", Value: rev}}, options.Replace().SetUpsert(true))
		return err
	}
	wantOK(t, "new", put("x", 5))
	wantDuplicate(t, "same revision", put("x", 5))
	wantOK(t, "newer", put("x", 6))
	wantDuplicate(t, "older", put("x", 2))

	const writers, objects = 8, 40
	for id := range objects {
		var wg sync.WaitGroup
		for rev := range writers {
			wg.Go(func() {
				// Whoever loses the race to create the document tries once more, against it.
				if err := put(id, rev+1); mongo.IsDuplicateKeyError(err) {
					err = put(id, rev+1)
					if err != nil && !mongo.IsDuplicateKeyError(err) {
						t.Error(err)
					}
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	n, err := c.CountDocuments(ctx, bson.D{{Key: "rev", Value: writers}})
	if err != nil || n != objects {
		t.Errorf("%d of %d documents hold the newest revision (%v)", n, objects, err)
	}
}

func bulk(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("bulk")
	insert := func(id int) mongo.WriteModel {
		return mongo.NewInsertOneModel().SetDocument(bson.D{{Key: "_id", Value: id}})
	}
	models := []mongo.WriteModel{
		insert(1), insert(1), insert(2),
		mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: 3}}).SetReplacement(bson.D{{Key: "a", Value: 1}}).SetUpsert(true),
	}
	_, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(true))
	wantDuplicate(t, "ordered", err)
	if n, _ := c.CountDocuments(ctx, bson.D{}); n != 1 {
		t.Errorf("an ordered bulk write went on after its error: %d documents", n)
	}
	_, err = c.DeleteMany(ctx, bson.D{})
	wantOK(t, "delete", err)
	_, err = c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	var failed mongo.BulkWriteException
	if !errors.As(err, &failed) || len(failed.WriteErrors) != 1 || failed.WriteErrors[0].Index != 1 || failed.WriteErrors[0].Code != 11000 {
		t.Errorf("unordered: %v, want one error 11000 for index 1", err)
	}
	if n, _ := c.CountDocuments(ctx, bson.D{}); n != 3 {
		t.Errorf("unordered bulk write left %d documents, want 3", n)
	}
}

func paging(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("paging")
	var docs []any
	for i := range 500 {
		docs = append(docs, bson.D{
			{Key: "_id", Value: fmt.Sprintf("id-%03d", i)},
			{Key: "t", Value: i / 3},
			{Key: "s", Value: fmt.Sprintf("Name %d", i)},
			{Key: "tags", Value: bson.A{fmt.Sprint(i % 3), "all"}},
		})
	}
	_, err := c.InsertMany(ctx, docs)
	wantOK(t, "insert", err)
	find := func(filter any, o ...options.Lister[options.FindOptions]) (ids []string) {
		cur, err := c.Find(ctx, filter, o...)
		var rows []struct {
			ID string `bson:"_id"`
		}
		if err == nil {
			err = cur.All(ctx, &rows)
		}
		wantOK(t, "find", err)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	if got := find(bson.D{}, options.Find().SetBatchSize(50)); len(got) != 500 {
		t.Errorf("reading in batches of 50 gave %d of 500", len(got))
	}
	after := find(bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: "id-100"}}}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(2))
	if fmt.Sprint(after) != "[id-101 id-102]" {
		t.Errorf("after id-100 come %v", after)
	}
	before := find(bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "t", Value: bson.D{{Key: "$lt", Value: 50}}}},
		bson.D{{Key: "t", Value: 50}, {Key: "_id", Value: bson.D{{Key: "$lt", Value: "id-151"}}}},
	}}}, options.Find().SetSort(bson.D{{Key: "t", Value: -1}, {Key: "_id", Value: -1}}).SetLimit(3))
	if fmt.Sprint(before) != "[id-150 id-149 id-148]" {
		t.Errorf("before (50, id-151) come %v", before)
	}
	if got := find(bson.D{{Key: "s", Value: bson.Regex{Pattern: "^name 49", Options: "i"}}, {Key: "tags", Value: "1"}}); len(got) != 5 {
		t.Errorf("regular expression and array member found %v, want 5", got)
	}
	if got := find(bson.D{{Key: "t", Value: bson.D{{Key: "$in", Value: bson.A{1, 2}}}}}); len(got) != 6 {
		t.Errorf("$in found %v, want 6", got)
	}
}

func concurrency(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("race")
	inc := bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}
	var claims, inserted atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: "counter"}}, inc, options.UpdateOne().SetUpsert(true)); err != nil {
					t.Error(err)
				}
				if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: i}, {Key: "owner", Value: ""}}); err == nil {
					inserted.Add(1)
				}
				err := c.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: i}, {Key: "owner", Value: ""}},
					bson.D{{Key: "$set", Value: bson.D{{Key: "owner", Value: fmt.Sprint(worker)}}}}).Err()
				if err == nil {
					claims.Add(1)
				}
			}
		})
	}
	wg.Wait()
	var counter struct{ N int }
	if err := c.FindOne(ctx, bson.D{{Key: "_id", Value: "counter"}}).Decode(&counter); err != nil || counter.N != 800 {
		t.Errorf("800 increments left %d (%v)", counter.N, err)
	}
	if inserted.Load() != 100 || claims.Load() != 100 {
		t.Errorf("100 ids were inserted %d times and claimed %d times", inserted.Load(), claims.Load())
	}
	swaps := db.Collection("swaps")
	_, err := swaps.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 0}})
	wantOK(t, "insert", err)
	for range 8 {
		wg.Go(func() {
			for done := 0; done < 25; {
				var now struct{ N int }
				if err := swaps.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&now); err != nil {
					t.Error(err)
					return
				}
				r, err := swaps.ReplaceOne(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: now.N}}, bson.D{{Key: "n", Value: now.N + 1}})
				if err != nil {
					t.Error(err)
					return
				}
				done += int(r.MatchedCount)
			}
		})
	}
	wg.Wait()
	if err := swaps.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&counter); err != nil || counter.N != 200 {
		t.Errorf("200 compare-and-swaps left %d (%v)", counter.N, err)
	}
}

func shapes(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("shapes")
	text := strings.Repeat("x", 4<<20) + "\x00 { \"b\":1,\n \"a\" : 1.0 } ü"
	in := bson.D{{Key: "_id", Value: 1}, {Key: "text", Value: text}, {Key: "a.b", Value: "dot"}, {Key: "$ref", Value: "dollar"}, {Key: "big", Value: int64(1)<<60 + 1}}
	_, err := c.InsertOne(ctx, in)
	wantOK(t, "insert", err)
	out := bson.M{}
	wantOK(t, "find", c.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&out))
	for _, e := range in[1:] {
		if out[e.Key] != e.Value {
			t.Errorf("field %q came back changed", e.Key)
		}
	}
}

func differences(t *testing.T, db *mongo.Database) {
	ctx, c := t.Context(), db.Collection("differences")
	_, err := c.Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: "only", Value: 1}}, Options: options.Index().SetUnique(true).
			SetPartialFilterExpression(bson.D{{Key: "live", Value: true}})},
	})
	wantOK(t, "creating a partial index", err)
	_, err = c.InsertOne(ctx, bson.D{{Key: "only", Value: 1}, {Key: "live", Value: false}})
	wantOK(t, "insert", err)
	_, err = c.InsertOne(ctx, bson.D{{Key: "only", Value: 1}, {Key: "live", Value: false}})
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("partial indexes are honoured now (%v): say so in README.md", err)
	}
	session, err := db.Client().StartSession()
	wantOK(t, "session", err)
	defer session.EndSession(ctx)
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		return c.InsertOne(ctx, bson.D{{Key: "only", Value: 2}})
	})
	if err == nil {
		t.Error("transactions work now: say so in README.md")
	}
}

func TestAcknowledgedWritesSurviveACrash(t *testing.T) {
	o := Options{Data: filepath.Join(t.TempDir(), "double.db")}
	s := For(t, o)
	c := connect(t, s).Collection("acknowledged")
	_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "n", Value: 1}}, Options: options.Index().SetUnique(true)})
	wantOK(t, "creating an index", err)
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	enough := make(chan struct{})
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if _, err := c.InsertOne(t.Context(), bson.D{{Key: "n", Value: i*4 + worker}}); err != nil {
					return // the server is gone
				}
				if acknowledged.Add(1) == 300 {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(60 * time.Second):
		t.Error("300 inserts took more than a minute")
	}
	s.Kill()
	wg.Wait()
	c = connect(t, For(t, o)).Collection("acknowledged")
	n, err := c.CountDocuments(t.Context(), bson.D{})
	if err != nil || n < acknowledged.Load() {
		t.Errorf("%d writes were acknowledged, %d survived (%v)", acknowledged.Load(), n, err)
	}
	_, err = c.InsertOne(t.Context(), bson.D{{Key: "n", Value: 0}})
	wantDuplicate(t, "unique index after the crash", err)
}

func TestStopEndsTheServer(t *testing.T) {
	s := For(t, Options{})
	s.Stop()
	select {
	case <-s.Exited():
	default:
		t.Fatal("the process still runs after Stop")
	}
	s.Stop() // a second time is harmless
}
