package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts/drafttest"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/keys/keytest"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/people/peopletest"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/publish/publishtest"
	"github.com/sluice-gateway/sluice/dashboard/storecall"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// open opens a file for one test.
func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
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

// part gives each test its own file and one part of the store.
func part[T any](of func(*Store) T) func(*testing.T) T {
	return func(t *testing.T) T { return of(open(t, filepath.Join(t.TempDir(), "config.db"))) }
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

func TestWhatWasStoredIsThereAfterAReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Log().Append(t.Context(), publish.Revision{N: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if n, err := again.Log().Newest(t.Context()); n != 1 || err != nil {
		t.Errorf("Newest = %d, %v, want 1", n, err)
	}
	if err := again.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Two dashboards on one file are two stores, each with its own writer.
func TestTwoStoresOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.db")
	stores := []*Store{open(t, path), open(t, path)}
	const rounds = 20
	var wins atomic.Int64
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			for n := int64(1); n <= rounds; n++ {
				switch err := s.Log().Append(t.Context(), publish.Revision{N: n}); {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, publish.ErrTaken):
					t.Error(err)
				}
				if _, err := s.Attempts().Fail(t.Context(), "login:kim", time.Unix(1e9, 0)); err != nil {
					t.Error(err)
				}
				if err := s.Views().Apply(t.Context(), publish.Object{Org: "default", Kind: publish.KindAPI, ID: "a", Rev: n}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if wins.Load() != rounds {
		t.Errorf("%d appends won, want %d", wins.Load(), rounds)
	}
	for _, s := range stores {
		if a, err := s.Attempts().Get(t.Context(), "login:kim"); a.Failed != 2*rounds || err != nil {
			t.Errorf("%d failures, %v, want %d", a.Failed, err, 2*rounds)
		}
		if o, err := s.Views().Get(t.Context(), "default", publish.KindAPI, "a"); o.Rev != rounds || err != nil {
			t.Errorf("revision %d, %v, want %d", o.Rev, err, rounds)
		}
	}
}

func TestErrorsSayWhatWasBeingDone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "config.db"))
	_, err := s.Users().ByLogin(t.Context(), "kim")
	if !errors.Is(err, people.ErrNotFound) || err.Error() != "reading a user: not found" {
		t.Errorf("error %q", err)
	}
	if err := s.Keys().Replace(t.Context(), keys.Stored{}, 1); err == nil || err.Error() != "changing a key: no such key" {
		t.Errorf("error %q", err)
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	if s, err := Open(t.Context(), t.TempDir()); err == nil {
		t.Errorf("a folder was opened: %v", s)
	}
}

func TestAHeldFileIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.db")
	holder, s := open(t, path), open(t, path)
	err := holder.db.Write(t.Context(), func(*sql.Tx) error { // which has begun, and so holds the lock
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := s.Log().Append(ctx, publish.Revision{N: 1})
		if !fault.Is(err, storecall.CodeUnavailable) || fault.As(err).Kind != fault.Unavailable {
			t.Errorf("Append: %v, want %s", err, storecall.CodeUnavailable)
		}
		if n, err := s.Log().Newest(t.Context()); n != 0 || err != nil {
			t.Errorf("reading meanwhile: %d, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Log().Append(t.Context(), publish.Revision{N: 1}); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}
