package drafts

import (
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Shown is a draft without its document, as people and programs see it.
type Shown struct {
	ID         string          `json:"id"`
	Version    int64           `json:"version"`
	ETag       string          `json:"etag"` // for If-Match
	Kind       string          `json:"kind"`
	ObjectID   string          `json:"objectId,omitempty"` // absent: to be created
	Name       string          `json:"name"`
	Base       *Base           `json:"base,omitempty"` // what it was begun from; absent of what is to be created
	State      State           `json:"state"`
	Owner      string          `json:"owner"` // id of the user
	Author     publish.Author  `json:"author"`
	Note       string          `json:"note"`
	Approved   bool            `json:"approved"` // the text as it is
	Publishing bool            `json:"publishing,omitempty"`
	Reviews    []Review        `json:"reviews"`
	Plan       *Plan           `json:"plan,omitempty"` // of a scheduled one
	Problems   []fault.Problem `json:"problems"`       // why a scheduled publication was refused
	Published  int64           `json:"published,omitempty"`
	Merged     int64           `json:"merged,omitempty"` // revision that it was merged with
	CreatedAt  time.Time       `json:"createdAt"`
	UpdatedAt  time.Time       `json:"updatedAt"`
}

// Show leaves out what concerns nobody but the service.
func (d Draft) Show() Shown {
	s := Shown{
		ID: d.ID, Version: d.Version, ETag: d.ETag(), Kind: d.Kind, ObjectID: d.Object, Name: d.Name, State: d.State, Owner: d.Owner,
		Author: d.Author, Note: d.Note, Approved: d.Approved, Publishing: d.Claim != nil, Reviews: d.Reviews, Plan: d.Plan,
		Problems: d.Problems, Published: d.Published, Merged: d.Merged, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	if d.Base != (Base{}) {
		s.Base = &d.Base
	}
	if s.Reviews == nil {
		s.Reviews = []Review{}
	}
	if s.Problems == nil {
		s.Problems = []fault.Problem{}
	}
	return s
}
