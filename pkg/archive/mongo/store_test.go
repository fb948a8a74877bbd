package mongo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestDocumentsCanBeReadByHand(t *testing.T) {
	db := testenv.MongoDB(t)
	at := time.Now().UTC().Truncate(time.Microsecond)
	_, err := New(db, Options{}).Insert(t.Context(), []record.Entry{{ID: "s-0-1-0", Node: "n", Record: record.Record{
		At: at, Total: 1500 * time.Microsecond, Status: 503, API: "a", Path: "/x\xff", RequestID: "r", Policies: []string{"p"},
		Request: &record.Capture{Header: []record.Field{{Name: "A.b", Value: "$c"}}, Body: []byte("b"), Size: 1},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var doc bson.M
	c := db.Collection("records_" + at.Format("20060102"))
	if err := c.FindOne(t.Context(), bson.D{{Key: "requestId", Value: "r"}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	got, err := bson.MarshalExtJSON(doc, false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"_id":"s-0-1-0"`, `"node":"n"`, fmt.Sprintf(`"us":%d`, at.UnixMicro()), `"totalUs":1500`, `"status":503`, `"api":"a"`, `"path":"/x` + "\ufffd" + `"`,
		`"policies":["p"]`, `"headers":[{"name":"A.b","value":"$c"}]`, `"size":1`, `"wire":{"$binary"`,
		`"at":{"$date":"` + at.Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z"),
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(string(got), `"key"`) || strings.Contains(string(got), `"response"`) {
		t.Errorf("empty fields are in %s", got)
	}
}

func TestEachDayHasItsIndexes(t *testing.T) {
	db := testenv.MongoDB(t)
	a := New(db, Options{})
	today := time.Now().UTC()
	in := []record.Entry{{ID: "1", Record: record.Record{At: today}}, {ID: "2", Record: record.Record{At: today.AddDate(0, 0, -1)}}}
	for range 2 { // the second time they are remembered, and a new process finds them
		for _, a := range []*Archive{a, New(db, Options{})} {
			if _, err := a.Insert(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, e := range in {
		specs, err := db.Collection("records_" + e.At.Format("20060102")).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range specs {
			names = append(names, s.Name)
		}
		slices.Sort(names)
		if want := []string{"_id_", "apis", "failures", "keys", "newest", "requests"}; !slices.Equal(names, want) {
			t.Errorf("%s has %v, want %v", e.At, names, want)
		}
	}
}

func TestWhatIsTooLargeIsRejectedAndTheOthersStored(t *testing.T) {
	a := New(testenv.MongoDB(t), Options{})
	now := time.Now().UTC()
	in := []record.Entry{
		{ID: "1", Record: record.Record{At: now}},
		{ID: "2", Record: record.Record{At: now, Request: &record.Capture{Body: make([]byte, 17<<20)}}},
		{ID: "3", Record: record.Record{At: now}},
	}
	rejected, err := a.Insert(t.Context(), in)
	if err != nil || len(rejected) != 1 || rejected[0].Index != 1 || !strings.Contains(rejected[0].Reason, "bytes") {
		t.Errorf("rejected %+v, %v", rejected, err)
	}
	for _, id := range []string{"1", "3"} {
		if _, err := a.Get(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestErrorsOfABatch(t *testing.T) {
	bulk := func(codes ...int) driver.BulkWriteException {
		var e driver.BulkWriteException
		for i, c := range codes {
			e.WriteErrors = append(e.WriteErrors, driver.BulkWriteError{WriteError: driver.WriteError{Index: i, Code: c, Message: "m"}})
		}
		return e
	}
	concern := bulk(duplicateKey)
	concern.WriteConcernError = &driver.WriteConcernError{Code: 64}
	at := []int{10, 20, 30}
	for name, c := range map[string]struct {
		err      error
		rejected []int
		fails    bool
	}{
		"none":                       {nil, nil, false},
		"duplicates":                 {bulk(duplicateKey, duplicateKey), nil, false},
		"too large":                  {bulk(duplicateKey, tooLarge, validationFailure), []int{20, 30}, false},
		"a primary that steps down":  {bulk(duplicateKey, 189), nil, true},
		"some reject, some may yet":  {bulk(tooLarge, 189), nil, true},
		"a majority that is missing": {concern, nil, true},
		"the network":                {errors.New("connection reset"), nil, true},
	} {
		rejected, err := judge(c.err, at)
		var got []int
		for _, r := range rejected {
			got = append(got, r.Index)
		}
		if !slices.Equal(got, c.rejected) || (err != nil) != c.fails {
			t.Errorf("%s: rejected %v, %v", name, got, err)
		}
	}
}

func TestOtherCollectionsAreNoDays(t *testing.T) {
	db := testenv.MongoDB(t)
	for _, name := range []string{"records_", "records_2026", "records_20261399", "records_20260101_old", "my_records_20260101", "revisions"} {
		if _, err := db.Collection(name).InsertOne(t.Context(), bson.D{{Key: "us", Value: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	a := New(db, Options{Retention: time.Hour})
	if days, err := a.Days(t.Context()); err != nil || len(days) != 0 {
		t.Errorf("days %v, %v", days, err)
	}
	if dropped, err := a.Retain(t.Context(), time.Now()); err != nil || len(dropped) != 0 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if names, err := db.ListCollectionNames(t.Context(), bson.D{}); err != nil || len(names) != 6 {
		t.Errorf("left %v, %v", names, err)
	}
}

func BenchmarkInsert(b *testing.B) {
	a := New(testenv.MongoDB(b), Options{})
	day := time.Now().UTC().Truncate(24 * time.Hour)
	n := 0
	for b.Loop() {
		batch := make([]record.Entry, 2000)
		for i := range batch {
			n++
			batch[i] = record.Entry{ID: fmt.Sprintf("9f86d081884c7d65-0-%d-%d", n/500, n%500), Node: "5f0c3a9e-6c5e-4a6e-9f57-0d9f6f0c1a11", Record: record.Record{
				At: day.Add(time.Duration(n) * 100 * time.Microsecond), Total: 30 * time.Millisecond, Status: 200, Method: "GET", Host: "api.example.com",
				Path: fmt.Sprint("/service/orders/", n), Org: "default", API: "api_01j9zk4q8w7r6t5y4u3i2o17", Key: "key_01j9zk4q8w7r6t5y4u3i0001", RequestID: fmt.Sprintf("%032x", n),
			}}
		}
		if _, err := a.Insert(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
