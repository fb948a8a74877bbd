package httpapi

import (
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/people"
)

// tokenDTO is an API token without its secret.
type tokenDTO struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Prefix    string      `json:"prefix"`
	Role      people.Role `json:"role"`
	UserID    string      `json:"userId"` // who made it
	CreatedAt time.Time   `json:"createdAt"`
	ExpiresAt time.Time   `json:"expiresAt,omitzero"` // absent: never
	UsedAt    time.Time   `json:"usedAt,omitzero"`    // to the minute; absent: never
}

func toToken(t people.Token) tokenDTO {
	return tokenDTO{t.ID, t.Name, t.Prefix, t.Role, t.UserID, t.CreatedAt, t.ExpiresAt, t.UsedAt}
}

func (a *api) listTokens(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	all, err := a.People.Tokens(c.R.Context(), c.actor)
	if err != nil {
		return err
	}
	items := make([]tokenDTO, 0, len(all))
	for _, t := range all {
		items = append(items, toToken(t))
	}
	return c.JSON(http.StatusOK, exchange.NewPage(items, "", len(items)))
}

func (a *api) createToken(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	in, err := exchange.Decode[people.NewToken](c.Exchange)
	if err != nil {
		return err
	}
	t, secret, err := a.People.CreateToken(c.R.Context(), c.actor, *in)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, struct {
		Object tokenDTO `json:"object"`
		Secret string   `json:"secret"` // shown this once
	}{toToken(t), secret})
}

func (a *api) deleteToken(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	if err := a.People.DeleteToken(c.R.Context(), c.actor, c.id()); err != nil {
		return err
	}
	return c.NoContent()
}
