// Package archive is records at rest: one collection (MongoDB) or one file
// (SQLite) a day, written by pumps, read by dashboards. Retention drops whole
// days.
//
// This file is what both adapters share: what is asked for and what is answered.
// mongo and sqlite are the adapters, archivetest is their contract.
package archive

import (
	"errors"
	"time"
)

// ErrNotFound says that no record has this id, any more or at all.
var ErrNotFound = errors.New("there is no such record")

// MaxPage is the most records of one page.
const MaxPage = 200

// CountUpTo is how far the records of a question are counted; see Page.Total.
const CountUpTo = 10_000

// Filter says which records are asked for; zero fields ask for nothing. All that
// are set must hold.
type Filter struct {
	Org      string
	From, To time.Time // From <= At < To

	API       string
	NoAPI     bool // matched no API
	Key       string
	Method    string
	Path      string // exact, or the beginning where it ends in "*"
	Route     string
	Client    string // address as it was recorded
	Target    string
	Node      string
	Host      string
	RequestID string
	Refusal   string // code of the gateway's own answer

	StatusMin, StatusMax int           // inclusive
	SlowerThan           time.Duration // Total >= it
	// Text is part of the path, whatever its case, or a whole request id.
	Text string
}

// Cursor is the last record of a page: the next page begins behind it. The zero
// Cursor begins at the newest.
type Cursor struct {
	At time.Time
	ID string
}

// Page is an answer, newest first.
type Page[E any] struct {
	Entries []E
	Next    Cursor // zero on the last page
	// Total is how many records the filter finds in all, counted up to CountUpTo;
	// TotalExact is false where there are, or may be, more.
	Total      int
	TotalExact bool
}

// Rejected is a record that can never be stored, by its index.
type Rejected struct {
	Index  int
	Reason string
}
