// Package archive is records at rest: one collection (MongoDB) or one file
// (SQLite) a day, written by pumps, read by dashboards. Retention drops whole
// days.
//
// This file is what is asked for and what is answered, day.go what a day is, and
// search.go walks through the days as both adapters do. mongo and sqlite are the
// adapters, archivetest is their contract.
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

// SearchFor is how long one page is searched for, unless the context's deadline
// comes first; see Page.Next.
const SearchFor = 2 * time.Second

// CountFor is how long the records of a question are counted; see Page.Total.
const CountFor = 300 * time.Millisecond

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
	// Text is part of the path, whatever the case of its ASCII letters, or a whole
	// request id.
	Text string
}

// Cursor is the last record of a page: the next page begins behind it. The zero
// Cursor begins at the newest. An empty ID stands before all records of its
// microsecond.
type Cursor struct {
	At time.Time
	ID string
}

// Page is an answer, newest first; records of one microsecond have an order of the
// adapter's own, always the same one.
type Page[E any] struct {
	Entries []E
	// Next is where to go on; zero on the last page. A page with a Next may have fewer
	// records than were asked for, or none: then the search ended after SearchFor, and
	// goes on from there when asked again.
	Next Cursor
	// Total is how many records the filter finds in all, whatever the cursor, counted
	// up to CountUpTo and for CountFor; TotalExact is false where there are, or may be,
	// more.
	Total      int
	TotalExact bool
	// Skipped are the days that should have been searched but cannot be read, each as
	// a sentence. Their records are not in the page.
	Skipped []string
}

// Rejected is a record that can never be stored, by its index.
type Rejected struct {
	Index  int
	Reason string
}
