// Package resource is the part of the REST API that all kinds of revisioned objects
// have in common: lists, one object, and changes of it. Package httpapi knows the
// caller and has the routes.
package resource

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Kind is a kind of objects.
type Kind struct {
	Path string // below Base
	All  *objects.Collection
	// More is what is known of objects of the kind beside, in their order. Nil: nothing.
	More func(Call, []publish.Object) ([]Extra, error)
}

// Call is one request of a caller who may do what the route asks for.
type Call struct {
	exchange.Exchange
	Actor people.Actor
	Write objects.Write // of a request that writes
	Base  string        // path that the API is below
}

func (c Call) id() string { return chi.URLParam(c.R, "id") }

// Meta is what is known of an object beside its document.
type Meta struct {
	ID        string         `json:"id"`
	Revision  int64          `json:"revision"` // of the last change
	ETag      string         `json:"etag"`     // for If-Match
	SHA256    string         `json:"sha256"`   // of the document's bytes
	UpdatedAt time.Time      `json:"updatedAt"`
	UpdatedBy publish.Author `json:"updatedBy"`
}

func metaOf(o publish.Object) *Meta {
	if o.Deleted || o.Rev == 0 {
		return nil
	}
	return &Meta{o.ID, o.Rev, objects.ETag(o.Rev), o.SHA, o.UpdatedAt, o.UpdatedBy}
}

// Written is what follows the document in the answer to a write.
type Written struct {
	Meta       *Meta           `json:"meta"` // null after a deletion and in a dry run of a creation
	Revision   int64           `json:"revision,omitempty"`
	PublishURL string          `json:"publishUrl,omitempty"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Problems   []fault.Problem `json:"problems"` // warnings
	Plan       []objects.Step  `json:"plan"`
}

// List answers a page of objects, without private parts.
func (k Kind) List(c Call) error {
	if err := c.Query("q", "state", "tag", "sort", "cursor", "limit"); err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return err
	}
	state, err := c.OneOf("state", "active", "disabled")
	if err != nil {
		return err
	}
	sort, err := c.OneOf("sort", "name", "-updated")
	if err != nil {
		return err
	}
	found, err := k.All.List(c.R.Context(), publish.Query{
		Org: c.Actor.User.Org, Q: strings.ToLower(c.Param("q")), State: state, Tag: c.Param("tag"),
		Sort: sort, After: c.Param("cursor"), Limit: limit,
	})
	if err != nil {
		return err
	}
	items := make([]exchange.Raw, 0, len(found.Items))
	extras, err := k.extras(c, found.Items)
	if err != nil {
		return err
	}
	for i, o := range found.Items {
		item, err := stored(o, extras[i])
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	text, err := exchange.RawPage(items, found.Next, found.Total)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, text)
}

func stored(o publish.Object, more Extra) (exchange.Raw, error) {
	return exchange.WithObject(shown(o), struct {
		Meta *Meta `json:"meta"`
		Extra
	}{metaOf(o), more})
}

// shown is the text of an object as people may see it: without private parts.
func shown(o publish.Object) []byte { return material.Show(o.Kind, o.Text) }

// Get answers one object with its ETag.
func (k Kind) Get(c Call) error {
	if err := c.Query(); err != nil {
		return err
	}
	o, err := k.All.Get(c.R.Context(), c.Actor.User.Org, c.id())
	if err != nil {
		return err
	}
	extras, err := k.extras(c, []publish.Object{o})
	if err != nil {
		return err
	}
	text, err := stored(o, extras[0])
	if err != nil {
		return err
	}
	c.W.Header().Set("Etag", objects.ETag(o.Rev))
	return c.JSON(http.StatusOK, text)
}

// Create makes an object of the body.
func (k Kind) Create(c Call) error {
	w := c.Write
	text, err := c.Body()
	if err != nil {
		return err
	}
	result, err := k.All.Create(c.R.Context(), w, text)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if w.DryRun {
		status = http.StatusOK
	} else {
		c.W.Header().Set("Location", c.Base+k.Path+"/"+result.Object.ID)
	}
	return k.written(c, w, status, result)
}

// Replace puts the body in the place of an object's text.
func (k Kind) Replace(c Call) error {
	return k.change(c, "", func(w objects.Write, text []byte) (objects.Result, error) {
		return k.All.Replace(c.R.Context(), w, c.id(), text)
	})
}

// Patch applies a merge patch (RFC 7396) to an object's text.
func (k Kind) Patch(c Call) error {
	return k.change(c, "application/merge-patch+json", func(w objects.Write, text []byte) (objects.Result, error) {
		return k.All.Patch(c.R.Context(), w, c.id(), text)
	})
}

func (k Kind) change(c Call, also string, f func(objects.Write, []byte) (objects.Result, error)) error {
	w := c.Write
	text, err := c.Body(also)
	if err != nil {
		return err
	}
	result, err := f(w, text)
	if err != nil {
		return err
	}
	return k.written(c, w, http.StatusOK, result)
}

// Remove deletes an object.
func (k Kind) Remove(c Call) error {
	w := c.Write
	result, err := k.All.Delete(c.R.Context(), w, c.id())
	if err != nil {
		return err
	}
	return k.written(c, w, http.StatusOK, result)
}

func (k Kind) written(c Call, w objects.Write, status int, r objects.Result) error {
	out := Written{Meta: metaOf(r.Object), Revision: r.Revision, DryRun: w.DryRun, Problems: exchange.Warnings(r.Problems), Plan: r.Plan}
	if r.Revision > 0 {
		out.PublishURL = c.Base + "/publishes/" + strconv.FormatInt(r.Revision, 10)
	}
	if out.Meta != nil {
		c.W.Header().Set("Etag", r.ETag)
	}
	text, err := exchange.WithObject(shown(r.Object), out)
	if err != nil {
		return err
	}
	return c.JSON(status, text)
}
