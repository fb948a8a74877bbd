package mongo

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

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
