package people_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const password = "correct horse battery"

// clock is moved by the tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type fixture struct {
	*people.Service
	t     *testing.T
	clock *clock
	store *sqlite.Store
}

// newFixture has the admin kim with the password above.
func newFixture(t *testing.T) fixture {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	c := &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	f := fixture{t: t, clock: c, store: store, Service: people.New(people.Options{
		Users: store.Users(), Sessions: store.Sessions(),
		Tokens: store.Tokens(), Attempts: store.Attempts(), Hasher: k, Now: c.Now, Cost: people.Cost{Memory: 64, Passes: 1},
	})}
	oneTime, created, err := f.Bootstrap(t.Context(), "default", "Kim", password)
	if err != nil || !created || oneTime != "" {
		t.Fatal(oneTime, created, err)
	}
	return f
}

func (f fixture) signIn(login, password string) (people.SignedIn, error) {
	return f.SignIn(f.t.Context(), people.Credentials{Login: login, Password: password, Address: "192.0.2.1", Agent: "test"})
}

func (f fixture) admin() people.SignedIn {
	f.t.Helper()
	s, err := f.signIn("kim", password)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func TestSignIn(t *testing.T) {
	f := newFixture(t)
	s, err := f.signIn(" KIM ", password)
	if err != nil || s.Actor.User.Login != "kim" || len(s.Cookie) < 40 || s.Actor.Session.CSRF == "" || s.Actor.Session.CSRF == s.Cookie {
		t.Fatalf("got %+v, %v", s, err)
	}
	if strings.Contains(s.Actor.Session.ID, s.Cookie) {
		t.Error("the cookie itself is stored")
	}
	a, err := f.Authenticate(t.Context(), s.Cookie)
	if err != nil || a.User.ID != s.Actor.User.ID || a.Can(people.PeopleWrite) != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	for _, c := range []people.Credentials{
		{Login: "kim", Password: "wrong"},
		{Login: "nobody", Password: password},
		{Login: "", Password: ""},
		{Login: "kim", Password: strings.Repeat("x", 5000)},
		{Login: strings.Repeat("x", 5000), Password: password},
	} {
		if _, err := f.SignIn(t.Context(), c); !fault.Is(err, "auth.invalid") {
			t.Errorf("%.20q: got %v", c.Login, err)
		}
	}
	if err := f.SignOut(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range []string{s.Cookie, "", "nonsense", strings.Repeat("x", 1000)} {
		if _, err := f.Authenticate(t.Context(), cookie); !fault.Is(err, "auth.expired") {
			t.Errorf("%.20q: got %v", cookie, err)
		}
	}
}

func TestSessionsEndAfterIdlenessAndAtLast(t *testing.T) {
	f := newFixture(t)
	idle := f.admin()
	f.clock.advance(119 * time.Minute)
	if _, err := f.Authenticate(t.Context(), idle.Cookie); err != nil {
		t.Fatalf("before two hours: %v", err)
	}
	f.clock.advance(121 * time.Minute)
	if _, err := f.Authenticate(t.Context(), idle.Cookie); !fault.Is(err, "auth.expired") {
		t.Errorf("after two idle hours: %v", err)
	}
	busy := f.admin()
	for range 11 {
		f.clock.advance(time.Hour)
		if _, err := f.Authenticate(t.Context(), busy.Cookie); err != nil {
			t.Fatalf("in use: %v", err)
		}
	}
	f.clock.advance(61 * time.Minute)
	if _, err := f.Authenticate(t.Context(), busy.Cookie); !fault.Is(err, "auth.expired") {
		t.Errorf("after twelve hours: %v", err)
	}
}

func TestRunSweepsExpiredSessions(t *testing.T) {
	f := newFixture(t)
	gone := f.admin()
	f.clock.advance(3 * time.Hour)
	kept := f.admin()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	testenv.Eventually(t, 10*time.Second, func() bool {
		_, err := f.store.Sessions().Get(t.Context(), gone.Actor.Session.ID)
		return errors.Is(err, people.ErrNotFound)
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := f.Authenticate(t.Context(), kept.Cookie); err != nil {
		t.Errorf("a living session: %v", err)
	}
}

func TestFailuresHoldTheDoor(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		if _, err := f.signIn("kim", "wrong"); !fault.Is(err, "auth.invalid") {
			t.Fatal(err)
		}
	}
	for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		_, err := f.signIn("kim", password) // the right one does not help
		if x := fault.As(err); x == nil || x.Code != "auth.locked" || x.Kind != fault.TooMany || x.Retry != want {
			t.Fatalf("want a wait of %d s, got %v", want, err)
		}
		f.clock.advance(time.Duration(want) * time.Second)
		if _, err := f.SignIn(t.Context(), people.Credentials{Login: "kim", Password: "wrong", Address: "198.51.100.7"}); !fault.Is(err, "auth.invalid") {
			t.Fatal(err)
		}
	}
	f.clock.advance(5 * time.Minute)
	if _, err := f.signIn("kim", password); err != nil {
		t.Fatalf("after the wait: %v", err)
	}
	if _, err := f.signIn("kim", "wrong"); !fault.Is(err, "auth.invalid") {
		t.Errorf("success did not clear the count: %v", err)
	}
}

// TestAClockThatGoesBackHoldsNoDoorForLong: the end of a hold is a time of day.
func TestAClockThatGoesBackHoldsNoDoorForLong(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		if _, err := f.signIn("kim", "wrong"); !fault.Is(err, "auth.invalid") {
			t.Fatal(err)
		}
	}
	f.clock.advance(-2 * time.Minute)
	if _, err := f.signIn("kim", password); !fault.Is(err, "auth.locked") {
		t.Errorf("clocks that differ a little open the door: %v", err)
	}
	f.clock.advance(-time.Hour)
	if _, err := f.signIn("kim", password); err != nil {
		t.Errorf("held for the hour that the clock went back: %v", err)
	}
}

func TestFailuresOfAnAddressHoldItForEveryLogin(t *testing.T) {
	f := newFixture(t)
	for i := range 20 {
		if _, err := f.signIn("nobody"+string(rune('a'+i)), "wrong"); !fault.Is(err, "auth.invalid") {
			t.Fatal(err)
		}
	}
	if _, err := f.signIn("kim", password); !fault.Is(err, "auth.locked") {
		t.Errorf("got %v", err)
	}
	if _, err := f.SignIn(t.Context(), people.Credentials{Login: "kim", Password: password, Address: "198.51.100.7"}); err != nil {
		t.Errorf("another address: %v", err)
	}
	f.clock.advance(61 * time.Minute)
	for range 3 { // an hour later the count begins anew
		if _, err := f.signIn("nobody", "wrong"); !fault.Is(err, "auth.invalid") {
			t.Errorf("got %v", err)
		}
	}
}

// TestABurstOfGuessesIsBounded: guesses that wait for the hash are refused once
// those before them failed.
func TestABurstOfGuessesIsBounded(t *testing.T) {
	f := newFixture(t)
	var all sync.WaitGroup
	judged := make(chan struct{}, 100)
	for range 30 {
		all.Go(func() {
			switch _, err := f.signIn("kim", "wrong"); {
			case fault.Is(err, "auth.invalid"):
				judged <- struct{}{}
			case !fault.Is(err, "auth.locked") && !fault.Is(err, "auth.busy"):
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := len(judged); n < 5 || n > 9 { // 5, and at most those in the 4 slots beside
		t.Errorf("%d of 30 guesses at once were judged", n)
	}
}

func TestAOneTimePasswordAllowsOnlyItsChange(t *testing.T) {
	f := newFixture(t)
	admin := f.admin().Actor
	u, oneTime, err := f.Invite(t.Context(), admin, people.NewUser{Login: "lee@example.com", Role: people.Operator})
	if err != nil || len(oneTime) < 20 || !u.MustChange {
		t.Fatal(u, oneTime, err)
	}
	s, err := f.signIn("lee@example.com", oneTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Actor.Can(people.APIsRead); !fault.Is(err, "auth.password_change_required") {
		t.Errorf("got %v", err)
	}
	other, err := f.signIn("lee@example.com", oneTime)
	if err != nil {
		t.Fatal(err)
	}
	for fresh, code := range map[string]fault.Code{
		"short": "people.password_short", "LEE@example.com": "people.password_is_login",
		strings.Repeat("x", 2000): "people.password_long", "aaaaaaaaaaaaaaaa": "people.password_repeats", oneTime: "people.password_same",
		"열두글자보다짧음": "people.password_short", "bad\xffutf8 and long": "people.password_invalid",
	} {
		if err := f.ChangePassword(t.Context(), s.Actor, oneTime, fresh); !fault.Is(err, code) || !points(err, "/new") {
			t.Errorf("%.20q: got %v", fresh, err)
		}
	}
	if err := f.ChangePassword(t.Context(), s.Actor, "wrong", "a new long password"); !fault.Is(err, "people.password_wrong") || !points(err, "/old") {
		t.Errorf("got %v", err)
	}
	if err := f.ChangePassword(t.Context(), s.Actor, oneTime, "a new long password"); err != nil {
		t.Fatal(err)
	}
	a, err := f.Authenticate(t.Context(), s.Cookie)
	if err != nil || a.Can(people.APIsWrite) != nil || !fault.Is(a.Can(people.PeopleRead), "auth.denied") {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := f.Authenticate(t.Context(), other.Cookie); !fault.Is(err, "auth.expired") {
		t.Errorf("the other session lives on: %v", err)
	}
	if _, err := f.signIn("lee@example.com", oneTime); !fault.Is(err, "auth.invalid") {
		t.Errorf("the one-time password works twice: %v", err)
	}
	if again, err := f.ResetPassword(t.Context(), admin, u.ID); err != nil || again == oneTime {
		t.Errorf("got %q, %v", again, err)
	}
	if _, err := f.Authenticate(t.Context(), s.Cookie); !fault.Is(err, "auth.expired") {
		t.Errorf("a reset left a session: %v", err)
	}
}

func TestUsers(t *testing.T) {
	f := newFixture(t)
	admin := f.admin().Actor
	lee, _, err := f.Invite(t.Context(), admin, people.NewUser{Login: "lee", Role: people.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n    people.NewUser
		code fault.Code
	}{
		{people.NewUser{Login: "LEE", Role: people.Viewer}, "people.login_taken"},
		{people.NewUser{Login: "a b", Role: people.Viewer}, "people.login_invalid"},
		{people.NewUser{Login: "x1", Role: "root"}, "people.role_unknown"},
		{people.NewUser{Login: "x1", Role: people.Viewer, Name: strings.Repeat("x", 201)}, "people.name_invalid"},
	} {
		if _, _, err := f.Invite(t.Context(), admin, c.n); !fault.Is(err, c.code) {
			t.Errorf("%+v: got %v", c.n, err)
		}
	}
	role, suspended := people.Viewer, true
	if _, err := f.Update(t.Context(), admin, admin.User.ID, "*", people.UserPatch{Role: &role}); !fault.Is(err, "people.last_admin") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Update(t.Context(), admin, admin.User.ID, "*", people.UserPatch{Suspended: &suspended}); !fault.Is(err, "people.last_admin") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Update(t.Context(), admin, lee.ID, "", people.UserPatch{}); !fault.Is(err, "precondition.required") {
		t.Errorf("got %v", err)
	}
	higher := people.Admin
	up, err := f.Update(t.Context(), admin, lee.ID, people.UserETag(lee), people.UserPatch{Role: &higher})
	if err != nil || up.Role != people.Admin {
		t.Fatal(up, err)
	}
	if _, err := f.Update(t.Context(), admin, lee.ID, people.UserETag(lee), people.UserPatch{Role: &role}); !fault.Is(err, "precondition.stale") {
		t.Errorf("got %v", err)
	}
	mine := f.admin()
	if _, err := f.Update(t.Context(), admin, admin.User.ID, "*", people.UserPatch{Suspended: &suspended}); err != nil {
		t.Fatalf("with another admin there: %v", err)
	}
	if _, err := f.Authenticate(t.Context(), mine.Cookie); !fault.Is(err, "auth.expired") {
		t.Errorf("a suspended user's session lives on: %v", err)
	}
	if _, err := f.signIn("kim", password); !fault.Is(err, "auth.invalid") {
		t.Errorf("a suspended user signs in: %v", err)
	}
	if _, created, err := f.Bootstrap(t.Context(), "default", "second", ""); err != nil || created {
		t.Errorf("a second first admin: %v, %v", created, err)
	}
}

func TestProfile(t *testing.T) {
	f := newFixture(t)
	a := f.admin().Actor
	p := func(s string) *string { return &s }
	u, err := f.Profile(t.Context(), a, people.Profile{Locale: p("ko"), TimeZone: p("Asia/Seoul"), Theme: p("dark"), Name: p("김")})
	if err != nil || u.Locale != "ko" || u.TimeZone != "Asia/Seoul" || u.Theme != "dark" || u.Name != "김" {
		t.Fatalf("got %+v, %v", u, err)
	}
	if u, err = f.Profile(t.Context(), a, people.Profile{Theme: p("")}); err != nil || u.Theme != "" || u.Locale != "ko" {
		t.Errorf("got %+v, %v", u, err)
	}
	for _, bad := range []people.Profile{{Locale: p("xx")}, {TimeZone: p("Mars/Base")}, {TimeZone: p("Local")}, {TimeZone: p("../etc/passwd")}, {Theme: p("pink")}} {
		if _, err := f.Profile(t.Context(), a, bad); fault.As(err) == nil || fault.As(err).Kind != fault.Unprocessable {
			t.Errorf("%+v: got %v", bad, err)
		}
	}
}

func TestAPITokens(t *testing.T) {
	f := newFixture(t)
	admin := f.admin().Actor
	tok, secret, err := f.CreateToken(t.Context(), admin, people.NewToken{Name: "ci", Role: people.Operator, ExpiresAt: f.clock.Now().Add(time.Hour)})
	if err != nil || !strings.HasPrefix(secret, "slt_") || !strings.HasPrefix(secret, tok.Prefix) || strings.Contains(tok.Hash, secret) {
		t.Fatalf("got %+v, %v", tok, err)
	}
	a, err := f.AuthenticateToken(t.Context(), secret)
	if err != nil || a.Kind() != "token" || a.Role != people.Operator || a.Can(people.APIsWrite) != nil || !fault.Is(a.Can(people.PeopleRead), "auth.denied") {
		t.Fatalf("got %+v, %v", a, err)
	}
	if err := f.ChangePassword(t.Context(), a, password, "some other password"); !fault.Is(err, "auth.denied") {
		t.Errorf("a token changes a password: %v", err)
	}
	if _, _, err := f.CreateToken(t.Context(), a, people.NewToken{Name: "up", Role: people.Admin}); !fault.Is(err, "people.role_too_high") {
		t.Errorf("got %v", err)
	}
	if _, _, err := f.CreateToken(t.Context(), admin, people.NewToken{Name: "", Role: people.Admin}); !fault.Is(err, "people.name_invalid") {
		t.Errorf("got %v", err)
	}
	if _, _, err := f.CreateToken(t.Context(), admin, people.NewToken{Name: "x", Role: people.Admin, ExpiresAt: f.clock.Now()}); !fault.Is(err, "people.expiry_past") {
		t.Errorf("got %v", err)
	}
	// Whoever made it falls, and the token with them.
	lee, oneTime, err := f.Invite(t.Context(), admin, people.NewUser{Login: "lee", Role: people.Admin})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.signIn("lee", oneTime)
	if err != nil {
		t.Fatal(err)
	}
	_, leeSecret, err := f.CreateToken(t.Context(), s.Actor, people.NewToken{Name: "lee", Role: people.Admin})
	if err != nil {
		t.Fatal(err)
	}
	viewer, suspended := people.Viewer, true
	if _, err := f.Update(t.Context(), admin, lee.ID, "*", people.UserPatch{Role: &viewer}); err != nil {
		t.Fatal(err)
	}
	if a, err := f.AuthenticateToken(t.Context(), leeSecret); err != nil || a.Role != people.Viewer {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := f.Update(t.Context(), admin, lee.ID, "*", people.UserPatch{Suspended: &suspended}); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(time.Hour)
	for secret, code := range map[string]fault.Code{leeSecret: "auth.invalid", secret: "auth.expired", "slt_unknown": "auth.invalid", "": "auth.invalid"} {
		if _, err := f.AuthenticateToken(t.Context(), secret); !fault.Is(err, code) {
			t.Errorf("%.8q: got %v", secret, err)
		}
	}
	if err := f.DeleteToken(t.Context(), admin, tok.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AuthenticateToken(t.Context(), secret); !fault.Is(err, "auth.invalid") {
		t.Errorf("a deleted token: %v", err)
	}
	if err := f.DeleteToken(t.Context(), admin, tok.ID); !fault.Is(err, "people.token_not_found") {
		t.Errorf("got %v", err)
	}
}

func TestRolesHoldWhatTheOnesBeforeThemHold(t *testing.T) {
	for _, r := range []people.Role{people.Viewer, people.Operator, people.Admin} {
		for _, p := range people.Viewer.Permissions() {
			if !r.Can(p) {
				t.Errorf("%s cannot %s", r, p)
			}
		}
	}
	if people.Role("root").Can(people.APIsRead) || people.Viewer.Can(people.APIsWrite) || people.Operator.Can(people.PeopleRead) {
		t.Error("a role may do too much")
	}
}

// points tells whether a fault has one problem, with the same code and message,
// at that place of the input.
func points(err error, pointer string) bool {
	f := fault.As(err)
	return f != nil && len(f.Problems) == 1 && f.Problems[0].Path == pointer && f.Problems[0].Code == f.Code &&
		f.Problems[0].Message == f.Message && f.Problems[0].Severity == fault.Error
}
