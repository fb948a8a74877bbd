package mongodb_test

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestReadsBackWhatItWrote(t *testing.T) {
	db := testenv.MongoDB(t)
	ctx := testenv.Context(t, 30*time.Second)
	c := db.Collection("a")
	if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: "x"}, {Key: "n", Value: 0}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: "x"}}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("a second x: %v", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := c.UpdateByID(ctx, "x", bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var got struct{ N int }
	if err := c.FindOne(ctx, bson.D{{Key: "_id", Value: "x"}}).Decode(&got); err != nil || got.N != 200 {
		t.Errorf("n = %d (%v): increments were lost", got.N, err)
	}
	if detail, err := mongodb.Ping(ctx, db); err != nil || !strings.HasPrefix(detail, "answered in ") {
		t.Errorf("%q %v", detail, err)
	}
}

func TestDatabaseNameFromTheURL(t *testing.T) {
	url := os.Getenv("SLUICE_TEST_MONGODB_URL")
	if url == "" {
		testenv.Missing(t, "mongodb", "set SLUICE_TEST_MONGODB_URL")
	}
	db, disconnect, err := mongodb.Open(testenv.Context(t, 30*time.Second),
		mongodb.Config{URL: config.Secret(strings.TrimSuffix(url, "/") + "/named")})
	if err != nil {
		t.Fatal(err)
	}
	if db.Name() != "named" {
		t.Errorf("name %q", db.Name())
	}
	if err := disconnect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnAbsentServerIsToldInTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	start := time.Now()
	_, _, err = mongodb.Open(t.Context(), mongodb.Config{
		URL: config.Secret("mongodb://user:hunter2@" + addr), Database: "x", ServerSelectionTimeout: 200 * time.Millisecond,
	})
	if err == nil || !strings.Contains(err.Error(), "nothing listens at the URL's address") {
		t.Errorf("got %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Error("the password was told")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %s", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := mongodb.Open(ctx, mongodb.Config{URL: config.Secret("mongodb://" + addr), Database: "x"}); err == nil {
		t.Error("connected to nobody")
	}
}

func TestValidate(t *testing.T) {
	for want, c := range map[string]mongodb.Config{
		"url: it is empty":              {Database: "x"},
		"url: it does not begin with":   {URL: "http://a", Database: "x"},
		"url: it cannot be read":        {URL: "mongodb://user:hunter2:x@host:notaport", Database: "x"},
		"database: it is empty":         {URL: "mongodb://a"},
		`database: "a.b" cannot be`:     {URL: "mongodb://a", Database: "a.b"},
		"pool_size: it is negative":     {URL: "mongodb://a/x", PoolSize: -1},
		"database: it is empty, and th": {URL: "mongodb://a/?replicaSet=r"},
	} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password was told: %v", err)
		}
	}
	for _, c := range []mongodb.Config{
		{URL: "mongodb://a/x"}, {URL: "mongodb+srv://u:p@cluster.example/x"}, {URL: "mongodb://a,b/?replicaSet=r", Database: "x"},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}
