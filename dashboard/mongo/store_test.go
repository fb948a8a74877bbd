package mongo

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluice-gateway/sluice/dashboard/drafts/drafttest"
	"github.com/sluice-gateway/sluice/dashboard/keys/keytest"
	"github.com/sluice-gateway/sluice/dashboard/people/peopletest"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/publish/publishtest"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// open opens a database for one test.
func open(t *testing.T, c mongodb.Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// part gives each test its own database and one part of the store.
func part[T any](of func(*Store) T) func(*testing.T) T {
	return func(t *testing.T) T { return of(open(t, database(t))) }
}

func TestLog(t *testing.T)      { publishtest.RunLog(t, part((*Store).Log)) }
func TestContents(t *testing.T) { publishtest.RunContents(t, part((*Store).Contents)) }
func TestViews(t *testing.T)    { publishtest.RunViews(t, part((*Store).Views)) }
func TestMarks(t *testing.T)    { publishtest.RunMarks(t, part((*Store).Marks)) }
func TestKeys(t *testing.T)     { keytest.Run(t, part((*Store).Keys)) }
func TestUsers(t *testing.T)    { peopletest.RunUsers(t, part((*Store).Users)) }
func TestSessions(t *testing.T) { peopletest.RunSessions(t, part((*Store).Sessions)) }
func TestTokens(t *testing.T)   { peopletest.RunTokens(t, part((*Store).Tokens)) }
func TestAttempts(t *testing.T) { peopletest.RunAttempts(t, part((*Store).Attempts)) }
func TestDrafts(t *testing.T)   { drafttest.Run(t, part((*Store).Drafts)) }

// database names a database of this test's own, which goes with the test.
func database(t *testing.T) mongodb.Config {
	t.Helper()
	db := testenv.MongoDB(t)
	return mongodb.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: db.Name()}
}

func TestOpenMakesEveryIndexOnceAndNotesIt(t *testing.T) {
	c := database(t)
	var all sync.WaitGroup
	for range 3 { // dashboards that start together
		s := make(chan *Store, 1)
		all.Go(func() {
			store, err := Open(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			s <- store
		})
		t.Cleanup(func() {
			if store := <-s; store != nil {
				_ = store.Close(context.Background())
			}
		})
	}
	all.Wait()
	s := open(t, c)
	for _, want := range indexes() {
		specs, err := s.db.Collection(want.collection).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(specs, func(x driver.IndexSpecification) bool { return x.Name == want.name })
		if i < 0 {
			t.Errorf("%s has no index %s", want.collection, want.name)
			continue
		}
		if unique := specs[i].Unique != nil && *specs[i].Unique; unique != want.unique {
			t.Errorf("index %s of %s: unique %v", want.name, want.collection, unique)
		}
		var keys bson.D
		if err := bson.Unmarshal(specs[i].KeysDocument, &keys); err != nil {
			t.Fatal(err)
		}
		if len(keys) != len(want.fields) || keys[0].Key != want.fields[0].Key {
			t.Errorf("index %s of %s has the fields %v, want %v", want.name, want.collection, keys, want.fields)
		}
	}
	notes, err := find[migrationDoc](t.Context(), s.db.Collection(migrationsName), bson.D{}, nil)
	if err != nil || len(notes) != len(steps()) {
		t.Errorf("noted are %v, %v, want %d steps", notes, err, len(steps()))
	}
}

func TestStepsRise(t *testing.T) {
	last := int64(0)
	for _, s := range steps() {
		if s.number <= last || s.name == "" || s.run == nil {
			t.Errorf("step %d (%s) does not follow %d", s.number, s.name, last)
		}
		last = s.number
	}
}

func TestAnOlderDashboardStartsOnANewerDatabase(t *testing.T) {
	c := database(t)
	newer := open(t, c)
	_, err := newer.db.Collection(migrationsName).InsertOne(t.Context(), migrationDoc{ID: 1 << 40, Name: "of a later release"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = newer.db.Collection(usersName).InsertOne(t.Context(), bson.D{
		{Key: "_id", Value: "u"},
		{Key: "login", Value: "kim"},
		{Key: "addedLater", Value: bson.D{{Key: "x", Value: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	older := open(t, c)
	if u, err := older.Users().ByLogin(t.Context(), "kim"); u.ID != "u" || err != nil {
		t.Errorf("a user with a field of a later release: %+v, %v", u, err)
	}
}

func TestEveryIndexedViewIsOneOfAKind(t *testing.T) {
	var names []string
	for _, kind := range publish.Kinds() {
		c, err := views{new(driver.Client).Database("x")}.view(kind)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.Name())
	}
	if !reflect.DeepEqual(names, viewNames()) {
		t.Errorf("kinds have the views %v, indexed and read are %v", names, viewNames())
	}
}

func TestAnUnknownKindIsRefused(t *testing.T) {
	s := open(t, database(t))
	if err := s.Views().Apply(t.Context(), publish.Object{Org: "default", Kind: "nothing", ID: "a", Rev: 1}); err == nil {
		t.Error("an object of an unknown kind was stored")
	}
	if _, err := s.Views().Get(t.Context(), "default", "nothing", "a"); err == nil || errors.Is(err, publish.ErrNotFound) {
		t.Errorf("Get of an unknown kind: %v", err)
	}
	if _, err := s.Views().List(t.Context(), publish.Query{Org: "default", Kind: "nothing", Limit: 1}); err == nil {
		t.Error("a list of an unknown kind was given")
	}
}

// A step that loses the race to insert must not give up: what won may be older.
func TestApplyAfterALostRaceToInsert(t *testing.T) {
	s := open(t, database(t))
	for round := range 50 {
		id := string(rune('a'+round%26)) + string(rune('a'+round/26))
		var all sync.WaitGroup
		for rev := int64(1); rev <= 4; rev++ {
			all.Go(func() {
				if err := s.Views().Apply(t.Context(), publish.Object{Org: "default", Kind: publish.KindAPI, ID: id, Rev: rev}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if o, err := s.Views().Get(t.Context(), "default", publish.KindAPI, id); o.Rev != 4 || err != nil {
			t.Fatalf("%s ended at revision %d, %v, want 4", id, o.Rev, err)
		}
	}
}

func TestPing(t *testing.T) {
	s := open(t, database(t))
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping with an ended context: %v", err)
	}
}

// MongoDB refuses an upsert that loses the race to insert, whatever the winner
// stored. The double inserts one at a time, so the rule is checked by itself.
func TestALostUpsertIsTriedOnceMore(t *testing.T) {
	duplicate := driver.WriteException{WriteErrors: driver.WriteErrors{{Code: duplicateKey}}}
	other := errors.New("no server")
	for name, c := range map[string]struct {
		answers []error
		want    error
		calls   int
	}{
		"won":                       {[]error{nil}, nil, 1},
		"lost to an older one":      {[]error{duplicate, nil}, nil, 2},
		"lost to a newer one":       {[]error{duplicate, duplicate}, duplicate, 2},
		"the server is gone":        {[]error{other}, other, 1},
		"the server is gone by now": {[]error{duplicate, other}, other, 2},
	} {
		calls := 0
		err := upserted(func() error {
			calls++
			return c.answers[calls-1]
		})
		if calls != c.calls || !reflect.DeepEqual(err, c.want) {
			t.Errorf("%s: %v after %d calls, want %v after %d", name, err, calls, c.want, c.calls)
		}
	}
}
