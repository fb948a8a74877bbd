package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

var loginForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._+@-]{1,253}$`)

// NewUser is somebody to invite.
type NewUser struct {
	Login string `json:"login"`
	Name  string `json:"name,omitempty"`
	Role  Role   `json:"role"`
}

// UserPatch changes what an admin may change of a user; nil keeps.
type UserPatch struct {
	Name      *string `json:"name,omitempty"`
	Role      *Role   `json:"role,omitempty"`
	Suspended *bool   `json:"suspended,omitempty"`
}

// Profile changes what people may change of themselves; nil keeps, "" follows
// the browser or the system.
type Profile struct {
	Name     *string `json:"name,omitempty"`
	Locale   *string `json:"locale,omitempty"`   // en or ko
	TimeZone *string `json:"timeZone,omitempty"` // IANA name
	Theme    *string `json:"theme,omitempty"`    // light or dark
}

// UserETag is the strong validator (RFC 9110, 8.8.3) of a user.
func UserETag(u User) string { return `"` + strconv.FormatInt(u.Version, 10) + `"` }

// Users lists the people of the actor's organisation by login.
func (s *Service) Users(ctx context.Context, a Actor) ([]User, error) {
	return s.o.Users.List(ctx, a.User.Org)
}

// User returns one person of the actor's organisation, or the fault "people.not_found".
func (s *Service) User(ctx context.Context, a Actor, id string) (User, error) {
	u, err := s.o.Users.ByID(ctx, id)
	if err == nil && u.Org != a.User.Org {
		err = ErrNotFound
	}
	return u, notFound(err, "people.not_found", "user")
}

// Invite adds a user with a one-time password, which is returned once. Faults:
// "people.login_invalid", "people.login_taken", "people.role_unknown".
func (s *Service) Invite(ctx context.Context, a Actor, n NewUser) (User, string, error) {
	return s.add(ctx, a.User.Org, n, "")
}

// Bootstrap makes the first admin of an organisation when it has no user at all;
// otherwise it changes nothing and created is false. With an empty password a
// one-time one is made and returned.
func (s *Service) Bootstrap(ctx context.Context, org, login, password string) (oneTime string, created bool, err error) {
	have, err := s.o.Users.List(ctx, org)
	if err != nil {
		return "", false, fmt.Errorf("looking for users: %w", err)
	}
	if len(have) > 0 {
		return "", false, nil
	}
	_, oneTime, err = s.add(ctx, org, NewUser{Login: login, Role: Admin}, password)
	if fault.Is(err, "people.login_taken") { // another dashboard was faster
		return "", false, nil
	}
	return oneTime, err == nil, err
}

// add stores a new user; without a password it makes a one-time one.
func (s *Service) add(ctx context.Context, org string, n NewUser, password string) (User, string, error) {
	login := normalLogin(n.Login)
	if !loginForm.MatchString(login) {
		return User{}, "", fault.New(fault.Unprocessable, "people.login_invalid",
			"the login must be an e-mail address or a name of 2 to 254 letters, digits and . _ + @ -").At("/login")
	}
	if err := checkRole(n.Role); err != nil {
		return User{}, "", err
	}
	if err := checkName(n.Name); err != nil {
		return User{}, "", err
	}
	oneTime := ""
	if password == "" {
		oneTime = oneTimePassword()
		password = oneTime
	} else if err := checkNewPassword(password, login); err != nil {
		return User{}, "", err.At("/password")
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return User{}, "", err
	}
	now := s.now()
	u := User{
		ID: "u_" + rand.Text()[:20], Org: org, Login: login, Name: n.Name, PasswordHash: hash,
		MustChange: oneTime != "", Role: n.Role, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.o.Users.Insert(ctx, u); err != nil {
		if errors.Is(err, ErrTaken) {
			return User{}, "", fault.Wrap(err, fault.Conflict, "people.login_taken", "the login %s is taken", login).With("login", login).At("/login")
		}
		return User{}, "", fmt.Errorf("storing the user: %w", err)
	}
	return u, oneTime, nil
}

// Update changes a user. ifMatch is the user's ETag or "*". The last active
// admin of an organisation stays one ("people.last_admin"). A suspended user's
// sessions end.
func (s *Service) Update(ctx context.Context, a Actor, id, ifMatch string, p UserPatch) (User, error) {
	u, err := s.User(ctx, a, id)
	if err != nil {
		return User{}, err
	}
	if err := precondition(ifMatch, UserETag(u)); err != nil {
		return User{}, err
	}
	before := u
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Role != nil {
		u.Role = *p.Role
	}
	if p.Suspended != nil {
		u.Suspended = *p.Suspended
	}
	if err := errors.Join(checkRole(u.Role), checkName(u.Name)); err != nil {
		return User{}, err
	}
	if isAdmin(before) && !isAdmin(u) {
		if err := s.keepAnAdmin(ctx, u); err != nil {
			return User{}, err
		}
	}
	if err := s.replace(ctx, &u); err != nil {
		return User{}, err
	}
	if u.Suspended && !before.Suspended {
		if err := s.o.Sessions.DeleteOf(ctx, u.ID, ""); err != nil {
			return User{}, fmt.Errorf("ending the user's sessions: %w", err)
		}
	}
	return u, nil
}

func isAdmin(u User) bool { return u.Role == Admin && !u.Suspended }

// keepAnAdmin refuses when no other active admin is left.
func (s *Service) keepAnAdmin(ctx context.Context, leaving User) error {
	all, err := s.o.Users.List(ctx, leaving.Org)
	if err != nil {
		return fmt.Errorf("looking for other admins: %w", err)
	}
	for _, other := range all {
		if other.ID != leaving.ID && isAdmin(other) {
			return nil
		}
	}
	return fault.New(fault.Conflict, "people.last_admin", "this is the last admin; make somebody else admin first")
}

// Profile changes the actor's own settings.
func (s *Service) Profile(ctx context.Context, a Actor, p Profile) (User, error) {
	u, err := s.o.Users.ByID(ctx, a.User.ID)
	if err != nil {
		return User{}, notFound(err, "people.not_found", "user")
	}
	set := func(field *string, v *string) {
		if v != nil {
			*field = *v
		}
	}
	set(&u.Name, p.Name)
	set(&u.Locale, p.Locale)
	set(&u.TimeZone, p.TimeZone)
	set(&u.Theme, p.Theme)
	if err := errors.Join(checkName(u.Name), oneOf("locale", u.Locale, "en", "ko"), oneOf("theme", u.Theme, "light", "dark")); err != nil {
		return User{}, err
	}
	if _, err := time.LoadLocation(u.TimeZone); err != nil || u.TimeZone == "Local" {
		return User{}, fault.New(fault.Unprocessable, "people.time_zone_unknown",
			"%q is not a time zone; use an IANA name such as Asia/Seoul", cut(u.TimeZone, 64)).At("/timeZone")
	}
	return u, s.replace(ctx, &u)
}

// ChangePassword sets the actor's own password and ends all other sessions.
// Faults: "people.password_wrong" for a wrong old one, "auth.locked" after 5 of
// those, and people.password_…, each with a problem at /old or /new.
func (s *Service) ChangePassword(ctx context.Context, a Actor, old, fresh string) error {
	if a.Session == nil {
		return fault.New(fault.Denied, "auth.denied", "a password is changed in a session, not with an API token")
	}
	u, err := s.o.Users.ByID(ctx, a.User.ID)
	if err != nil {
		return notFound(err, "people.not_found", "user")
	}
	doors := []door{{"login:" + u.Login, freePerLogin}}
	if err := s.held(ctx, doors); err != nil {
		return err
	}
	if err := s.checkPassword(ctx, u, false, cut(old, maxPassword), doors); err != nil {
		if fault.Is(err, "auth.invalid") { // whoever asks is signed in: no 401, which would mean the opposite
			return fault.New(fault.Unprocessable, "people.password_wrong", "the old password is wrong; type the present one").At("/old")
		}
		return err
	}
	if err := checkNewPassword(fresh, u.Login); err != nil {
		return err.At("/new")
	}
	if fresh == old {
		return fault.New(fault.Unprocessable, "people.password_same", "the new password is the old one; choose another one").At("/new")
	}
	if u.PasswordHash, err = s.newHash(ctx, fresh); err != nil {
		return err
	}
	u.MustChange = false
	if err := s.replace(ctx, &u); err != nil {
		return err
	}
	return s.o.Sessions.DeleteOf(ctx, u.ID, a.Session.ID)
}

// ResetPassword gives a user a one-time password, returned once, and ends all
// of the user's sessions.
func (s *Service) ResetPassword(ctx context.Context, a Actor, id string) (string, error) {
	u, err := s.User(ctx, a, id)
	if err != nil {
		return "", err
	}
	oneTime := oneTimePassword()
	if u.PasswordHash, err = s.newHash(ctx, oneTime); err != nil {
		return "", err
	}
	u.MustChange = true
	if err := s.replace(ctx, &u); err != nil {
		return "", err
	}
	return oneTime, s.o.Sessions.DeleteOf(ctx, u.ID, "")
}

func (s *Service) newHash(ctx context.Context, password string) (string, error) {
	release, err := s.argon.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return s.argon.hash(password), nil
}

// replace stores u as the version after the one that it holds.
func (s *Service) replace(ctx context.Context, u *User) error {
	was := u.Version
	u.Version, u.UpdatedAt = was+1, s.now()
	err := s.o.Users.Replace(ctx, *u, was)
	if errors.Is(err, ErrStale) {
		return fault.Wrap(err, fault.Stale, "precondition.stale", "the user was changed meanwhile; read it again, then repeat the change")
	}
	return notFound(err, "people.not_found", "user")
}

func precondition(ifMatch, etag string) error {
	if strings.TrimSpace(ifMatch) == "" {
		return fault.New(fault.Missing, "precondition.required",
			"send If-Match with the ETag of the version that you changed, so that nobody's work is overwritten")
	}
	if tag := strings.TrimSpace(ifMatch); tag != "*" && tag != etag {
		return fault.New(fault.Stale, "precondition.stale",
			"it was changed meanwhile: the present version is %s; read it again, then repeat the change", etag).With("current", etag)
	}
	return nil
}

func checkRole(r Role) error {
	if rank(r) == 0 {
		return fault.New(fault.Unprocessable, "people.role_unknown", "the role must be viewer, operator or admin").At("/role")
	}
	return nil
}

func checkName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 200 {
		return fault.New(fault.Unprocessable, "people.name_invalid", "the name must have at most 200 characters").At("/name")
	}
	return nil
}

// oneOf accepts the empty string too.
func oneOf(field, v string, allowed ...string) error {
	for _, ok := range append(allowed, "") {
		if v == ok {
			return nil
		}
	}
	return fault.New(fault.Unprocessable, fault.Code("people."+field+"_unknown"),
		"the %s must be one of %s, or empty", field, strings.Join(allowed, ", ")).At("/" + field)
}
