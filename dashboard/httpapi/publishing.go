package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/httpapi/changes"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func (a *api) listGateways(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	nodes, err := a.Fleet.List(c.R.Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, exchange.NewPage(nodes, "", len(nodes)))
}

func (a *api) getGateway(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	n, err := a.Fleet.Get(c.R.Context(), c.id())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, n)
}

// listRevisions pages by number: the cursor is the lowest number of the page before.
func (a *api) listRevisions(c *call) error {
	if err := c.Query("q", "kind", "id", "cursor", "limit"); err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return err
	}
	kind, err := c.OneOf("kind", publish.KindAPI, publish.KindPolicy)
	if err != nil {
		return err
	}
	if (kind == "") != (c.Param("id") == "") {
		return exchange.BadQuery("id", "kind and id name one object together; send both or none")
	}
	before := int64(0)
	if cursor := c.Param("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return fault.New(fault.Invalid, "list.cursor_invalid", "cursor is not one that this list gave out; leave it out to begin at the first page")
		}
	}
	if c.Param("q") != "" {
		if kind != "" {
			return exchange.BadQuery("q", "q searches all revisions; send it without kind and id")
		}
		return a.searchRevisions(c, before, limit)
	}
	recorded, own, err := a.Engine.Recorded(c.R.Context(), c.org())
	if err != nil {
		return err
	}
	found, err := a.Engine.Revisions(c.R.Context(), before, limit, kind, c.Param("id"))
	if err != nil {
		return err
	}
	shown := make([]publish.Revision, 0, len(found))
	for _, r := range found {
		if r, ok := within(r, c.org()); ok {
			shown = append(shown, r)
		}
	}
	items, err := a.named(c, shown)
	if err != nil {
		return err
	}
	out := exchange.NewPage(items, "", 0)
	if len(found) == limit && found[limit-1].N > 1 {
		out.Next = strconv.FormatInt(found[limit-1].N, 10)
	}
	out.Total, out.TotalExact = len(out.Items), out.Next == "" && before == 0
	if kind == "" && own { // the numbers have no gaps
		out.Total, out.TotalExact = int(recorded), true
	}
	return c.JSON(http.StatusOK, out)
}

// mostNamed bounds how many changes of one revision are told by their names; a
// revision of an import has thousands.
const mostNamed = 20

// revisionDTO is a revision whose first changes have the names of their objects.
type revisionDTO struct {
	publish.Revision
	Changes []changeDTO `json:"changes"`
}

type changeDTO struct {
	publish.Change
	Name string `json:"name,omitempty"`
}

// named adds names, of objects that the caller may read.
func (a *api) named(c *call, revisions []publish.Revision) ([]revisionDTO, error) {
	var asked []publish.Change
	for _, r := range revisions {
		for _, ch := range r.Changes[:min(mostNamed, len(r.Changes))] {
			if c.reads(ch.Kind) {
				asked = append(asked, ch)
			}
		}
	}
	names, err := a.Engine.Names(c.R.Context(), asked)
	if err != nil {
		return nil, err
	}
	out := make([]revisionDTO, len(revisions))
	for i, r := range revisions {
		out[i] = revisionDTO{Revision: r, Changes: make([]changeDTO, len(r.Changes))}
		for k, ch := range r.Changes {
			out[i].Changes[k] = changeDTO{Change: ch}
			if k < mostNamed && c.reads(ch.Kind) {
				out[i].Changes[k].Name = names[ch.Says()]
			}
		}
	}
	return out, nil
}

// within is a revision without what other organisations' objects have to do with it.
func within(r publish.Revision, org string) (publish.Revision, bool) {
	r.Changes = slices.DeleteFunc(slices.Clone(r.Changes), func(ch publish.Change) bool { return ch.Org != org })
	return r, len(r.Changes) > 0
}

func (a *api) getRevision(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	r, err := a.revision(c, "n")
	if err != nil {
		return err
	}
	named, err := a.named(c, []publish.Revision{r})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, named[0])
}

// getChange answers with one object's document before and after a revision. Who may
// not read such objects may not read them here.
func (a *api) getChange(c *call) error {
	kind := chi.URLParam(c.R, "kind")
	needs, _ := changes.Permissions(kind)
	if err := cmp.Or(c.Query(), c.actor.Can(needs)); err != nil {
		return err
	}
	r, err := a.revision(c, "n")
	if err != nil {
		return err
	}
	texts, err := a.Engine.Change(c.R.Context(), r, kind, c.id())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, texts)
}

// publishing answers with the condition that events tell the changes of.
func (a *api) publishing(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.Engine.Condition())
}

func (a *api) revision(c *call, param string) (publish.Revision, error) {
	n, err := revisionNumber(c, param, 1)
	if err != nil {
		return publish.Revision{}, err
	}
	r, err := a.Engine.Revision(c.R.Context(), n)
	if err != nil {
		return publish.Revision{}, err
	}
	own, ok := within(r, c.org())
	if !ok {
		return publish.Revision{}, fault.New(fault.NotFound, "revision.not_found", "there is no revision %d", n).With("revision", n)
	}
	return own, nil
}

func (a *api) publishStatus(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	r, err := a.revision(c, "revision")
	if err != nil {
		return err
	}
	s, err := a.Engine.Status(c.R.Context(), r.N)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s)
}
