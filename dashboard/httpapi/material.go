package httpapi

import (
	"time"

	"github.com/sluice-gateway/sluice/dashboard/certificates"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
)

// extraDTO is what is known of material beside its document.
type extraDTO struct {
	Certificate *material.Facts `json:"certificate,omitempty"`
	SetAt       *time.Time      `json:"setAt,omitempty"`  // when a secret got its value
	UsedBy      *[]useDTO       `json:"usedBy,omitempty"` // absent for who may not read APIs
}

// useDTO is an object that names another one.
type useDTO struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (a *api) certificates() kind {
	return kind{"/certificates", a.Certificates.Collection, a.aboutMaterial}
}
func (a *api) secrets() kind   { return kind{"/secrets", a.Secrets.Collection, a.aboutMaterial} }
func (a *api) documents() kind { return kind{"/documents", a.Documents.Collection, nil} }

// extras are those of objects, in their order.
func (k kind) extras(c *call, list []publish.Object) ([]extraDTO, error) {
	if k.more == nil || len(list) == 0 {
		return make([]extraDTO, len(list)), nil
	}
	return k.more(c, list)
}

// aboutMaterial tells what certificates are, when secrets were set, and which APIs
// name them.
func (a *api) aboutMaterial(c *call, list []publish.Object) ([]extraDTO, error) {
	out := make([]extraDTO, len(list))
	for i, o := range list {
		switch o.Kind {
		case publish.KindCertificate:
			if facts, ok := certificates.Facts(o.Text); ok {
				out[i].Certificate = &facts
			}
		case publish.KindSecret:
			if s, _ := material.DecodeStoredSecret(o.Text); s != nil && s.Value != nil {
				out[i].SetAt = &s.Value.SetAt
			}
		}
	}
	if c.actor.Can(people.APIsRead) != nil {
		return out, nil
	}
	return out, a.Engine.View(c.R.Context(), func(s *publish.State) error {
		for i, o := range list {
			users := []useDTO{}
			for _, ref := range s.Users(publish.Ref{Org: o.Org, Kind: o.Kind, ID: o.ID}) {
				entry, _ := s.Get(ref)
				users = append(users, useDTO{ref.Kind, ref.ID, entry.Name})
			}
			out[i].UsedBy = &users
		}
		return nil
	})
}

// readers are the permissions to read objects of each kind.
func readers() map[string]people.Permission {
	return map[string]people.Permission{
		publish.KindAPI: people.APIsRead, publish.KindPolicy: people.PoliciesRead, publish.KindCertificate: people.CertificatesRead,
		publish.KindSecret: people.SecretsRead, publish.KindDocument: people.DocumentsRead,
	}
}

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
