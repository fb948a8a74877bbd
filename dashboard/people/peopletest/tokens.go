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

// RunTokens checks the contract of people.Tokens. open gives an empty store.
func RunTokens(t *testing.T, open func(t *testing.T) people.Tokens) {
	for name, f := range map[string]func(*testing.T, people.Tokens){
		"a token comes back as it went in":       tokensRoundTrip,
		"ids and hashes are unique":              tokensUnique,
		"of racing inserts of a hash one wins":   tokensRace,
		"a list has one organisation, newest up": tokensList,
		"a deleted token is gone":                tokensDelete,
		"touch only moves on":                    tokensTouch,
		"an ended context ends every operation":  tokensEnded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func token(id string) people.Token {
	return people.Token{
		ID: id, Org: "default", UserID: "u1", Name: "CI of " + id, Prefix: "slt_" + id, Hash: "hash of " + id,
		Role: people.Operator, CreatedAt: base, ExpiresAt: base.Add(time.Hour),
	}
}

func wantToken(t *testing.T, s people.Tokens, want people.Token) {
	t.Helper()
	if got, err := s.ByHash(t.Context(), want.Hash); err != nil || got != want {
		t.Errorf("ByHash(%q): %v\n got %+v\nwant %+v", want.Hash, err, got, want)
	}
}

func tokensRoundTrip(t *testing.T, s people.Tokens) {
	for _, text := range hostile() {
		_, err := s.ByHash(t.Context(), text)
		wantErr(t, fmt.Sprintf("ByHash(%q)", text), err, people.ErrNotFound)
	}
	for _, text := range hostile() {
		v := people.Token{
			ID: "id" + text, Org: text, UserID: text, Name: text, Prefix: text, Hash: text, Role: people.Role(text),
			CreatedAt: base, ExpiresAt: base.Add(time.Hour), UsedAt: base.Add(time.Second),
		}
		must(t, s.Insert(t.Context(), v))
		wantToken(t, s, v)
	}
	endless := token("endless")
	endless.ExpiresAt = time.Time{}
	must(t, s.Insert(t.Context(), endless))
	wantToken(t, s, endless)
}

func tokensUnique(t *testing.T, s people.Tokens) {
	a := token("a")
	must(t, s.Insert(t.Context(), a))
	again := token("b")
	again.Hash = a.Hash
	wantErr(t, "the same hash", s.Insert(t.Context(), again), people.ErrTaken)
	again.Org = "other"
	wantErr(t, "the same hash in another organisation", s.Insert(t.Context(), again), people.ErrTaken)
	again = token("a")
	again.Hash = "another"
	wantErr(t, "the same id", s.Insert(t.Context(), again), people.ErrTaken)
	wantToken(t, s, a)
}

func tokensRace(t *testing.T, s people.Tokens) {
	for round := range 10 {
		var wins atomic.Int64
		var winner atomic.Value
		race(8, func(i int) {
			v := token(fmt.Sprintf("t-%d-%d", round, i))
			v.Hash = fmt.Sprintf("hash %d", round)
			switch err := s.Insert(t.Context(), v); {
			case err == nil:
				wins.Add(1)
				winner.Store(v)
			case !errors.Is(err, people.ErrTaken):
				t.Errorf("a loser got %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d inserts of one hash won", wins.Load())
		}
		wantToken(t, s, winner.Load().(people.Token))
	}
}

func tokensList(t *testing.T, s people.Tokens) {
	var want []people.Token
	for i := range 6 {
		v := token(fmt.Sprintf("t%d", i))
		v.CreatedAt = base.Add(-time.Duration(i/2) * time.Millisecond) // two of each instant
		want = append(want, v)
	}
	for i := range want {
		must(t, s.Insert(t.Context(), want[(i*5+2)%len(want)]))
	}
	other := token("other")
	other.Org = "other"
	must(t, s.Insert(t.Context(), other))
	if got, err := s.List(t.Context(), "default"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List: %v\n got %+v\nwant %+v", err, got, want)
	}
	if got, err := s.List(t.Context(), "nobody"); len(got) != 0 || err != nil {
		t.Errorf("List = %v, %v", got, err)
	}
}

func tokensDelete(t *testing.T, s people.Tokens) {
	must(t, s.Insert(t.Context(), token("a")))
	for _, c := range [][2]string{{"other", "a"}, {"default", "b"}, {"default", ""}, {"", "a"}, {"default", "$ne"}} {
		wantErr(t, fmt.Sprintf("Delete(%q, %q)", c[0], c[1]), s.Delete(t.Context(), c[0], c[1]), people.ErrNotFound)
	}
	wantToken(t, s, token("a"))
	must(t, s.Delete(t.Context(), "default", "a"))
	_, err := s.ByHash(t.Context(), token("a").Hash)
	wantErr(t, "after the deletion", err, people.ErrNotFound)
	wantErr(t, "deleting it again", s.Delete(t.Context(), "default", "a"), people.ErrNotFound)
	must(t, s.Insert(t.Context(), token("a"))) // id and hash are free again
}

func tokensTouch(t *testing.T, s people.Tokens) {
	a, b := token("a"), token("b")
	must(t, s.Insert(t.Context(), a))
	must(t, s.Insert(t.Context(), b))
	for _, c := range []struct{ at, want time.Duration }{{time.Second, time.Second}, {time.Minute, time.Minute}, {2 * time.Second, time.Minute}} {
		must(t, s.Touch(t.Context(), "a", base.Add(c.at)))
		a.UsedAt = base.Add(c.want)
		wantToken(t, s, a)
	}
	wantToken(t, s, b)
	must(t, s.Touch(t.Context(), "absent", base)) // deleted between the check and the note
	if all, err := s.List(t.Context(), "default"); len(all) != 2 || err != nil {
		t.Errorf("touching an absent token made one: %v, %v", all, err)
	}
}

func tokensEnded(t *testing.T, s people.Tokens) {
	ctx := cancelled(t)
	wantErr(t, "Insert", s.Insert(ctx, token("a")), context.Canceled)
	_, err := s.ByHash(ctx, "hash of a")
	wantErr(t, "ByHash", err, context.Canceled)
	_, err = s.List(ctx, "default")
	wantErr(t, "List", err, context.Canceled)
	wantErr(t, "Delete", s.Delete(ctx, "default", "a"), context.Canceled)
	wantErr(t, "Touch", s.Touch(ctx, "a", base), context.Canceled)
	_, err = s.ByHash(t.Context(), "hash of a")
	wantErr(t, "what a cancelled insert left", err, people.ErrNotFound)
}
