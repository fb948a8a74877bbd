package httpapi

import (
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

// userDTO is a person as the API tells.
type userDTO struct {
	ID       string      `json:"id"`
	Login    string      `json:"login"`
	Name     string      `json:"name"`
	Role     people.Role `json:"role"`
	Locale   string      `json:"locale"`
	TimeZone string      `json:"timeZone"`
	Theme    string      `json:"theme"`
}

func toUser(u people.User) userDTO {
	return userDTO{u.ID, u.Login, u.Name, u.Role, u.Locale, u.TimeZone, u.Theme}
}

// sessionDTO says who the caller is and what it may do.
type sessionDTO struct {
	User        userDTO             `json:"user"`
	Org         string              `json:"org"`
	Kind        string              `json:"kind"` // user or token
	Role        people.Role         `json:"role"` // what counts: the user's, or the lower one of user and token
	Permissions []people.Permission `json:"permissions"`
	CSRF        string              `json:"csrf,omitempty"` // for the header X-CSRF-Token; absent for tokens
	Locale      string              `json:"locale"`
	MustChange  bool                `json:"mustChangePassword"`
	ExpiresAt   *time.Time          `json:"expiresAt,omitempty"` // of the session, if it is not used before
}

func toSession(a people.Actor) sessionDTO {
	s := sessionDTO{User: toUser(a.User), Org: a.User.Org, Kind: a.Kind(), Role: a.Role, Permissions: a.Role.Permissions(), Locale: a.User.Locale}
	if s.Permissions == nil {
		s.Permissions = []people.Permission{}
	}
	if a.Session != nil {
		s.CSRF, s.MustChange, s.ExpiresAt = a.Session.CSRF, a.User.MustChange, &a.Session.ExpiresAt
	}
	return s
}

func (a *api) signIn(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	in, err := exchange.Decode[struct {
		Login    string `json:"login"`
		Password string `json:"password"`
	}](c.Exchange)
	if err != nil {
		return err
	}
	note(c.R).login = exchange.Brief(in.Login)
	who, err := a.People.SignIn(c.R.Context(), people.Credentials{
		Login: in.Login, Password: in.Password, Address: a.clientAddress(c.R), Agent: c.R.UserAgent(),
	})
	if err != nil {
		return err
	}
	note(c.R).caller = who.Actor.ID()
	a.leaveOld(c)
	a.setCookie(c.W, who.Cookie)
	return c.JSON(http.StatusOK, toSession(who.Actor))
}

// leaveOld ends the session that the browser had before, so that none is left
// behind that nobody knows of.
func (a *api) leaveOld(c *call) {
	cookie, err := c.R.Cookie(cookieName)
	if err != nil {
		return
	}
	old, err := a.People.Authenticate(c.R.Context(), cookie.Value)
	if err == nil {
		err = a.People.SignOut(c.R.Context(), old)
	}
	if err != nil {
		a.Log.DebugContext(c.R.Context(), "the browser's session before is left as it is", "error", err)
	}
}

func (a *api) session(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toSession(c.actor))
}

func (a *api) signOut(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	if err := a.People.SignOut(c.R.Context(), c.actor); err != nil {
		return err
	}
	a.setCookie(c.W, "")
	return c.NoContent()
}

func (a *api) changePassword(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	in, err := exchange.Decode[struct {
		Old string `json:"old"`
		New string `json:"new"`
	}](c.Exchange)
	if err != nil {
		return err
	}
	if err := a.People.ChangePassword(c.R.Context(), c.actor, in.Old, in.New); err != nil {
		return err
	}
	if a.PasswordChanged != nil {
		a.PasswordChanged(c.actor.User)
	}
	return c.NoContent()
}

func (a *api) me(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toUser(c.actor.User))
}

func (a *api) changeMe(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	p, err := exchange.Decode[people.Profile](c.Exchange)
	if err != nil {
		return err
	}
	u, err := a.People.Profile(c.R.Context(), c.actor, *p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toUser(u))
}
