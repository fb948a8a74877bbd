// Package backuptest is the contract of backup.Target and backup.People, which both
// adapters pass, and a store for tests of what uses them.
package backuptest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// Store is what is checked: a whole store of either driver.
type Store struct {
	Log      publish.Log
	Contents publish.Contents
	Views    publish.Views
	Marks    publish.Marks
	Keys     keys.Store
	Users    people.Users
	Sessions people.Sessions
	Tokens   people.Tokens
	Attempts people.Attempts
	Everyone backup.People
	Target   backup.Target
}

// Atomic says whether a filling that breaks off leaves a store as it was.
type Atomic bool

// The instant of everything here.
func at(seconds int) time.Time { return time.Unix(1_790_000_000+int64(seconds), 0).UTC() }

// Run checks the contract. open gives an empty store.
func Run(t *testing.T, atomic Atomic, open func(t *testing.T) Store) {
	for name, f := range map[string]func(*testing.T, Store){
		"an empty store":                       empty,
		"everything is put":                    whole,
		"everything that was there is gone":    replaces,
		"a later key takes an earlier's place": later,
		"an empty store is empty after error":  undone,
		"what was there after an error":        func(t *testing.T, s Store) { broken(t, s, atomic) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(n int) []byte { return fmt.Appendf(nil, `{"id":"a","name":"n%d"}`, n) }

func key(id string, version int64, hashes ...string) keys.Stored {
	return keys.Stored{Hashes: hashes, Key: access.Key{
		ID: id, Org: "default", Prefix: "slc_" + id, Alias: id, State: access.KeyActive, Version: version,
		Metadata: map[string]string{"a.b": "$c"}, CreatedAt: at(0), UpdatedAt: at(1),
	}}
}

// Sample is one of each, with the revisions 1 to n.
func Sample(n int) backup.Batch {
	b := backup.Batch{Contents: map[string][]byte{}}
	before := ""
	for i := 1; i <= n; i++ {
		after := publish.Sum(text(i))
		b.Contents[after] = text(i)
		b.Revisions = append(b.Revisions, publish.Revision{
			N: int64(i), At: at(i), Author: publish.Author{Kind: "user", ID: "u", Name: "Kim"}, Note: "주문",
			Changes: []publish.Change{{Org: "default", Kind: publish.KindAPI, ID: "a", Before: before, After: after}},
		})
		before = after
	}
	b.Keys = []keys.Stored{key("k1", 1, "hash-one-a", "hash-one-b"), key("k2", 7)}
	b.Users = []people.User{
		{ID: "u1", Org: "default", Login: "kim", PasswordHash: "$x", Role: people.Admin, Version: 3, CreatedAt: at(0), UpdatedAt: at(1)},
		{ID: "u2", Org: "other", Login: "lee", Role: people.Viewer, MustChange: true, Suspended: true, Version: 1, CreatedAt: at(0), UpdatedAt: at(0)},
	}
	b.Tokens = []people.Token{
		{ID: "t1", Org: "default", UserID: "u1", Name: "ci", Prefix: "slt_x", Hash: "h1", Role: people.Operator, CreatedAt: at(0), UsedAt: at(2)},
		{ID: "t2", Org: "other", UserID: "u2", Hash: "h2", Role: people.Viewer, CreatedAt: at(1), ExpiresAt: at(9), UsedAt: at(2)},
	}
	return b
}

func fill(ctx context.Context, s Store, epoch int64, batches ...backup.Batch) error {
	return s.Target.Fill(ctx, map[string]int64{"epoch": epoch, "restore.begun": epoch}, func(put func(backup.Batch) error) error {
		for _, b := range batches {
			if err := put(b); err != nil {
				return err
			}
		}
		return nil
	})
}

func isEmpty(t *testing.T, s Store, want bool) {
	t.Helper()
	if got, err := s.Target.Empty(t.Context()); got != want || err != nil {
		t.Errorf("Empty = %v, %v, want %v", got, err, want)
	}
}

func empty(t *testing.T, s Store) {
	isEmpty(t, s, true)
	must(t, s.Marks.Raise(t.Context(), "epoch", 1)) // as init leaves it
	isEmpty(t, s, true)
	users, tokens, err := s.Everyone.Everyone(t.Context())
	if len(users)+len(tokens) > 0 || err != nil {
		t.Errorf("%v %v %v", users, tokens, err)
	}
	must(t, s.Users.Insert(t.Context(), people.User{ID: "u", Org: "other", Login: "kim", Role: people.Admin, Version: 1}))
	isEmpty(t, s, false)
}

// Is checks that a store holds just a sample.
func Is(t *testing.T, s Store, b backup.Batch, epoch int64) {
	t.Helper()
	log, err := s.Log.Since(t.Context(), 0, 1000)
	must(t, err)
	if !reflect.DeepEqual(log, b.Revisions) {
		t.Errorf("the log is %+v, want %+v", log, b.Revisions)
	}
	for sum, want := range b.Contents {
		got, err := s.Contents.Get(t.Context(), []string{sum})
		if err != nil || string(got[sum]) != string(want) {
			t.Errorf("content %s: %q, %v", sum, got[sum], err)
		}
	}
	byID := map[string]keys.Stored{}
	for _, k := range b.Keys {
		byID[k.Key.ID] = k
	}
	list, err := s.Keys.Changed(t.Context(), time.Time{}, "", 1000)
	must(t, err)
	if len(list) != len(byID) {
		t.Errorf("%d keys, want %d", len(list), len(byID))
	}
	for _, k := range list {
		if want := byID[k.Key.ID]; !reflect.DeepEqual(k.Key, want.Key) || fmt.Sprint(k.Hashes) != fmt.Sprint(want.Hashes) {
			t.Errorf("got %+v, want %+v", k, want)
		}
	}
	users, tokens, err := s.Everyone.Everyone(t.Context())
	must(t, err)
	if !reflect.DeepEqual(users, b.Users) {
		t.Errorf("users %+v, want %+v", users, b.Users)
	}
	if len(tokens) != len(b.Tokens) {
		t.Fatalf("tokens %+v, want %+v", tokens, b.Tokens)
	}
	for i, k := range tokens {
		if want := b.Tokens[i]; k.Hash != want.Hash || k.Org != want.Org || !k.CreatedAt.Equal(want.CreatedAt) || !k.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("token %+v, want %+v", k, want)
		}
	}
	if got, err := s.Marks.Mark(t.Context(), "epoch"); got != epoch || err != nil {
		t.Errorf("epoch %d, %v, want %d", got, err, epoch)
	}
}

func whole(t *testing.T, s Store) {
	b := Sample(3)
	first, rest := b, backup.Batch{Keys: b.Keys, Users: b.Users, Tokens: b.Tokens}
	first.Keys, first.Users, first.Tokens = nil, nil, nil
	must(t, fill(t.Context(), s, 9, first, backup.Batch{}, rest))
	Is(t, s, b, 9)
	isEmpty(t, s, false)
	if got, err := s.Keys.List(t.Context(), keys.Query{Org: "default", Q: "k1", Limit: 10}); err != nil || len(got.Items) != 1 {
		t.Errorf("a key that was put is not found: %+v, %v", got, err)
	}
	if got, err := s.Log.Page(t.Context(), 0, 10, publish.KindAPI, "a"); err != nil || len(got) != 3 {
		t.Errorf("the revisions of one object: %+v, %v", got, err)
	}
	if err := s.Log.Append(t.Context(), publish.Revision{N: 3}); !errors.Is(err, publish.ErrTaken) {
		t.Errorf("appending a number that is taken: %v", err)
	}
	if err := s.Keys.Insert(t.Context(), key("k9", 1, "hash-one-b")); !errors.Is(err, keys.ErrTaken) {
		t.Errorf("inserting a hash that is taken: %v", err)
	}
	if begun, err := s.Marks.Mark(t.Context(), "restore.begun"); begun != 9 || err != nil {
		t.Errorf("restore.begun is %d, %v", begun, err)
	}
	if err := backup.Ready(t.Context(), s.Marks); !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("before everything is in place: %v", err)
	}
}

// furnish puts something into every part of a store.
func furnish(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	must(t, fill(ctx, s, 2, Sample(5)))
	must(t, s.Views.Apply(ctx, publish.Object{Org: "default", Kind: publish.KindAPI, ID: "a", Rev: 5, Text: []byte(`{}`)}))
	must(t, s.Views.Apply(ctx, publish.Object{Org: "default", Kind: publish.KindPolicy, ID: "p", Rev: 5, Text: []byte(`{}`)}))
	must(t, s.Marks.Raise(ctx, "applied", 5))
	must(t, s.Sessions.Put(ctx, people.Session{ID: "s", UserID: "u1", ExpiresAt: at(1000)}))
	_, err := s.Attempts.Fail(ctx, "login:kim", at(0))
	must(t, err)
}

func replaces(t *testing.T, s Store) {
	furnish(t, s)
	b := Sample(1)
	b.Keys, b.Users = b.Keys[:1], b.Users[:1]
	b.Tokens = b.Tokens[:1]
	must(t, fill(t.Context(), s, 11, b))
	Is(t, s, b, 11)
	if got, err := s.Contents.Get(t.Context(), []string{publish.Sum(text(5))}); len(got) > 0 || err != nil {
		t.Errorf("a content of before is left: %v, %v", got, err)
	}
	for o, err := range s.Views.Each(t.Context()) {
		t.Errorf("a view of before is left: %+v, %v", o, err)
	}
	if v, err := s.Marks.Mark(t.Context(), "applied"); v != 0 || err != nil {
		t.Errorf("the mark of the views is %d, %v", v, err)
	}
	if _, err := s.Sessions.Get(t.Context(), "s"); !errors.Is(err, people.ErrNotFound) {
		t.Errorf("a session of before: %v", err)
	}
	if a, err := s.Attempts.Get(t.Context(), "login:kim"); a.Failed != 0 || err != nil {
		t.Errorf("attempts of before: %+v, %v", a, err)
	}
}

func later(t *testing.T, s Store) {
	old, other, fresh := key("k1", 1, "hash-one-a", "hash-one-b"), key("k2", 1, "hash-two-a"), key("k1", 2, "hash-one-b", "hash-one-c")
	must(t, fill(t.Context(), s, 1, backup.Batch{Keys: []keys.Stored{old, other, fresh}}, backup.Batch{Keys: []keys.Stored{key("k2", 3, "hash-two-b")}}))
	Is(t, s, backup.Batch{Keys: []keys.Stored{fresh, key("k2", 3, "hash-two-b")}}, 1)
}

var errBroken = errors.New("the file ends")

// breaking fills a store until an error comes.
func breaking(t *testing.T, s Store) error {
	t.Helper()
	err := s.Target.Fill(t.Context(), map[string]int64{"epoch": 20, "restore.begun": 20}, func(put func(backup.Batch) error) error {
		return errors.Join(put(Sample(2)), errBroken)
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("Fill: %v", err)
	}
	return err
}

func undone(t *testing.T, s Store) {
	if err := breaking(t, s); errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("an empty store is left unfinished: %v", err)
	}
	Is(t, s, backup.Batch{}, 0)
	isEmpty(t, s, true)
	must(t, backup.Ready(t.Context(), s.Marks))
}

func broken(t *testing.T, s Store, atomic Atomic) {
	furnish(t, s)
	must(t, s.Marks.Raise(t.Context(), "restore.done", 2))
	err := breaking(t, s)
	if atomic {
		if errors.Is(err, backup.ErrUnfinished) {
			t.Errorf("Fill: %v", err)
		}
		Is(t, s, Sample(5), 2)
		must(t, backup.Ready(t.Context(), s.Marks))
		return
	}
	if !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("Fill: %v, want one that says that the store is unfinished", err)
	}
	if err := backup.Ready(t.Context(), s.Marks); !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("Ready: %v", err)
	}
	must(t, fill(t.Context(), s, 21, Sample(3)))
	must(t, s.Marks.Raise(t.Context(), "restore.done", 21))
	must(t, backup.Ready(t.Context(), s.Marks))
	Is(t, s, Sample(3), 21)
}
