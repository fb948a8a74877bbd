package httpapi

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// reads tells whether the caller may read the objects of a kind.
func (c *call) reads(kind string) bool {
	read, _ := permissions(kind)
	return c.actor.Can(read) == nil
}

// searchRevisions answers a page of what listRevisions finds by q. How many there are
// on all pages is not counted.
func (a *api) searchRevisions(c *call, before int64, limit int) error {
	found, err := a.History.Search(c.R.Context(), c.org(), c.Param("q"), before, limit, c.reads)
	if err != nil {
		return err
	}
	items, err := a.named(c, found.Revisions)
	if err != nil {
		return err
	}
	out := exchange.NewPage(items, "", len(items))
	if found.Next > 0 {
		out.Next = strconv.FormatInt(found.Next, 10)
	}
	out.TotalExact = out.Next == "" && before == 0
	return c.JSON(http.StatusOK, out)
}

// revisionDiff answers what differs between two revisions, in objects that the
// caller may read.
func (a *api) revisionDiff(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	from, err := revisionNumber(c, "a", 0)
	if err != nil {
		return err
	}
	to, err := revisionNumber(c, "b", 0)
	if err != nil {
		return err
	}
	all, err := a.History.Diff(c.R.Context(), c.org(), from, to)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		From    int64                `json:"from"`
		To      int64                `json:"to"`
		Objects []history.ObjectDiff `json:"objects"`
	}{from, to, slices.DeleteFunc(all, func(d history.ObjectDiff) bool { return !c.reads(d.Kind) })})
}

// rollbackBody is the body of POST /revisions/{n}/rollback.
type rollbackBody struct {
	Scope []history.Ref `json:"scope"` // absent: every object
	Note  string        `json:"note"`
}

// rollbackDTO is the answer to a rollback.
type rollbackDTO struct {
	setDTO
	Later []history.Later `json:"later"`
}

// rollback brings objects back to how they were. The caller needs the permission to
// change each kind of the scope, without one every kind.
func (a *api) rollback(c *call) error {
	w, err := c.setWrite()
	if err != nil {
		return err
	}
	n, err := revisionNumber(c, "n", 1)
	if err != nil {
		return err
	}
	in, err := exchange.Decode[rollbackBody](c.Exchange)
	if err != nil {
		return err
	}
	w.Note = in.Note
	if in.Scope != nil && len(in.Scope) == 0 {
		return fault.New(fault.Unprocessable, "rollback.scope_empty", "scope names no object; leave it out to bring back all of them").At("/scope")
	}
	kinds := a.Set.Kinds()
	if in.Scope != nil {
		kinds = nil
		for _, ref := range in.Scope {
			kinds = append(kinds, ref.Kind)
		}
	}
	for _, kind := range kinds {
		if _, needs := permissions(kind); c.actor.Can(needs) != nil {
			return c.actor.Can(needs)
		}
	}
	result, err := a.History.Rollback(c.R.Context(), w, n, in.Scope)
	if err != nil {
		return err
	}
	out := rollbackDTO{c.setAnswer(w, result.SetResult), result.Later}
	if out.Later == nil {
		out.Later, out.Plan = []history.Later{}, []objects.Step{}
	}
	return c.JSON(http.StatusOK, out)
}

// revisionNumber reads a number in the path.
func revisionNumber(c *call, param string, least int64) (int64, error) {
	text := chi.URLParam(c.R, param)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || strconv.FormatInt(n, 10) != text {
		return 0, fault.New(fault.NotFound, "revision.not_found", "there is no revision %s; revisions are numbers from 1", exchange.Brief(text))
	}
	return n, nil
}
