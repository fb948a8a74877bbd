// Package changes is the part of the REST API that is about several objects at once:
// sets of changes, the differences between revisions, and rollbacks. Package httpapi
// knows the caller and has the routes.
package changes

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Service answers requests. All fields are required.
type Service struct {
	Set     *objects.Set
	History *history.Service
}

// Call is one request of a caller who may do what the route asks for.
type Call struct {
	exchange.Exchange
	Actor people.Actor
	Write objects.Write // of a request that writes; its note is in the body
	Base  string        // path that the API is below
}

// Permissions are what reading and changing the objects of a kind needs.
func Permissions(kind string) (read, write people.Permission) {
	if kind == publish.KindPolicy {
		return people.PoliciesRead, people.PoliciesWrite
	}
	return people.APIsRead, people.APIsWrite
}

// Reads tells whether somebody may read the objects of a kind.
func Reads(a people.Actor, kind string) bool {
	read, _ := Permissions(kind)
	return a.Can(read) == nil
}

// changeSet is the body of POST /changes.
type changeSet struct {
	Changes []change `json:"changes"`
	Note    string   `json:"note"`
}

type change struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Action  objects.Action  `json:"action"`
	Object  json.RawMessage `json:"object"`
	IfMatch string          `json:"ifMatch"`
}

// written is the answer to what changes several objects.
type written struct {
	Revision   int64           `json:"revision,omitempty"`
	PublishURL string          `json:"publishUrl,omitempty"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Problems   []fault.Problem `json:"problems"` // warnings
	Plan       []objects.Step  `json:"plan"`
	Later      []history.Later `json:"later,omitzero"` // of a rollback
}

// Apply makes a set of changes one revision. The caller needs the permission to
// change each of the kinds. The fault beside those of objects.Set is
// "set.object_missing".
func (s Service) Apply(c Call) error {
	in, err := exchange.Decode[changeSet](c.Exchange)
	if err != nil {
		return err
	}
	c.Write.Note = in.Note
	all := make([]objects.Change, len(in.Changes))
	for i, ch := range in.Changes {
		if err := c.may(ch.Kind); err != nil {
			return err
		}
		if ch.Action == objects.Put && ch.Object == nil {
			return fault.New(fault.Unprocessable, "set.object_missing", "object is the document to put; it is missing").
				With("change", i).At("/changes/" + strconv.Itoa(i) + "/object")
		}
		all[i] = objects.Change{Kind: ch.Kind, ID: ch.ID, Action: ch.Action, Text: ch.Object, IfMatch: ch.IfMatch}
	}
	result, err := s.Set.Apply(c.R.Context(), c.Write, all)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, c.answer(result))
}

func (c Call) may(kind string) error {
	_, write := Permissions(kind)
	return c.Actor.Can(write)
}

func (c Call) answer(r objects.SetResult) written {
	out := written{Revision: r.Revision, DryRun: c.Write.DryRun, Problems: exchange.Warnings(r.Problems), Plan: r.Plan}
	if r.Revision > 0 {
		out.PublishURL = c.Base + "/publishes/" + strconv.FormatInt(r.Revision, 10)
	}
	if out.Plan == nil {
		out.Plan = []objects.Step{}
	}
	return out
}

// Diff answers what differs between two revisions, in objects that the caller may
// read; see history.Service.Diff.
func (s Service) Diff(c Call, from, to int64) error {
	all, err := s.History.Diff(c.R.Context(), c.Actor.User.Org, from, to)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		From    int64                `json:"from"`
		To      int64                `json:"to"`
		Objects []history.ObjectDiff `json:"objects"`
	}{from, to, slices.DeleteFunc(all, func(d history.ObjectDiff) bool { return !Reads(c.Actor, d.Kind) })})
}

// rollback is the body of POST /revisions/{n}/rollback.
type rollback struct {
	Scope []history.Ref `json:"scope"` // absent: every object
	Note  string        `json:"note"`
}

// Rollback brings objects back to how they were after revision n. The caller needs
// the permission to change each kind of the scope, without one every kind. The fault
// beside those of history.Service.Rollback is "rollback.scope_empty".
func (s Service) Rollback(c Call, n int64) error {
	in, err := exchange.Decode[rollback](c.Exchange)
	if err != nil {
		return err
	}
	c.Write.Note = in.Note
	if in.Scope != nil && len(in.Scope) == 0 {
		return fault.New(fault.Unprocessable, "rollback.scope_empty", "scope names no object; leave it out to bring back all of them").At("/scope")
	}
	kinds := s.Set.Kinds()
	if in.Scope != nil {
		kinds = nil
		for _, ref := range in.Scope {
			kinds = append(kinds, ref.Kind)
		}
	}
	for _, kind := range kinds {
		if err := c.may(kind); err != nil {
			return err
		}
	}
	result, err := s.History.Rollback(c.R.Context(), c.Write, n, in.Scope)
	if err != nil {
		return err
	}
	out := c.answer(result.SetResult)
	if out.Later = result.Later; out.Later == nil {
		out.Later = []history.Later{}
	}
	return c.JSON(http.StatusOK, out)
}
