package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// How long a session lives, and how much may be tried at its door.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = 2 * time.Hour
	seenEvery   = time.Minute // how stale SeenAt may be

	freePerLogin   = 5  // failures of one login before it has to wait
	freePerAddress = 20 // of one address, which a whole office may share
	longestWait    = 5 * time.Minute
	forgetAfter    = time.Hour

	// maxHold is how far ahead a hold may lie to count. It leaves room for dashboards
	// whose clocks differ; one that lies further was set by a clock that went back since.
	maxHold = 2 * longestWait
)

// Credentials are what a sign-in brings. Address is the client's IP address.
type Credentials struct {
	Login, Password string
	Address, Agent  string
}

// SignedIn is a new session. Cookie is the value for the browser; only its hash
// is stored.
type SignedIn struct {
	Actor  Actor
	Cookie string
}

// SignIn checks a login and its password. Faults: "auth.invalid" for a wrong
// login, a wrong password or a suspended user, after the same work in each case;
// "auth.locked" with Retry after 5 failures of a login or 20 of an address, for
// 1 s doubling to 5 min; "auth.busy" with Retry.
func (s *Service) SignIn(ctx context.Context, c Credentials) (SignedIn, error) {
	login := normalLogin(c.Login)
	doors := []door{{"login:" + login, freePerLogin}, {"addr:" + c.Address, freePerAddress}}
	if len(login) > 254 || len(c.Password) > maxPassword {
		return SignedIn{}, s.refuse(ctx, doors[1:])
	}
	if err := s.held(ctx, doors); err != nil {
		return SignedIn{}, err
	}
	user, err := s.o.Users.ByLogin(ctx, login)
	unknown := errors.Is(err, ErrNotFound)
	if err != nil && !unknown {
		return SignedIn{}, fmt.Errorf("looking up a user: %w", err)
	}
	if err := s.checkPassword(ctx, user, unknown || user.Suspended, c.Password, doors); err != nil {
		return SignedIn{}, err
	}
	if err := s.o.Attempts.Clear(ctx, doors[0].key); err != nil {
		return SignedIn{}, fmt.Errorf("clearing failed sign-ins: %w", err)
	}
	return s.open(ctx, user, c)
}

// checkPassword verifies a password and counts a failure, all in one slot, so
// that of many guesses at once only as many are judged as there are slots:
// whoever was locked out while waiting is refused unheard. refused ends in the
// same way as a wrong password, after the same work.
func (s *Service) checkPassword(ctx context.Context, u User, refused bool, password string, doors []door) error {
	release, err := s.argon.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.held(ctx, doors); err != nil {
		return err
	}
	phc := u.PasswordHash
	if phc == "" {
		phc = s.dummy
	}
	if !s.argon.verify(phc, password) || refused {
		return s.refuse(ctx, doors)
	}
	return nil
}

func (s *Service) open(ctx context.Context, u User, c Credentials) (SignedIn, error) {
	now := s.now()
	cookie := randomToken()
	session := Session{
		ID: cookieHash(cookie), UserID: u.ID, CSRF: randomToken(), CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(sessionIdle), Address: c.Address, Agent: cut(c.Agent, 256),
	}
	if err := s.o.Sessions.Put(ctx, session); err != nil {
		return SignedIn{}, fmt.Errorf("storing the session: %w", err)
	}
	return SignedIn{Actor: Actor{User: u, Role: u.Role, Session: &session}, Cookie: cookie}, nil
}

// Authenticate returns who a session cookie belongs to and keeps the session
// alive: it ends 2 h after the last use and 12 h after sign-in. A fault with the
// code "auth.expired" (kind Unauthenticated) means: sign in again.
func (s *Service) Authenticate(ctx context.Context, cookie string) (Actor, error) {
	expired := fault.New(fault.Unauthenticated, "auth.expired", "the session has ended; sign in again")
	if cookie == "" || len(cookie) > 128 {
		return Actor{}, expired
	}
	session, err := s.o.Sessions.Get(ctx, cookieHash(cookie))
	if errors.Is(err, ErrNotFound) {
		return Actor{}, expired
	}
	if err != nil {
		return Actor{}, fmt.Errorf("looking up the session: %w", err)
	}
	now := s.now()
	if !now.Before(session.ExpiresAt) {
		if err := s.o.Sessions.Delete(ctx, session.ID); err != nil {
			return Actor{}, fmt.Errorf("removing an ended session: %w", err)
		}
		return Actor{}, expired
	}
	user, err := s.o.Users.ByID(ctx, session.UserID)
	if errors.Is(err, ErrNotFound) || err == nil && user.Suspended {
		return Actor{}, expired
	}
	if err != nil {
		return Actor{}, fmt.Errorf("looking up the session's user: %w", err)
	}
	if now.Sub(session.SeenAt) >= seenEvery {
		session.SeenAt = now
		session.ExpiresAt = earlier(now.Add(sessionIdle), session.CreatedAt.Add(sessionLife))
		if err := s.o.Sessions.Put(ctx, session); err != nil {
			return Actor{}, fmt.Errorf("keeping the session alive: %w", err)
		}
	}
	return Actor{User: user, Role: user.Role, Session: &session}, nil
}

// SignOut ends the actor's session; nothing happens for a token.
func (s *Service) SignOut(ctx context.Context, a Actor) error {
	if a.Session == nil {
		return nil
	}
	return s.o.Sessions.Delete(ctx, a.Session.ID)
}

// door is something that failures are counted by.
type door struct {
	key  string
	free int
}

// held returns the fault "auth.locked" when one of the doors is held.
func (s *Service) held(ctx context.Context, doors []door) error {
	now := s.now()
	for _, d := range doors {
		a, err := s.o.Attempts.Get(ctx, d.key)
		if err != nil {
			return fmt.Errorf("looking up failed sign-ins: %w", err)
		}
		if wait := a.Until.Sub(now); wait > 0 && wait <= maxHold {
			return locked(wait)
		}
	}
	return nil
}

// refuse counts a failure at each door and returns the fault "auth.invalid".
func (s *Service) refuse(ctx context.Context, doors []door) error {
	now := s.now()
	for _, d := range doors {
		before, err := s.o.Attempts.Get(ctx, d.key)
		if err != nil {
			return fmt.Errorf("looking up failed sign-ins: %w", err)
		}
		if before.Failed > 0 && now.Sub(before.At) >= forgetAfter {
			if err := s.o.Attempts.Clear(ctx, d.key); err != nil {
				return fmt.Errorf("forgetting old sign-ins: %w", err)
			}
		}
		a, err := s.o.Attempts.Fail(ctx, d.key, now)
		if err != nil {
			return fmt.Errorf("counting a failed sign-in: %w", err)
		}
		if wait := backOff(a.Failed, d.free); wait > 0 {
			if err := s.o.Attempts.Hold(ctx, d.key, now.Add(wait)); err != nil {
				return fmt.Errorf("holding sign-ins: %w", err)
			}
		}
	}
	return fault.New(fault.Unauthenticated, "auth.invalid", "the login or the password is wrong")
}

// backOff is how long to wait after the given number of failures.
func backOff(failed, free int) time.Duration {
	over := failed - free
	if over < 0 {
		return 0
	}
	if over >= 9 { // 2^9 s is beyond the longest wait
		return longestWait
	}
	return min(time.Second<<over, longestWait)
}

func locked(wait time.Duration) error {
	f := fault.New(fault.TooMany, "auth.locked", "too many failed sign-ins; wait, then try again")
	f.Retry = int((wait + time.Second - 1) / time.Second)
	return f.With("seconds", f.Retry)
}

func randomToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

func cookieHash(cookie string) string {
	sum := sha256.Sum256([]byte(cookie))
	return hex.EncodeToString(sum[:])
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// cut shortens s to at most n bytes, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
