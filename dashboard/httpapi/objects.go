package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// kind is a kind of revisioned objects, for the handlers that all have in common.
type kind struct {
	path string // below Base
	all  *objects.Collection
	more func(*call, []publish.Object) ([]extraDTO, error) // what is known of objects of the kind beside; nil: nothing
}

func (a *api) apis() kind     { return kind{"/apis", a.APIs.Collection, nil} }
func (a *api) policies() kind { return kind{"/policies", a.Policies.Collection, nil} }

// metaDTO is what is known of an object beside its document.
type metaDTO struct {
	ID        string         `json:"id"`
	Revision  int64          `json:"revision"` // of the last change
	ETag      string         `json:"etag"`     // for If-Match
	SHA256    string         `json:"sha256"`   // of the document's bytes
	UpdatedAt time.Time      `json:"updatedAt"`
	UpdatedBy publish.Author `json:"updatedBy"`
}

func toMeta(o publish.Object) *metaDTO {
	if o.Deleted || o.Rev == 0 {
		return nil
	}
	return &metaDTO{o.ID, o.Rev, objects.ETag(o.Rev), o.SHA, o.UpdatedAt, o.UpdatedBy}
}

// writtenDTO is what follows the document in the answer to a write.
type writtenDTO struct {
	Meta       *metaDTO        `json:"meta"` // null after a deletion and in a dry run of a creation
	Revision   int64           `json:"revision,omitempty"`
	PublishURL string          `json:"publishUrl,omitempty"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Problems   []fault.Problem `json:"problems"` // warnings
	Plan       []objects.Step  `json:"plan"`
}

func (k kind) list(c *call) error {
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
	found, err := k.all.List(c.R.Context(), publish.Query{
		Org: c.org(), Q: strings.ToLower(c.Param("q")), State: state, Tag: c.Param("tag"),
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

func stored(o publish.Object, more extraDTO) (exchange.Raw, error) {
	return exchange.WithObject(shown(o), struct {
		Meta *metaDTO `json:"meta"`
		extraDTO
	}{toMeta(o), more})
}

// shown is the text of an object as people may see it: without private parts.
func shown(o publish.Object) []byte { return material.Show(o.Kind, o.Text) }

func (k kind) get(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	o, err := k.all.Get(c.R.Context(), c.org(), c.id())
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

func (c *call) id() string { return chi.URLParam(c.R, "id") }

func (k kind) create(c *call) error {
	w, err := c.write()
	if err != nil {
		return err
	}
	text, err := c.Body()
	if err != nil {
		return err
	}
	result, err := k.all.Create(c.R.Context(), w, text)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if w.DryRun {
		status = http.StatusOK
	} else {
		c.W.Header().Set("Location", Base+k.path+"/"+result.Object.ID)
	}
	return k.written(c, w, status, result)
}

func (k kind) replace(c *call) error {
	return k.change(c, "", func(w objects.Write, text []byte) (objects.Result, error) {
		return k.all.Replace(c.R.Context(), w, c.id(), text)
	})
}

func (k kind) patch(c *call) error {
	return k.change(c, "application/merge-patch+json", func(w objects.Write, text []byte) (objects.Result, error) {
		return k.all.Patch(c.R.Context(), w, c.id(), text)
	})
}

func (k kind) change(c *call, also string, f func(objects.Write, []byte) (objects.Result, error)) error {
	w, err := c.write()
	if err != nil {
		return err
	}
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

func (k kind) remove(c *call) error {
	w, err := c.write()
	if err != nil {
		return err
	}
	result, err := k.all.Delete(c.R.Context(), w, c.id())
	if err != nil {
		return err
	}
	return k.written(c, w, http.StatusOK, result)
}

// write is what every change comes with.
func (c *call) write() (objects.Write, error) {
	if err := c.Query("dry_run", "note"); err != nil {
		return objects.Write{}, err
	}
	dry, err := c.DryRun()
	return objects.Write{
		Org: c.org(), Author: publish.Author{Kind: c.actor.Kind(), ID: c.actor.ID(), Name: c.actor.Name()},
		Note: c.Param("note"), IfMatch: strings.Join(c.R.Header.Values("If-Match"), ","), DryRun: dry,
	}, err
}

func (k kind) written(c *call, w objects.Write, status int, r objects.Result) error {
	out := writtenDTO{Meta: toMeta(r.Object), Revision: r.Revision, DryRun: w.DryRun, Problems: exchange.Warnings(r.Problems), Plan: r.Plan}
	if r.Revision > 0 {
		out.PublishURL = Base + "/publishes/" + strconv.FormatInt(r.Revision, 10)
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

func (a *api) listAPIs(c *call) error   { return a.apis().list(c) }
func (a *api) createAPI(c *call) error  { return a.apis().create(c) }
func (a *api) getAPI(c *call) error     { return a.apis().get(c) }
func (a *api) replaceAPI(c *call) error { return a.apis().replace(c) }
func (a *api) patchAPI(c *call) error   { return a.apis().patch(c) }
func (a *api) deleteAPI(c *call) error  { return a.apis().remove(c) }

func (a *api) listPolicies(c *call) error  { return a.policies().list(c) }
func (a *api) createPolicy(c *call) error  { return a.policies().create(c) }
func (a *api) getPolicy(c *call) error     { return a.policies().get(c) }
func (a *api) replacePolicy(c *call) error { return a.policies().replace(c) }
func (a *api) patchPolicy(c *call) error   { return a.policies().patch(c) }
func (a *api) deletePolicy(c *call) error  { return a.policies().remove(c) }
