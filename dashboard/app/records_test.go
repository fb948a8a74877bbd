package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	archivemongo "github.com/sluice-gateway/sluice/pkg/archive/mongo"
	archivesqlite "github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// lookedUp starts a dashboard and returns how to ask it.
func lookedUp(t *testing.T, c Config) (ask func(path string) answer) {
	t.Helper()
	_, err := Init(t.Context(), c, Admin{Login: "admin", Password: "a password for tests"})
	must(t, err)
	url, stop := running(t, c)
	t.Cleanup(func() { must(t, stop()) })
	token, err := Token(t.Context(), c, NewToken{Name: "x", Role: people.Viewer})
	must(t, err)
	return func(path string) answer { t.Helper(); return get(t, url+path, token) }
}

func oneRecord() []record.Entry {
	return []record.Entry{{ID: "00ab-0-1-0", Node: "n1", Record: record.Record{Org: defaultOrg, At: time.Now(), Method: "GET", Host: "h", Path: "/seen", Status: 404}}}
}

func TestRecordsAreReadFromTheFolderOfThePump(t *testing.T) {
	c := settings(t, testenv.RedisServer(t).Addr())
	ask := lookedUp(t, c)
	if a := ask("/api/v1/requests"); a.status != 200 || !strings.Contains(a.body, "requests.nothing_kept") || !strings.Contains(a.body, c.Records.Dir+" (records.dir)") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := ask("/hello"); !strings.Contains(a.body, "nothing yet in "+c.Records.Dir+" (records.dir)") || !strings.Contains(a.body, `"status":"pass"`) {
		t.Errorf("got %s", a.body)
	}
	pump, err := archivesqlite.Open(t.Context(), archivesqlite.Options{Dir: c.Records.Dir})
	must(t, err)
	t.Cleanup(func() { must(t, pump.Close()) })
	_, err = pump.Insert(t.Context(), oneRecord())
	must(t, err)
	if a := ask("/api/v1/requests?q=seen"); a.status != 200 || !strings.Contains(a.body, `"id":"00ab-0-1-0"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := ask("/api/v1/requests/00ab-0-1-0"); a.status != 200 || !strings.Contains(a.body, `"path":"/seen"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	testenv.Eventually(t, 20*time.Second, func() bool { return strings.Contains(ask("/hello").body, "1 days, the newest is") })
}

func TestRecordsThatCannotBeReadAreAWarning(t *testing.T) {
	redis := testenv.RedisServer(t).Addr()
	file := settings(t, redis)
	file.Records.Dir = filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file.Records.Dir, nil, 0o600))
	away := settings(t, redis)
	away.Records.Driver = driverMongoDB
	away.MongoDB.URL = "mongodb://user:hidden@127.0.0.1:1"
	away.MongoDB.ServerSelectionTimeout = 100 * time.Millisecond
	for name, v := range map[string]struct {
		c    Config
		says string
	}{"no folder": {file, "records.dir"}, "MongoDB is away": {away, "records.mongodb.database"}} {
		t.Run(name, func(t *testing.T) {
			ask := lookedUp(t, v.c)
			for _, path := range []string{"/api/v1/requests", "/api/v1/requests/00ab-0-1-0"} {
				if a := ask(path); a.status != 503 || !strings.Contains(a.body, "requests.unavailable") || !strings.Contains(a.body, v.says) {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
			testenv.Eventually(t, 20*time.Second, func() bool {
				a := ask("/hello")
				if strings.Contains(a.body, "hidden") {
					t.Errorf("the password is told: %s", a.body)
				}
				return a.status == 200 && strings.Contains(a.body, `"status":"warn"`)
			})
			if a := ask("/api/v1/apis"); a.status != 200 {
				t.Errorf("the rest does not work: %d %s", a.status, a.body)
			}
		})
	}
}

func TestRecordsMayBeNowhere(t *testing.T) {
	c := settings(t, testenv.RedisServer(t).Addr())
	c.Records.Driver = driverNone
	ask := lookedUp(t, c)
	if a := ask("/api/v1/requests"); a.status != 409 || !strings.Contains(a.body, "requests.no_archive") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := ask("/hello"); a.status != 200 || !strings.Contains(a.body, "none (records.driver)") {
		t.Errorf("got %s", a.body)
	}
}

func TestRecordsAreReadFromMongoDB(t *testing.T) {
	db := testenv.MongoDB(t)
	c := settings(t, testenv.RedisServer(t).Addr())
	c.Records.Driver, c.Records.MongoDB.Database = driverMongoDB, db.Name()
	c.MongoDB.URL = config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL"))
	ask := lookedUp(t, c)
	if a := ask("/api/v1/requests"); a.status != 200 || !strings.Contains(a.body, "requests.nothing_kept") || !strings.Contains(a.body, db.Name()) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	_, err := archivemongo.New(db, archivemongo.Options{}).Insert(t.Context(), oneRecord())
	must(t, err)
	if a := ask("/api/v1/requests?noApi=1"); a.status != 200 || !strings.Contains(a.body, `"id":"00ab-0-1-0"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := ask("/api/v1/requests/00ab-0-1-0"); a.status != 200 || !strings.Contains(a.body, `"path":"/seen"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
