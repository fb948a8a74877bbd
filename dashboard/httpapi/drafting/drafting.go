// Package drafting is the part of the REST API that is about drafts.
package drafting

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// draftDTO is what follows the document of a draft.
type draftDTO struct {
	Draft    drafts.Shown    `json:"draft"`
	Present  *int64          `json:"present,omitempty"` // revision of the object's version; of a read alone
	Moved    *bool           `json:"moved,omitempty"`   // that is not the draft's base
	DryRun   bool            `json:"dryRun,omitempty"`
	Problems []fault.Problem `json:"problems"` // that a publication would meet now
}

// publishedDTO is what follows the document that a draft was published as.
type publishedDTO struct {
	Draft      drafts.Shown    `json:"draft"`
	Merged     *drafts.Merged  `json:"merged,omitempty"`
	Revision   int64           `json:"revision,omitempty"` // absent when nothing changed, and in a dry run
	PublishURL string          `json:"publishUrl,omitempty"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Problems   []fault.Problem `json:"problems"` // warnings
	Plan       []objects.Step  `json:"plan"`
}

// Drafts answers one request about drafts.
type Drafts struct {
	exchange.Exchange
	Actor   people.Actor
	ID      string // of the draft, in the path; "" where there is none
	Base    string // path of the API
	Service *drafts.Service
}

// by is the caller as the author, or the reviewer, of drafts.
func (c *Drafts) by() drafts.By {
	return drafts.By{
		Org: c.Actor.User.Org, User: c.Actor.User.ID, Reviewer: c.Actor.Can(people.DraftsApprove) == nil,
		Author: publish.Author{Kind: c.Actor.Kind(), ID: c.Actor.ID(), Name: c.Actor.Name()},
	}
}

// draftChange is what every change of a draft comes with; merge is false where the
// route does not know it.
func (c *Drafts) draftChange(known ...string) (w drafts.Condition, merge bool, err error) {
	if err = c.Query(append(known, "dry_run")...); err != nil {
		return w, false, err
	}
	w.IfMatch = strings.Join(c.R.Header.Values("If-Match"), ",")
	if w.DryRun, err = c.DryRun(); err != nil {
		return w, false, err
	}
	flag, err := c.OneOf("merge", "0", "1")
	return w, flag == "1", err
}

// mayPublish tells whether the caller may change objects of the draft's kind.
func (c *Drafts) mayPublish() error {
	d, err := c.Service.Get(c.R.Context(), c.Actor.User.Org, c.ID)
	if err != nil {
		return err
	}
	return c.Actor.Can(writing(d.Kind))
}

func writing(kind string) people.Permission {
	if kind == publish.KindPolicy {
		return people.PoliciesWrite
	}
	return people.APIsWrite
}

func (c *Drafts) draft(status int, d drafts.Draft, out draftDTO) error {
	out.Draft, out.Problems = d.Show(), exchange.Warnings(out.Problems)
	c.W.Header().Set("Etag", d.ETag())
	text, err := exchange.WithObject(d.Text, out)
	if err != nil {
		return err
	}
	return c.JSON(status, text)
}

// List lists drafts, those changed last first.
func (c *Drafts) List() error {
	if err := c.Query("state", "kind", "objectId", "mine", "cursor", "limit"); err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return err
	}
	var states []string
	for _, s := range drafts.States() {
		states = append(states, string(s))
	}
	state, err := c.OneOf("state", states...)
	if err != nil {
		return err
	}
	q := drafts.Query{Org: c.Actor.User.Org, State: drafts.State(state), Kind: c.Param("kind"), Object: c.Param("objectId"), After: c.Param("cursor"), Limit: limit}
	mine, err := c.OneOf("mine", "0", "1")
	if err != nil {
		return err
	}
	if mine == "1" {
		q.Owner = c.Actor.User.ID
	}
	found, err := c.Service.List(c.R.Context(), q)
	if err != nil {
		return err
	}
	items := make([]drafts.Shown, 0, len(found.Items))
	for _, d := range found.Items {
		items = append(items, d.Show())
	}
	return c.JSON(http.StatusOK, exchange.NewPage(items, found.Next, found.Total))
}

// Create begins one.
func (c *Drafts) Create() error {
	w, _, err := c.draftChange()
	if err != nil {
		return err
	}
	in, err := exchange.Decode[drafts.NewDraft](c.Exchange)
	if err != nil {
		return err
	}
	d, problems, err := c.Service.Create(c.R.Context(), c.by(), *in, w.DryRun)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !w.DryRun {
		status = http.StatusCreated
		c.W.Header().Set("Location", c.Base+"/drafts/"+d.ID)
	}
	return c.draft(status, d, draftDTO{DryRun: w.DryRun, Problems: problems})
}

// Get answers with one, and how far its object went on.
func (c *Drafts) Get() error {
	if err := c.Query(); err != nil {
		return err
	}
	d, err := c.Service.Get(c.R.Context(), c.Actor.User.Org, c.ID)
	if err != nil {
		return err
	}
	present, moved, err := c.Service.Present(c.R.Context(), d)
	if err != nil {
		return err
	}
	return c.draft(http.StatusOK, d, draftDTO{Present: &present, Moved: &moved})
}

// Patch changes one.
func (c *Drafts) Patch() error {
	w, _, err := c.draftChange()
	if err != nil {
		return err
	}
	in, err := exchange.Decode[drafts.Change](c.Exchange)
	if err != nil {
		return err
	}
	d, problems, err := c.Service.Update(c.R.Context(), c.by(), c.ID, w, *in)
	if err != nil {
		return err
	}
	return c.draft(http.StatusOK, d, draftDTO{DryRun: w.DryRun, Problems: problems})
}

// Delete removes one.
func (c *Drafts) Delete() error {
	w, _, err := c.draftChange()
	if err != nil {
		return err
	}
	if err := c.Service.Delete(c.R.Context(), c.by(), c.ID, w); err != nil {
		return err
	}
	return c.NoContent()
}

// steer answers with what a step of the review made of a draft.
func (c *Drafts) steer(f func(w drafts.Condition) (drafts.Draft, error)) error {
	w, _, err := c.draftChange()
	if err != nil {
		return err
	}
	d, err := f(w)
	if err != nil {
		return err
	}
	return c.draft(http.StatusOK, d, draftDTO{DryRun: w.DryRun})
}

// Submit asks for a review.
func (c *Drafts) Submit() error {
	return c.steer(func(w drafts.Condition) (drafts.Draft, error) {
		return c.Service.Submit(c.R.Context(), c.by(), c.ID, w)
	})
}

// Unschedule takes a plan back.
func (c *Drafts) Unschedule() error {
	return c.steer(func(w drafts.Condition) (drafts.Draft, error) {
		return c.Service.Unschedule(c.R.Context(), c.by(), c.ID, w)
	})
}

// Approve approves one.
func (c *Drafts) Approve() error { return c.review(drafts.Approve) }

// Reject sends one back.
func (c *Drafts) Reject() error { return c.review(drafts.Reject) }

// noteOnly is a body that may be left out.
type noteOnly struct {
	Note string `json:"note,omitempty"`
}

func (c *Drafts) note() (string, error) {
	if c.R.ContentLength == 0 {
		return "", nil
	}
	in, err := exchange.Decode[noteOnly](c.Exchange)
	if err != nil {
		return "", err
	}
	return in.Note, nil
}

func (c *Drafts) review(v drafts.Verdict) error {
	return c.steer(func(w drafts.Condition) (drafts.Draft, error) {
		note, err := c.note()
		if err != nil {
			return drafts.Draft{}, err
		}
		return c.Service.Review(c.R.Context(), c.by(), c.ID, w, v, note)
	})
}

// Schedule plans a publication.
func (c *Drafts) Schedule() error {
	w, merge, err := c.draftChange("merge")
	if err != nil {
		return err
	}
	in, err := exchange.Decode[struct {
		At time.Time `json:"at"`
	}](c.Exchange)
	if err != nil {
		return err
	}
	if err := c.mayPublish(); err != nil {
		return err
	}
	d, err := c.Service.Schedule(c.R.Context(), c.by(), c.ID, w, in.At, merge)
	if err != nil {
		return err
	}
	return c.draft(http.StatusOK, d, draftDTO{DryRun: w.DryRun})
}

// Publish makes one a revision.
func (c *Drafts) Publish() error {
	w, merge, err := c.draftChange("merge")
	if err != nil {
		return err
	}
	note, err := c.note()
	if err != nil {
		return err
	}
	if err := c.mayPublish(); err != nil {
		return err
	}
	done, err := c.Service.Publish(c.R.Context(), c.by(), c.ID, drafts.Publication{Condition: w, Note: note, Merge: merge})
	if err != nil {
		return err
	}
	c.W.Header().Set("Etag", done.Draft.ETag())
	out := publishedDTO{
		Draft: done.Draft.Show(), Merged: done.Merged, Revision: done.Result.Revision, DryRun: w.DryRun,
		Problems: exchange.Warnings(done.Result.Problems), Plan: done.Result.Plan,
	}
	if out.Revision > 0 {
		out.PublishURL = c.Base + "/publishes/" + strconv.FormatInt(out.Revision, 10)
	}
	text, err := exchange.WithObject(done.Result.Object.Text, out)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, text)
}
