package testenv

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
)

// SQLitePath is where this test may create an SQLite file; its folder goes with
// the test.
func SQLitePath(t testing.TB) string { return filepath.Join(t.TempDir(), "test.db") }

// MongoDB returns an empty database of this test's own on the server that
// SLUICE_TEST_MONGODB_URL names, and drops it at the end. Without the variable
// the test is skipped; see Missing.
func MongoDB(t testing.TB) *mongo.Database {
	t.Helper()
	url := os.Getenv("SLUICE_TEST_MONGODB_URL")
	if url == "" {
		Missing(t, "mongodb", "set SLUICE_TEST_MONGODB_URL to a server for tests, such as mongodb://127.0.0.1:27017")
	}
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails
	db, disconnect, err := mongodb.Open(Context(t, 30*time.Second), mongodb.Config{
		URL: config.Secret(url), Database: "sluice_test_" + hex.EncodeToString(id[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
		if err := disconnect(ctx); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return db
}
