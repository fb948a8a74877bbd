package httpapi

import (
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/httpapi/resource"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// kind is a kind of revisioned objects, for the handlers that all have in common.
type kind struct{ resource.Kind }

func (k kind) list(c *call) error    { return k.List(c.resource()) }
func (k kind) get(c *call) error     { return k.Get(c.resource()) }
func (k kind) create(c *call) error  { return c.writing(k.Create) }
func (k kind) replace(c *call) error { return c.writing(k.Replace) }
func (k kind) patch(c *call) error   { return c.writing(k.Patch) }
func (k kind) remove(c *call) error  { return c.writing(k.Remove) }

func (c *call) id() string { return chi.URLParam(c.R, "id") }

func (c *call) resource() resource.Call {
	return resource.Call{Exchange: c.Exchange, Actor: c.actor, Base: Base}
}

func (c *call) writing(do func(resource.Call) error) (err error) {
	r := c.resource()
	if r.Write, err = c.write(); err != nil {
		return err
	}
	return do(r)
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

func (a *api) apis() kind {
	return kind{resource.Kind{Path: "/apis", All: a.APIs.Collection}}
}

func (a *api) policies() kind {
	return kind{resource.Kind{Path: "/policies", All: a.Policies.Collection}}
}

func (a *api) certificates() kind {
	return kind{resource.Kind{Path: "/certificates", All: a.Certificates.Collection, More: resource.Material(a.Engine)}}
}

func (a *api) secrets() kind {
	return kind{resource.Kind{Path: "/secrets", All: a.Secrets.Collection, More: resource.Material(a.Engine)}}
}

func (a *api) documents() kind {
	return kind{resource.Kind{Path: "/documents", All: a.Documents.Collection}}
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

func (a *api) listCertificates(c *call) error   { return a.certificates().list(c) }
func (a *api) createCertificate(c *call) error  { return a.certificates().create(c) }
func (a *api) getCertificate(c *call) error     { return a.certificates().get(c) }
func (a *api) replaceCertificate(c *call) error { return a.certificates().replace(c) }
func (a *api) patchCertificate(c *call) error   { return a.certificates().patch(c) }
func (a *api) deleteCertificate(c *call) error  { return a.certificates().remove(c) }

func (a *api) listSecrets(c *call) error   { return a.secrets().list(c) }
func (a *api) createSecret(c *call) error  { return a.secrets().create(c) }
func (a *api) getSecret(c *call) error     { return a.secrets().get(c) }
func (a *api) replaceSecret(c *call) error { return a.secrets().replace(c) }
func (a *api) patchSecret(c *call) error   { return a.secrets().patch(c) }
func (a *api) deleteSecret(c *call) error  { return a.secrets().remove(c) }

func (a *api) listDocuments(c *call) error   { return a.documents().list(c) }
func (a *api) createDocument(c *call) error  { return a.documents().create(c) }
func (a *api) getDocument(c *call) error     { return a.documents().get(c) }
func (a *api) replaceDocument(c *call) error { return a.documents().replace(c) }
func (a *api) patchDocument(c *call) error   { return a.documents().patch(c) }
func (a *api) deleteDocument(c *call) error  { return a.documents().remove(c) }
