// Package documents manages the OpenAPI documents that definitions came from.
package documents

import (
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Service creates, changes and removes documents. Its methods are those of
// objects.Collection, with codes that begin with "document.".
type Service struct{ *objects.Collection }

// New makes the service.
func New(e *publish.Engine, views publish.Views) *Service {
	return &Service{objects.New(e, views, publish.KindDocument, rules{})}
}

type rules struct{ objects.Apart }

func (rules) Read(text []byte) (any, []fault.Problem) {
	d, problems := material.DecodeDocument(text)
	if d == nil {
		return nil, problems
	}
	return d, append(problems, material.ValidateDocument(d)...)
}
