package peopletest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// RunSessions checks the contract of people.Sessions. open gives an empty store.
func RunSessions(t *testing.T, open func(t *testing.T) people.Sessions) {
	for name, f := range map[string]func(*testing.T, people.Sessions){
		"a session comes back as it went in":      sessionsRoundTrip,
		"an absent session is not found":          sessionsAbsent,
		"put changes a known session":             sessionsPut,
		"racing puts of one session":              sessionsRace,
		"a deleted session is gone":               sessionsDelete,
		"all sessions of a user end but one":      sessionsDeleteOf,
		"sweep removes what expired before":       sessionsSweep,
		"an ended context ends every operation":   sessionsEnded,
		"a browser may say anything about itself": sessionsAgent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func session(id, userID string) people.Session {
	return people.Session{
		ID: id, UserID: userID, CSRF: "csrf of " + id, CreatedAt: base, SeenAt: base.Add(time.Minute),
		ExpiresAt: base.Add(time.Hour), Address: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux x86_64)",
	}
}

func put(t *testing.T, s people.Sessions, all ...people.Session) {
	t.Helper()
	for _, v := range all {
		must(t, s.Put(t.Context(), v))
	}
}

func wantSession(t *testing.T, s people.Sessions, want people.Session) {
	t.Helper()
	if got, err := s.Get(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("Get(%q): %v\n got %+v\nwant %+v", want.ID, err, got, want)
	}
}

func wantNoSession(t *testing.T, s people.Sessions, id string) {
	t.Helper()
	_, err := s.Get(t.Context(), id)
	wantErr(t, fmt.Sprintf("Get(%q)", id), err, people.ErrNotFound)
}

func sessionsRoundTrip(t *testing.T, s people.Sessions) {
	for _, text := range hostile() {
		v := session("id"+text, text)
		v.CSRF, v.Address, v.Agent = text, text, text
		put(t, s, v)
		wantSession(t, s, v)
	}
	bare := people.Session{ID: "bare"}
	put(t, s, bare)
	wantSession(t, s, bare)
	precise := session("precise", "u")
	precise.SeenAt, precise.ExpiresAt = base.Add(999_999), base.In(time.FixedZone("KST", 9*3600))
	put(t, s, precise)
	precise.SeenAt, precise.ExpiresAt = base, base
	wantSession(t, s, precise)
}

func sessionsAbsent(t *testing.T, s people.Sessions) {
	put(t, s, session("a", "u"))
	for _, text := range append(hostile(), "", "A") {
		wantNoSession(t, s, text)
		must(t, s.Delete(t.Context(), text)) // ending what has ended is no error
		must(t, s.DeleteOf(t.Context(), text, ""))
	}
	wantSession(t, s, session("a", "u"))
}

func sessionsPut(t *testing.T, s people.Sessions) {
	v := session("a", "u")
	put(t, s, v)
	v.SeenAt, v.ExpiresAt, v.Address, v.CSRF = base.Add(time.Hour), base.Add(2*time.Hour), "198.51.100.7", "another"
	put(t, s, v)
	wantSession(t, s, v)
}

func sessionsRace(t *testing.T, s people.Sessions) {
	for round := range 10 {
		id := fmt.Sprintf("s%d", round)
		race(8, func(i int) {
			v := session(id, "u")
			v.SeenAt = base.Add(time.Duration(i) * time.Second)
			if err := s.Put(t.Context(), v); err != nil {
				t.Error(err)
			}
		})
		if got, err := s.Get(t.Context(), id); err != nil || got.UserID != "u" {
			t.Errorf("after racing puts: %+v, %v", got, err)
		}
	}
}

func sessionsDelete(t *testing.T, s people.Sessions) {
	put(t, s, session("a", "u"), session("b", "u"))
	must(t, s.Delete(t.Context(), "a"))
	wantNoSession(t, s, "a")
	wantSession(t, s, session("b", "u"))
}

func sessionsDeleteOf(t *testing.T, s people.Sessions) {
	put(t, s, session("a", "u"), session("b", "u"), session("c", "u"), session("d", "other"))
	must(t, s.DeleteOf(t.Context(), "u", "b"))
	wantNoSession(t, s, "a")
	wantNoSession(t, s, "c")
	wantSession(t, s, session("b", "u"))
	wantSession(t, s, session("d", "other"))
	must(t, s.DeleteOf(t.Context(), "u", ""))
	wantNoSession(t, s, "b")
	wantSession(t, s, session("d", "other"))
}

func sessionsSweep(t *testing.T, s people.Sessions) {
	for i := range 5 {
		v := session(fmt.Sprintf("s%d", i), "u")
		v.ExpiresAt = base.Add(time.Duration(i) * time.Millisecond)
		put(t, s, v)
	}
	must(t, s.Sweep(t.Context(), base.Add(2*time.Millisecond)))
	for i := range 5 {
		id := fmt.Sprintf("s%d", i)
		if i < 2 {
			wantNoSession(t, s, id)
		} else if _, err := s.Get(t.Context(), id); err != nil {
			t.Errorf("%s had not expired before: %v", id, err)
		}
	}
}

func sessionsAgent(t *testing.T, s people.Sessions) {
	for i, agent := range []string{"\xff\xfe", "a\x00b", "한글\xed\xa0\x80", "\ufeff", strings.Repeat("x", 64<<10)} {
		v := session(fmt.Sprintf("s%d", i), "u")
		v.Agent = agent
		put(t, s, v)
		got, err := s.Get(t.Context(), v.ID)
		if err != nil || got.UserID != "u" || got.Agent != strings.ToValidUTF8(agent, "\uFFFD") {
			t.Errorf("%q came back as %q, %v", agent, got.Agent, err)
		}
	}
}

func sessionsEnded(t *testing.T, s people.Sessions) {
	ctx := cancelled(t)
	wantErr(t, "Put", s.Put(ctx, session("a", "u")), context.Canceled)
	_, err := s.Get(ctx, "a")
	wantErr(t, "Get", err, context.Canceled)
	wantErr(t, "Delete", s.Delete(ctx, "a"), context.Canceled)
	wantErr(t, "DeleteOf", s.DeleteOf(ctx, "u", ""), context.Canceled)
	wantErr(t, "Sweep", s.Sweep(ctx, base), context.Canceled)
	wantNoSession(t, s, "a")
}
