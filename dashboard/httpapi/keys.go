package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// keyWritten is the answer to a change of a key.
type keyWritten struct {
	Object   access.Key      `json:"object"`
	Secret   string          `json:"secret,omitempty"` // of a new key, shown this once
	DryRun   bool            `json:"dryRun,omitempty"`
	Problems []fault.Problem `json:"problems"` // warnings
}

func (a *api) listKeys(c *call) error {
	if err := c.Query("q", "state", "policy", "api", "cursor", "limit"); err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return err
	}
	state, err := c.OneOf("state", string(access.KeyActive), string(access.KeySuspended), string(access.KeyRevoked))
	if err != nil {
		return err
	}
	found, err := a.Keys.List(c.R.Context(), keys.Query{
		Org: c.org(), Q: strings.ToLower(c.Param("q")), State: access.KeyState(state),
		Policy: c.Param("policy"), API: c.Param("api"), After: c.Param("cursor"), Limit: limit,
	})
	if err != nil {
		return err
	}
	items := make([]access.Key, 0, len(found.Items))
	for _, s := range found.Items {
		items = append(items, s.Key)
	}
	out := keyPage{exchange.NewPage(items, found.Next, found.Total), a.namesIn(c, []string{c.Param("policy")}, []string{c.Param("api")}, items...)}
	out.TotalExact = !found.AtLeast
	return c.JSON(http.StatusOK, out)
}

func (a *api) createKey(c *call) error {
	w, err := c.keyWrite()
	if err != nil {
		return err
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	r, err := a.Keys.Create(c.R.Context(), w, body)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if w.DryRun {
		status = http.StatusOK
	} else {
		c.W.Header().Set("Location", Base+"/keys/"+r.Key.ID)
	}
	return c.keyWritten(status, w, r)
}

func (a *api) patchKey(c *call) error {
	w, err := c.keyWrite()
	if err != nil {
		return err
	}
	body, err := c.Body("application/merge-patch+json")
	if err != nil {
		return err
	}
	r, err := a.Keys.Patch(c.R.Context(), w, c.id(), body)
	if err != nil {
		return err
	}
	return c.keyWritten(http.StatusOK, w, r)
}

func (a *api) revokeKey(c *call) error {
	w, err := c.keyWrite()
	if err != nil {
		return err
	}
	r, err := a.Keys.Revoke(c.R.Context(), w, c.id())
	if err != nil {
		return err
	}
	return c.keyWritten(http.StatusOK, w, r)
}

func (c *call) keyWrite() (keys.Write, error) {
	if err := c.Query("dry_run"); err != nil {
		return keys.Write{}, err
	}
	dry, err := c.DryRun()
	return keys.Write{Org: c.org(), IfMatch: strings.Join(c.R.Header.Values("If-Match"), ","), DryRun: dry}, err
}

func (c *call) keyWritten(status int, w keys.Write, r keys.Result) error {
	if r.ETag != "" {
		c.W.Header().Set("Etag", r.ETag)
	}
	return c.JSON(status, keyWritten{r.Key, r.Secret, w.DryRun, exchange.Warnings(r.Problems)})
}

func (a *api) getKey(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	k, err := a.Keys.Get(c.R.Context(), c.org(), c.id())
	if err != nil {
		return err
	}
	c.W.Header().Set("Etag", keys.ETag(k))
	return c.JSON(http.StatusOK, namedKey{k, a.namesIn(c, nil, nil, k)})
}

// previewDTO is what a key and its policies come to.
type previewDTO struct {
	Policies  []string          `json:"policies"` // that count
	Skipped   []string          `json:"skipped"`  // disabled ones
	Refused   bool              `json:"refused"`  // all policies are skipped: the key may do nothing
	Rights    []access.Right    `json:"rights"`
	Metadata  map[string]string `json:"metadata"`
	ExpiresAt time.Time         `json:"expiresAt,omitzero"`
	Origins   map[string]string `json:"origins"` // JSON pointer of a value to "key" or "policy:ID"
	Problems  []fault.Problem   `json:"problems"`
	Names     names             `json:"names"` // also of what does not count
}

func (a *api) previewKey(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	k, s, problems, err := a.Keys.Preview(c.R.Context(), c.org(), body)
	if err != nil {
		return err
	}
	out := previewDTO{
		Policies: s.Policies, Skipped: s.Skipped, Refused: s.Refused, Rights: s.Rights, Metadata: s.Metadata,
		ExpiresAt: s.ExpiresAt, Origins: s.Origins, Problems: exchange.Warnings(problems),
		Names: a.namesIn(c, nil, apisOf(s.Rights), k),
	}
	out.Policies, out.Skipped = append([]string{}, out.Policies...), append([]string{}, out.Skipped...)
	out.Rights = append([]access.Right{}, out.Rights...)
	return c.JSON(http.StatusOK, out)
}
