package httpapi

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/httpapi/changes"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// reads tells whether the caller may read the objects of a kind.
func (c *call) reads(kind string) bool { return changes.Reads(c.actor, kind) }

func (c *call) changes() changes.Call {
	return changes.Call{Exchange: c.Exchange, Actor: c.actor, Base: Base}
}

// set is a call that changes several objects; its note is in the body.
func (c *call) set() (changes.Call, error) {
	if err := c.Query("dry_run"); err != nil {
		return changes.Call{}, err
	}
	w, err := c.write()
	out := c.changes()
	out.Write = w
	return out, err
}

func (a *api) applyChanges(c *call) error {
	set, err := c.set()
	if err != nil {
		return err
	}
	return a.Changes.Apply(set)
}

func (a *api) rollback(c *call) error {
	n, err := revisionNumber(c, "n", 1)
	if err != nil {
		return err
	}
	set, err := c.set()
	if err != nil {
		return err
	}
	return a.Changes.Rollback(set, n)
}

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
	return a.Changes.Diff(c.changes(), from, to)
}

// searchRevisions answers a page of what listRevisions finds by q. How many there are
// on all pages is not counted.
func (a *api) searchRevisions(c *call, before int64, limit int) error {
	found, err := a.Changes.History.Search(c.R.Context(), c.org(), c.Param("q"), before, limit, c.reads)
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

// revisionNumber reads a number in the path.
func revisionNumber(c *call, param string, least int64) (int64, error) {
	text := chi.URLParam(c.R, param)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || strconv.FormatInt(n, 10) != text {
		return 0, fault.New(fault.NotFound, "revision.not_found", "there is no revision %s; revisions are numbers from 1", exchange.Brief(text))
	}
	return n, nil
}
