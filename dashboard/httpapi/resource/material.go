package resource

import (
	"time"

	"github.com/sluice-gateway/sluice/dashboard/certificates"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
)

// Extra is what is known of material beside its document.
type Extra struct {
	Certificate *material.Facts `json:"certificate,omitempty"`
	SetAt       *time.Time      `json:"setAt,omitempty"`  // when a secret got its value
	UsedBy      *[]Use          `json:"usedBy,omitempty"` // absent for who may not read APIs
}

// Use is an object that names another one.
type Use struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// extras are those of objects, in their order.
func (k Kind) extras(c Call, list []publish.Object) ([]Extra, error) {
	if k.More == nil || len(list) == 0 {
		return make([]Extra, len(list)), nil
	}
	return k.More(c, list)
}

// Material tells what certificates are, when secrets were set, and which APIs name
// them.
func Material(e *publish.Engine) func(Call, []publish.Object) ([]Extra, error) {
	return func(c Call, list []publish.Object) ([]Extra, error) { return about(e, c, list) }
}

func about(e *publish.Engine, c Call, list []publish.Object) ([]Extra, error) {
	out := make([]Extra, len(list))
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
	if c.Actor.Can(people.APIsRead) != nil {
		return out, nil
	}
	return out, e.View(c.R.Context(), func(s *publish.State) error {
		for i, o := range list {
			users := []Use{}
			for _, ref := range s.Users(publish.Ref{Org: o.Org, Kind: o.Kind, ID: o.ID}) {
				entry, _ := s.Get(ref)
				users = append(users, Use{ref.Kind, ref.ID, entry.Name})
			}
			out[i].UsedBy = &users
		}
		return nil
	})
}
