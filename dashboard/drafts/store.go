// Package drafts keeps changes that are not published yet: people write them,
// review them, and publish them now or at a set time. Drafts are outside the log of
// truth; what becomes of one is a revision like any other.
package drafts

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// State says how far a draft is.
type State string

// The states. An open draft is being written; a submitted one waits for a review.
// A rejected one, by a reviewer or because a scheduled publication was refused,
// becomes open again when its author changes it. A published one stays as it is.
const (
	Open      State = "open"
	Submitted State = "submitted"
	Approved  State = "approved"
	Scheduled State = "scheduled"
	Published State = "published"
	Rejected  State = "rejected"
)

// States lists all of them.
func States() []State { return []State{Open, Submitted, Approved, Scheduled, Published, Rejected} }

// Draft is one change of one object. Stores keep its JSON form, and the text byte
// for byte beside it.
type Draft struct {
	ID     string `json:"id"`
	Org    string `json:"org"`
	Kind   string `json:"kind"`
	Object string `json:"object,omitempty"` // id of the object; "" is to be created
	Name   string `json:"name,omitempty"`   // that the text has
	Text   []byte `json:"-"`                // the whole document; lists leave it out
	Base   Base   `json:"base,omitzero"`    // what it was begun from; zero of what is to be created

	Owner  string         `json:"owner"` // id of the user whose draft it is
	Author publish.Author `json:"author"`
	Note   string         `json:"note,omitempty"` // for the revision to come
	State  State          `json:"state"`

	Approved  bool            `json:"approved,omitempty"` // the text as it is was approved
	Reviews   []Review        `json:"reviews,omitempty"`  // oldest first
	Plan      *Plan           `json:"plan,omitempty"`     // of a scheduled one
	Problems  []fault.Problem `json:"problems,omitempty"` // why a scheduled publication was refused
	Claim     *Claim          `json:"claim,omitempty"`    // somebody publishes it now
	Published int64           `json:"published,omitempty"`
	Merged    int64           `json:"merged,omitempty"` // revision that it was merged with when it was published

	CreatedAt time.Time `json:"createdAt"` // UTC, milliseconds, as all instants here
	UpdatedAt time.Time `json:"updatedAt"`
	Version   int64     `json:"version"` // counts every change, from 1
}

// Base is the version of an object that a draft was begun from: the revision that
// changed it last, and the SHA-256 of its text, hex.
type Base struct {
	Revision int64  `json:"revision"`
	SHA      string `json:"sha256"`
}

// Verdict is what a reviewer says.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "approve"
	Reject  Verdict = "reject"
)

// Review is one reviewer's word.
type Review struct {
	By      publish.Author `json:"by"`
	At      time.Time      `json:"at"`
	Verdict Verdict        `json:"verdict"`
	Note    string         `json:"note,omitempty"`
}

// Plan is when a draft is to be published, and on whose word.
type Plan struct {
	At    time.Time      `json:"at"`
	By    publish.Author `json:"by"`    // author of the revision to come
	Merge bool           `json:"merge"` // with what others changed elsewhere in the object
}

// Claim says that a dashboard is publishing the draft. It does not make the
// publication happen once: the log does, since every attempt is for the same base.
// It tells others to wait, and who comes after a crash what to look for in the log.
type Claim struct {
	Until time.Time      `json:"until"` // then it counts for nothing
	By    publish.Author `json:"by"`
	After int64          `json:"after"`  // newest revision when it was made
	ID    string         `json:"id"`     // of the object
	SHA   string         `json:"sha256"` // of the text that is to be published
	Merge int64          `json:"merge,omitempty"`
}

// Live tells whether the draft still asks for something.
func (d Draft) Live() bool { return d.State != Published && d.State != Rejected }

// Slot is what no two stored drafts may share: one live draft per person and
// object. Drafts that are not live, or create an object, have one of their own.
func (d Draft) Slot() string {
	if !d.Live() || d.Object == "" {
		return "draft/" + d.ID
	}
	parts := []string{d.Org, d.Kind, d.Object, d.Owner}
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "object/" + strings.Join(parts, "/")
}

// Due is when a dashboard has to look after the draft by itself: at the end of a
// claim, or at the time that it is to be published. The zero time is never.
func (d Draft) Due() time.Time {
	switch {
	case d.Claim != nil:
		return d.Claim.Until
	case d.State == Scheduled && d.Plan != nil:
		return d.Plan.At
	}
	return time.Time{}
}

// Query selects drafts of one organisation; "" is any.
type Query struct {
	Org    string
	State  State
	Kind   string
	Object string
	Owner  string
	After  string // cursor; "" is the first page
	Limit  int    // 1 to 200
}

// Page is one page of drafts without their texts, those changed last first. Next is
// "" on the last one.
type Page struct {
	Items []Draft
	Next  string
	Total int
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such draft")
	ErrStale    = errors.New("draft was changed meanwhile")
	ErrTaken    = errors.New("draft id or slot is taken")
)

// Store is where drafts live. Safe for concurrent use by any number of processes.
type Store interface {
	// Insert adds a draft; ErrTaken when its id or slot exists.
	Insert(ctx context.Context, d Draft) error
	// Replace stores d when the stored version is version, else ErrStale or
	// ErrNotFound; ErrTaken when another draft has its slot.
	Replace(ctx context.Context, d Draft, version int64) error
	Get(ctx context.Context, org, id string) (Draft, error)
	// Delete removes a draft whose version is version, else ErrStale or ErrNotFound.
	Delete(ctx context.Context, org, id string, version int64) error
	List(ctx context.Context, q Query) (Page, error)
}

// Agenda is what the drafts of all organisations ask of dashboards by themselves.
type Agenda interface {
	// Due returns up to limit drafts, with their texts, whose Due is not zero and not
	// after now, the earliest first.
	Due(ctx context.Context, now time.Time, limit int) ([]Draft, error)
	// Sweep removes the published drafts that were changed last before before.
	Sweep(ctx context.Context, before time.Time) error
}

// Shelf is a store with its agenda.
type Shelf interface {
	Store
	Agenda
}
