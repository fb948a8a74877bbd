package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// permissions are what reading and changing the objects of a kind needs.
func permissions(kind string) (read, write people.Permission) {
	if kind == publish.KindPolicy {
		return people.PoliciesRead, people.PoliciesWrite
	}
	return people.APIsRead, people.APIsWrite
}

// changeSet is the body of POST /changes.
type changeSet struct {
	Changes []setChange `json:"changes"`
	Note    string      `json:"note"`
}

type setChange struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Action  objects.Action  `json:"action"`
	Object  json.RawMessage `json:"object"`
	IfMatch string          `json:"ifMatch"`
}

// setDTO is the answer to what changes several objects.
type setDTO struct {
	Revision   int64           `json:"revision,omitempty"`
	PublishURL string          `json:"publishUrl,omitempty"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Problems   []fault.Problem `json:"problems"` // warnings
	Plan       []objects.Step  `json:"plan"`
}

// applyChanges makes a set of changes one revision. The caller needs the permission
// to change each of the kinds.
func (a *api) applyChanges(c *call) error {
	w, err := c.setWrite()
	if err != nil {
		return err
	}
	in, err := exchange.Decode[changeSet](c.Exchange)
	if err != nil {
		return err
	}
	w.Note = in.Note
	changes := make([]objects.Change, len(in.Changes))
	for i, ch := range in.Changes {
		if _, needs := permissions(ch.Kind); c.actor.Can(needs) != nil {
			return c.actor.Can(needs)
		}
		if ch.Action == objects.Put && ch.Object == nil {
			return fault.New(fault.Unprocessable, "set.object_missing", "object is the document to put; it is missing").
				With("change", i).At("/changes/" + strconv.Itoa(i) + "/object")
		}
		changes[i] = objects.Change{Kind: ch.Kind, ID: ch.ID, Action: ch.Action, Text: ch.Object, IfMatch: ch.IfMatch}
	}
	result, err := a.Set.Apply(c.R.Context(), w, changes)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, c.setAnswer(w, result))
}

// setWrite is what a change of several objects comes with; its note is in the body.
func (c *call) setWrite() (objects.Write, error) {
	if err := c.Query("dry_run"); err != nil {
		return objects.Write{}, err
	}
	return c.write()
}

func (c *call) setAnswer(w objects.Write, r objects.SetResult) setDTO {
	out := setDTO{Revision: r.Revision, DryRun: w.DryRun, Problems: exchange.Warnings(r.Problems), Plan: r.Plan}
	if r.Revision > 0 {
		out.PublishURL = Base + "/publishes/" + strconv.FormatInt(r.Revision, 10)
	}
	return out
}
