// Package secrets manages named values that definitions refer to as
// ${secret:ID}. They are write-only: a value is sealed before its text is stored,
// and no text that is shown has it.
package secrets

import (
	"fmt"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sealing"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Service creates, changes and removes secrets. Its methods are those of
// objects.Collection, with codes that begin with "secret.". One that an API names is
// not deleted: "secret.in_use". The texts that they return hold the sealed value;
// material.Show takes it out.
type Service struct{ *objects.Collection }

// New makes the service.
func New(e *publish.Engine, views publish.Views, box *sealing.Box) *Service {
	return &Service{objects.New(e, views, publish.KindSecret, rules{box: box})}
}

type rules struct {
	objects.Apart
	box *sealing.Box
}

var (
	_ objects.Preparer = rules{}
	_ objects.Holder   = rules{}
)

func (r rules) Read(text []byte) (any, []fault.Problem) {
	s, problems := material.DecodeSecret(text)
	if s == nil {
		return nil, problems
	}
	return s, append(problems, material.ValidateSecret(s)...)
}

func (r rules) Prepare(org, id string, stored, text []byte) ([]byte, []fault.Problem) {
	settled, problems := r.box.Settle(publish.KindSecret, org, id, stored, text)
	if settled.Plain == nil && len(problems) == 0 {
		problems = []fault.Problem{{
			Code: strictjson.CodeRequired, Path: "/value", Severity: fault.Error, Params: map[string]any{"name": "value"},
			Message: "a new secret needs its value",
		}}
	}
	return settled.Text, problems
}

// Hold keeps secrets that APIs of a state name: gateways would refuse the APIs.
func (r rules) Hold(s *publish.State, org, id string) []fault.Problem {
	users := s.Users(publish.Ref{Org: org, Kind: publish.KindSecret, ID: id})
	if len(users) == 0 {
		return nil
	}
	return []fault.Problem{{
		Code: "secret.in_use", Severity: fault.Error, Params: map[string]any{"apis": len(users), "some": users[0].ID},
		Message: fmt.Sprintf("%d APIs refer to this secret, such as %q; take ${secret:%s} from them first", len(users), users[0].ID, id),
	}}
}
