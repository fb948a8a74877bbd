// Package publish is the log of truth: compare and append revisions, fold them
// into the views, and publish signed roots to Redis.
package publish

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sluice-gateway/sluice/pkg/apidef/material"
)

// Kinds of revisioned objects.
const (
	KindAPI         = "api"
	KindPolicy      = "policy"
	KindCertificate = material.KindCertificate
	KindSecret      = material.KindSecret
	KindDocument    = material.KindDocument
)

// Kinds lists all of them.
func Kinds() []string {
	return []string{KindAPI, KindPolicy, KindCertificate, KindSecret, KindDocument}
}

// Author is who made a revision.
type Author struct {
	Kind string `json:"kind"` // user, token or system
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Change is one object's step within a revision. Before and After are SHA-256
// sums (hex) of the texts; "" means that the object is not there.
type Change struct {
	Org    string `json:"org"`
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Revision is one entry of the log of truth. Numbers start at 1 and have no gaps.
type Revision struct {
	N       int64     `json:"revision"`
	At      time.Time `json:"at"` // UTC, milliseconds
	Author  Author    `json:"author"`
	Note    string    `json:"note,omitempty"`
	Changes []Change  `json:"changes"`
}

// ErrTaken is returned by Log.Append when a revision of that number exists.
var ErrTaken = errors.New("revision number is taken")

// ErrNotFound is returned when an object, a revision or a content does not exist.
var ErrNotFound = errors.New("not found")

// Log is the append-only list of revisions. Safe for concurrent use by any
// number of processes.
type Log interface {
	// Newest returns the highest number, 0 when the log is empty.
	Newest(ctx context.Context) (int64, error)
	// Append inserts r under r.N, durably, or returns ErrTaken. The caller has made
	// sure that r.N-1 exists.
	Append(ctx context.Context, r Revision) error
	// Since returns up to limit revisions with numbers above after, ascending.
	Since(ctx context.Context, after int64, limit int) ([]Revision, error)
	// Page returns up to limit revisions with numbers below before (0: from the
	// newest), descending. A filter by object applies when kind and id are set.
	Page(ctx context.Context, before int64, limit int, kind, id string) ([]Revision, error)
}

// Contents holds texts by their SHA-256 (hex). Writing a text twice is no error.
type Contents interface {
	Put(ctx context.Context, texts map[string][]byte) error
	// Get returns the texts that exist; a missing one is absent from the map.
	Get(ctx context.Context, sums []string) (map[string][]byte, error)
}

// Object is the present state of one revisioned object in its view. Text is the
// stored document, byte for byte.
type Object struct {
	Org, Kind, ID string
	Rev           int64 // revision of the last change
	SHA           string
	Text          []byte // nil when Deleted
	Deleted       bool   // a tombstone: keeps Rev so that late steps change nothing
	UpdatedAt     time.Time
	UpdatedBy     Author
	Summary       Summary
}

// Summary is what lists show and search, taken from the text.
type Summary struct {
	Name   string
	State  string // active or disabled
	Tags   []string
	Groups []string
	Search []string // lower-case strings that a list's q is looked for in: name, id, path, domains, upstreams, tags
}

// Query selects objects of one kind.
type Query struct {
	Org, Kind string
	Q         string // substring, lower-cased by the caller
	State     string
	Tag       string
	Sort      string // "name" (default) or "-updated"
	After     string // cursor of the page before, as returned; "" is the first page
	Limit     int    // 1 to 200
}

// Page is one page of objects. Next is "" on the last one.
type Page struct {
	Items []Object
	Next  string
	Total int
}

// Views are the collections that the log folds into: one per kind.
type Views interface {
	// Apply stores o when the stored Rev is lower than o.Rev, and does nothing
	// otherwise. Atomic per object.
	Apply(ctx context.Context, o Object) error
	// Each yields every object of every kind, tombstones too, in any order. It stops at
	// the first error, which it yields.
	Each(ctx context.Context) iter.Seq2[Object, error]
	// Get returns one object; ErrNotFound also for a tombstone.
	Get(ctx context.Context, org, kind, id string) (Object, error)
	List(ctx context.Context, q Query) (Page, error)
}

// Marks are named numbers that only rise: "applied" is the revision up to which
// every view is known to be folded, "epoch" the signing epoch, "keys" the
// projection's watermark in Unix milliseconds.
type Marks interface {
	// Mark returns 0 when the name was never raised.
	Mark(ctx context.Context, name string) (int64, error)
	// Raise sets the mark to v if v is higher.
	Raise(ctx context.Context, name string, v int64) error
}
