package peopletest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// RunUsers checks the contract of people.Users. open gives an empty store.
func RunUsers(t *testing.T, open func(t *testing.T) people.Users) {
	for name, f := range map[string]func(*testing.T, people.Users){
		"a user comes back as it went in":       usersRoundTrip,
		"an absent user is not found":           usersAbsent,
		"ids and logins are unique":             usersUnique,
		"replace needs the stored version":      usersReplace,
		"a login may change, and is then free":  usersRename,
		"of racing inserts of a login one wins": usersInsertRace,
		"of racing replacements one wins":       usersReplaceRace,
		"a list has one organisation, by login": usersList,
		"an ended context ends every operation": usersEnded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func user(id string) people.User {
	return people.User{
		ID: id, Org: "default", Login: id + "@example.com", Name: "Kim " + id, PasswordHash: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
		Role: people.Operator, Version: 1, CreatedAt: base, UpdatedAt: base,
	}
}

func wantUser(t *testing.T, s people.Users, want people.User) {
	t.Helper()
	if got, err := s.ByID(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("ByID(%q): %v\n got %+v\nwant %+v", want.ID, err, got, want)
	}
	if got, err := s.ByLogin(t.Context(), want.Login); err != nil || got != want {
		t.Errorf("ByLogin(%q): %v\n got %+v\nwant %+v", want.Login, err, got, want)
	}
}

func usersRoundTrip(t *testing.T, s people.Users) {
	for i, text := range hostile() {
		u := people.User{
			ID: "id" + text, Org: text, Login: text, Name: text, PasswordHash: text, MustChange: i%2 == 0, Role: people.Role(text),
			Suspended: i%3 == 0, Locale: text, TimeZone: text, Theme: text, Version: int64(i) << 33, CreatedAt: base, UpdatedAt: base.Add(time.Millisecond),
		}
		must(t, s.Insert(t.Context(), u))
		wantUser(t, s, u)
	}
	bare := people.User{ID: "bare"}
	must(t, s.Insert(t.Context(), bare))
	wantUser(t, s, bare)
	precise := user("precise")
	precise.CreatedAt, precise.UpdatedAt = base.Add(999_999), base.In(time.FixedZone("KST", 9*3600))
	must(t, s.Insert(t.Context(), precise))
	precise.CreatedAt, precise.UpdatedAt = base, base
	wantUser(t, s, precise)
}

func usersAbsent(t *testing.T, s people.Users) {
	must(t, s.Insert(t.Context(), user("kim")))
	for _, text := range append(hostile(), "", "KIM", "Kim@example.com", "ki_") {
		_, err := s.ByID(t.Context(), text)
		wantErr(t, fmt.Sprintf("ByID(%q)", text), err, people.ErrNotFound)
		_, err = s.ByLogin(t.Context(), text)
		wantErr(t, fmt.Sprintf("ByLogin(%q)", text), err, people.ErrNotFound)
	}
	if got, err := s.List(t.Context(), "nobody"); len(got) != 0 || err != nil {
		t.Errorf("List = %v, %v", got, err)
	}
}

func usersUnique(t *testing.T, s people.Users) {
	kim := user("kim")
	must(t, s.Insert(t.Context(), kim))
	wantErr(t, "the same user", s.Insert(t.Context(), kim), people.ErrTaken)
	again := user("lee")
	again.Login = kim.Login
	wantErr(t, "the same login", s.Insert(t.Context(), again), people.ErrTaken)
	again.Org = "other"
	wantErr(t, "the same login in another organisation", s.Insert(t.Context(), again), people.ErrTaken)
	again = user("kim")
	again.Login = "lee@example.com"
	wantErr(t, "the same id", s.Insert(t.Context(), again), people.ErrTaken)
	wantUser(t, s, kim)
	must(t, s.Insert(t.Context(), user("lee"))) // the refused ones left nothing
}

func usersReplace(t *testing.T, s people.Users) {
	kim := user("kim")
	wantErr(t, "replacing an absent user", s.Replace(t.Context(), kim, 1), people.ErrNotFound)
	must(t, s.Insert(t.Context(), kim))
	changed := kim
	changed.Version, changed.Name, changed.Suspended, changed.Role = 2, "김하나", true, people.Viewer
	for _, version := range []int64{0, 2, -1} {
		wantErr(t, fmt.Sprintf("with version %d", version), s.Replace(t.Context(), changed, version), people.ErrStale)
	}
	wantUser(t, s, kim)
	must(t, s.Replace(t.Context(), changed, 1))
	wantUser(t, s, changed)
	wantErr(t, "the same again", s.Replace(t.Context(), changed, 1), people.ErrStale)
}

func usersRename(t *testing.T, s people.Users) {
	kim, lee := user("kim"), user("lee")
	must(t, s.Insert(t.Context(), kim))
	must(t, s.Insert(t.Context(), lee))
	clash := kim
	clash.Version, clash.Login = 2, lee.Login
	wantErr(t, "taking another's login", s.Replace(t.Context(), clash, 1), people.ErrTaken)
	wantUser(t, s, kim)
	wantUser(t, s, lee)
	old := kim.Login
	kim.Version, kim.Login = 2, "hana@example.com"
	must(t, s.Replace(t.Context(), kim, 1))
	wantUser(t, s, kim)
	_, err := s.ByLogin(t.Context(), old)
	wantErr(t, "the old login", err, people.ErrNotFound)
	lee.Version, lee.Login = 2, old
	must(t, s.Replace(t.Context(), lee, 1))
	wantUser(t, s, lee)
}

func usersInsertRace(t *testing.T, s people.Users) {
	for round := range 10 {
		login := fmt.Sprintf("kim-%d", round)
		var wins atomic.Int64
		var winner atomic.Value
		race(8, func(i int) {
			u := user(fmt.Sprintf("u-%d-%d", round, i))
			u.Login = login
			switch err := s.Insert(t.Context(), u); {
			case err == nil:
				wins.Add(1)
				winner.Store(u)
			case !errors.Is(err, people.ErrTaken):
				t.Errorf("a loser got %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d inserts of one login won", wins.Load())
		}
		wantUser(t, s, winner.Load().(people.User))
	}
	if all, err := s.List(t.Context(), "default"); len(all) != 10 || err != nil {
		t.Errorf("%d users, %v, want 10", len(all), err)
	}
}

func usersReplaceRace(t *testing.T, s people.Users) {
	must(t, s.Insert(t.Context(), user("kim")))
	for version := int64(1); version <= 10; version++ {
		var wins atomic.Int64
		var winner atomic.Value
		race(8, func(i int) {
			u := user("kim")
			u.Version, u.Name = version+1, fmt.Sprintf("%d-%d", version, i)
			switch err := s.Replace(t.Context(), u, version); {
			case err == nil:
				wins.Add(1)
				winner.Store(u)
			case !errors.Is(err, people.ErrStale):
				t.Errorf("a loser got %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d replacements of one version won", wins.Load())
		}
		wantUser(t, s, winner.Load().(people.User))
	}
}

func usersList(t *testing.T, s people.Users) {
	var want []people.User
	for _, id := range []string{"b", "a", "c", "가"} {
		must(t, s.Insert(t.Context(), user(id)))
	}
	for _, id := range []string{"a", "b", "c", "가"} {
		want = append(want, user(id))
	}
	other := user("d")
	other.Org = "other"
	must(t, s.Insert(t.Context(), other))
	if got, err := s.List(t.Context(), "default"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List: %v\n got %+v\nwant %+v", err, got, want)
	}
}

func usersEnded(t *testing.T, s people.Users) {
	ctx := cancelled(t)
	wantErr(t, "Insert", s.Insert(ctx, user("kim")), context.Canceled)
	wantErr(t, "Replace", s.Replace(ctx, user("kim"), 1), context.Canceled)
	_, err := s.ByID(ctx, "kim")
	wantErr(t, "ByID", err, context.Canceled)
	_, err = s.ByLogin(ctx, "kim")
	wantErr(t, "ByLogin", err, context.Canceled)
	_, err = s.List(ctx, "default")
	wantErr(t, "List", err, context.Canceled)
	_, err = s.ByID(t.Context(), "kim")
	wantErr(t, "what a cancelled insert left", err, people.ErrNotFound)
}
