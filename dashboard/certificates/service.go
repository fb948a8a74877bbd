// Package certificates manages certificates with their keys, and bundles of CAs.
// Keys are write-only: sealed before their text is stored, and in no text that is
// shown.
package certificates

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sealing"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Service creates, changes and removes certificates. Its methods are those of
// objects.Collection, with codes that begin with "certificate.". One that an API
// names is not deleted: "certificate.in_use". The texts that they return hold the
// sealed key; material.Show takes it out.
type Service struct{ *objects.Collection }

// New makes the service. now is the time that certificates are checked at.
func New(e *publish.Engine, views publish.Views, box *sealing.Box, now func() time.Time) *Service {
	return &Service{objects.New(e, views, publish.KindCertificate, rules{box: box, now: now})}
}

type rules struct {
	objects.Apart // several may have one name: gateways show the best
	box           *sealing.Box
	now           func() time.Time
}

var (
	_ objects.Preparer = rules{}
	_ objects.Holder   = rules{}
)

func (r rules) Read(text []byte) (any, []fault.Problem) {
	c, problems := material.DecodeCertificate(text)
	if c == nil {
		return nil, problems
	}
	return c, append(problems, material.ValidateCertificate(c)...)
}

// Prepare checks the chain with the key that it will have, and puts it in order.
func (r rules) Prepare(org, id string, stored, text []byte) ([]byte, []fault.Problem) {
	settled, problems := r.box.Settle(publish.KindCertificate, org, id, stored, text)
	c, _ := material.DecodeStoredCertificate(settled.Text)
	if len(problems) > 0 || c == nil || c.Chain == "" { // told by Read
		return settled.Text, problems
	}
	chain, problems := material.Inspect(c.Chain, string(settled.Plain), r.now())
	if chain == nil {
		return settled.Text, problems
	}
	quoted, err := json.Marshal(chain.PEM)
	if err == nil {
		var mended []byte
		if mended, err = strictjson.MergePatch(settled.Text, fmt.Appendf(nil, `{"chain":%s}`, quoted)); err == nil {
			return mended, problems
		}
	}
	return settled.Text, append(problems, fault.Problem{Code: material.CodeChain, Path: "/chain", Severity: fault.Error, Message: "the chain cannot be put into the text"})
}

// Hold keeps certificates that APIs of a state name: gateways would refuse the APIs.
func (r rules) Hold(s *publish.State, org, id string) []fault.Problem {
	users := s.Users(publish.Ref{Org: org, Kind: publish.KindCertificate, ID: id})
	if len(users) == 0 {
		return nil
	}
	return []fault.Problem{{
		Code: "certificate.in_use", Severity: fault.Error, Params: map[string]any{"apis": len(users), "some": users[0].ID},
		Message: fmt.Sprintf("%d APIs name this certificate, such as %q; take it from them first", len(users), users[0].ID),
	}}
}

// Facts are what people see of a stored certificate; false where its text cannot
// be read.
func Facts(text []byte) (material.Facts, bool) {
	c, _ := material.DecodeStoredCertificate(text)
	if c == nil {
		return material.Facts{}, false
	}
	chain := material.Read(c.Chain)
	if chain == nil {
		return material.Facts{}, false
	}
	return chain.Facts(c.Key != nil), true
}
