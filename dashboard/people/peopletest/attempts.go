package peopletest

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
)

// RunAttempts checks the contract of people.Attempts. open gives an empty store.
func RunAttempts(t *testing.T, open func(t *testing.T) people.Attempts) {
	for name, f := range map[string]func(*testing.T, people.Attempts){
		"an unknown key has no failures":         attemptsNone,
		"failures are counted":                   attemptsFail,
		"keys do not mix":                        attemptsKeys,
		"no failure of many at once is lost":     attemptsRace,
		"a hold stays beside the count":          attemptsHold,
		"clear forgets":                          attemptsClear,
		"an hour after the last it is forgotten": attemptsForget,
		"an ended context ends every operation":  attemptsEnded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func wantAttempt(t *testing.T, s people.Attempts, key string, want people.Attempt) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || got != want {
		t.Errorf("Get(%q): %v\n got %+v\nwant %+v", key, err, got, want)
	}
}

func fail(t *testing.T, s people.Attempts, key string, at time.Time, failed int) people.Attempt {
	t.Helper()
	got, err := s.Fail(t.Context(), key, at)
	must(t, err)
	if got.Key != key || got.Failed != failed {
		t.Errorf("Fail(%q) = %+v, want %d failures", key, got, failed)
	}
	wantAttempt(t, s, key, got)
	return got
}

func attemptsNone(t *testing.T, s people.Attempts) {
	wantAttempt(t, s, "login:kim", people.Attempt{})
	must(t, s.Clear(t.Context(), "login:kim"))
	wantAttempt(t, s, "login:kim", people.Attempt{})
}

func attemptsFail(t *testing.T, s people.Attempts) {
	for i := range 12 {
		got := fail(t, s, "login:kim", base.Add(time.Duration(i)*time.Second), i+1)
		if !got.At.Equal(base.Add(time.Duration(i)*time.Second)) || got.At.Location() != time.UTC || !got.Until.IsZero() {
			t.Errorf("after failure %d: %+v", i+1, got)
		}
	}
	// The clocks of two dashboards differ a little: the later instant stays.
	if got := fail(t, s, "login:kim", base, 13); !got.At.Equal(base.Add(11 * time.Second)) {
		t.Errorf("the last failure went back to %v", got.At)
	}
}

func attemptsKeys(t *testing.T, s people.Attempts) {
	for i, key := range hostile() {
		for n := range i + 1 {
			fail(t, s, key, base, n+1)
		}
	}
	for i, key := range hostile() {
		wantAttempt(t, s, key, people.Attempt{Key: key, Failed: i + 1, At: base})
	}
}

func attemptsRace(t *testing.T, s people.Attempts) {
	const writers, each = 8, 15
	race(writers, func(int) {
		for range each {
			if _, err := s.Fail(t.Context(), "login:kim", base); err != nil {
				t.Error(err)
			}
		}
	})
	wantAttempt(t, s, "login:kim", people.Attempt{Key: "login:kim", Failed: writers * each, At: base})
}

func attemptsHold(t *testing.T, s people.Attempts) {
	fail(t, s, "login:kim", base, 1)
	must(t, s.Hold(t.Context(), "login:kim", base.Add(time.Minute)))
	wantAttempt(t, s, "login:kim", people.Attempt{Key: "login:kim", Failed: 1, At: base, Until: base.Add(time.Minute)})
	got := fail(t, s, "login:kim", base.Add(time.Second), 2)
	if !got.Until.Equal(base.Add(time.Minute)) {
		t.Errorf("a failure changed the hold to %v", got.Until)
	}
	must(t, s.Hold(t.Context(), "login:kim", base.Add(time.Hour)))
	wantAttempt(t, s, "login:kim", people.Attempt{Key: "login:kim", Failed: 2, At: base.Add(time.Second), Until: base.Add(time.Hour)})
	must(t, s.Hold(t.Context(), "addr:192.0.2.1", base.Add(time.Minute)))
	wantAttempt(t, s, "addr:192.0.2.1", people.Attempt{Key: "addr:192.0.2.1", Until: base.Add(time.Minute)})
	fail(t, s, "addr:192.0.2.1", base, 1)
}

func attemptsClear(t *testing.T, s people.Attempts) {
	fail(t, s, "login:kim", base, 1)
	fail(t, s, "login:lee", base, 1)
	must(t, s.Hold(t.Context(), "login:kim", base.Add(time.Minute)))
	must(t, s.Clear(t.Context(), "login:kim"))
	wantAttempt(t, s, "login:kim", people.Attempt{})
	wantAttempt(t, s, "login:lee", people.Attempt{Key: "login:lee", Failed: 1, At: base})
	fail(t, s, "login:kim", base, 1)
}

func attemptsForget(t *testing.T, s people.Attempts) {
	fail(t, s, "login:kim", base, 1)
	fail(t, s, "login:kim", base, 2)
	fail(t, s, "login:lee", base, 1)
	fail(t, s, "login:held", base, 1)
	must(t, s.Hold(t.Context(), "login:held", base.Add(3*time.Hour)))
	fail(t, s, "login:kim", base.Add(time.Hour), 3) // an hour is still counted
	later := base.Add(2*time.Hour + time.Millisecond)
	fail(t, s, "login:kim", later, 1)
	wantAttempt(t, s, "login:lee", people.Attempt{}) // gone with the next failure of anyone
	got := fail(t, s, "login:held", later, 2)
	if !got.Until.Equal(base.Add(3 * time.Hour)) {
		t.Errorf("a hold that lasts was forgotten: %+v", got)
	}
}

func attemptsEnded(t *testing.T, s people.Attempts) {
	ctx := cancelled(t)
	_, err := s.Get(ctx, "login:kim")
	wantErr(t, "Get", err, context.Canceled)
	_, err = s.Fail(ctx, "login:kim", base)
	wantErr(t, "Fail", err, context.Canceled)
	wantErr(t, "Hold", s.Hold(ctx, "login:kim", base), context.Canceled)
	wantErr(t, "Clear", s.Clear(ctx, "login:kim"), context.Canceled)
	wantAttempt(t, s, "login:kim", people.Attempt{})
}
